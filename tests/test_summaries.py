"""Summaries in words of outcomes made by hand."""

import numpy as np

from jax_ac import selection
from jax_ac.summaries import Outcome, chosen


def outcome(rate, returns, diverged=None):
    returns = np.array(returns, float)
    diverged = np.zeros(len(returns), bool) if diverged is None else np.array(diverged)
    seeds, nothing = np.arange(len(returns)), np.zeros(1)
    return Outcome({"learning_rate": rate}, seeds, returns, np.full(len(returns), -1), diverged, nothing, nothing[None])


def test_the_chosen_setting_in_words():
    draw = np.random.default_rng(0)
    returns = draw.normal([[100.0], [400], [300]], 40, (3, 20))
    text = chosen([outcome(rate, runs) for rate, runs in zip(("0.1", "0.01", "0.001"), returns, strict=True)])
    choice = selection.choose(returns)
    assert choice.setting == 1
    assert text.startswith(f"Chosen by half of the seeds: learning_rate 0.01. On the other half its running return is "
                           f"{choice.score.estimate:,.1f} [{choice.score.low:,.1f}, {choice.score.high:,.1f}]")  # fmt: skip
    assert f"looks {choice.optimism:,.1f} better than it is; {choice.agreement:.0%} of all halves" in text


def test_a_setting_that_diverges_is_not_chosen_for_what_it_reached_before():
    high_then_gone = outcome("1", [900.0] * 12, [True] * 12)
    assert "learning_rate 0.1" in chosen([high_then_gone, outcome("0.1", np.arange(12.0))])


def test_nothing_to_choose():
    assert chosen([outcome("1", np.arange(9.0))]) == ""
    assert chosen([outcome("1", np.arange(9.0)), outcome("2", np.arange(9.0))]) == ""
    assert chosen([outcome("1", [np.nan] * 12), outcome("2", [np.nan] * 12)]) == ""
