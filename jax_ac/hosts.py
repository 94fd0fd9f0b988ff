"""Hosts: the processes of a job under `jax.distributed`, and what they tell each other through its key-value store.

Each tells the others once a second that it is there. One that is silent is gone: the others end their work in good order
before JAX, which notices later, aborts them.
"""

import atexit
import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from jax_ac.aborts import on_abort
from jax_ac.asking import GivenUp, ask

BEAT_SECONDS = 1.0
"""Between two signs of life of a process."""

SILENT_SECONDS = 10.0
"""After so long without one it is gone; JAX waits for 100 seconds."""

ABORT_SECONDS = 60.0
"""So long a process may take to save its work when JAX aborts it."""

LOOK_SECONDS = 0.1
"""Between two looks at what another process is awaited for."""

FIRST_GONE = "process 0 is gone"
"""What is said then; with it goes the store, and whoever asks it something may wait for long."""

ROOT = "jax_ac"
"""Under it are all keys."""


class Gone(ConnectionError):
    """Another process of the job is gone; the message says which, and how to go on."""


class Hosts:
    """The processes of the job as this one sees them: the same methods are called in all of them, in the same order.

    Attributes:
      index, count: of this process, and how many there are.
      stop: set where the work is to be ended: a process was interrupted, or is gone. Cleared by `begin`.
    """

    def __init__(self, client: Any, index: int, count: int):
        self.index, self.count, self.stop = index, count, threading.Event()
        self._client = client
        self._calls, self._run, self._beats = 0, 0, 0
        self._busy = False
        self._last: dict[int, tuple[str, float]] = {other: ("", time.monotonic()) for other in range(count)}
        self._lost, self._left, self._ended = "", "", threading.Event()
        self._beat()
        threading.Thread(target=self._watch, daemon=True).start()
        atexit.register(self._leave)
        self._aborted = on_abort(self._abort)

    def begin(self) -> Callable[[], int]:
        """Begins the next piece of work. Returns what draws tickets, 0, 1, ..., each for one process of all."""
        self._check(self._lost)
        self.stop.clear()
        self._run += 1
        key = f"{ROOT}/tickets/{self._run}"
        return lambda: self._draw(key)

    def rest(self) -> None:
        """Ends it: until the next one this process may end without the others being told that something is wrong."""
        self._busy = False

    def lead(self, work: Callable[[], Any]) -> Any:
        """Process 0 does it, and the others wait for that. Gives all what it returns, in JSON's types.

        What it raises is raised in all: in the others as ValueError, if it is one, or as OSError.
        """
        key = self._next_key()
        if self.index == 0:
            try:
                value = work()
            except Exception as error:
                self._ask("key_value_set", key, json.dumps([None, str(error), isinstance(error, ValueError)]))
                self.rest()
                raise
            self._ask("key_value_set", key, json.dumps([value, None, False]))
            return value
        value, error, refused = json.loads(self._await(lambda: self._found(key)))
        if error is not None:
            self.rest()
            raise ValueError(error) if refused else OSError(error)
        return value

    def meet(self, waiting: Callable[[], object] = lambda: None) -> None:
        """Waits until all processes are here; `waiting` is called meanwhile. Raises `Gone`."""
        key = self._next_key()
        self._ask("key_value_set", f"{key}/{self.index}", "")
        self._await(lambda: len(self._ask("key_value_dir_get", f"{key}/")) == self.count, waiting)

    def tell(self, words: bytes) -> None:
        """Gives the others this process's words, in place of its last."""
        with contextlib.suppress(Exception):  # it is no matter, or will be seen by the watch
            self._ask("key_value_set_bytes", f"{ROOT}/told/{self._run}/{self.index}", words, True)

    def told(self) -> list[bytes]:
        """The last words of all other processes that have told any."""
        with contextlib.suppress(Exception):
            told = self._ask("key_value_dir_get_bytes", f"{ROOT}/told/{self._run}/")
            return [words for key, words in told if _index(key) != self.index]
        return []

    def _ask(self, method: str, *arguments: Any) -> Any:
        """Calls a method of the store. Raises `Gone` if process 0 is."""
        try:
            return ask(getattr(self._client, method), *arguments, give_up=lambda: self._lost == FIRST_GONE)
        except GivenUp:
            self._lose(FIRST_GONE)
            raise self._gone(FIRST_GONE) from None

    def _draw(self, key: str) -> int:
        try:
            return self._ask("key_value_increment", key, 1) - 1
        except Gone:
            return sys.maxsize

    def _next_key(self) -> str:
        self._calls, self._busy = self._calls + 1, True
        return f"{ROOT}/calls/{self._calls}"

    def _found(self, key: str) -> str | None:
        """What is at the key, or None; with an error only where the service is not reached, which the watch sees too."""
        try:
            return self._ask("key_value_try_get", key)
        except Exception:
            return None

    def _await(self, found: Callable[[], Any], waiting: Callable[[], object] = lambda: None) -> Any:
        while True:
            lost = self._lost  # looked at first: who has left had done before what is awaited
            try:
                if result := found():
                    return result
            except Exception:
                lost = lost or FIRST_GONE
            self._check(lost)
            waiting()
            time.sleep(LOOK_SECONDS)

    def _check(self, lost: str) -> None:
        if lost:
            raise self._gone(lost)

    def _gone(self, lost: str) -> Gone:
        self._left = lost
        self._say_so()
        return Gone(f"{lost}: what was saved is whole; resume it, on any number of processes.")

    def _watch(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            try:
                self._beat()
                self._look()
            except Exception:
                self._lose(FIRST_GONE)

    def _beat(self) -> None:
        self._beats += 1
        said = json.dumps([self._beats, self._run if self.stop.is_set() else 0, self._left])
        self._client.key_value_set(f"{ROOT}/beats/{self.index}", said, allow_overwrite=True)

    def _look(self) -> None:
        now = time.monotonic()
        for key, said in self._client.key_value_dir_get(f"{ROOT}/beats/"):
            other = _index(key)
            if said != self._last[other][0]:
                self._last[other] = said, now
            _, stopped, left = json.loads(said)
            if left and other != self.index:
                self._lose(left)
            if stopped and stopped == self._run:
                self.stop.set()
        for other, (_, when) in self._last.items():
            if now - when > SILENT_SECONDS and other != self.index:
                self._lose(f"process {other} of {self.count} is gone")

    def _say_so(self) -> None:
        """Tells the others at once that this process ends, if there is anything to tell it with."""
        with contextlib.suppress(Exception):
            ask(self._beat, give_up=lambda: self._lost == FIRST_GONE)

    def _lose(self, words: str) -> None:
        self._lost = words if words == FIRST_GONE else self._lost or words
        self.stop.set()

    def _abort(self) -> None:
        """Where JAX aborts the process, as process 0 is gone: holds that up until what there is has been saved."""
        self._lose(FIRST_GONE)
        self._ended.wait(ABORT_SECONDS)

    def _leave(self) -> None:
        """At the end of the process, before JAX would wait for all others: those that are left are told."""
        broken = bool(self._left) or self._busy
        self._left = self._left or f"process {self.index} of {self.count} has ended"
        self._say_so()
        if broken:
            self._part()
        self._ended.set()

    def _part(self) -> None:
        """Ends the process without JAX, which would wait for who is gone; the last is process 0, through which all speak."""
        until = time.monotonic() + 2 * SILENT_SECONDS
        while self.index == 0 and time.monotonic() < until:
            said = [json.loads(said) for _, said in self._client.key_value_dir_get(f"{ROOT}/beats/")]
            silent = sum(time.monotonic() - when > SILENT_SECONDS for _, when in self._last.values())
            if sum(bool(left) for *_, left in said) + silent >= self.count:
                break
            time.sleep(LOOK_SECONDS)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)


_here: list[Hosts] = []


def leads() -> bool:
    """Whether this process is the one that speaks: the first of its job, or the only one."""
    return not _here or _here[0].index == 0


def here() -> Hosts | None:
    """The processes of this job; None where there is one. Raises ValueError if JAX's processes were not made known."""
    import jax
    from jax._src.distributed import global_state

    if not _here and jax.process_count() > 1:
        if global_state.client is None:
            raise ValueError(
                "jax.distributed.initialize() must be called first, or --distributed given, on several processes."
            )
        _here.append(Hosts(global_state.client, jax.process_index(), jax.process_count()))
    return _here[0] if _here else None


def _index(key: str) -> int:
    return int(key.rsplit("/", 1)[1])
