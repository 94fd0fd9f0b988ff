"""Files: an output folder is known to be writable before the work, and a file is written whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path

PARTIAL = ".partial"
"""How the names of files and folders end that are still being written."""


def claim_folder(path: Path) -> list[Path]:
    """Makes a folder, which may exist if it is empty, and checks that it can be written to.

    Returns:
      The folders that were made for it, innermost first, for `release_folder`.

    Raises:
      ValueError: if it holds something already, is not a folder, or cannot be written to; nothing is left behind.
    """
    made: list[Path] = []
    try:
        made = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
        occupied = any(not _is_partial(inside) for inside in path.iterdir())
    except OSError as error:
        release_folder(made)
        raise ValueError(f"cannot write to the folder {path}: {error.strerror or error}.") from None
    if occupied:
        raise ValueError(f"the folder {path} is not empty; name another with --out, or remove it.")
    return made


def release_folder(made: list[Path]) -> None:
    """Removes the folders that `claim_folder` made, as far as they are empty."""
    for folder in made:
        try:
            folder.rmdir()
        except OSError:
            return


def _is_partial(path: Path) -> bool:
    """Whether it is what `write_whole` leaves when the process is killed."""
    return path.name.startswith(".") and path.name.endswith(PARTIAL)


def first_free(path: Path) -> Path:
    """`path`, or the first of path-2, path-3, ... that does not exist."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free


def check_file(path: Path, suffixes: Collection[str]) -> None:
    """Raises ValueError unless its name ends in one of `suffixes`, and there is a folder to put it in."""
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"the name of {path} must end in {' or '.join(suffixes)}.")
    if not path.parent.is_dir():
        raise ValueError(f"cannot write the file {path}: there is no folder {path.parent}.")


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Calls `write` with a temporary path beside `path`, then moves the file there in one step, also if power is cut."""
    temporary = path.with_name(f".{path.name}{PARTIAL}")
    try:
        write(temporary)
        flush(temporary)
        os.replace(temporary, path)
        flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Waits until the disk has a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError) if path.is_dir() else contextlib.nullcontext():  # some file systems refuse folders
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
