"""Pictures that compare: how many runs of each algorithm do so well, and differences with their intervals."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from jax_ac import canvas
from jax_ac.profiles import profile

POINTS = 400
"""Thresholds of a profile, at most, where none are given."""


def performance_profiles(
    scores: Mapping[str, np.ndarray],
    *,
    thresholds: np.ndarray | None = None,
    level: float = 0.95,
    x_label: str = "score",
    axes: Axes | None = None,
) -> Axes:
    """The fraction of runs with a score above τ, for every τ, with pointwise bootstrap bands (`profiles.profile`).

    Where one curve is above another everywhere, its runs are stochastically better; the median can be read off at 50 %.

    Args:
      scores: ``[S]`` by name, higher is better.
      thresholds: τ, ``[T]``, ascending; every score and a little beyond, where None.
      level: of confidence.
      x_label: what the scores are.
      axes: drawn on; a new figure's where None.

    Raises:
      ValueError: if there are no scores, or as `profiles.profile`.
    """
    runs = {name: canvas.numbers(f"scores of {name!r}", row, "runs") for name, row in canvas.some("scores", scores).items()}
    if thresholds is None:
        thresholds = _span(np.concatenate(list(runs.values())))
    found = {name: profile(row, thresholds, level=level) for name, row in runs.items()}
    axes = canvas.on(axes)
    for color, (name, (fraction, low, high)) in zip(itertools.cycle(canvas.palette()), found.items(), strict=False):
        axes.fill_between(thresholds, low, high, step="post", color=color, alpha=0.2, linewidth=0)
        axes.step(thresholds, fraction, where="post", color=color, linewidth=2, label=f"{name}, {len(runs[name])} runs")
    axes.set(xlabel=f"{x_label}, τ", ylabel="fraction of runs above τ", ylim=(0, 1.02), xlim=(thresholds[0], thresholds[-1]))
    axes.yaxis.set_major_formatter(canvas.SHARES)
    canvas.legend(axes)
    return axes


def forest(
    rows: Mapping[str, Any], *, reference: float = 0.0, x_label: str = "difference", axes: Axes | None = None
) -> Axes:
    """Estimates with their intervals, one per row from the top, as points with bars; in numbers at the right.

    Args:
      rows: by label, with `estimate`, `low` and `high`: an `Interval`, or a difference of two algorithms. NaN bounds
        are not drawn.
      reference: a line at it: where there is no difference.
      x_label: what is estimated.
      axes: drawn on; a new figure's where None.

    Raises:
      ValueError: if there is no row, an estimate is not one finite number, or lies outside its interval.
    """
    found = {label: _checked(label, row) for label, row in canvas.some("rows", rows).items()}
    axes = canvas.on(axes, (8.0, 1.4 + 0.5 * len(found)), grid="x")
    color = canvas.palette()[0]
    axes.axvline(reference, color=canvas.ink(), alpha=0.65, linewidth=1, linestyle="--")
    for place, (estimate, low, high) in enumerate(found.values()):
        axes.plot([low, high], [place, place], color=color, linewidth=2.5, solid_capstyle="round")
        axes.plot([estimate], [place], "o", color=color, markersize=8)
    axes.set(xlabel=x_label, ylim=(len(found) - 0.5, -0.5))
    axes.set_yticks(range(len(found)), list(found))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for place, row in enumerate(found.values()):
        axes.annotate(_in_numbers(*row), (1.02, place), xycoords=("axes fraction", "data"), va="center")
    return axes


def _span(scores: np.ndarray) -> np.ndarray:
    known = scores[np.isfinite(scores)]
    if not len(known):
        raise ValueError("scores must have at least one finite number, got none.")
    beyond = 0.03 * (np.ptp(known) or 1.0)
    different = np.unique(known)
    inner = different if len(different) <= POINTS else np.linspace(known.min(), known.max(), POINTS)
    return np.concatenate([[inner[0] - beyond], inner, [inner[-1] + beyond]])


def _checked(label: str, row: Any) -> tuple[float, float, float]:
    numbers = np.array([row.estimate, row.low, row.high], float)
    if numbers.ndim != 1 or not np.isfinite(numbers[0]) or numbers[0] < numbers[1] or numbers[0] > numbers[2]:
        raise ValueError(f"the row {label!r} must be one finite estimate within its interval, got {row!r}.")
    estimate, low, high = numbers.tolist()
    return estimate, low, high


def _in_numbers(estimate: float, low: float, high: float) -> str:
    if np.isnan([low, high]).any():
        return f"{estimate:.3g}"
    digits = 2 if high == low else max(0, 2 - int(np.floor(np.log10(high - low))))
    return f"{estimate:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
