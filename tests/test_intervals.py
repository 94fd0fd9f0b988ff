"""Intervals: by hand, against scipy's own, and their coverage in simulated studies."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats as scipy_stats

from jax_ac import intervals
from jax_ac.intervals import bootstrap, iqm, mean, median, probability_of_improvement, tolerance, wilson

DRAW = np.random.default_rng(1)


def test_statistics_by_hand():
    assert iqm(np.array([9.0, 1, 2, 3, 4, 5, 6, -80])) == (2 + 3 + 4 + 5) / 4
    assert iqm(np.array([7.0])) == median(np.array([7.0])) == 7
    assert mean(np.array([[1.0, 3], [5, 5]])).tolist() == [2, 5]


@pytest.mark.parametrize("statistic", [mean, median, iqm])
def test_the_bootstrap_is_scipys(statistic):
    values = DRAW.exponential(size=40)
    ours = bootstrap(values, statistic, resamples=40_000)
    over_axis = lambda x, axis: statistic(np.moveaxis(x, axis, -1))
    theirs = scipy_stats.bootstrap((values,), over_axis, method="percentile", vectorized=True, n_resamples=40_000, rng=3)
    spread = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert ours.estimate == statistic(values)
    np.testing.assert_allclose(ours[1:], theirs.confidence_interval, atol=0.03 * spread)


def test_whole_curves_are_resampled():
    values = DRAW.normal(size=(12, 3))
    curves = bootstrap(np.column_stack([values, 2 * values[:, 0]]))
    assert curves.low.shape == (4,)
    np.testing.assert_allclose(curves.low[3], 2 * curves.low[0])  # the same runs at every point
    for point in range(3):
        np.testing.assert_allclose([bound[point] for bound in curves], bootstrap(values[:, point]))
    values[4, 1] = np.nan
    with_gap = bootstrap(values)
    assert np.isnan(with_gap.low).tolist() == [False, True, False]


def test_one_run_has_no_interval():
    assert np.isnan(bootstrap(np.array([3.0]))[1:]).all()
    assert bootstrap(np.array([[3.0, 4.0]])).estimate.tolist() == [3, 4]


def test_settings_are_not_resampled():
    sweep = xr.DataArray(DRAW.normal(size=(2, 5)), dims=("setting", "seed"))
    with pytest.raises(ValueError, match="which must be the first axis, got the axes setting, seed"):
        bootstrap(sweep)
    assert bootstrap(sweep[0]) == bootstrap(sweep.values[0])


def test_seeds_chunks_and_levels(monkeypatch):
    values = DRAW.normal(size=50)
    whole = bootstrap(values)
    assert whole != bootstrap(values, seed=1)
    assert bootstrap(values, level=0.5).low > whole.low
    monkeypatch.setattr(intervals, "CHUNK", 999)
    assert bootstrap(values) == whole


@pytest.mark.parametrize(("runs", "lowest", "highest"), [(10, 0.87, 0.94), (30, 0.92, 0.96), (100, 0.93, 0.97)])
def test_coverage_of_the_mean(runs, lowest, highest):
    """2,000 studies of normal runs; of 10 runs the percentile bootstrap falls short, as the docstring says."""
    studies = np.random.default_rng(runs).normal(size=(2000, runs))
    found = [bootstrap(study, mean, resamples=600, seed=i) for i, study in enumerate(studies)]
    covered = np.mean([low <= 0 <= high for _, low, high in found])
    assert lowest <= covered <= highest


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_wilson_against_scipy(level):
    for successes, runs in [(0, 10), (243, 256), (64, 64), (1, 1)]:
        theirs = scipy_stats.binomtest(successes, runs).proportion_ci(level, method="wilson")
        np.testing.assert_allclose(wilson(successes, runs, level=level), [successes / runs, *theirs], atol=1e-12)
    for runs in range(1, 300):
        assert (wilson(0, runs, level=level).low, wilson(runs, runs, level=level).high) == (0, 1)


def test_probability_of_improvement():
    ours, theirs = DRAW.normal(0.5, size=30), DRAW.normal(size=25)
    found = probability_of_improvement(ours, theirs)
    expected = scipy_stats.mannwhitneyu(ours, theirs).statistic / (30 * 25)
    np.testing.assert_allclose(found.estimate, expected)
    draw = np.random.default_rng(8)
    studies = [np.mean(draw.choice(ours, 30)[:, None] > draw.choice(theirs, 25)) for _ in range(4000)]
    np.testing.assert_allclose(found[1:], np.quantile(studies, [0.025, 0.975]), atol=0.02)
    assert probability_of_improvement(np.ones(3), np.ones(4)).estimate == 0.5
    assert probability_of_improvement(np.array([-np.inf, 1, 2]), np.array([-np.inf, 0])).estimate == 4.5 / 6


def test_tolerance_bounds():
    """93 runs are the textbook's number for 95 % within the extremes at 95 %; and the content holds as often as it says."""
    assert tolerance(np.arange(93.0), content=0.95) == (0.0, 92.0)
    with pytest.raises(ValueError, match=r"for 0.95 of all runs at 0.95 take 93 runs, got 92"):
        tolerance(np.arange(92.0), content=0.95)
    studies = np.random.default_rng(5).uniform(size=(2000, 200))
    contents = np.array([high - low for low, high in map(tolerance, studies)])
    assert 0.94 <= np.mean(contents >= 0.9) <= 0.99
    assert contents.mean() < 0.96  # not just the extremes


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap(np.zeros((2, 2, 2))), r"got the shape \(2, 2, 2\)"),
        (lambda: bootstrap(np.array([])), r"got the shape \(0,\)"),
        (lambda: bootstrap(np.array([1.0, np.nan])), "without NaN"),
        (lambda: bootstrap(np.ones(3), level=95), "level must be between 0 and 1, got 95"),
        (lambda: wilson(3, 2), "got 3 of 2"),
        (lambda: wilson(0, 0), "got 0 of 0"),
        (lambda: probability_of_improvement(np.ones((2, 2)), np.ones(2)), "ours must be a row"),
        (lambda: tolerance(np.ones(100), content=1.0), "content must be between 0 and 1"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
