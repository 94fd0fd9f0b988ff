"""Budgets by hand: steps as updates, and what cannot be one."""

import pytest

from jax_ac.budget import choose_updates
from jax_ac.protocols import Algorithm

NONE = (None, None)


def of(steps_per_update=128, num_updates=None):
    """An algorithm of which only these numbers matter."""
    return Algorithm(*NONE, None, steps_per_update, num_updates)  # pyright: ignore


@pytest.mark.parametrize(
    ("algorithm", "num_updates", "total_steps", "chosen"),
    [
        (of(), 7, None, 7),
        (of(), None, 1280, 10),
        (of(num_updates=10), None, None, 10),
        (of(num_updates=10), 9, None, 9),
        (of(None), 2**31 - 1, None, 2**31 - 1),
        (of(), 2**24 - 1, None, 2**24 - 1),  # 128 steps fewer than 2³¹
        (of(1), None, 2**31 - 1, 2**31 - 1),
    ],
)
def test_the_number_of_updates(algorithm, num_updates, total_steps, chosen):
    assert choose_updates(algorithm, num_updates, total_steps) == chosen


@pytest.mark.parametrize(
    ("algorithm", "num_updates", "total_steps", "error", "message"),
    [
        (of(), 3, 128, ValueError, "give max_updates or total_steps, not both"),
        (of(), None, None, TypeError, "max_updates or total_steps must be given"),
        (of(), 2.0, None, TypeError, "max_updates must be a whole number, got 2.0"),
        (of(), None, 300, ValueError, "multiple of the 128 steps of an update, got 300; the nearest: 256 and 384"),
        (of(None), None, 300, ValueError, "whole episodes vary: give max_updates"),
        (of(num_updates=10), 11, None, ValueError, "max_updates must be at most 10, over which .* anneal, got 11"),
        (of(), 2**24, None, ValueError, "max_updates must be at most 16,777,215, .* in 32 bits, got 16,777,216"),
        (of(num_updates=2**24), None, None, ValueError, "max_updates must be at most 16,777,215"),
        (of(1), None, 2**31, ValueError, "total_steps must be at least 1 and less than 2,147,483,648, got 2147483648"),
    ],
)
def test_what_is_no_budget(algorithm, num_updates, total_steps, error, message):
    with pytest.raises(error, match=message):
        choose_updates(algorithm, num_updates, total_steps, "max_updates")
