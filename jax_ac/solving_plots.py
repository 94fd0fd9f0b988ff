"""Pictures of solving: how many seeds are solved by when, and what each needed; those that were not are shown too."""

import itertools
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from jax_ac import canvas, stats
from jax_ac.solving import Survival

MARGIN = 0.2
"""The width of the strip of seeds that were not solved, as a part of the longest time."""


def solved_curves(survivals: Mapping[str, Survival], *, x_label: str = "episodes", axes: Axes | None = None) -> Axes:
    """The fraction of seeds solved against what they needed, with pointwise confidence bands; one curve per name.

    A tick on a curve stands where a seed was last watched, unsolved.

    Args:
      survivals: from `solving.kaplan_meier`, by what the legend calls them.
      x_label: what they needed.
      axes: drawn on; a new figure's where None.

    Raises:
      ValueError: if there is no curve.
    """
    canvas.some("survivals", survivals)
    axes = canvas.on(axes)
    for color, (name, curve) in zip(itertools.cycle(canvas.palette()), survivals.items(), strict=False):
        time = np.concatenate([[0.0], curve.time])
        solved, low, high = (1 - np.concatenate([[1.0], column]) for column in (curve.unsolved, curve.high, curve.low))
        known = ~np.isnan(low)  # there is no interval where none or all are solved
        axes.fill_between(time, low, high, where=known, step="post", color=color, alpha=0.2, linewidth=0)
        axes.step(time, solved, where="post", color=color, linewidth=2, label=name)
        left = curve.censored > 0
        if left.any():
            axes.plot(curve.time[left], 1 - curve.unsolved[left], "|", color=color, markersize=11, markeredgewidth=1.5)
    if any(curve.censored.any() for curve in survivals.values()):
        axes.plot([], [], "|", color=canvas.ink(), markersize=11, markeredgewidth=1.5, label="last watched, not solved")
    axes.set(xlabel=x_label, ylabel="fraction of seeds solved", ylim=(0, 1.02), xlim=(0, None))
    axes.xaxis.set_major_formatter(canvas.COUNTS)
    axes.yaxis.set_major_formatter(canvas.SHARES)
    canvas.legend(axes)
    return axes


def episodes_to_solve(
    groups: Mapping[str, tuple[np.ndarray, np.ndarray]], *, x_label: str = "episodes to solve", axes: Axes | None = None
) -> Axes:
    """What each seed needed until solved, one row per group: every seed a point, quartiles a box, the median a line.

    Seeds that were not solved are points in a strip of their own at the right, counted, and they count in the quartiles as
    needing more than all others (`stats.five_numbers`): a box that reaches into the strip has its end there.

    Args:
      groups: ``(time [S], solved [S])`` by name, as `Result.episodes_to_solve` gives them.
      x_label: what they needed.
      axes: drawn on; a new figure's where None.

    Raises:
      ValueError: if there is no group, or one is not two finite rows of one length.
    """
    checked = {name: _checked(name, *group) for name, group in canvas.some("groups", groups).items()}
    axes = canvas.on(axes, (8.0, 1.6 + 0.9 * len(groups)), grid="x")
    longest = max(time.max() for time, _ in checked.values())
    any_left = any(not solved.all() for _, solved in checked.values())
    strip = longest * (1 + 0.04 + MARGIN / 2)
    for row, (color, (time, solved)) in enumerate(zip(itertools.cycle(canvas.palette()), checked.values(), strict=False)):
        needed = np.where(solved, time, np.inf)
        _draw_box(axes, row, np.minimum(stats.five_numbers(needed)[1:4], strip), color)
        off = np.random.default_rng(row).uniform(-1, 1, (2, len(time)))  # so that equal times can be told apart
        across = np.where(solved, time, strip + off[1] * longest * MARGIN / 4)
        axes.scatter(across, row + 0.16 * off[0], s=14, color=color, alpha=max(0.25, min(0.8, 40 / len(time))), linewidth=0)
        if not solved.all():
            axes.text(strip, row - 0.33, f"not solved: {(~solved).sum()}", ha="center", va="center", fontsize="small")
    if any_left:
        axes.axvline(longest * 1.04, color=canvas.ink(), alpha=0.4, linewidth=0.8)
    right = longest * (1.04 + MARGIN) if any_left else longest * 1.04
    axes.set(xlabel=x_label, xlim=(0, right), ylim=(len(checked) - 0.5, -0.5))
    axes.xaxis.set_major_formatter(canvas.COUNTS)
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= longest])
    axes.set_yticks(range(len(checked)), list(checked))
    axes.tick_params(axis="y", length=0)
    return axes


def _draw_box(axes: Axes, row: int, quartiles: np.ndarray, color: str) -> None:
    low, middle, high = quartiles
    axes.broken_barh([(low, high - low)], (row - 0.22, 0.44), facecolor=color, alpha=0.22, linewidth=0)
    axes.plot([middle, middle], [row - 0.22, row + 0.22], color=color, linewidth=2.5, solid_capstyle="butt")


def _checked(name: str, time: np.ndarray, solved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    time, solved = np.asarray(time, float), np.asarray(solved, bool)
    if time.ndim != 1 or time.shape != solved.shape or not len(time) or not np.isfinite(time).all():
        shapes = f"{time.shape} and {solved.shape}"
        raise ValueError(f"time and solved of {name!r} must be finite rows of one length, one seed or more, got {shapes}.")
    return time, solved
