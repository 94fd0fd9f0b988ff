"""Leases: what takes the place of a lock on an object store, where nothing is let go when its holder dies.

The lock is an object that says who holds it and since when; its holder writes it anew every `RENEW_SECONDS`. One that is
older than `STALE_SECONDS`, or whose holder ran on this machine and is gone, is nobody's. That is as good as the clocks of
the machines agree. To look and to write are two requests: two that take over a stale lock, or one that does and a holder
that wakes, both believe for a moment that it is theirs, until one of them finds it is not: `Lease.check`, at each save.
"""

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jax_ac import object_store
from jax_ac.object_store import Place, Unreachable

RENEW_SECONDS = 20.0
STALE_SECONDS = 90.0

HELD: set[str] = set()
"""The tokens of what this process holds: of itself it knows best."""


class InUse(OSError, ValueError):
    """Another process works, or has worked, in the folder."""


class Lease:
    """A lock object that this process holds."""

    def __init__(self, place: Place, name: str):
        self._place, self._name = place, name
        self._folder, self._token = f"{place.url}/{name}".rpartition("/")[0], secrets.token_hex(8)
        self._over, self._writing = threading.Event(), threading.Lock()

    def take(self) -> None:
        """Raises `InUse` if another holds it."""
        said = _read(self._place, self._name)
        if said is not None:
            if reason := _why_held(self._folder, said):
                raise InUse(reason)
            object_store.remove(self._place, [self._name])
        if not object_store.write(self._place, self._name, self._text(), new=True):
            raise InUse(f"another process is at work in {self._folder}.")
        HELD.add(self._token)
        threading.Thread(target=self._keep, daemon=True).start()

    def check(self) -> None:
        """Raises `InUse` if it has been taken over, or taken away."""
        if not self._is_mine():
            raise InUse(f"another process has taken over {self._folder}, or its lock was removed")

    def give_back(self) -> None:
        """Ends it. Where the store does not answer the lock is left behind, and means nothing."""
        self._over.set()
        HELD.discard(self._token)
        with self._writing, contextlib.suppress(Unreachable):
            if self._is_mine():
                object_store.remove(self._place, [self._name])

    def _keep(self) -> None:
        while not self._over.wait(RENEW_SECONDS):
            with self._writing, contextlib.suppress(Unreachable):
                if self._over.is_set() or not self._is_mine():
                    return
                object_store.write(self._place, self._name, self._text())

    def _is_mine(self) -> bool:
        said = _read(self._place, self._name)
        return said is not None and said.get("token") == self._token

    def _text(self) -> bytes:
        return json.dumps({**_this_process(), "token": self._token, "time": time.time()}).encode()


@contextlib.contextmanager
def held(place: Place, name: str) -> Iterator[Lease]:
    """Holds a lock object. Raises `InUse` if another does."""
    lease = Lease(place, name)
    lease.take()
    try:
        yield lease
    finally:
        lease.give_back()


def is_held(place: Place, name: str) -> bool:
    """Whether somebody holds it."""
    said = _read(place, name)
    return said is not None and _why_held(place.url, said) is not None


def _why_held(folder: str, said: dict[str, Any]) -> str | None:
    """A sentence for who wants it too; None if its holder has died here, or has not renewed it for long."""
    if said.get("machine") == _this_machine():
        pid = said.get("pid")
        alive = said.get("token") in HELD if pid == os.getpid() else _since(pid) == said.get("since") is not None
        return f"another process is at work in {folder}: {pid}, on this machine." if alive else None
    written = said.get("time")
    age = time.time() - written if isinstance(written, int | float) else STALE_SECONDS
    if age >= STALE_SECONDS:
        return None
    return (
        f"another process, {said.get('pid')} on {said.get('host')}, is at work in {folder}, or was {age:.0f} seconds ago: "
        f"if it was killed, try again in {STALE_SECONDS - age:.0f} seconds, or remove {folder}/lock."
    )


def _read(place: Place, name: str) -> dict[str, Any] | None:
    text = object_store.read(place, name)
    if text is None:
        return None
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _this_process() -> dict[str, Any]:
    pid = os.getpid()
    return {"host": socket.gethostname(), "machine": _this_machine(), "pid": pid, "since": _since(pid)}


def _this_machine() -> str:
    """What two processes share that can see each other: containers of one machine cannot, whatever they are called."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _since(pid: Any) -> str | None:
    """When a process of this machine began, in some unit; None where there is no such process."""
    if not isinstance(pid, int):
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass
    try:
        state, *numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "unknown"
    return None if state == "Z" else numbers[18]
