"""Learning charts: curves along training, of each seed and of all together, along updates, episodes or environment steps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from jax_ac import charts, intervals, lines, stats
from jax_ac.charts import Chart
from jax_ac.studies import Cohort

GRID, BAND_GRID = 200, 40
"""Points of a median, and of an interquartile mean."""

RESAMPLES, NUMBERS = 1_000, 2**20
"""Resamples for the interval of an interquartile mean, and numbers in all of them, at most."""


def learning(cohorts: Sequence[Cohort], metric: str = "running_return") -> Chart:
    """Curves of a metric: each seed faint, up to 256 in all, the median with the quartiles, or the interquartile mean.

    Args:
      cohorts: the first few in colour, with their seeds; of the others the median alone.
      metric: a field of their metrics.
    """
    traces: list[go.Scatter] = []
    switch: dict[str, list[dict[str, Any]]] = {axis: [] for axis in lines.AXES}
    for rank, cohort in reversed(list(enumerate(cohorts))):
        values, at = np.asarray(getattr(cohort.metrics, metric), float), lines.places(cohort.metrics)
        if rank < charts.COLOURED:
            share = charts.SEEDS // min(len(cohorts), charts.COLOURED)
            _add_seeds(traces, switch, cohort, values, at, charts.PALETTE[rank], share)
        _add_summaries(traces, switch, cohort, values, at, rank, 0.2 if len(cohorts) < 3 else 0.08)
    figure = go.Figure(traces, charts.layout("", metric.replace("_", " ")))
    solved_at = {cohort.config.solved_at for cohort in cohorts if cohort.config.solved_at is not None}
    if metric == "running_return" and len(solved_at) == 1:
        text = {"text": f"solved above {min(solved_at):g}", "font": {"size": 11, "color": charts.GREY}}
        line = {"dash": "dash", "width": 1, "color": charts.GREY}
        figure.add_hline(y=min(solved_at), line=line, annotation=text, annotation_position="bottom right")
    return charts.made(figure, switch)


def _add_seeds(traces: list, switch: dict, cohort: Cohort, values: np.ndarray, at: dict, color: str, most: int) -> None:
    drawn = lines.evenly(len(values), max(most, 1))
    updates = lines.thinned(values[drawn], cohort.marks.num_updates[drawn])
    opacity = round(float(np.clip(10 / len(drawn), 0.1, 0.45)), 3)
    for lane, mine in zip(drawn, updates, strict=True):
        if not len(mine):
            continue
        hover = f"{charts.name(cohort)}, <b>seed {cohort.seeds[lane]}</b><br>%{{y:,.5~g}} after %{{x:,}}<extra></extra>"
        line = {"color": color, "width": 1}
        style = {"line": line, "opacity": opacity, "hovertemplate": hover}
        traces.append(charts.line(values[lane, mine], meta="seed", legendgroup=cohort.name, **style))
        for axis in lines.AXES:
            switch[axis].append({"x": lines.packed(at[axis][lane, mine].astype(np.int32))})


def _add_summaries(
    traces: list, switch: dict, cohort: Cohort, values: np.ndarray, at: dict, rank: int, opacity: float
) -> None:
    """The median and its band, the interquartile mean and its; along each axis on a grid of its own."""
    coloured = rank < charts.COLOURED
    color = charts.PALETTE[rank] if coloured else charts.GREY
    common = {"legendgroup": cohort.name, "name": charts.name(cohort)}
    for part, summarize in PARTS.items():
        if coloured:
            band = {"fill": "toself", "fillcolor": charts.faint(color, opacity), "line": {"width": 0}, "hoverinfo": "skip"}
            traces.append(charts.line(None, meta=f"{part} band", **band, **common))
        hover = f"{charts.name(cohort)}<br>{part} %{{y:,.5~g}} after %{{x:,}}<extra></extra>"
        line = {"color": color, "width": 2.4 if coloured else 1}
        traces.append(charts.line(None, meta=part, line=line, hovertemplate=hover, **common))
        for axis in lines.AXES:
            grid, low, middle, high = summarize(values, at[axis], cohort.marks.num_updates, cohort.ended)
            if coloured:
                outline = np.concatenate([low, high[::-1]]).astype(np.float32)
                switch[axis].append({"x": lines.packed(np.concatenate([grid, grid[::-1]])), "y": lines.packed(outline)})
            switch[axis].append({"x": lines.packed(grid), "y": lines.packed(middle.astype(np.float32))})


def _quartiles(values: np.ndarray, at: np.ndarray, num_updates: np.ndarray, ended: np.ndarray) -> tuple:
    grid = _grid(at, num_updates, GRID)
    low, middle, high = stats.nan_quantiles(lines.on_grid(values, at, num_updates, ended, grid), (0.25, 0.5, 0.75))
    known = ~np.isnan(middle)
    return grid[known], low[known], middle[known], high[known]


def _interquartile_mean(values: np.ndarray, at: np.ndarray, num_updates: np.ndarray, ended: np.ndarray) -> tuple:
    """Where all lanes that have begun have a number: elsewhere those that have are no sample of all."""
    grid = _grid(at, num_updates, BAND_GRID)
    curves = lines.on_grid(values, at, num_updates, ended, grid)[num_updates > 0]
    known = ~np.isnan(curves).any(axis=0) & (len(curves) > 0)
    if not known.any():
        return grid[known], grid[known], grid[known], grid[known]
    found = intervals.bootstrap(curves[:, known], resamples=min(RESAMPLES, max(200, NUMBERS // len(curves))))
    return grid[known], found.low, found.estimate, found.high


PARTS = {"median": _quartiles, "interquartile mean": _interquartile_mean}
"""How seeds are summarized, by name."""


def _grid(at: np.ndarray, num_updates: np.ndarray, points: int) -> np.ndarray:
    """Whole places, evenly chosen up to the last that any lane has reached."""
    last = max(int(at[lane, count - 1]) if count else 0 for lane, count in enumerate(num_updates))
    return (lines.evenly(last, points) + 1).astype(np.int32)
