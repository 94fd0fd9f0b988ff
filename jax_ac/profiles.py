"""Performance profiles: of how many runs the score is above τ, for every τ at once (Agarwal et al. 2021, section 4.2)."""

import numpy as np

from jax_ac.intervals import RESAMPLES, Interval
from jax_ac.samples import check_level, gappy_row, row

CHUNK = 2**24
"""Numbers that are resampled at once."""


def profile(
    scores: np.ndarray, thresholds: np.ndarray, *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """The fraction of runs with a score above each threshold, with its percentile bootstrap interval, pointwise.

    Whole runs are resampled, the same for all thresholds. A run without a score, NaN, is above none.

    Args:
      scores: ``[S]``.
      thresholds: τ, ``[T]``.
      level: of confidence.
      resamples: studies that are drawn.
      seed: of the drawing; the same numbers give the same interval.

    Returns:
      Arrays ``[T]``. Of a single run there is no interval: NaN.

    Raises:
      ValueError: if one is not a row of one or more numbers, all scores or a threshold are NaN, the axis of the scores has
        another name than ``seed``, or the level is not between 0 and 1.
    """
    scores, thresholds = gappy_row("scores", scores), row("thresholds", thresholds)
    check_level(level)
    above = (scores[:, None] > thresholds).astype(float)  # [S, T]
    if len(scores) == 1:
        return Interval(above[0], np.full(len(thresholds), np.nan), np.full(len(thresholds), np.nan))
    weights = np.random.default_rng(seed).multinomial(len(scores), np.full(len(scores), 1 / len(scores)), resamples)
    parts = np.array_split(above, -(-resamples * len(thresholds) // CHUNK), axis=1)
    bounds = [np.quantile(weights @ part / len(scores), [(1 - level) / 2, (1 + level) / 2], axis=0) for part in parts]
    low, high = np.concatenate(bounds, axis=1)
    return Interval(above.mean(axis=0), low, high)
