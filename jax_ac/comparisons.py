"""Comparisons: whether one algorithm is better than another, by how much, and how many seeds it takes to see it."""

import warnings
from typing import Any, NamedTuple

import numpy as np

from jax_ac.intervals import RESAMPLES, Interval, Statistic, iqm
from jax_ac.samples import check_level, row


class Difference(NamedTuple):
    """Ours minus theirs, its confidence interval, and the two-sided p value of there being none."""

    estimate: Any
    low: Any
    high: Any
    p_value: Any


def welch(ours: Any, theirs: Any, *, level: float = 0.95) -> Difference:
    """The difference of two means, of runs that have nothing in common (Welch 1947; Colas et al. 2019, section 3).

    Where neither side's runs differ among themselves there is nothing to judge by: the bounds and the p value are NaN.

    Args:
      ours, theirs: ``[S]`` and ``[R]``.
      level: of confidence.

    Raises:
      ValueError: unless each is a row of two or more numbers, none NaN.
    """
    from scipy.stats import ttest_ind

    ours, theirs = row("ours", ours, least=2), row("theirs", theirs, least=2)
    check_level(level)
    estimate = ours.mean() - theirs.mean()
    if np.ptp(ours) == 0 == np.ptp(theirs):
        return Difference(estimate, np.nan, np.nan, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a loss of precision, where one side's runs are all equal
        test: Any = ttest_ind(ours, theirs, equal_var=False)
    bounds = test.confidence_interval(level)
    return Difference(estimate, bounds.low, bounds.high, test.pvalue)


def paired(ours: Any, theirs: Any, *, level: float = 0.95) -> Difference:
    """The mean of the differences seed by seed: of two settings of an algorithm, or two algorithms, on common seeds.

    It is the sharper the more a seed's two runs have in common; where they have nothing in common it is as `welch`. Where
    all differences are one number the bounds and the p value are NaN.

    Args:
      ours, theirs: ``[S]`` each, of the same seeds in the same order.
      level: of confidence.

    Raises:
      ValueError: unless each is a row of two or more numbers, none NaN, of the same seeds.
    """
    from scipy.stats import ttest_rel

    seeds = [side.coords["seed"] for side in (ours, theirs) if "seed" in getattr(side, "coords", ())]
    ours, theirs = row("ours", ours, least=2), row("theirs", theirs, least=2)
    check_level(level)
    if len(ours) != len(theirs) or (len(seeds) == 2 and not np.array_equal(*seeds)):
        raise ValueError(f"paired takes runs of the same seeds, got {len(ours)} and {len(theirs)} runs, or other seeds.")
    differences = ours - theirs
    if np.ptp(differences) == 0:
        return Difference(differences.mean(), np.nan, np.nan, np.nan)
    test: Any = ttest_rel(ours, theirs)
    bounds = test.confidence_interval(level)
    return Difference(differences.mean(), bounds.low, bounds.high, test.pvalue)


def difference(
    ours: Any,
    theirs: Any,
    statistic: Statistic = iqm,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The difference of any statistic, by the bootstrap: ours and theirs are resampled apart from each other.

    Args:
      ours, theirs: ``[S]`` and ``[R]``.
      The others as in `intervals.bootstrap`.

    Raises:
      ValueError: unless each is a row of two or more numbers, none NaN.
    """
    ours, theirs = row("ours", ours, least=2), row("theirs", theirs, least=2)
    check_level(level)
    draw = np.random.default_rng(seed)
    first, second = (statistic(runs[draw.integers(0, len(runs), (resamples, len(runs)))]) for runs in (ours, theirs))
    low, high = np.quantile(first - second, [(1 - level) / 2, (1 + level) / 2])
    return Interval(statistic(ours) - statistic(theirs), low, high)


def holm(p_values: Any) -> np.ndarray:
    """p values of several comparisons, corrected so that the chance of any false one stays below the level (Holm 1979).

    ``p̃₍ᵢ₎ = max_{j≤i} min(1, (m-j+1) p₍ⱼ₎)``, for m p values in ascending order. A comparison that could not be made, NaN,
    is not counted, and stays NaN. (For the rate of false discoveries instead: `scipy.stats.false_discovery_control`.)

    Args:
      p_values: ``[M]``.

    Raises:
      ValueError: unless it is a row of numbers in [0, 1].
    """
    values = np.asarray(p_values, float)
    if values.ndim != 1 or ((values < 0) | (values > 1)).any():
        raise ValueError(f"p_values must be a row of numbers in [0, 1], got {p_values!r}.")
    order = np.argsort(values)[: np.sum(~np.isnan(values))]
    corrected = np.full(len(values), np.nan)
    corrected[order] = np.minimum(1, np.maximum.accumulate(values[order] * np.arange(len(order), 0, -1)))
    return corrected


def power(effect: float, deviation: float, seeds: int, *, level: float = 0.95) -> float:
    """The chance to see a difference of two means: that the two-sided t test of `seeds` runs each finds it.

    From the noncentral t distribution with 2S-2 degrees of freedom, noncentrality ``effect/(deviation √(2/S))``.

    Args:
      effect: the true difference of the means.
      deviation: the standard deviation of either algorithm's runs; for two that differ, the root of their mean square.
      seeds: of each algorithm.
      level: of confidence, 1 less the chance to find a difference where there is none.

    Raises:
      ValueError: if the deviation is not positive, there are fewer than 2 seeds, or the level is not between 0 and 1.
    """
    from scipy.stats import nct, t

    check_level(level)
    if not deviation > 0 or seeds < 2 or not np.isfinite(effect):
        raise ValueError(f"power takes a positive deviation and 2 or more seeds, got {effect}, {deviation}, {seeds}.")
    freedom, shift = 2 * seeds - 2, abs(effect) / (deviation * np.sqrt(2 / seeds))
    critical = t.ppf((1 + level) / 2, freedom)
    wrong_way = np.nan_to_num(nct.cdf(-critical, freedom, shift))  # NaN where it is too small for scipy
    return float(nct.sf(critical, freedom, shift) + wrong_way)


def seeds_needed(effect: float, deviation: float, *, chance: float = 0.8, level: float = 0.95) -> int:
    """The fewest seeds of each algorithm with which `power` is at least `chance`.

    Raises:
      ValueError: as `power`, or if the effect is 0 or so small beside the deviation that it takes over a million seeds.
    """
    check_level(chance, "chance")
    if power(effect, deviation, 10**6, level=level) < chance:
        raise ValueError(f"an effect of {effect:g} beside a deviation of {deviation:g} takes over a million seeds.")
    few, enough = 1, 10**6
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if power(effect, deviation, middle, level=level) >= chance else (middle, enough)
    return enough
