"""The cache of compiled programs: on for the command line, off for the library, and never in the way of a run."""

import json
import os
import stat
import subprocess
import sys
import warnings

import jax
import pytest

from jax_ac import program_cache

COUNTED = """
import collections, json, sys
from jax import monitoring
from jax_ac import cli
events = collections.Counter()
monitoring.register_event_listener(lambda event, **_: events.update([event.removeprefix("/jax/compilation_cache/")]))
try:
    cli.main(sys.argv[1:])
except SystemExit as end:
    print(json.dumps({"status": end.code, **events}))
"""
"""The command line, and what JAX's cache did, as the last line."""
OPTIONS = (
    "jax_compilation_cache_dir",
    "jax_compilation_cache_max_size",
    "jax_enable_compilation_cache",
    "jax_persistent_cache_min_compile_time_secs",
)


def train(out, **environment):
    """Seeds for two devices, two updates, in a process with no settings of the tests; counts, and what was said."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XDG_", "NPROC"))}
    environment = {name: str(value) for name, value in ({"HOME": out.parent / "nobody"} | environment).items()}
    command = [sys.executable, "-c", COUNTED, "train", "--seeds", "17", "--max-updates", "2", "--out", str(out)]
    result = subprocess.run(command, env=clean | environment, capture_output=True, text=True, timeout=300, check=False)
    counts = json.loads(result.stdout.splitlines()[-1])
    assert counts.pop("status") == 0, result.stderr
    assert "Traceback" not in result.stderr
    assert "Warning" not in result.stderr
    return counts, result.stderr


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """A folder with the caches of a home, after two runs, and what these counted."""
    folder = tmp_path_factory.mktemp("cache")
    (folder / "home").mkdir()
    return folder, [train(folder / name, HOME=folder / "home") for name in ("first", "second")]


def programs(folder):
    return sorted(folder.glob("home/.cache/jax_ac/compiled/nproc-1/*-cache"))


def test_the_second_run_compiles_nothing(twice):
    folder, ((cold, _), (cached, _)) = twice
    assert cold["cache_misses"] == cold["compile_requests_use_cache"] == len(programs(folder)) > 1
    assert "cache_hits" not in cold
    assert cached["cache_hits"] == cached["compile_requests_use_cache"] == cold["compile_requests_use_cache"]
    assert "cache_misses" not in cached
    assert stat.S_IMODE(programs(folder)[0].parent.stat().st_mode) == 0o700


def test_the_bits_are_those_without_a_cache(twice):
    folder, _ = twice
    counts, said = train(folder / "without", HOME=folder / "elsewhere", JAX_ENABLE_COMPILATION_CACHE="false")
    assert "compile_requests_use_cache" not in counts
    assert not (folder / "elsewhere/.cache/jax_ac").exists()
    assert "compiled program" not in said
    results = [(folder / name / "results.nc").read_bytes() for name in ("first", "second", "without")]
    assert results[0] == results[1] == results[2]


def test_a_program_that_was_cut_off_is_compiled_and_written_again(twice):
    folder, _ = twice
    largest = max(programs(folder), key=lambda path: path.stat().st_size)
    whole = largest.stat().st_size
    os.truncate(largest, whole // 2)
    counts, said = train(folder / "damaged", HOME=folder / "home")
    assert counts["cache_misses"] >= 1
    assert said.count("jax-ac:") == said.count("could not be read or kept; their cache was emptied") == 1
    assert largest.stat().st_size > 0.9 * whole
    assert (folder / "damaged" / "results.nc").read_bytes() == (folder / "first" / "results.nc").read_bytes()


@pytest.mark.slow
def test_a_cache_that_cannot_be_locked_is_one_sentence(tmp_path):
    """JAX can then neither read nor write a program, as on a disk that is full."""
    (tmp_path / "home/.cache/jax_ac/compiled/nproc-1/.lockfile").mkdir(parents=True)
    counts, said = train(tmp_path / "run", HOME=tmp_path / "home")
    assert "cache_hits" not in counts
    assert said.count("jax-ac:") == 1
    assert not programs(tmp_path)


def test_no_home_is_no_cache_and_one_sentence(tmp_path):
    counts, said = train(tmp_path / "run", HOME="")
    assert "compile_requests_use_cache" not in counts
    assert (
        said.count("jax-ac:") == said.count("compiled programs are not kept: neither HOME nor XDG_CACHE_HOME is set.") == 1
    )


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HOME": "/h"}, "/h/.cache/jax_ac/compiled/nproc-1"),
        ({"HOME": "/h", "XDG_CACHE_HOME": ""}, "/h/.cache/jax_ac/compiled/nproc-1"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "relative"}, "/h/.cache/jax_ac/compiled/nproc-1"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "/x/jax_ac/compiled/nproc-1"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/jax_ac/compiled/nproc-1"),
        ({"HOME": "/h", "NPROC": "4"}, "/h/.cache/jax_ac/compiled/nproc-4"),
    ],
)
def test_default_folder(environment, folder, monkeypatch):
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert str(program_cache.default_folder()) == folder


def test_a_folder_that_others_could_write_to_is_closed_and_that_of_others_refused(tmp_path, monkeypatch):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    assert program_cache.claim(folder) == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not list(folder.iterdir())
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(OSError, match="is another user's"):
        program_cache.claim(folder)


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """JAX as nobody has told it anything about a cache, and an empty home; afterwards all is as before."""
    before = {option: jax.config.values[option] for option in OPTIONS}
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    for option in OPTIONS:
        monkeypatch.delenv(option.upper(), raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    jax.config.update("jax_compilation_cache_dir", None)
    yield tmp_path
    for option, value in before.items():
        jax.config.update(option, value)


def test_use_chooses_all_that_was_not_chosen(fresh):
    program_cache.use()
    assert jax.config.values["jax_compilation_cache_dir"] == str(fresh / ".cache/jax_ac/compiled/nproc-1")
    assert jax.config.values["jax_compilation_cache_max_size"] == 2 * 2**30
    assert jax.config.values["jax_persistent_cache_min_compile_time_secs"] == 0
    before = warnings.showwarning
    program_cache.use()  # as a sweep does, for each of its programs
    assert warnings.showwarning is before


def test_use_respects_what_was_chosen(fresh, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_MAX_SIZE", "1000")
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "3")
    before = {option: jax.config.values[option] for option in OPTIONS[1:]}
    program_cache.use()
    assert {option: jax.config.values[option] for option in OPTIONS[1:]} == before


def test_another_folder_is_left_as_it_is(fresh):
    """It may hold programs without the times of use by which JAX bounds a cache."""
    jax.config.update("jax_compilation_cache_dir", str(fresh / "own"))
    before = jax.config.values["jax_compilation_cache_max_size"]
    program_cache.use()
    assert jax.config.values["jax_compilation_cache_dir"] == str(fresh / "own")
    assert jax.config.values["jax_compilation_cache_max_size"] == before
    assert not any(fresh.iterdir())


def test_an_empty_name_is_no_cache(fresh, capsys):
    jax.config.update("jax_compilation_cache_dir", "")
    program_cache.use()
    assert not jax.config.values["jax_compilation_cache_dir"]
    assert not any(fresh.iterdir())
    assert capsys.readouterr() == ("", "")


def test_a_file_in_its_place_is_no_cache_and_one_sentence(fresh, capsys):
    (fresh / ".cache").touch()
    program_cache.use()
    program_cache.use()
    assert jax.config.values["jax_compilation_cache_dir"] is None
    assert capsys.readouterr().err == "jax-ac: compiled programs are not kept: Not a directory.\n"


def test_other_warnings_are_shown_as_before(fresh, monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *place, **_: shown.append(str(message)))
    program_cache.use()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("something else", stacklevel=1)
    assert shown == ["something else"]
    assert capsys.readouterr().err == ""
