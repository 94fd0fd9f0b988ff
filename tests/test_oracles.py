"""Statistics are those of rliable, lifelines and statsmodels on the same arrays (`experiments/statistics_oracles.py`)."""

import json
from pathlib import Path

import numpy as np
import pytest

from jax_ac import comparisons, intervals, profiles, solving

RECORDED = json.loads((Path(__file__).parent / "data" / "statistics.json").read_text())
ARRAYS, RLIABLE, LIFELINES, STATSMODELS = (RECORDED[name] for name in ("arrays", "rliable", "lifelines", "statsmodels"))
OURS, THEIRS, PAIRED = (np.array(ARRAYS[name]) for name in ("ours", "theirs", "paired"))


def close_intervals(found, expected):
    """The estimates agree exactly, the bounds of two bootstraps within 4 % of the interval's width."""
    estimate, low, high = expected
    np.testing.assert_allclose(found.estimate, estimate)
    np.testing.assert_allclose([found.low, found.high], [low, high], atol=0.04 * (high - low))


@pytest.mark.parametrize("side", ["ours", "theirs"])
@pytest.mark.parametrize("name", ["iqm", "mean"])  # its median is one over tasks, not over runs
def test_bootstrap_is_rliables(name, side):
    found = intervals.bootstrap(np.array(ARRAYS[side]), getattr(intervals, name), resamples=40_000)
    close_intervals(found, RLIABLE[name][side])


def test_probability_of_improvement_is_rliables():
    found = intervals.probability_of_improvement(OURS, THEIRS, resamples=40_000)
    close_intervals(found, RLIABLE["probability_of_improvement"])


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_performance_profile_is_rliables(side):
    found = profiles.profile(np.array(ARRAYS[side]), np.array(RLIABLE["thresholds"]), resamples=40_000)
    estimate, low, high = RLIABLE["profile"][side]
    np.testing.assert_allclose(found.estimate, estimate)
    np.testing.assert_allclose([found.low, found.high], [low, high], atol=1 / 25 + 1e-9)  # a step: of 25 runs, one


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_survival_is_lifelines(side):
    curve, theirs = solving.kaplan_meier(ARRAYS["time"][side], ARRAYS["solved"][side]), LIFELINES[side]
    at = np.searchsorted(theirs["time"], curve.time, side="right") - 1
    np.testing.assert_allclose(curve.unsolved, np.array(theirs["unsolved"])[at], atol=1e-12)
    some = (curve.unsolved > 0) & (curve.unsolved < 1)
    np.testing.assert_allclose(curve.low[some], np.array(theirs["bounds"][0])[at][some], atol=1e-9)
    np.testing.assert_allclose(curve.high[some], np.array(theirs["bounds"][1])[at][some], atol=1e-9)
    np.testing.assert_allclose(solving.median_time(curve), theirs["median"])
    np.testing.assert_allclose(solving.restricted_mean(curve, 800), theirs["restricted_mean_until_800"])


def test_log_rank_is_lifelines():
    pairs = [(np.array(ARRAYS["time"][side]), np.array(ARRAYS["solved"][side])) for side in ("ours", "theirs")]
    np.testing.assert_allclose(solving.log_rank(*pairs), LIFELINES["log_rank"], rtol=1e-6)


def test_welch_and_paired_are_statsmodels():
    for found, expected in (
        (comparisons.welch(OURS, THEIRS), STATSMODELS["welch"]),
        (comparisons.paired(OURS, PAIRED), STATSMODELS["paired"]),
    ):
        np.testing.assert_allclose(found[1:], expected)


def test_fractions_corrections_and_power_are_statsmodels():
    for successes, runs, *bounds in STATSMODELS["wilson"]:
        np.testing.assert_allclose(intervals.wilson(successes, runs)[1:], bounds, atol=1e-12)
    np.testing.assert_allclose(comparisons.holm(STATSMODELS["p_values"]), STATSMODELS["holm"])
    for effect, deviation, runs, chance in STATSMODELS["power"]:
        np.testing.assert_allclose(comparisons.power(effect, deviation, runs), chance, rtol=1e-6)
    for effect, runs in STATSMODELS["seeds_needed"]:
        assert comparisons.seeds_needed(effect, 1.0) == runs
