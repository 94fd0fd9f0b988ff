"""Performance profiles against a plain loop, and against what the bootstrap of a fraction is exactly: a binomial count."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import binom

from jax_ac.profiles import profile

SCORES = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0])
THRESHOLDS = np.array([-1.0, 1.0, 2.5, 4.0, 9.0])


def test_the_fraction_is_that_of_a_plain_loop():
    expected = [sum(score > threshold for score in SCORES) / 8 for threshold in THRESHOLDS]
    assert expected == [1.0, 0.75, 0.625, 0.375, 0.0]
    found = profile(SCORES, THRESHOLDS)
    np.testing.assert_array_equal(found.estimate, expected)
    assert (found.low <= found.estimate).all()
    assert (found.high >= found.estimate).all()


@pytest.mark.parametrize("runs", [10, 100])
def test_the_bounds_are_those_of_the_binomial_count_of_runs_that_are_drawn(runs):
    scores, thresholds = np.random.default_rng(0).normal(size=runs), np.linspace(-2, 2, 9)
    found = profile(scores, thresholds, level=0.9, resamples=20_000)
    for bound, part in ((found.low, 0.05), (found.high, 0.95)):
        exact = binom.ppf(part, runs, found.estimate) / runs
        near = np.isclose(bound, exact) | np.isclose(np.abs(bound - exact), 1 / runs)  # a quantile between two counts
        assert near.all()
        assert np.isclose(bound, exact).mean() > 0.7


def test_a_loop_over_studies_gives_the_same_bounds():
    weights = np.random.default_rng(3).multinomial(8, np.full(8, 1 / 8), 500)
    studies = []
    for counts in weights:
        runs = np.repeat(SCORES, counts)
        studies.append([sum(score > threshold for score in runs) / 8 for threshold in THRESHOLDS])
    found = profile(SCORES, THRESHOLDS, level=0.8, resamples=500, seed=3)
    np.testing.assert_allclose([found.low, found.high], np.quantile(studies, [0.1, 0.9], axis=0), atol=1e-12)


def test_many_thresholds_are_taken_in_parts(monkeypatch):
    whole = profile(SCORES, THRESHOLDS, resamples=100)
    monkeypatch.setattr("jax_ac.profiles.CHUNK", 150)
    np.testing.assert_allclose(profile(SCORES, THRESHOLDS, resamples=100), whole, rtol=1e-12)


def test_a_run_without_a_score_is_above_nothing_and_one_run_has_no_interval():
    np.testing.assert_array_equal(profile(np.array([np.nan, 1.0]), np.array([-1e9, 0.0])).estimate, [0.5, 0.5])
    one = profile(np.array([1.0]), np.array([0.0, 2.0]))
    np.testing.assert_array_equal(one.estimate, [1.0, 0.0])
    assert np.isnan([one.low, one.high]).all()


@pytest.mark.parametrize(
    ("scores", "thresholds", "level", "words"),
    [
        ([], [0.0], 0.95, r"scores must be a row .* \(0,\)"),
        ([[1.0]], [0.0], 0.95, r"scores must be a row .* \(1, 1\)"),
        ([1.0], [], 0.95, r"thresholds must be a row .* \(0,\)"),
        ([np.nan, np.nan], [0.0], 0.95, "not all NaN"),
        ([1.0], [np.nan], 0.95, "thresholds must be a row .* none NaN"),
        ([1.0], [0.0], 1.0, "level must be between 0 and 1, got 1.0"),
    ],
)
def test_what_is_refused(scores, thresholds, level, words):
    with pytest.raises(ValueError, match=words):
        profile(np.array(scores), np.array(thresholds), level=level)


def test_the_axis_of_the_scores_is_that_of_the_seeds():
    with pytest.raises(ValueError, match="scores must have the axes seed, got update"):
        profile(xr.DataArray([1.0, 2.0], dims="update"), np.array([0.0]))
