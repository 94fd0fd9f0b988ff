"""Folders are claimed whole, files are written whole."""

import pytest

from jax_ac import files


def test_claim_and_release(tmp_path):
    made = files.claim_folder(tmp_path / "a" / "b")
    assert made == [tmp_path / "a" / "b", tmp_path / "a"]
    assert not any((tmp_path / "a" / "b").iterdir())
    files.release_folder(made)
    assert not any(tmp_path.iterdir())


def test_release_keeps_what_holds_something(tmp_path):
    made = files.claim_folder(tmp_path / "a" / "b")
    (tmp_path / "a" / "b" / "result").touch()
    files.release_folder(made)
    assert (tmp_path / "a" / "b" / "result").exists()


def test_occupied_and_unwritable(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is not empty"):
        files.claim_folder(tmp_path)
    with pytest.raises(ValueError, match=r"cannot write to the folder .*Not a directory"):
        files.claim_folder(tmp_path / "file" / "below")
    with pytest.raises(ValueError, match="cannot write to the folder"):
        files.claim_folder(tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_first_free(tmp_path):
    assert files.first_free(tmp_path / "run") == tmp_path / "run"
    (tmp_path / "run").mkdir()
    (tmp_path / "run-2").mkdir()
    assert files.first_free(tmp_path / "run") == tmp_path / "run-3"


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def fail(temporary):
        temporary.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        files.write_whole(path, fail)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]
