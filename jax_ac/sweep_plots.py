"""Pictures of sweeps: curves of the settings, and what became of each against what was set."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, NullLocator

from jax_ac import canvas, stats
from jax_ac.curves import filled
from jax_ac.intervals import Statistic, bootstrap, iqm

WRITTEN = 400
"""Cells of a heat map in which their number is written, at most."""


def sweep_curves(
    settings: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    solved_at: float | None = None,
    most: int = 7,
    axes: Axes | None = None,
) -> Axes:
    """The median over seeds for each setting of a sweep, best first: the best few in colour, the others grey.

    Args:
      settings: by what was set, best first, environment steps ``[U]`` and curves ``[S, U]``.
      solved_at: drawn as a dashed line where given.
      most: how many are coloured.
      axes: drawn on; a new figure's where None.

    Raises:
      ValueError: if there is no setting, or its curves are not ``[S, U]``.
    """
    canvas.some("settings", settings)
    axes = canvas.on(axes)
    colors = canvas.palette()
    for rank, (label, (steps, curves)) in reversed(list(enumerate(settings.items()))):
        median = stats.nan_quantiles(filled(curves), (0.5,))[0]
        if rank < most:
            axes.plot(steps, median, color=colors[rank % len(colors)], label=label, zorder=3 + most - rank)
        else:
            axes.plot(steps, median, color=canvas.ink(), alpha=0.2, linewidth=0.7)
    if solved_at is not None:
        canvas.mark_level(axes, solved_at, f"solved at {solved_at:g}")
    axes.set(xlabel="environment steps", ylabel="running return, median of the seeds", xlim=(0, None))
    axes.xaxis.set_major_formatter(canvas.COUNTS)
    canvas.legend(axes, size="small", top_first=True)
    return axes


def heat_map(
    scores: np.ndarray,
    y_values: Sequence[Any],
    x_values: Sequence[Any],
    *,
    y_label: str = "",
    x_label: str = "",
    label: str = "score",
    best: Callable[[np.ndarray], Any] = np.nanargmax,
    axes: Axes | None = None,
) -> Axes:
    """A sweep of two hyperparameters: a cell for each setting, its score written in it, the best framed.

    Args:
      scores: ``[A, B]``; where a setting has none, NaN or not finite, its cell is empty.
      y_values, x_values: A and B values that were set, numbers or names, drawn upwards and to the right.
      y_label, x_label: the names of what was set.
      label: of the colours.
      best: `np.nanargmin` where lower is better.
      axes: drawn on; a new figure's where None.

    Raises:
      ValueError: if the shapes do not fit, or no score is finite.
    """
    scores = canvas.numbers("scores", scores, "values of y", "values of x")
    if scores.shape != (len(y_values), len(x_values)):
        given = f"{len(y_values)} y_values and {len(x_values)} x_values"
        raise ValueError(
            f"scores must have a row for each y value and a column for each x value, got {scores.shape} for {given}."
        )
    scores = np.where(np.isfinite(scores), scores, np.nan)
    if np.isnan(scores).all():
        raise ValueError("scores must have at least one finite number, got none.")
    rows, columns = scores.shape
    axes = canvas.on(axes, (2.8 + 0.9 * max(columns, 3), 1.6 + 0.6 * max(rows, 3)), grid="none")
    image = axes.imshow(scores, cmap="cividis", origin="lower", aspect="auto")
    canvas.color_bar(axes, image, label)
    if scores.size <= WRITTEN:
        _write_cells(axes, scores, image)
    y, x = np.unravel_index(best(scores), scores.shape)
    frame = canvas.palette()[1]
    axes.add_patch(Rectangle((float(x) - 0.46, float(y) - 0.46), 0.92, 0.92, fill=False, edgecolor=frame, linewidth=3))
    axes.set_xticks(range(columns), [_shown(value) for value in x_values])
    axes.set_yticks(range(rows), [_shown(value) for value in y_values])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel=x_label, ylabel=y_label)
    return axes


def sensitivity(
    values: Sequence[Any],
    scores: np.ndarray,
    *,
    x_label: str = "",
    y_label: str = "score",
    statistic: Statistic = iqm,
    level: float = 0.95,
    axes: Axes | None = None,
) -> Axes:
    """A sweep of one hyperparameter: the middle of each setting's seeds, its bootstrap interval, and every seed as a point.

    The axis is logarithmic where the values are above 0 and span more than a decade. A seed without a score, NaN or not
    finite, counts as the worst that was seen in any setting.

    Args:
      values: H values that were set, numbers or names.
      scores: ``[H, S]``, higher is better.
      x_label, y_label: of the axes.
      statistic: `intervals.iqm`, `median`, `mean` or another.
      level: of confidence.
      axes: drawn on; a new figure's where None.

    Raises:
      ValueError: if the shapes do not fit, or no score is finite.
    """
    scores = canvas.numbers("scores", scores, "values", "seeds")
    if len(scores) != len(values):
        raise ValueError(f"scores must have a row for each of the {len(values)} values, got the shape {scores.shape}.")
    known = np.isfinite(scores)
    if not known.any():
        raise ValueError("scores must have at least one finite number, got none.")
    scores = np.where(known, scores, scores[known].min())
    axes = canvas.on(axes)
    places, scores = _places(axes, values, scores)
    found = [bootstrap(row, statistic, level=level) for row in scores]
    middle, low, high = np.array(found, float).T
    color = canvas.palette()[0]
    axes.scatter(np.repeat(places, scores.shape[1]), scores.ravel(), s=14, color=color, alpha=0.25, linewidth=0)
    axes.fill_between(places, low, high, color=color, alpha=0.25, linewidth=0, label=f"{100 * level:g} % interval")
    named = f"{canvas.name_of(statistic)} of {scores.shape[1]} seeds"
    axes.plot(places, middle, color=color, linewidth=2, marker="o", label=named)
    axes.set(xlabel=x_label, ylabel=y_label)
    canvas.legend(axes)
    return axes


def _places(axes: Axes, values: Sequence[Any], scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each setting is drawn on the x axis, ascending, and the scores in that order; names lie side by side."""
    numeric = all(isinstance(value, int | float | np.number) for value in values)
    places = np.asarray(values, float) if numeric else np.arange(float(len(values)))
    order = np.argsort(places, kind="stable")
    if numeric and places.min() > 0 and places.max() > 10 * places.min():
        axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(places[order].tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda place, _: _shown(values[int(np.abs(places - place).argmin())]))
    return places[order], scores[order]


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float | np.number) else str(value)


def _write_cells(axes: Axes, scores: np.ndarray, image: Any) -> None:
    """Each finite score in black or white, whichever can be read on its colour (WCAG's relative luminance)."""
    shades = np.asarray(image.cmap(image.norm(scores)))[..., :3]
    linear = np.where(shades <= 0.04045, shades / 12.92, ((shades + 0.055) / 1.055) ** 2.4)
    light = linear @ [0.2126, 0.7152, 0.0722] > 0.179
    digits = 0 if np.nanmax(np.abs(scores)) >= 100 else 1
    for (row, column), score in np.ndenumerate(scores):
        text, color = (
            ("–", canvas.ink()) if np.isnan(score) else (_number(score, digits), "k" if light[row, column] else "w")
        )
        axes.text(column, row, text, ha="center", va="center", color=color)


def _number(score: float, digits: int) -> str:
    return f"{score:,.{digits}f}" if abs(score) >= 1 or score == 0 else f"{score:.2g}"
