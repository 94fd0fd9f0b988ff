"""Ctrl-C is not lost where JAX's garbage collection would swallow it."""

import signal
import subprocess
import sys

import pytest

from jax_ac import interruption
from jax_ac.interruption import check, remembered


def _xla_gc_callback():
    """By the name that JAX's has."""
    signal.raise_signal(signal.SIGINT)


def test_the_name_is_that_of_jax():
    from jax._src import lib

    assert hasattr(lib, interruption.SWALLOWS)


def test_what_jax_would_swallow_is_raised_at_the_next_check():
    with remembered():
        check()
        _xla_gc_callback()
        with pytest.raises(KeyboardInterrupt):
            check()
    check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_elsewhere_it_is_raised_at_once():
    with pytest.raises(KeyboardInterrupt), remembered():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_forgotten_elsewhere_is_remembered_too():
    with remembered():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with remembered(), pytest.raises(KeyboardInterrupt):
            check()


def test_a_handler_of_ones_own_is_left_alone():
    own = lambda number, frame: None
    before = signal.signal(signal.SIGINT, own)
    with remembered():
        assert signal.getsignal(signal.SIGINT) is own
    signal.signal(signal.SIGINT, before)


def test_leaving_is_like_exiting_but_at_once():
    """What was registered runs and what was printed arrives; of what follows the interpreter's end, nothing does."""
    program = "import atexit, jax_ac.interruption; atexit.register(print, 'ran', end=''); print('said'); "
    command = [sys.executable, "-c", program + "jax_ac.interruption.leave(7)"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (7, "said\nran", "")
