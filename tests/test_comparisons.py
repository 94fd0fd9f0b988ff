"""Comparisons: by hand, and in simulated studies. Against statsmodels: test_oracles."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats as scipy_stats

from jax_ac.comparisons import difference, holm, paired, power, seeds_needed, welch
from jax_ac.intervals import mean


def test_welch_by_hand():
    """Means 2 and 5; variances 1 and 4, so that the difference has the variance 1/3 + 4/3; freedom (5/3)²/(1/18 + 16/18)."""
    found = welch(np.array([1.0, 2, 3]), np.array([3.0, 5, 7]))
    assert found.estimate == -3
    error, freedom = np.sqrt(5 / 3), (5 / 3) ** 2 / (1 / 18 + 16 / 18)
    np.testing.assert_allclose((found.high - found.low) / 2, scipy_stats.t.ppf(0.975, freedom) * error)
    np.testing.assert_allclose(found.p_value, 2 * scipy_stats.t.sf(3 / error, freedom))


def test_runs_that_do_not_differ_give_nothing_to_judge_by():
    perfect = np.full(10, 500.0)
    for found in (welch(perfect, perfect), paired(perfect, perfect - 3)):
        assert np.isnan(found[1:]).all()
    assert paired(perfect, perfect - 3).estimate == 3
    assert welch(perfect, np.array([480.0, 500.0])).estimate == 10


def test_pairing_takes_the_seed_out():
    """Two settings whose runs share what the seed brings: the pairs see a difference that Welch does not."""
    draw = np.random.default_rng(0)
    seed, noise = draw.normal(0, 30, 20), draw.normal(0, 1, 20)
    ours, theirs = seed + 2 + noise, seed
    assert paired(ours, theirs).p_value < 1e-4 < 0.1 < welch(ours, theirs).p_value


def test_pairs_are_of_the_same_seeds():
    runs = xr.DataArray(np.arange(4.0), dims="seed", coords={"seed": [0, 1, 2, 3]})
    others = runs.assign_coords(seed=[4, 5, 6, 7]) ** 2
    with pytest.raises(ValueError, match="paired takes runs of the same seeds"):
        paired(runs, others)
    assert paired(runs, runs**2).estimate == -2
    assert welch(runs, others).estimate == -2


def test_the_difference_of_any_statistic():
    """Of means of many runs the bootstrap's interval is Welch's."""
    draw = np.random.default_rng(1)
    ours, theirs = draw.normal(1, 2, 300), draw.normal(0, 1, 200)
    np.testing.assert_allclose(difference(ours, theirs, mean), welch(ours, theirs)[:3], atol=0.02)


def test_holm_by_hand():
    """Times 4, 3, 2, 1 in ascending order, never less than the one before; a comparison that was not made does not count."""
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.01, np.nan, 0.6, 0.5]), [0.03, np.nan, 1.0, 1.0])
    assert holm([]).shape == (0,)


def test_power_is_how_often_the_test_finds_it():
    draw = np.random.default_rng(2)
    studies = [welch(draw.normal(1, 1, 12), draw.normal(0, 1, 12)).p_value < 0.05 for _ in range(2000)]
    assert abs(np.mean(studies) - power(1, 1, 12)) < 0.03  # three standard errors
    assert power(0, 1, 12) == pytest.approx(0.05)
    assert power(1, 1, 1000) == power(-1, 1, 1000) == 1


def test_seeds_needed_are_the_fewest():
    for effect, chance in ((0.7, 0.8), (2.0, 0.9)):
        needed = seeds_needed(effect, 1.0, chance=chance)
        assert power(effect, 1.0, needed) >= chance > power(effect, 1.0, needed - 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: welch(np.ones(1), np.ones(5)), "ours must be a row of 2 or more numbers"),
        (lambda: welch(np.ones(5), np.array([1, np.nan])), "theirs must be a row of 2 or more numbers, none NaN"),
        (lambda: welch(np.ones((2, 5)), np.ones(5)), r"got the shape \(2, 5\)"),
        (lambda: welch(xr.DataArray(np.ones(3), dims="update"), np.ones(5)), "ours must have the axes seed, got update"),
        (lambda: difference(np.ones(3), np.ones(3), level=1.5), "level must be between 0 and 1, got 1.5"),
        (lambda: paired(np.ones(3), np.ones(4)), "got 3 and 4 runs"),
        (lambda: holm([0.5, 1.5]), r"numbers in \[0, 1\]"),
        (lambda: power(1.0, 0.0, 10), "a positive deviation"),
        (lambda: power(1.0, 1.0, 1), "2 or more seeds"),
        (lambda: seeds_needed(0.0, 1.0), "takes over a million seeds"),
        (lambda: seeds_needed(1.0, 1.0, chance=1.0), "chance must be between 0 and 1"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
