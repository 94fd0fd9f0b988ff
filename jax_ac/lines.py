"""Lines: the points of curves that a picture shows, along updates, episodes or environment steps."""

import base64
from typing import Any

import numpy as np

AXES = ("updates", "episodes", "environment steps")
POINTS = 400
"""Points per line, at most."""


def places(metrics: Any) -> dict[str, np.ndarray]:
    """What each lane had done after each update, ``[S, U]``, by the names of the axes."""
    shape = metrics.num_episodes.shape
    episodes, steps = (np.cumsum(np.nan_to_num(counts), axis=1, dtype=np.int64) for counts in
                       (metrics.num_episodes, metrics.env_steps))  # fmt: skip
    return dict(zip(AXES, (np.broadcast_to(np.arange(1, shape[1] + 1), shape), episodes, steps), strict=True))


def thinned(values: np.ndarray, num_updates: np.ndarray, points: int = POINTS) -> list[np.ndarray]:
    """The updates of each lane that are drawn: evenly chosen among those with a number, the first and the last among them.

    Args:
      values: ``[S, U]``; where it is NaN there is nothing to draw.
      num_updates: ``[S]``, updates done.
      points: at most.
    """
    known = [np.flatnonzero(~np.isnan(row[:count])) for row, count in zip(values, num_updates, strict=True)]
    return [updates[evenly(len(updates), points)] for updates in known]


def packed(numbers: np.ndarray) -> dict[str, str]:
    """A row of numbers as plotly.js reads them: exact, and shorter than digits."""
    kind = {np.dtype(np.float32): "f4", np.dtype(np.int32): "i4"}[numbers.dtype]
    return {"dtype": kind, "bdata": base64.b64encode(numbers.astype(numbers.dtype.newbyteorder("<")).tobytes()).decode()}


def evenly(count: int, most: int) -> np.ndarray:
    """Indices of `count` things, all of them or `most`, evenly chosen, the first and the last among them."""
    return np.arange(count) if count <= most else np.unique(np.round(np.linspace(0, count - 1, most)).astype(int))


def on_grid(values: np.ndarray, at: np.ndarray, num_updates: np.ndarray, ended: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """What each lane's curve was when it had come to each point of a grid, ``[S, G]``: the last number until there.

    A lane that has ended keeps its last number. One that has not is NaN beyond where it is, and each is before its first.

    Args:
      values: ``[S, U]``.
      at: ``[S, U]``, where each number lies, ascending.
      num_updates: ``[S]``, updates done.
      ended: bool ``[S]``.
      grid: ``[G]``.
    """
    result = np.full((len(values), len(grid)), np.nan)
    for lane, count in enumerate(num_updates):
        known = np.flatnonzero(~np.isnan(values[lane, :count]))
        if not len(known):
            continue
        index = np.searchsorted(at[lane, known], grid, side="right") - 1
        reached = (index >= 0) & (ended[lane] | (grid <= at[lane, count - 1]))
        result[lane, reached] = values[lane, known[index[reached]]]
    return result
