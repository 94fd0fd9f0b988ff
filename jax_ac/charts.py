"""Charts: interactive pictures, as plotly draws them in a page; from cohorts to figures, without a file or a page.

Each function returns a `Chart`. Colours are those of the light theme; the page knows what they are in the dark one. What
users have named is escaped: plotly reads some of HTML in its texts.
"""

import itertools
import json
from collections.abc import Sequence
from functools import partial
from html import escape as escape_html
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from jax_ac import lines
from jax_ac.colors import OKABE_ITO
from jax_ac.solving import kaplan_meier
from jax_ac.studies import Cohort

escape = partial(escape_html, quote=False)
"""Quotes stay: plotly would not read them, and puts no text into an attribute."""

PALETTE = OKABE_ITO[:6]
"""Without black, which one of the themes would hide."""

GREY = "#8A8F98"
COLOURED = len(PALETTE)
"""Cohorts that have a colour; the others are grey."""

SEEDS = 256
"""Seeds that are drawn, of all cohorts together."""


class Chart(NamedTuple):
    """A figure, and what its switches put into its traces.

    Attributes:
      figure: data and layout, as plotly.js takes them; each trace's ``meta`` is the part it plays.
      switch: by the name of an x axis what each trace's x, and y where it differs, is along it; empty without a choice.
    """

    figure: dict[str, Any]
    switch: dict[str, list[dict[str, Any]]]


def made(figure: go.Figure, switch: dict[str, list[dict[str, Any]]] | None = None) -> Chart:
    """The figure in JSON's types."""
    return Chart(json.loads(str(figure.to_json())), switch or {})


def solved(cohorts: Sequence[Cohort]) -> Chart:
    """The fraction solved against episodes (Kaplan & Meier), with its 95 % band; a tick where one was last seen unsolved."""
    traces: list[go.Scatter] = []
    opacity = 0.18 if len(cohorts) < 3 else 0.08
    for rank, cohort in reversed(list(enumerate(cohorts[:COLOURED]))):
        curve, color = kaplan_meier(*cohort.times), PALETTE[rank]
        at, fraction = np.append(0.0, curve.time), 1 - np.append(1.0, curve.unsolved)
        low, high = 1 - np.append(1.0, curve.high), 1 - np.append(1.0, curve.low)
        known = ~np.isnan(low)
        common = {"legendgroup": cohort.name, "name": name(cohort)}
        if known.sum() > 1:
            (x, lower), (_, upper) = (_stairs(at[known], bound[known]) for bound in (low, high))
            outline = {"x": np.concatenate([x, x[::-1]]), "y": np.concatenate([lower, upper[::-1]]).astype(np.float32)}
            traces.append(go.Scatter(**outline, fill="toself", fillcolor=faint(color, opacity), line={"width": 0},
                                     mode="lines", hoverinfo="skip", meta="band", **common))  # fmt: skip
        hover = f"{name(cohort)}<br>%{{y:.1%}} solved within %{{x:,}} episodes<extra></extra>"
        traces.append(line(fraction, x=at, line={"color": color, "width": 2.4, "shape": "hv"}, meta="fraction",
                            hovertemplate=hover, **common))  # fmt: skip
        left = curve.censored > 0
        if left.any():
            hover = "%{customdata} not solved when last seen, at %{x:,}<extra></extra>"
            marker = {"symbol": "line-ns", "size": 11, "line": {"width": 1.6, "color": color}}
            traces.append(go.Scatter(x=curve.time[left], y=1 - curve.unsolved[left],
                                     customdata=curve.censored[left].tolist(), mode="markers", marker=marker,
                                     hovertemplate=hover, meta="censored", **common))  # fmt: skip
    figure = go.Figure(traces, layout("episodes", "fraction of seeds solved"))
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%")
    figure.update_xaxes(rangemode="tozero")
    return made(figure)


def distribution(cohorts: Sequence[Cohort]) -> Chart:
    """How many episodes the seeds needed: counts of one cohort, of several each seed as a point, in a box of quartiles."""
    figure = go.Figure(layout=layout("episodes until solved", "seeds"))
    if len(cohorts) == 1:
        time, was_solved = cohorts[0].times
        counts, edges = np.histogram(time[was_solved], bins="auto" if was_solved.any() else 1)
        middle, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
        span = [f"{low:,.0f} to {high:,.0f}" for low, high in itertools.pairwise(edges)]
        figure.add_bar(x=middle, y=counts, width=width, customdata=span, meta="counts", legendgroup=cohorts[0].name,
                       marker={"color": PALETTE[0], "line": {"width": 0}},
                       hovertemplate="%{customdata} episodes: %{y:,} seeds<extra></extra>")  # fmt: skip
        figure.update_layout(bargap=0.04)
    for rank, cohort in reversed(list(enumerate(cohorts[:COLOURED]))):
        if len(cohorts) == 1:
            break
        time, was_solved = cohort.times
        drawn = np.flatnonzero(was_solved)[lines.evenly(int(was_solved.sum()), SEEDS)]
        figure.add_box(x=time[drawn], name=name(cohort), boxpoints="all", jitter=0.5, pointpos=0, legendgroup=cohort.name,
                       customdata=cohort.seeds[drawn].tolist(), meta="counts", fillcolor=faint(PALETTE[rank]),
                       marker={"color": PALETTE[rank], "size": 4, "opacity": 0.6}, line={"width": 1.4},
                       hovertemplate="seed %{customdata}: %{x:,} episodes<extra></extra>")  # fmt: skip
        figure.update_yaxes(title=None, automargin=True)
    return made(figure)


def heat_map(names: tuple[str, str], columns: tuple[list[str], list[str]], scores: np.ndarray) -> Chart:
    """Scores ``[rows, columns]`` over two swept numbers; `names` and `columns` of the rows first."""
    (row, column), (rows, across) = names, columns
    hover = f"{escape(row)} %{{y}}<br>{escape(column)} %{{x}}<br>%{{z:,.5~g}}<extra></extra>"
    heat = go.Heatmap(z=scores.astype(np.float32), x=list(map(escape, across)), y=list(map(escape, rows)),
                      colorscale="Cividis", hovertemplate=hover, texttemplate="%{z:.4~g}", xgap=2, ygap=2, meta="heat",
                      colorbar={"thickness": 12, "outlinewidth": 0, "title": {"text": "IQM", "side": "top"}})  # fmt: skip
    figure = go.Figure(heat, layout(escape(column), escape(row)))
    figure.update_xaxes(type="category", showgrid=False, ticks="")
    figure.update_yaxes(type="category", showgrid=False)
    return made(figure)


def sensitivity(name: str, values: Sequence[str], scores: np.ndarray, low: np.ndarray, high: np.ndarray) -> Chart:
    """Scores ``[C]`` with their intervals over one swept number, on a logarithmic axis where its values grow by factors."""
    numbers = _numbers(values)
    geometric = numbers is not None and (numbers > 0).all() and numbers.max() >= 8 * numbers.min()
    x = list(map(escape, values)) if numbers is None else numbers
    bars = {
        "type": "data",
        "symmetric": False,
        "array": high - scores,
        "arrayminus": scores - low,
        "width": 4,
        "thickness": 1.6,
    }
    figure = go.Figure(
        go.Scatter(x=x, y=scores, error_y=bars, mode="lines+markers", marker={"size": 8}, meta="sensitivity",
                   line={"color": PALETTE[0], "width": 2}, hovertemplate="%{x}<br>%{y:,.5~g}<extra></extra>"),
        layout(escape(name), "running return, IQM"),
    )  # fmt: skip
    figure.update_xaxes(type="category" if numbers is None else "log" if geometric else "linear")
    return made(figure)


def _numbers(values: Sequence[str]) -> np.ndarray | None:
    try:
        return np.array([float(value) for value in values])
    except ValueError:
        return None


def _stairs(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The corners of a step function that holds each value until the next place."""
    return np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]


def line(y: Any, **style: Any) -> go.Scatter:
    """A line; where `y` is None a switch gives it."""
    return go.Scatter(y=None if y is None else y.astype(np.float32), mode="lines", **style)


def name(cohort: Cohort) -> str:
    """What the reader reads."""
    return escape(cohort.name)


def faint(color: str, opacity: float = 0.18) -> str:
    """A colour of the palette, for a band."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def layout(x: str, y: str) -> go.Layout:
    """What all charts have in common, and what their axes are called."""
    axis = {"zeroline": False, "showline": False, "automargin": True, "title": {"standoff": 8}}
    return go.Layout(
        template="none",
        xaxis={**axis, "title": {"text": x, "standoff": 8}, "separatethousands": True},
        yaxis={**axis, "title": {"text": y, "standoff": 8}},
        hovermode="closest",
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        showlegend=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
