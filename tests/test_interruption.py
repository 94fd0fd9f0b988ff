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


LEAVING = """
import atexit, os, sys
import jax_ac.interruption

class Late:
    def __del__(self):
        os.write(1, b", late")

late = Late()
atexit.register(print, ", registered", end="")
print("said", end="")
"""


@pytest.mark.parametrize(("end", "said"), [("jax_ac.interruption", "said, registered"), ("sys", "said, registered, late")])
def test_leaving_runs_what_is_registered_and_nothing_after_it(end, said):
    program = LEAVING + {"sys": "sys.exit(7)"}.get(end, "jax_ac.interruption.leave(7)")
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (7, said, "")


def test_leaving_without_output():
    code = "import sys, jax_ac.interruption as i; sys.stdout = None; i.leave(7)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 7
