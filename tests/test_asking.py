"""Questions to another machine: answered, refused, given up, or of nobody."""

import threading

import pytest

from jax_ac.asking import GivenUp, ask


def refuse(words):
    raise RuntimeError(words)


def never():
    return False


def test_an_answer_is_given_back():
    assert ask(divmod, 7, 2, give_up=never) == (3, 1)


def test_an_error_is_raised_here():
    with pytest.raises(RuntimeError, match="NOT_FOUND"):
        ask(refuse, "NOT_FOUND: no such key", give_up=never)


def test_who_reaches_nobody_is_given_no_answer():
    with pytest.raises(GivenUp):
        ask(refuse, "UNAVAILABLE: recvmsg:Connection reset by peer", give_up=never)


def test_what_is_given_up_is_not_asked():
    asked = []
    with pytest.raises(GivenUp):
        ask(asked.append, 1, give_up=lambda: True)
    assert not asked


def test_one_can_give_up():
    asked = threading.Event()

    def wait_for_ever():
        asked.set()
        threading.Event().wait()

    with pytest.raises(GivenUp):
        ask(wait_for_ever, give_up=asked.is_set)
