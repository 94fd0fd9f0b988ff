"""The cache of compiled programs, on disk from one process to the next. The command line turns it on; the library does not.

JAX looks a program up by what it computes, versions, options and the processor's features, but not by the number of threads
that XLA compiles it for (``NPROC``), which changes its bits: each number has a folder of its own. What goes wrong here stops
no run: then programs are compiled.
"""

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

from jax_ac.devices import num_cores

MOST_BYTES = 2 * 2**30
"""Beyond it JAX removes the programs that were not used for the longest time; one of the Keras preset takes 300 kB."""

TROUBLE = "persistent compilation cache"
"""Words in all that JAX warns of when it cannot read or write a program."""


def use() -> None:
    """Lets JAX keep each program that it compiles, in `default_folder` unless it was told another; to be called before that.

    ``JAX_COMPILATION_CACHE_DIR`` (empty: no cache), ``JAX_ENABLE_COMPILATION_CACHE``, ``JAX_COMPILATION_CACHE_MAX_SIZE`` and
    ``JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS`` are respected. Where the folder cannot be used there is no cache, and one
    sentence on the standard error stream.
    """
    import jax

    if not jax.config.values["jax_enable_compilation_cache"]:
        return
    told = jax.config.values["jax_compilation_cache_dir"]
    if told == "":
        jax.config.update("jax_compilation_cache_dir", None)  # else XLA takes it for the working directory on GPUs
        return
    if told is None:
        try:
            folder = claim(default_folder())
        except OSError as error:
            jax.config.update("jax_enable_compilation_cache", False)
            _say(f"compiled programs are not kept: {error.strerror or error}.")
            return
        jax.config.update("jax_compilation_cache_dir", str(folder))
        _choose("jax_compilation_cache_max_size", MOST_BYTES)
        warnings.showwarning = _emptying(folder, warnings.showwarning)
    _choose("jax_persistent_cache_min_compile_time_secs", 0.0)


def default_folder() -> Path:
    """``jax_ac/compiled/nproc-<NPROC>`` in ``$XDG_CACHE_HOME`` or ``~/.cache``. Raises OSError where there is neither."""
    base, home = os.environ.get("XDG_CACHE_HOME", ""), os.environ.get("HOME", "")
    if not os.path.isabs(base):
        if not os.path.isabs(home):
            raise OSError("neither HOME nor XDG_CACHE_HOME is set")
        base = os.path.join(home, ".cache")
    return Path(base) / "jax_ac" / "compiled" / f"nproc-{os.environ.get('NPROC', num_cores())}"


def claim(folder: Path) -> Path:
    """Makes the folder, for this user alone, since programs are run from it. Raises OSError if it cannot be used so."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise OSError(f"{folder} is another user's")
    folder.chmod(0o700)
    with tempfile.TemporaryFile(dir=folder):
        return folder


def empty(folder: Path) -> None:
    """Removes all programs from the folder, as far as that can be done."""
    for pattern in ("*-cache", "*-atime"):
        for path in folder.glob(pattern):
            with contextlib.suppress(OSError):
                path.unlink()


def _choose(option: str, value: float) -> None:
    import jax

    if option.upper() not in os.environ:
        jax.config.update(option, value)


def _emptying(folder: Path, show: Callable) -> Callable:
    """Shows warnings as `show` does, but empties the folder where JAX warns of it: a program that was cut off while it was
    written would fail for ever, as JAX never writes one again. Says so once."""
    said = []

    def shown(message: Warning | str, *place, **options) -> None:
        if TROUBLE not in str(message):
            show(message, *place, **options)
            return
        empty(folder)
        if not said:
            said.append(True)
            _say("a compiled program could not be read or kept; their cache was emptied.")

    return shown


def _say(sentence: str) -> None:
    print(f"jax-ac: {sentence}", file=sys.stderr)
