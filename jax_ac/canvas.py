"""Canvas: what all pictures share: colours, themes, axes to draw on, legends that keep out of the way, files.

Colours are those of matplotlib's settings while a picture is drawn (`theme`, or a style of the user's), and stay in it.
"""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from jax_ac import files
from jax_ac.colors import OKABE_ITO
from jax_ac.errors import unknown_name

PALETTE = OKABE_ITO
"""For a light ground."""

ON_DARK = ("#56B4E9", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#F0E442", "#FFFFFF")
"""The same, for a dark ground: its blue and its black would not be seen."""

SIZE = (8.0, 5.0)

COUNTS = StrMethodFormatter("{x:,.10g}")
"""Ticks of episodes and of steps: 10,000."""

SHARES = StrMethodFormatter("{x:.0%}")
"""Ticks of fractions: 20%."""


def _settings(ground: str, ink: str, border: str, grid: str, colors: tuple[str, ...]) -> dict[str, Any]:
    grounds = ("figure.facecolor", "figure.edgecolor", "axes.facecolor", "legend.facecolor")
    inks = ("text.color", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color")
    fixed = {"axes.titlelocation": "left", "axes.titleweight": "bold", "axes.edgecolor": border, "grid.color": grid}
    return {**dict.fromkeys(grounds, ground), **dict.fromkeys(inks, ink), **fixed, "axes.prop_cycle": cycler(color=colors)}


THEMES: Mapping[str, Mapping[str, Any]] = {
    "light": _settings("#FFFFFF", "#1F2328", "#8C959F", "#C4CBD2", PALETTE),
    "dark": _settings("#14171C", "#E6EAEF", "#6B7480", "#4A525C", ON_DARK),
}
"""matplotlib's settings by the name of the theme."""


def theme(name: str = "light") -> contextlib.AbstractContextManager[None]:
    """Pictures that are drawn inside ``with theme(name):`` have its ground, ink and colours, the user's own as well.

    It sets matplotlib's settings, which all threads share.

    Raises:
      ValueError: unless it is ``"light"`` or ``"dark"``.
    """
    if name not in THEMES:
        raise ValueError(unknown_name("theme", name, THEMES))
    settings: Any = THEMES[name]
    return mpl.rc_context(settings)


def palette() -> tuple[str, ...]:
    """The colours to take in turn: those of the theme or the style in force; `PALETTE` where it is matplotlib's default."""
    cycle = mpl.rcParams["axes.prop_cycle"]
    return PALETTE if cycle == mpl.rcParamsDefault["axes.prop_cycle"] else tuple(cycle.by_key().get("color", PALETTE))


def ink() -> str:
    """The colour of text, for what has no colour of its own."""
    return mpl.rcParams["text.color"]


def on(axes: Axes | None, size: tuple[float, float] = SIZE, *, grid: str = "both") -> Axes:
    """`axes`, or those of a new figure of `size` inches where None: two spines, and faint lines along `grid`.

    The figure belongs to no window system: it can be made in any thread, and without a screen.
    """
    if axes is None:
        axes = Figure(figsize=size, layout="constrained").add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(color=axes.spines["left"].get_edgecolor(), labelcolor=ink())
    axes.set_axisbelow(True)
    if grid != "none":
        axes.grid(True, axis=grid, color=mpl.rcParams["grid.color"], alpha=0.5, linewidth=0.6)  # pyright: ignore
    return axes


def mark_level(axes: Axes, level: float, label: str) -> None:
    """A dashed line across, such as the return at which a task counts as solved."""
    axes.axhline(level, color=ink(), alpha=0.65, linewidth=1.0, linestyle="--", label=label)


def legend(axes: Axes, *, size: float | str = "medium", top_first: bool = False) -> None:
    """A legend of what has a label, in the corner that holds least of the lines; call it when all is drawn."""
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    order = slice(None, None, -1 if top_first else 1)
    box = axes.legend(handles[order], labels[order], loc=_quiet_corner(axes), fontsize=size, framealpha=0.8)
    box.get_frame().set_linewidth(0)


def color_bar(axes: Axes, image: Any, label: str) -> Any:
    """A bar beside `axes` that says what the colours of `image` stand for."""
    bar = axes.figure.colorbar(image, ax=axes, label=label)
    bar.outline.set_visible(False)
    bar.ax.tick_params(color=mpl.rcParams["axes.edgecolor"], labelcolor=ink())
    return bar


def save(axes: Axes, path: str | Path) -> Path:
    """Writes the figure of `axes` to `path`, whole or not at all. Returns the path.

    Raises:
      ValueError: if the path does not end as a kind of picture does, ``.png``, ``.svg`` or ``.pdf`` among others.
    """
    path, figure = Path(path), _figure(axes)
    kind, kinds = path.suffix.lstrip(".").lower(), sorted(figure.canvas.get_supported_filetypes())
    if kind not in kinds:
        raise ValueError(unknown_name("kind of picture", kind, kinds))
    files.write_whole(path, lambda temporary: figure.savefig(temporary, dpi=150, format=kind))
    return path


def numbers(name: str, values: Any, *dims: str) -> np.ndarray:
    """`values` as floats, one axis for each of `dims`.

    Raises:
      ValueError: if it has other axes, or an axis without an entry.
    """
    array = np.asarray(values, float)
    if array.ndim != len(dims) or not array.size:
        raise ValueError(f"{name} must be numbers [{', '.join(dims)}], at least one of each, got the shape {array.shape}.")
    return array


def some(name: str, named: Mapping[str, Any]) -> Mapping[str, Any]:
    """`named` itself. Raises ValueError if it holds nothing."""
    if not named:
        raise ValueError(f"{name} must hold at least one name with what is drawn of it, got none.")
    return named


def name_of(statistic: Callable) -> str:
    """What a legend calls it."""
    name = getattr(statistic, "__name__", "middle")
    return {"iqm": "IQM"}.get(name, name)


def _figure(axes: Axes) -> Any:
    """The whole figure, also of axes in a part of it."""
    return axes.figure.figure


def _quiet_corner(axes: Axes) -> Any:
    axes.autoscale_view()
    corners = {"lower right": (1, 0), "lower left": (0, 0), "upper right": (1, 1), "upper left": (0, 1)}
    drawn = [line.get_xydata() for line in axes.lines if line.get_transform() == axes.transData]
    points = np.concatenate([np.empty((0, 2)), *(np.asarray(line, float) for line in drawn)])
    points = points[:: max(1, len(points) // 50_000)]
    places = (axes.transScale + axes.transLimits).transform(points[np.isfinite(points).all(axis=1)])

    def crowd(corner: str) -> int:
        return int((np.abs(places - corners[corner]) < (0.4, 0.3)).all(axis=1).sum())

    return min(corners, key=crowd)
