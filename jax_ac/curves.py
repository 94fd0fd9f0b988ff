"""Curves: numbers along training, one curve per run.

An update without a number, in which no episode ended, keeps that of the update before it, or of the first that has one; a
run that stopped keeps its last. So every run has a number at every update, but for one that never had any: NaN throughout.
"""

import numpy as np

from jax_ac import samples


def filled(values: np.ndarray) -> np.ndarray:
    """``[S, U]`` with a number at every update."""
    values = samples.curves("values", values)
    known = ~np.isnan(values)
    places = np.where(known, np.arange(values.shape[1]), -1)
    last = np.maximum.accumulate(places, axis=1)
    first = np.argmax(known, axis=1)[:, None]
    return np.take_along_axis(values, np.where(last >= 0, last, first), axis=1)


def sampled(values: np.ndarray, at: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Curves whose points lie at places of their own, read off on a common grid, ``[S, G]``.

    Between two points by the straight line; before a curve's first and after its last as they are.

    Args:
      values: ``[S, U]``.
      at: ``[S, U]`` or ``[U]``, where each point lies, never descending: episodes, environment steps; NaN where the run had
        stopped.
      grid: ``[G]``.

    Raises:
      ValueError: if the shapes do not fit.
    """
    values, at = filled(values), _places(at, values)
    done = ~np.isnan(at)
    return np.stack([np.interp(grid, at[s, done[s]], values[s, done[s]]) for s in range(len(values))])


def area(values: np.ndarray, at: np.ndarray | None = None, *, until: float | None = None) -> np.ndarray:
    """The area under each run's curve over its width, by trapezoids, ``[S]``: the curve's mean height, in its own units.

    Curves begin at the first point of any run; they are extended as in `sampled`.

    Args:
      values: ``[S, U]``.
      at: as in `sampled`; updates 0, 1, ... where None.
      until: where they end; the last point of any run where None.

    Raises:
      ValueError: if the shapes do not fit, or curves would end where they begin.
    """
    values = filled(values)
    at = _places(np.arange(values.shape[1]) if at is None else at, values)
    start = float(np.nanmin(at))
    until = float(np.nanmax(at)) if until is None else until
    if not until > start:
        raise ValueError(f"until must be beyond the first point, {start:g}, got {until:g}.")
    heights = np.empty(len(values))
    for run, places in enumerate(at):
        corners = np.unique(np.clip([*places[~np.isnan(places)], start, until], start, until))
        heights[run] = np.trapezoid(sampled(values[run : run + 1], places, corners)[0], corners) / (until - start)
    return heights


def _places(at: np.ndarray, values: np.ndarray) -> np.ndarray:
    at = np.asarray(at, float)
    if at.shape not in (values.shape, values.shape[1:]) or np.isnan(at).all(axis=-1).any():
        raise ValueError(f"at must be [S, U] or [U], a number for each run, got {at.shape} for curves {values.shape}.")
    return np.broadcast_to(at, values.shape)
