"""Aborts: where C++ ends the process, as JAX does when the others of its job are gone; something can be done before."""

import ctypes
import signal
import threading
from collections.abc import Callable
from typing import Any


def on_abort(act: Callable[[], None]) -> Any:
    """Calls `act` when a thread of C++ aborts the process, before that. Returns what must be kept.

    JAX aborts in the thread that asks process 0 for errors, and no Python's signal handler would be called.
    """

    def handle(number: int) -> None:
        if threading.get_ident() not in {thread.ident for thread in threading.enumerate()}:
            act()

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(handle)
    ctypes.CDLL(None).signal(int(signal.SIGABRT), handler)
    return handler
