"""Interruption: Ctrl-C, which must neither be lost nor spoil what is being done."""

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, NoReturn

SWALLOWS = "_xla_gc_callback"
"""JAX's part of Python's garbage collection: what is raised while it runs is printed and lost, a KeyboardInterrupt too."""


class Remembering:
    """A handler of Ctrl-C that raises KeyboardInterrupt, and remembers it for where that is forgotten."""

    def __init__(self) -> None:
        self.pressed = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.pressed = True
        if frame is None or frame.f_code.co_name != SWALLOWS:
            raise KeyboardInterrupt


@contextlib.contextmanager
def remembered() -> Iterator[None]:
    """Within it Ctrl-C is remembered until `check`; a handler of the caller's own is left alone."""
    if not _is_main_thread() or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, Remembering())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def check() -> None:
    """Raises KeyboardInterrupt if Ctrl-C was pressed within `remembered` and forgotten."""
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, Remembering) and handler.pressed:
        raise KeyboardInterrupt


def leave(status: int) -> NoReturn:
    """Ends the process after Ctrl-C: runs what is registered with `atexit`, and nothing after that.

    XLA goes on compiling in a thread of its own, which crashes when LLVM's C++ destructors are run: in a third of the tries.
    Threads are not waited for.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or None
            stream.flush()
    os._exit(status)


@contextlib.contextmanager
def interrupts(stop: threading.Event) -> Iterator[None]:
    """Within it the first Ctrl-C, or SIGTERM, only sets `stop`; the second one interrupts."""
    if not _is_main_thread():
        yield
        return

    def press(number: int, frame: Any) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.signal(number, press) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
