"""Pictures, with matplotlib; every function draws on axes and returns them."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jax_ac import files, stats
from jax_ac.solving import Survival

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colour-blind-safe: Okabe & Ito (2008)."""

BLUE = PALETTE[0]


def learning_curves(running_return: np.ndarray, *, solved_at: float | None = None, axes: Axes | None = None) -> Axes:
    """Every seed faint, the median and the band between the quartiles.

    A seed that stopped keeps its last value in the median and the band, so that they speak of all seeds at every update.

    Args:
      running_return: ``[S, U]``; NaN after the update at which a seed stopped.
      solved_at: drawn as a dashed line where given.
      axes: drawn on; a new figure's where None.
    """
    if axes is None:
        axes = Figure(figsize=(8, 5), layout="constrained").add_subplot()
    running_return = running_return[:, : _last_update(running_return)]
    episodes = np.arange(1, running_return.shape[1] + 1)
    faint = max(0.06, min(0.5, 8 / len(running_return)))
    axes.plot(episodes, running_return.T, color=BLUE, alpha=faint, linewidth=0.7)
    ends = _carry_forward(running_return)
    lower, median, upper = stats.nan_quantiles(ends, (0.25, 0.5, 0.75))
    axes.fill_between(episodes, lower, upper, color=BLUE, alpha=0.25, linewidth=0, label="quartiles")
    axes.plot(episodes, median, color=BLUE, linewidth=2, label=f"median of {len(running_return)} seeds")
    if solved_at is not None:
        axes.axhline(solved_at, color="0.35", linewidth=1, linestyle="--", label=f"solved at {solved_at:g}")
    axes.set(xlabel="update", ylabel="running return", xlim=(0, len(episodes)))
    axes.legend(loc="lower right", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def sweep_curves(outcomes: Sequence[Any], *, solved_at: float | None = None, most: int = 7) -> Axes:
    """The median over seeds for each setting of a sweep, best first: the best few in colour, the others grey.

    Args:
      outcomes: with `values`, `env_steps` ``[U]`` and `curves` ``[S, U]`` (`summaries.Outcome`).
      solved_at: drawn as a dashed line where given.
      most: how many are coloured.
    """
    axes = Figure(figsize=(8, 5), layout="constrained").add_subplot()
    for rank, outcome in reversed(list(enumerate(outcomes))):
        median = stats.nan_quantiles(_carry_forward(outcome.curves), (0.5,))[0]
        label = ", ".join(f"{name} {value}" for name, value in outcome.values.items())
        if rank < most:
            axes.plot(outcome.env_steps, median, color=PALETTE[rank % len(PALETTE)], label=label, zorder=3 + most - rank)
        else:
            axes.plot(outcome.env_steps, median, color="0.8", linewidth=0.7)
    if solved_at is not None:
        axes.axhline(solved_at, color="0.35", linewidth=1, linestyle="--")
    axes.set(xlabel="environment steps", ylabel="running return, median of the seeds")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="best", frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def solved_curves(survivals: Mapping[str, Survival], *, axes: Axes | None = None) -> Axes:
    """The fraction of seeds solved against what they needed, with pointwise confidence bands; one curve per name.

    Args:
      survivals: from `solving.kaplan_meier`, by what the legend calls them.
      axes: drawn on; a new figure's where None.
    """
    if axes is None:
        axes = Figure(figsize=(8, 5), layout="constrained").add_subplot()
    for color, (name, curve) in zip(itertools.cycle(PALETTE), survivals.items(), strict=False):
        time = np.concatenate([[0.0], curve.time])
        solved, low, high = (1 - np.concatenate([[1.0], column]) for column in (curve.unsolved, curve.high, curve.low))
        known = ~np.isnan(low)  # there is no interval where none or all are solved
        axes.fill_between(time, low, high, where=known, step="post", color=color, alpha=0.2, linewidth=0)
        axes.step(time, solved, where="post", color=color, linewidth=2, label=name)
    axes.set(xlabel="episodes", ylabel="fraction of seeds solved", ylim=(0, 1), xlim=(0, None))
    axes.legend(loc="lower right", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def save(axes: Axes, path: Path) -> Path:
    """Writes the figure of `axes` to `path`, whole or not at all. Returns the path."""
    figure: Any = axes.figure
    files.write_whole(path, lambda temporary: figure.savefig(temporary, dpi=150, format=path.suffix.lstrip(".")))
    return path


def _last_update(values: np.ndarray) -> int:
    """How many updates any seed did, at least 1."""
    present = np.flatnonzero(~np.isnan(values).all(axis=0))
    return int(present[-1]) + 1 if len(present) else 1


def _carry_forward(values: np.ndarray) -> np.ndarray:
    """``[S, U]`` with each NaN replaced by the last number before it in its row, where there is one."""
    last = np.maximum.accumulate(np.where(np.isnan(values), 0, np.arange(values.shape[1])), axis=1)
    return np.take_along_axis(values, last, axis=1)
