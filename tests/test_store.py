"""Sealed folders: what is read is what was written."""

import itertools
import re
import threading
import time

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jax_ac import store

TREE = {
    "real": np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4),
    "others": (
        np.arange(3, dtype=np.uint32),
        np.array([True, False, True]),
        np.array([[np.nan], [-0.0], [np.inf]], np.float32),
        np.ones((3, 2), ml_dtypes.bfloat16),
        np.zeros((3, 0), np.float32),
    ),
}


def shapes(tree, **others):
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape[1:]), leaf.dtype), tree) | others


def test_every_bit_comes_back(tmp_path):
    store.write_sealed(tmp_path / "000000", TREE)
    read = store.read_sealed(tmp_path / "000000", shapes(TREE))
    assert jax.tree.structure(read) == jax.tree.structure(TREE)
    for ours, theirs in zip(jax.tree.leaves(read), jax.tree.leaves(TREE), strict=True):
        assert (ours.dtype, ours.shape, ours.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes())


@pytest.mark.parametrize(
    "real",
    [
        jax.ShapeDtypeStruct((3, 5), jnp.float32),
        jax.ShapeDtypeStruct((3, 4), jnp.int32),
        jax.ShapeDtypeStruct((3, 4, 1), jnp.float32),
        {"nested": jax.ShapeDtypeStruct((3, 4), jnp.float32)},
    ],
)
def test_another_tree_is_refused(tmp_path, real):
    store.write_sealed(tmp_path / "000000", TREE)
    with pytest.raises(ValueError, match="of another algorithm"):
        store.read_sealed(tmp_path / "000000", shapes(TREE, real=real))


def test_an_axis_of_length_0_is_open(tmp_path):
    store.write_sealed(tmp_path / "000000", TREE)
    read = store.read_sealed(tmp_path / "000000", shapes(TREE, real=jax.ShapeDtypeStruct((1, 0), jnp.float32)))
    np.testing.assert_array_equal(read["real"], TREE["real"])


def test_folders_are_numbered_and_what_is_half_written_does_not_count(tmp_path):
    assert store.sealed_folders(tmp_path / "none") == []
    for _ in range(11):
        store.write_sealed(store.next_folder(tmp_path), {"x": np.ones(1)})
    (tmp_path / f"000099{store.PARTIAL}").mkdir()
    assert [folder.name for folder in store.sealed_folders(tmp_path)] == [f"{i:06d}" for i in range(11)]
    assert store.next_folder(tmp_path).name == "000011"


def test_a_name_may_come_again_after_a_removal_that_was_killed(tmp_path, monkeypatch):
    """Names are counted from 0 again once no folder is left."""
    with monkeypatch.context() as killed:
        killed.setattr(store.shutil, "rmtree", lambda *args, **options: None)
        for _ in range(2):
            store.write_sealed(store.next_folder(tmp_path), {"x": np.ones(1)})
            store.remove(tmp_path / "000000")
    store.write_sealed(tmp_path / "000003", {"x": np.zeros(1)})
    assert len(list(tmp_path.iterdir())) == 3
    store.clear(tmp_path)
    assert [folder.name for folder in tmp_path.iterdir()] == ["000003"]


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="No such file or directory"):
        store.write_sealed(tmp_path / "none" / "000000", TREE)
    with pytest.raises(OSError):
        store.write_sealed(tmp_path / "000000", {"x": np.array(["text", None], object)})
    assert not list(tmp_path.iterdir())


def test_what_another_replaces_all_the_time_is_read_whole(tmp_path):
    """Each reading finds one of the trees that were written, though it is taken away while it is read."""
    replaced, added = tmp_path / "checkpoint", tmp_path / "lanes"
    replaced.mkdir()
    store.write_sealed(replaced / "0", {"number": np.zeros(3)})
    stop = threading.Event()

    def replace():
        for number in itertools.takewhile(lambda _: not stop.is_set(), itertools.count(1)):
            store.write_sealed(replaced / f"{number}", {"number": np.full(3, number, float)})
            store.remove(replaced / f"{number - 1}")

    writer = threading.Thread(target=replace)
    writer.start()
    seen = []
    try:
        for _ in range(10):
            with store.settled(replaced, added) as (folder,):
                while (replaced / folder.name).exists():
                    time.sleep(0.001)
                seen.append(store.read_leaves(folder)["['number']"].tolist())
    finally:
        stop.set()
        writer.join()
    assert all(numbers == [numbers[0]] * 3 for numbers in seen)
    assert sorted(set(map(tuple, seen))) == [tuple(numbers) for numbers in seen]


def test_what_is_damaged_is_called_by_its_own_name(tmp_path):
    (tmp_path / "checkpoint").mkdir()
    store.write_sealed(tmp_path / "checkpoint" / "7", {"number": np.zeros(3)})
    (tmp_path / "checkpoint" / "7" / store.MANIFEST).write_text("[]")
    message = f"^{re.escape(str(tmp_path / 'checkpoint' / '7'))} is damaged: manifest.json changed"
    with pytest.raises(store.Damaged, match=message), store.settled(tmp_path / "checkpoint", tmp_path) as (folder, *_):
        store.read_leaves(folder)
