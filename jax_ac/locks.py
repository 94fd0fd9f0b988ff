"""Locks: of the processes that want a folder for themselves, one has it; the lock ends with its process."""

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from jax_ac.lease import InUse

LOCK = "lock"
PATIENCE = 0.2
"""Seconds that a lock is waited for: whoever only looks whether it is held holds it for less (`is_held`)."""


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Holds the lock of a folder. Raises `InUse` if another process does."""
    with (path / LOCK).open("w") as file:
        given_up = time.monotonic() + PATIENCE
        while not _taken(file.fileno()):
            if time.monotonic() > given_up:
                raise InUse(f"another process is at work in {path}.")
            time.sleep(PATIENCE / 10)
        yield


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of a folder."""
    try:
        with (path / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is no lock, or it is nobody's business
        return False
    return False


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
