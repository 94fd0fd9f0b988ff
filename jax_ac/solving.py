"""Solving: after how much a seed is solved, where some were not. Their times are right-censored, never left out."""

from typing import Any, NamedTuple

import numpy as np

from jax_ac.intervals import Interval, normal_quantile, wilson
from jax_ac.samples import check_level


class Survival(NamedTuple):
    """The fraction of seeds not solved yet, a step function (Kaplan & Meier 1958).

    Attributes:
      time: ``[T]``, ascending: after so much a seed was solved, or no longer watched.
      unsolved: ``[T]``, the estimate from that time on; before the first it is 1.
      low, high: ``[T]``, its pointwise confidence interval (Greenwood's variance, on the log-log scale).
      censored: int ``[T]``, how many seeds were last watched then, unsolved.
    """

    time: np.ndarray
    unsolved: np.ndarray
    low: np.ndarray
    high: np.ndarray
    censored: np.ndarray


def kaplan_meier(time: np.ndarray, solved: np.ndarray, *, level: float = 0.95) -> Survival:
    """The survival curve of seeds: S(t) = Π (1 - dᵢ/nᵢ) over times tᵢ ≤ t, with dᵢ solved then of nᵢ watched until then.

    Its bounds are S(t)^exp(±z σ(t)), σ² = Σ dᵢ/(nᵢ(nᵢ - dᵢ)) / log² S(t) (Kalbfleisch & Prentice 2002, section 1.4). As
    `scipy.stats.ecdf`, which takes a second to import.

    Args:
      time: ``[S]``, what each seed needed, or had been given when it was last watched (episodes, steps, updates).
      solved: bool ``[S]``.
      level: of confidence.

    Raises:
      ValueError: if they are not two rows of one length, with at least one seed, or the level is not between 0 and 1.

    Four seeds; the one that had 300 episodes was not solved in them:

    >>> curve = kaplan_meier([100, 200, 300, 400], [True, True, False, True])
    >>> curve.unsolved.tolist()
    [0.75, 0.5, 0.5, 0.0]
    >>> median_time(curve).estimate
    200.0
    """
    check_level(level)
    time, solved = _watched(time, solved)
    times, at = np.unique(time, return_inverse=True)
    events, censored = np.bincount(at, solved), np.bincount(at, ~solved).astype(int)
    at_risk = len(time) - np.searchsorted(np.sort(time), times)
    unsolved = np.cumprod((at_risk - events) / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):  # there is no interval where all or none are solved: NaN
        log = np.log(unsolved)
        error = np.sqrt(np.cumsum(events / (at_risk * (at_risk - events)))) / np.abs(log)
        low, high = (np.exp(log * np.exp(sign * normal_quantile(level) * error)) for sign in (1, -1))
    return Survival(times, unsolved, low, high, censored)


def median_time(survival: Survival) -> Interval:
    """The time by which half of all seeds are solved, and its interval (Brookmeyer & Crowley 1982); inf: not known."""
    unknown = np.isnan(survival.low)  # where none is solved yet, or all are: how soon the next ones would be is not known
    low, high = np.where(unknown, survival.unsolved, survival.low), np.where(unknown, 1.0, survival.high)
    return Interval(*(_first(survival.time, curve <= 0.5) for curve in (survival.unsolved, low, high)))


def restricted_mean(survival: Survival, until: float) -> float:
    """The mean time until solved or `until`, whichever comes first: the area under the curve.

    Raises:
      ValueError: if a seed was unsolved when it was last watched, and that was before `until`.

    >>> restricted_mean(kaplan_meier([100, 200, 300], [True, True, False]), until=300)
    200.0
    """
    if survival.unsolved[-1] > 0 and survival.time[-1] < until:
        raise ValueError(f"until must be at most {survival.time[-1]:g}, when the last seed was watched, got {until:g}.")
    inside = survival.time < until
    borders = np.concatenate([[0.0], survival.time[inside], [until]])
    return float(np.sum(np.diff(borders) * np.concatenate([[1.0], survival.unsolved[inside]])))


def log_rank(ours: tuple[np.ndarray, np.ndarray], theirs: tuple[np.ndarray, np.ndarray]) -> float:
    """The p value of the log-rank test that both kinds of seeds are solved at one rate (Mantel 1966), two-sided.

    Args:
      ours, theirs: time and solved, as `kaplan_meier` takes them.

    Raises:
      ValueError: as `kaplan_meier`, or if no seed of either kind was solved.
    """
    from scipy.stats import logrank

    if not np.any(ours[1]) and not np.any(theirs[1]):
        raise ValueError("log_rank needs at least one seed that was solved, got none.")
    return float(logrank(_censored(*ours), _censored(*theirs)).pvalue)


def verdict(time: np.ndarray, solved: np.ndarray, threshold: str, *, intervals: bool = True) -> str:
    """In words: how many seeds were solved, and after how many episodes, with 95 % intervals."""
    count, runs = int(solved.sum()), len(solved)
    fraction, median = wilson(count, runs), median_time(kaplan_meier(time, solved))
    share = f" [{fraction.low:.0%}, {fraction.high:.0%}]" if intervals else ""
    after = ""
    if np.isfinite(median.estimate):
        high = f"{median.high:,.0f}" if np.isfinite(median.high) else "not known"
        after = f"; median {median.estimate:,.0f} episodes" + (f" [{median.low:,.0f}, {high}]" if intervals else "")
    return f"{count:,} of {runs:,} solved{share} {threshold}{after}."


def _censored(time: np.ndarray, solved: np.ndarray) -> Any:
    from scipy.stats import CensoredData

    time, solved = _watched(time, solved)
    return CensoredData.right_censored(time, ~solved)


def _watched(time: np.ndarray, solved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    time, solved = np.asarray(time, float), np.asarray(solved, bool)
    if time.shape != solved.shape or time.ndim != 1 or not len(time) or not np.isfinite(time).all():
        raise ValueError(f"time and solved must be finite rows of one length, got {time.shape} and {solved.shape}.")
    return time, solved


def _first(time: np.ndarray, where: np.ndarray) -> float:
    return float(time[np.argmax(where)]) if where.any() else np.inf
