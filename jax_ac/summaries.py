"""Summaries of a run: tables to read in a terminal, pictures to look at, a file of lanes to go on with."""

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from rich.table import Table

from jax_ac import files, findings, plots, solving, stats
from jax_ac.evaluator import Scores
from jax_ac.intervals import iqm, wilson
from jax_ac.results import Result
from jax_ac.studies import Study


def sweep_table(study: Study, title: str, most: int = 20) -> Table:
    """The settings of a sweep, best first, as a report shows them (`findings.settings_table`)."""
    found = findings.settings_table(study)
    rows = Table(title=title, title_justify="left")
    for name in found.columns:
        rows.add_column(name, justify="right")
    for row in found.rows[:most]:
        rows.add_row(*row)
    if len(found.rows) > most:
        rows.caption = f"the best {most} of {len(found.rows)}; sweep.csv holds all"
    return rows


def write_sweep(study: Study, path: Path) -> None:
    """A CSV file, one row per setting and seed, the best setting first: what was set, and where the lane ended."""
    ranked = [study.cohorts[index] for index in findings.ranked(study)]

    def rows() -> Iterator[list]:
        yield [*study.swept, "seed", "running_return", "solved_step", "diverged"]
        for cohort in ranked:
            ends = (cohort.seeds, cohort.marks.running_return, cohort.marks.solved_step, cohort.diverged.astype(int))
            yield from ([*cohort.values.values(), *row] for row in zip(*(column.tolist() for column in ends), strict=True))

    _write_rows(path, rows())


def table(result: Result, title: str) -> Table:
    """Returns at the end, seeds solved and what that took where the task has a threshold, and where the time went.

    Seeds that were not solved count in every quantile, as needing more than they were given.
    """
    marks, spent = result.marks, result.spent
    solved = marks.solved_update >= 0
    diverged = marks.diverged_update >= 0
    rows = Table(title=title, title_justify="left", show_header=False)
    rows.add_column(style="bold")
    rows.add_column()
    waiting = (marks.num_updates == 0) & ~diverged
    remarks = "".join(
        f", {count} {what}" for count, what in ((diverged.sum(), "diverged"), (waiting.sum(), "never begun")) if count
    )
    if result.config.solved_at is None:
        rows.add_row("seeds", f"{len(solved)}{remarks}")
    else:
        share = wilson(int(solved.sum()), len(solved))
        interval = f" [{share.low:.0%}, {share.high:.0%}]" if result.has_intervals else ""
        rows.add_row("seeds solved", f"{solved.sum()} of {len(solved)}{interval}{remarks}")
        rows.add_row("episodes to solve", _spread(np.where(solved, marks.solved_episode + 1, math.inf)))
        rows.add_row("env steps to solve", _spread(np.where(solved, marks.solved_step + 1, math.inf)))
    begun = marks.running_return[~np.isnan(marks.running_return)]
    rows.add_row("running return", _spread(begun) if len(begun) else "no episode has ended")
    rows.add_row("env steps in all", f"{marks.env_steps.sum(dtype=np.int64):,}")
    rows.add_row("compile time", f"{spent.compile_seconds:.2f} s")
    seconds = max(spent.run_seconds, 1e-9)
    updates, steps = spent.updates, spent.env_steps / seconds
    rows.add_row(
        "run time", f"{spent.run_seconds:.2f} s ({updates:,} updates, {updates / seconds:,.0f}/s, {steps:,.0f} steps/s)"
    )
    rows.add_row(
        "ran on",
        f"{spent.num_devices} device(s), {result.config.tile_width} lanes each, {spent.utilisation:.0%} of them live",
    )
    for name in Scores._fields:
        if hasattr(result.metrics, name):
            last = stats.last_known(getattr(result.metrics, name))
            rows.add_row(name.replace("_", " "), _spread(last[~np.isnan(last)]))
    if spent.evaluating:
        rows.add_row("evaluation", f"{result.config.eval_episodes} episodes each, {spent.evaluating:.1%} of the run time")
    if spent.repeated:
        rows.add_row("done again", f"{spent.repeated:,} updates, of workers that were lost")
    if result.interrupted:
        rows.add_row("interrupted", "the numbers are those of the updates done until then")
    return rows


def write_lanes(result: Result, path: Path) -> None:
    """A CSV file, one row per lane: seed, hyperparameters, and where the lane ended (`schedule.Marks`)."""
    columns = {"seed": result.lanes.seed, **result.lanes.hyperparams._asdict(), **result.marks._asdict()}

    _write_rows(path, [[*columns], *zip(*(column.tolist() for column in columns.values()), strict=True)])


def draw(result: Result, path: Path) -> Path:
    """The learning curves of all lanes as a PNG file. Returns its path."""
    config = result.config
    solved = f"{(result.marks.solved_update >= 0).sum()} of {len(result.lanes.seed)} seeds solved"
    with plots.theme():
        axes = plots.learning_curves(np.asarray(result.metrics.running_return), solved_at=config.solved_at)
        axes.set_title(f"{config.env}: {solved}" if config.solved_at is not None else config.env)
        return plots.save(axes, path)


def draw_solved(result: Result, path: Path) -> Path:
    """The fraction of lanes solved against episodes as a PNG file. Returns its path."""
    curve = solving.kaplan_meier(*result.episodes_to_solve)
    with plots.theme():
        axes = plots.solved_curves({f"{len(result.lanes.seed)} seeds, with 95 % band": curve})
        axes.set_title(f"{result.config.env}: solved at a running return above {result.config.solved_at:g}")
        return plots.save(axes, path)


def draw_sweep(study: Study, path: Path, title: str) -> Path:
    """The learning curves of all settings, best first, as a PNG file. Returns its path."""
    with plots.theme():
        axes = plots.sweep_curves(curves_of(study), solved_at=study.config.solved_at)
        axes.set_title(title)
        return plots.save(axes, path)


def curves_of(study: Study) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By setting, best first: the mean of the environment steps done, ``[U]``, and the running returns, ``[S, U]``."""
    ranked = [study.cohorts[index] for index in findings.ranked(study)]
    steps = [np.cumsum(np.nan_to_num(cohort.metrics.env_steps), axis=1).mean(axis=0) for cohort in ranked]
    curves = [np.asarray(cohort.metrics.running_return) for cohort in ranked]
    return {cohort.setting_in_words: (at, rows) for cohort, at, rows in zip(ranked, steps, curves, strict=True)}


def draw_settings(study: Study, path: Path, title: str) -> Path | None:
    """What became of the settings against what was set, as a PNG file: a curve where it is one, a heat map where two.

    Returns its path; None, and nothing is drawn, where more is set or no setting has a score.
    """
    scores = np.array(study.scores())
    if len(study.swept) not in (1, 2) or np.isnan(scores).all():
        return None
    values = [[_number(cohort.values[name]) for cohort in study.cohorts] for name in study.swept]
    with plots.theme():
        axes = (_draw_one if len(values) == 1 else _draw_two)(scores, study.swept, values)
        axes.set_title(title)
        return plots.save(axes, path)


def _draw_one(scores: np.ndarray, names: Sequence[str], values: list[list]) -> Axes:
    return plots.sensitivity(values[0], scores, x_label=names[0], y_label="running return at the end")


def _draw_two(scores: np.ndarray, names: Sequence[str], values: list[list]) -> Axes:
    y, x = (sorted(set(column), key=_order) for column in values)
    cells = np.full((len(y), len(x)), np.nan)
    for setting, runs in zip(zip(*values, strict=True), scores, strict=True):
        cells[y.index(setting[0]), x.index(setting[1])] = iqm(runs)
    return plots.heat_map(cells, y, x, y_label=names[0], x_label=names[1], label="running return at the end, IQM")


def _write_rows(path: Path, rows: Iterable[Sequence]) -> None:
    def write(temporary: Path) -> None:
        with temporary.open("w", newline="") as file:
            csv.writer(file).writerows(rows)

    files.write_whole(path, write)


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _order(value: float | str) -> tuple[bool, float, str]:
    """Numbers before names."""
    return (True, 0.0, value) if isinstance(value, str) else (False, value, "")


def _spread(values: np.ndarray) -> str:
    def show(value: float) -> str:
        return "unsolved" if math.isinf(value) else f"{value:,.0f}"

    five = stats.five_numbers(values)
    return (
        f"median {show(five.median)}, quartiles {show(five.lower_quartile)} to {show(five.upper_quartile)}, "
        f"min {show(five.min)}, max {show(five.max)}"
    )
