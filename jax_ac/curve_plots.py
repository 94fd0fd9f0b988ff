"""Pictures of learning: a curve for every seed, what most of them do, and how sure that is."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from jax_ac import canvas, stats
from jax_ac.curves import filled, sampled
from jax_ac.errors import unknown_name
from jax_ac.intervals import Statistic, bootstrap, median

if TYPE_CHECKING:
    import xarray as xr

ALONG = {"update": "update", "episodes": "episodes", "env_steps": "environment steps"}
"""What curves can be drawn along, and what the axis then says."""

GRID = 400
"""Points of the middle and the band where seeds have places of their own."""


class Band(NamedTuple):
    """What is drawn around the middle.

    Attributes:
      label: in the legend.
      bounds: ``(curves [S, U], statistic of the middle) -> (low [U], high [U])``.
    """

    label: str
    bounds: Callable[[np.ndarray, Statistic], tuple[np.ndarray, np.ndarray]]


def _quartiles(curves: np.ndarray, statistic: Statistic) -> tuple[np.ndarray, np.ndarray]:
    del statistic
    low, high = stats.nan_quantiles(curves, (0.25, 0.75))
    return low, high


QUARTILES = Band("quartiles", _quartiles)
"""Where the middle half of the seeds lies: how much seeds differ, not how sure the middle is."""


def confidence(level: float = 0.95, *, resamples: int = 2_000, points: int = 100, seed: int = 0) -> Band:
    """The bootstrap interval of the middle itself, pointwise: seeds are resampled, whole curves at a time (`intervals`).

    Args:
      level: of confidence.
      resamples: studies that are drawn.
      points: of a curve at which it is computed, at most; straight lines between them.
      seed: of the drawing.
    """
    return Band(f"{100 * level:g} % interval", partial(_confidence, level, resamples, points, seed))


def _confidence(
    level: float, resamples: int, points: int, seed: int, curves: np.ndarray, statistic: Statistic
) -> tuple[np.ndarray, np.ndarray]:
    updates = curves.shape[1]
    at = np.unique(np.linspace(0, updates - 1, min(points, updates)).astype(int))
    found = bootstrap(curves[:, at], statistic, level=level, resamples=resamples, seed=seed)
    return np.interp(np.arange(updates), at, found.low), np.interp(np.arange(updates), at, found.high)


def learning_curves(
    values: np.ndarray,
    *,
    x: np.ndarray | None = None,
    x_label: str = "update",
    y_label: str = "running return",
    statistic: Statistic = median,
    band: Band = QUARTILES,
    label: str = "",
    color: str | None = None,
    solved_at: float | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Every seed faint, the middle of them and a band around it.

    A seed that stopped keeps its last value in the middle and the band, so that they speak of all seeds at every update. An
    update without a number, in which no episode ended, has that of the update before, or of the seed's first one. A seed
    that never had a number is left out; if none had, as in a run that was stopped at once, there are no curves.

    Args:
      values: ``[S, U]``; NaN where there is no number, and after the update at which a seed stopped.
      x: where each point lies, ascending: ``[U]``, or ``[S, U]`` where seeds have places of their own, NaN where one had
        stopped; updates 1, 2, ... where None. The middle and the band of places of their own are read off the straight lines
        between a seed's points.
      x_label, y_label: of the axes.
      statistic: the middle: `intervals.median`, `iqm`, `mean` or another.
      band: `QUARTILES`, `confidence`, or another.
      label: what the legend calls these seeds, where several kinds share the axes.
      color: the theme's first where None.
      solved_at: drawn as a dashed line where given.
      axes: drawn on; a new figure's where None.

    Raises:
      ValueError: if `values` is not ``[S, U]``, or `x` does not fit it, descends, or has no number where `values` have one.
    """
    values, x = _trimmed(*_checked(values, x))
    axes = canvas.on(axes)
    color = color or canvas.palette()[0]
    end = max(axes.get_xlim()[1] if axes.lines else 0.0, np.max(x, where=~np.isnan(x), initial=0.0)) or 1.0
    faint = max(0.08, min(0.5, 12 / len(values)))
    whole = filled(values)
    axes.plot(x.T, np.where(_lasting(values), whole, np.nan).T, color=color, alpha=faint, linewidth=0.7, zorder=1)
    known = ~np.isnan(whole[:, -1])
    if known.any():
        _draw_middle(axes, x[known] if x.ndim == 2 else x, whole[known], statistic, band, label, color)
    if solved_at is not None:
        canvas.mark_level(axes, solved_at, f"solved at {solved_at:g}")
    axes.set(xlabel=x_label, ylabel=y_label, xlim=(0, end))
    axes.xaxis.set_major_formatter(canvas.COUNTS)
    canvas.legend(axes)
    return axes


def metric_curves(data: "xr.Dataset", metric: str = "running_return", *, along: str = "update", **options: Any) -> Axes:
    """`learning_curves` of a run.

    Args:
      data: `Result.data`, of one setting: ``result.data.isel(setting=0)`` where there are several.
      metric: a variable ``[seed, update]`` of it.
      along: ``"update"``, ``"episodes"`` or ``"env_steps"``: what the seeds had done by then, each its own.
      options: of `learning_curves`; the threshold is drawn where the run has one and the metric is its running return.

    Raises:
      ValueError: if there is no such metric or axis, or there are several settings.
    """
    names = [str(name) for name, variable in data.data_vars.items() if "update" in variable.dims]
    if metric not in names:
        raise ValueError(unknown_name("metric", metric, names))
    if along not in ALONG:
        raise ValueError(unknown_name("axis", along, ALONG))
    if data[metric].dims != ("seed", "update"):
        shape = ", ".join(map(str, data[metric].dims))
        raise ValueError(f"data must be of one setting, as data.isel(setting=0) is; {metric} has the axes {shape}.")
    threshold = data.attrs.get("solved_at", np.nan) if metric == "running_return" else np.nan
    drawn: dict[str, Any] = {"solved_at": None if np.isnan(threshold) else float(threshold), "x_label": ALONG[along]}
    if along != "update":
        counts = data[{"episodes": "num_episodes", "env_steps": "env_steps"}[along]].to_numpy()
        drawn["x"] = np.where(np.isnan(counts), np.nan, np.nancumsum(counts, axis=1, dtype=float))
    return learning_curves(data[metric].to_numpy(), **{**drawn, "y_label": metric.replace("_", " "), **options})


def _draw_middle(
    axes: Axes, x: np.ndarray, curves: np.ndarray, statistic: Statistic, band: Band, label: str, color: str
) -> None:
    """Of curves with a number at every update."""
    if x.ndim == 2:
        grid = np.linspace(np.nanmin(x), np.nanmax(x), GRID)
        x, curves = grid, sampled(curves, x, grid)
    low, high = band.bounds(curves, statistic)
    prefix = f"{label}, " if label else ""
    if not np.isnan(low).all():
        axes.fill_between(x, low, high, color=color, alpha=0.25, linewidth=0, label=prefix + band.label, zorder=2)
    named = f"{prefix}{canvas.name_of(statistic)} of {len(curves)} seeds"
    axes.plot(x, statistic(curves.T), color=color, linewidth=2, label=named, zorder=3)


def _checked(values: np.ndarray, x: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    values = canvas.numbers("values", values, "seeds", "updates")
    if x is None:
        return values, np.arange(1.0, values.shape[1] + 1)
    x = np.asarray(x, float)
    if x.shape not in (values.shape, values.shape[1:]):
        raise ValueError(f"x must be [updates] or [seeds, updates], as values {values.shape} are, got the shape {x.shape}.")
    if (np.isnan(x) & ~np.isnan(values)).any() or (np.diff(x) < 0).any():
        raise ValueError("x must ascend, with a number wherever values have one; it does not.")
    return values, x


def _trimmed(values: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Up to the last update that any seed has a number for, at least one."""
    present = np.flatnonzero(~np.isnan(values).all(axis=0))
    updates = int(present[-1]) + 1 if len(present) else 1
    return values[:, :updates], x[..., :updates]


def _lasting(values: np.ndarray) -> np.ndarray:
    """Between each seed's first and last number, bool ``[S, U]``."""
    known = ~np.isnan(values)
    return np.maximum.accumulate(known, axis=1) & np.maximum.accumulate(known[:, ::-1], axis=1)[:, ::-1]
