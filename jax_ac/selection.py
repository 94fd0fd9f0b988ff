"""Selection: the best of several settings, and what it is worth on seeds that did not choose it.

The highest of several noisy scores is too high: the setting is chosen for its luck as well. Seeds that chose must not judge.
"""

from typing import NamedTuple

import numpy as np

from jax_ac.intervals import RESAMPLES, Interval, Statistic, bootstrap, iqm
from jax_ac.samples import settings

HALVINGS = 1_000


class Choice(NamedTuple):
    """A setting that one half of the seeds chose.

    Attributes:
      setting: its index.
      score: of it, on the other half, with its interval.
      chosen_at: its score on the half that chose it.
      optimism: how much too high the best's score is on the seeds that choose it: the mean over many random halves of its
        score there less its score on the other.
      agreement: the fraction of those halves that choose this setting too.
    """

    setting: int
    score: Interval
    chosen_at: float
    optimism: float
    agreement: float


def choose(
    scores: np.ndarray,
    statistic: Statistic = iqm,
    *,
    level: float = 0.95,
    halvings: int = HALVINGS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Choice:
    """The setting that is best on a random half of the seeds, judged on the other (Patterson et al. 2024, section 5).

    Args:
      scores: ``[H, S]``, higher is better, of the same seeds in every setting. A run without a score, NaN, counts as the
        worst that was seen of any setting.
      statistic: of the runs of a setting.
      level: of confidence.
      halvings: for `Choice.optimism` and `Choice.agreement`.
      resamples: for the interval.
      seed: of the halving and of the resampling.

    Raises:
      ValueError: unless there are one or more settings of four or more seeds, and at least one score.
    """
    scores = settings("scores", scores, least=4)
    if np.isnan(scores).all():
        raise ValueError("choose needs at least one score that is not NaN.")
    scores = np.where(np.isnan(scores), np.nanmin(scores), scores)
    orders = np.random.default_rng(seed).permuted(np.tile(np.arange(scores.shape[1]), (halvings + 1, 1)), axis=1)
    middle = (scores.shape[1] + 1) // 2
    choosing, judging = (_scores(scores, half, statistic) for half in (orders[:, :middle], orders[:, middle:]))
    best = np.argmax(choosing, axis=0)
    halves = np.arange(len(orders))
    optimism = (choosing[best, halves] - judging[best, halves])[1:].mean()
    judged = bootstrap(scores[best[0], orders[0, middle:]], statistic, level=level, resamples=resamples, seed=seed)
    agreement = np.mean(best[1:] == best[0])
    return Choice(int(best[0]), judged, float(choosing[best[0], 0]), float(optimism), float(agreement))


def _scores(scores: np.ndarray, half: np.ndarray, statistic: Statistic) -> np.ndarray:
    """``[H, R]``: of each setting, on each of R parts of the seeds, ``[R, S/2]``."""
    return np.stack([statistic(runs[half]) for runs in scores])
