"""Selection: against a naive loop, and unbiased where the naive maximum is not."""

import numpy as np
import pytest
import xarray as xr

from jax_ac.intervals import bootstrap, iqm, mean
from jax_ac.selection import choose


def test_against_a_loop():
    scores = np.random.default_rng(0).normal([[0.0], [0.3], [0.5]], 1, (3, 9))
    found = choose(scores, mean, halvings=50, resamples=500, seed=3)
    draw, seeds, gaps, chosen = np.random.default_rng(3), np.tile(np.arange(9), (51, 1)), [], []
    for order in draw.permuted(seeds, axis=1):
        first, second = order[:5], order[5:]
        best = max(range(3), key=lambda h: scores[h, first].mean())
        chosen.append(best)
        gaps.append(scores[best, first].mean() - scores[best, second].mean())
        if len(chosen) == 1:
            assert found.chosen_at == scores[best, first].mean()
            assert found.score == bootstrap(scores[best, second], mean, resamples=500, seed=3)
    assert found.setting == chosen[0]
    np.testing.assert_allclose(found.optimism, np.mean(gaps[1:]))
    assert found.agreement == np.mean(np.equal(chosen[1:], chosen[0]))


def test_the_naive_maximum_is_too_high_and_the_honest_score_is_not():
    """Ten settings that are all worth 0, of 20 seeds each: the mean of 10 has the deviation 1/√10, the best of ten such is
    1.539 deviations up (Harter 1961), and all of that is luck."""
    draw = np.random.default_rng(1)
    found = [choose(draw.normal(size=(10, 20)), mean, halvings=20, resamples=400, seed=i) for i in range(400)]
    luck = 1.539 / np.sqrt(10)
    assert abs(np.mean([choice.chosen_at for choice in found]) - luck) < 0.03
    assert abs(np.mean([choice.optimism for choice in found]) - luck) < 0.03
    honest = np.array([choice.score for choice in found])
    assert abs(honest[:, 0].mean()) < 0.05  # three standard errors
    assert np.mean((honest[:, 1] <= 0) & (honest[:, 2] >= 0)) > 0.85  # 10 seeds judge: `experiments/coverage.py`


def test_a_clear_winner_is_chosen_by_every_half():
    scores = xr.DataArray(
        np.arange(3)[:, None] * 100 + np.random.default_rng(2).normal(size=(3, 8)), dims=("setting", "seed")
    )
    found = choose(scores)
    assert (found.setting, found.agreement) == (2, 1.0)
    assert abs(found.optimism) < 1


def test_a_run_without_a_score_counts_as_the_worst():
    scores = np.array([[5.0, 5, 5, 5, 5, 5], [9, 9, 9, np.nan, np.nan, np.nan], [1, 1, 1, 1, 1, 1]])
    assert choose(scores, mean).setting == choose(np.nan_to_num(scores, nan=1.0), mean).setting
    assert choose(scores, iqm, seed=4).score == choose(np.nan_to_num(scores, nan=1.0), iqm, seed=4).score


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.zeros((3, 3)), r"\[settings, seeds\], 4 or more seeds, got the shape \(3, 3\)"),
        (np.zeros(8), r"got the shape \(8,\)"),
        (np.full((2, 4), np.nan), "at least one score"),
        (xr.DataArray(np.zeros((4, 4)), dims=("seed", "setting")), "must have the axes setting, seed, got seed, setting"),
    ],
)
def test_bad_input(scores, message):
    with pytest.raises(ValueError, match=message):
        choose(scores)
