"""Intervals: what some runs say about all runs of their kind. The run (seed) is the unit that is resampled."""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from jax_ac.samples import check_level, row

RESAMPLES = 10_000
CHUNK = 2**22
"""Numbers that are resampled at once."""

Statistic = Callable[[np.ndarray], np.ndarray]
"""What is said of runs: over the last axis, ``[..., S]`` to ``[...]``."""


class Interval(NamedTuple):
    """An estimate and its confidence interval; numbers, or arrays of one shape."""

    estimate: Any
    low: Any
    high: Any


def mean(values: np.ndarray) -> np.ndarray:
    """The mean over runs, ``[..., S]`` to ``[...]``."""
    return np.mean(values, axis=-1)


def median(values: np.ndarray) -> np.ndarray:
    """The median over runs, ``[..., S]`` to ``[...]``."""
    return np.median(values, axis=-1)


def iqm(values: np.ndarray) -> np.ndarray:
    """The interquartile mean over runs, ``[..., S]`` to ``[...]``: that of the middle half (Agarwal et al. 2021)."""
    from scipy.stats import trim_mean

    return trim_mean(values, 0.25, axis=-1)


def bootstrap(
    values: np.ndarray,
    statistic: Statistic = iqm,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The percentile bootstrap over whole runs (Efron & Tibshirani 1993, chapter 13).

    Of few runs it promises too much: 95 % intervals of the mean of 10 runs cover some 90 % (`tests/test_intervals.py`).

    Args:
      values: ``[S]``, a number per run, or ``[S, U]``, a curve per run, of which all points are resampled together.
      statistic: over the last axis; `iqm`, `mean`, `median` or another.
      level: of confidence.
      resamples: studies that are drawn.
      seed: of the drawing; the same numbers give the same interval.

    Returns:
      Numbers, or arrays ``[U]``. There is no interval, NaN, of a single run, nor at a curve's point where one has no number.

    Raises:
      ValueError: if there is no run, a number per run is NaN, the first named axis is not ``seed`` (several settings are
        several studies), or the level is not between 0 and 1.

    >>> returns = [500.0, 480.0, 500.0, 120.0, 490.0, 500.0, 470.0, 500.0]  # one per seed
    >>> print("IQM {:.0f} [{:.0f}, {:.0f}]".format(*bootstrap(returns)))
    IQM 492 [390, 500]
    >>> print("mean {:.0f} [{:.0f}, {:.0f}]".format(*bootstrap(returns, mean)))
    mean 445 [350, 496]
    """
    axes = getattr(values, "dims", ("seed",))
    if axes[:1] != ("seed",):
        raise ValueError(f"bootstrap resamples seeds, which must be the first axis, got the axes {', '.join(axes)}.")
    values = np.asarray(values, float)
    if values.ndim not in (1, 2) or len(values) == 0 or (values.ndim == 1 and np.isnan(values).any()):
        raise ValueError(f"bootstrap takes runs [S] without NaN, or curves [S, U], got the shape {values.shape}.")
    check_level(level)
    if len(values) == 1:
        unknown = np.full(values.shape[1:], np.nan)
        return Interval(values[0], unknown, unknown)
    drawn = np.random.default_rng(seed).integers(0, len(values), (resamples, len(values)))
    curves = values.reshape(len(values), -1).T
    bounds = np.array([_bounds(curve, drawn, statistic, level) for curve in curves]).T
    low, high = bounds.reshape(2, *values.shape[1:])
    return Interval(statistic(curves).reshape(values.shape[1:]), low, high)


def _bounds(runs: np.ndarray, drawn: np.ndarray, statistic: Statistic, level: float) -> np.ndarray:
    rows = max(1, CHUNK // len(runs))
    studies = np.concatenate([statistic(runs[drawn[start : start + rows]]) for start in range(0, len(drawn), rows)])
    return np.quantile(studies, [(1 - level) / 2, (1 + level) / 2])


def normal_quantile(level: float) -> float:
    """z, such that a standard normal number lies within ±z at this level."""
    return NormalDist().inv_cdf((1 + level) / 2)


def wilson(successes: int, runs: int, *, level: float = 0.95) -> Interval:
    """The fraction of successes with the score interval of Wilson 1927, right for 0 and for all successes too.

    (p + z²/2n ± z √(p(1 - p)/n + z²/4n²)) / (1 + z²/n). As `scipy.stats.binomtest`, which takes a second to import.

    Raises:
      ValueError: if there is no run, successes are not among them, or the level is not between 0 and 1.

    >>> print("{:.0%} [{:.0%}, {:.0%}]".format(*wilson(10, 10)))
    100% [72%, 100%]
    """
    if not 0 <= successes <= runs or runs < 1:
        raise ValueError(f"wilson takes some successes of 1 run or more, got {successes} of {runs}.")
    check_level(level)
    successes, runs = int(successes), int(runs)
    share, z = successes / runs, normal_quantile(level)
    middle = (share + z**2 / (2 * runs)) / (1 + z**2 / runs)
    half = z / (1 + z**2 / runs) * math.sqrt(share * (1 - share) / runs + z**2 / (4 * runs**2))
    return Interval(np.float64(share), middle - half if successes else 0.0, middle + half if successes < runs else 1.0)


def probability_of_improvement(
    ours: np.ndarray, theirs: np.ndarray, *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """How often a run of ours is better than one of theirs, ties half (Agarwal et al. 2021, section 4.3; Mann & Whitney).

    Runs of both are resampled, ours apart from theirs. Of a single run there is no interval: NaN.

    Args:
      ours, theirs: ``[S]`` and ``[R]``, higher is better.

    The other arguments are those of `bootstrap`.

    Raises:
      ValueError: if one is not a row of one or more numbers.

    >>> print("{:.2f} [{:.2f}, {:.2f}]".format(*probability_of_improvement([3.0, 4.0, 5.0, 6.0], [1.0, 2.0, 3.0, 4.0])))
    0.88 [0.56, 1.00]
    """
    ours, theirs = row("ours", ours), row("theirs", theirs)
    check_level(level)
    better = (ours[:, None] > theirs) + (ours[:, None] == theirs) / 2
    if min(len(ours), len(theirs)) == 1:
        return Interval(better.mean(), np.nan, np.nan)
    draw = np.random.default_rng(seed)
    weights = [draw.multinomial(len(runs), np.full(len(runs), 1 / len(runs)), resamples) for runs in (ours, theirs)]
    studies = np.einsum("rs,st,rt->r", weights[0], better, weights[1], optimize=True) / better.size
    low, high = np.quantile(studies, [(1 - level) / 2, (1 + level) / 2])
    return Interval(better.mean(), low, high)


def percentiles(values: np.ndarray, *, content: float = 0.9) -> tuple[float, float]:
    """Bounds of the middle fraction `content` of these runs: what was seen; `tolerance` speaks of all runs of the kind.

    Raises:
      ValueError: unless it is a row of one or more numbers, none NaN, and the content between 0 and 1.
    """
    values = row("values", values)
    check_level(content, "content")
    low, high = np.quantile(values, [(1 - content) / 2, (1 + content) / 2])
    return float(low), float(high)


def tolerance(values: np.ndarray, *, content: float = 0.9, level: float = 0.95) -> tuple[float, float]:
    """Bounds that at least a fraction `content` of all runs of this kind lies within, with confidence `level`.

    Of any distribution: the bounds are the k-th lowest and k-th highest run, for the largest k that suffices (Wilks 1941).

    Raises:
      ValueError: if there are too few runs for it; the sentence says how many it takes.

    >>> tolerance(np.arange(100.0))
    (1.0, 98.0)
    """
    from scipy.stats import binom

    values = np.sort(row("values", values))
    for name, fraction in (("content", content), ("level", level)):
        check_level(fraction, name)
    if _outermost(len(values), content) < level:
        needed = next(n for n in range(len(values), 10**7) if _outermost(n, content) >= level)
        raise ValueError(f"tolerance bounds for {content:g} of all runs at {level:g} take {needed} runs, got {len(values)}.")
    within = binom.cdf(len(values) - 2 * np.arange(1, len(values) // 2 + 1), len(values), content)
    k = int(np.flatnonzero(within >= level)[-1])
    return float(values[k]), float(values[-1 - k])


def _outermost(runs: int, content: float) -> float:
    """The confidence that the lowest and the highest run hold that content between them."""
    return 1 - content**runs - runs * (1 - content) * content ** (runs - 1)
