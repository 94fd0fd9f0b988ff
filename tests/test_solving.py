"""Times until solved with censoring: by hand, against naive loops, and coverage."""

import warnings

import numpy as np
import pytest
from scipy import stats as scipy_stats

from jax_ac.solving import kaplan_meier, log_rank, median_time, restricted_mean, verdict

TIME, SOLVED = np.array([3.0, 5, 7, 9, 9]), np.array([True, False, True, True, False])


def naive(time, solved):
    """Kaplan & Meier, seed by seed."""
    left, curve = 1.0, {}
    for t in np.unique(time):
        at_risk, events = np.sum(time >= t), np.sum((time == t) & solved)
        left *= 1 - events / at_risk
        curve[t] = left
    return curve


def test_by_hand():
    curve = kaplan_meier(TIME, SOLVED)
    assert curve.time.tolist() == [3, 5, 7, 9]
    np.testing.assert_allclose(curve.unsolved, [4 / 5, 4 / 5, 4 / 5 * 2 / 3, 4 / 5 * 2 / 3 / 2])
    assert median_time(curve).estimate == 9
    np.testing.assert_allclose(restricted_mean(curve, 8), 3 * 1 + 4 * 0.8 + 1 * 0.8 * 2 / 3)


def test_against_the_naive_loop_and_greenwood():
    draw = np.random.default_rng(0)
    time, censor = draw.integers(1, 40, 60), draw.integers(20, 60, 60)
    solved, time = time <= censor, np.minimum(time, censor).astype(float)
    curve = kaplan_meier(time, solved)
    np.testing.assert_allclose(curve.unsolved, list(naive(time, solved).values()), atol=1e-12)
    inside = (curve.unsolved > 0) & (curve.unsolved < 1)
    for t, estimate, low, high in zip(*(column[inside] for column in curve[:4]), strict=True):
        events = [(np.sum((time == u) & solved), np.sum(time >= u)) for u in np.unique(time[solved]) if u <= t]
        error = np.sqrt(sum(d / (n * (n - d)) for d, n in events)) / np.log(estimate)
        expected = estimate ** np.exp(np.array([-1, 1]) * scipy_stats.norm.ppf(0.975) * error)
        np.testing.assert_allclose([low, high], np.sort(expected), rtol=1e-9)


@pytest.mark.parametrize("solved_by", [0, 5, 12, 20])
def test_against_scipy(solved_by):
    """With ties, with nobody solved, with all; where scipy knows no bounds there are none."""
    time = np.random.default_rng(1).integers(1, 20, 40).astype(float)
    solved = time < solved_by
    curve = kaplan_meier(time, solved, level=0.9)
    theirs = scipy_stats.ecdf(scipy_stats.CensoredData.right_censored(time, ~solved)).sf
    with warnings.catch_warnings(action="ignore"):
        bounds = theirs.confidence_interval(0.9, method="log-log")
    np.testing.assert_array_equal(curve.time, theirs.quantiles)
    for ours, expected in zip(curve[1:4], (theirs, bounds.low, bounds.high), strict=True):
        np.testing.assert_allclose(ours, expected.probabilities, atol=1e-12)
    assert curve.censored.tolist() == [np.sum((time == t) & ~solved) for t in curve.time]


def test_all_solved_or_none():
    assert median_time(kaplan_meier(np.arange(1.0, 6), np.ones(5, bool))).estimate == 3
    none = kaplan_meier(np.full(4, 100.0), np.zeros(4, bool))
    assert median_time(none) == (np.inf, np.inf, np.inf)
    assert restricted_mean(none, 100) == 100
    with pytest.raises(ValueError, match="until must be at most 100"):
        restricted_mean(none, 101)
    one = median_time(kaplan_meier(np.array([7.0]), np.array([True])))
    assert (one.estimate, one.high) == (7, np.inf)  # one seed does not bound the median of all
    with pytest.raises(ValueError, match="needs at least one seed that was solved"):
        log_rank((np.ones(3), np.zeros(3, bool)), (np.ones(2), np.zeros(2, bool)))


def test_the_interval_of_the_median_covers():
    draw = np.random.default_rng(3)
    hits = []
    for _ in range(600):
        time = draw.exponential(size=50)
        solved, time = time < 1.5, np.minimum(time, 1.5)
        found = median_time(kaplan_meier(time, solved))
        hits.append(found.low <= np.log(2) <= found.high)
    assert 0.92 <= np.mean(hits) <= 0.98


def test_log_rank_by_its_formula():
    draw = np.random.default_rng(4)
    ours, theirs = (np.ceil(draw.exponential(scale, 40) * 10) for scale in (1.0, 1.6))
    solved = [times < 25 for times in (ours, theirs)]
    times = [np.minimum(times, 25) for times in (ours, theirs)]
    surplus = variance = 0.0
    for t in np.unique(np.concatenate([time[mark] for time, mark in zip(times, solved, strict=True)])):
        n = [np.sum(time >= t) for time in times]
        d = [np.sum((time == t) & mark) for time, mark in zip(times, solved, strict=True)]
        total, events = sum(n), sum(d)
        surplus += d[0] - n[0] * events / total
        if total > 1:
            variance += n[0] * n[1] * events * (total - events) / (total**2 * (total - 1))
    expected = 2 * scipy_stats.norm.sf(abs(surplus) / np.sqrt(variance))
    np.testing.assert_allclose(log_rank((times[0], solved[0]), (times[1], solved[1])), expected, rtol=1e-9)
    assert log_rank((np.arange(20.0), np.ones(20, bool)), (np.arange(40.0, 60), np.ones(20, bool))) < 1e-6


def test_the_verdict_in_words():
    """Of 256 seeds, two never: Wilson's bounds of 254 / 256, the median of 1 ... 256 and binomial bounds of its rank."""
    time, solved = np.arange(1.0, 257), np.arange(256) < 254
    said = verdict(time, solved, "(above 195)")
    assert said.startswith("254 of 256 solved [97%, 100%] (above 195); median 128 episodes [1")
    low, high = map(float, said.split("[")[2].removesuffix("].").split(", "))
    assert abs(low - (128 - 1.96 * 8)) < 4
    assert abs(high - (128 + 1.96 * 8)) < 4
    assert verdict(time, solved, "(above 195)", intervals=False) == "254 of 256 solved (above 195); median 128 episodes."
    assert verdict(np.full(3, 9.0), np.zeros(3, bool), "(x)") == "0 of 3 solved [0%, 56%] (x)."


def test_bad_input():
    with pytest.raises(ValueError, match="rows of one length"):
        kaplan_meier(np.ones(3), np.ones(4, bool))
    with pytest.raises(ValueError, match="finite rows"):
        kaplan_meier(np.array([np.inf]), np.array([True]))
