"""Summaries of a run: tables to read in a terminal, pictures to look at, a file of lanes to go on with."""

import csv
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from rich.table import Table

from jax_ac import files, plots, selection, solving, stats
from jax_ac.evaluator import Scores
from jax_ac.intervals import iqm, wilson
from jax_ac.results import Result

FEWEST = 10
"""Seeds of which half can choose and half can judge."""


class Outcome(NamedTuple):
    """What a setting of a sweep came to.

    Attributes:
      values: what was set, by name.
      seeds, returns, solved_step, diverged: per seed, ``[S]``; `returns` is the running return at the end.
      env_steps: mean environment steps done after each update, ``[U]``.
      curves: the running return, ``[S, U]``.
    """

    values: dict[str, str]
    seeds: np.ndarray
    returns: np.ndarray
    solved_step: np.ndarray
    diverged: np.ndarray
    env_steps: np.ndarray
    curves: np.ndarray

    @property
    def score(self) -> float:
        """The interquartile mean of the returns; a seed that diverged, or finished no episode, counts as the worst."""
        return float(iqm(np.where(np.isnan(self.returns) | self.diverged, -np.inf, self.returns)))


def sweep_table(outcomes: list[Outcome], title: str, most: int = 20) -> Table:
    """The settings, best first: the interquartile mean over seeds of the running return at the end, its extremes, solved."""
    rows = Table(title=title, title_justify="left")
    for name in (*outcomes[0].values, "running return, IQM", "min", "max", "seeds solved", "diverged"):
        rows.add_column(name, justify="right")
    for outcome in outcomes[:most]:
        known = outcome.returns[~np.isnan(outcome.returns)]
        numbers = (outcome.score, *((known.min(), known.max()) if len(known) else (math.nan, math.nan)))
        solved = f"{(outcome.solved_step >= 0).sum()} of {len(outcome.seeds)}"
        rows.add_row(
            *outcome.values.values(), *(f"{number:,.1f}" for number in numbers), solved, str(outcome.diverged.sum())
        )
    if len(outcomes) > most:
        rows.caption = f"the best {most} of {len(outcomes)}; sweep.csv holds all"
    return rows


def chosen(outcomes: list[Outcome]) -> str:
    """In words: the setting that half of the seeds choose, what it is worth on the others, and what the choosing flatters.

    Empty where there is nothing to choose, or too few seeds to choose and judge by.
    """
    returns = np.stack([outcome.returns for outcome in outcomes])
    if len(returns) < 2 or returns.shape[1] < FEWEST or np.isnan(returns).all():
        return ""
    scores = np.where(np.stack([outcome.diverged for outcome in outcomes]), np.nanmin(returns), returns)
    choice = selection.choose(scores)
    setting = ", ".join(f"{name} {value}" for name, value in outcomes[choice.setting].values.items())
    return (
        f"Chosen by half of the seeds: {setting}. On the other half its running return is {choice.score.estimate:,.1f} "
        f"[{choice.score.low:,.1f}, {choice.score.high:,.1f}] (IQM, 95 %).\n"
        f"On the seeds that choose, the best of {len(scores)} looks {choice.optimism:,.1f} better than it is; "
        f"{choice.agreement:.0%} of all halves choose this setting."
    )


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
    if result.interrupted:
        rows.add_row("interrupted", "the numbers are those of the updates done until then")
    return rows


def write_lanes(result: Result, path: Path) -> None:
    """A CSV file, one row per lane: seed, hyperparameters, and where the lane ended (`schedule.Marks`)."""
    columns = {"seed": result.lanes.seed, **result.lanes.hyperparams._asdict(), **result.marks._asdict()}

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))

    files.write_whole(path, write)


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


def draw_sweep(outcomes: list[Outcome], path: Path, solved_at: float | None, title: str) -> Path:
    """The learning curves of all settings, best first, as a PNG file. Returns its path."""
    with plots.theme():
        axes = plots.sweep_curves(outcomes, solved_at=solved_at)
        axes.set_title(title)
        return plots.save(axes, path)


def draw_settings(outcomes: list[Outcome], path: Path, title: str) -> Path | None:
    """What became of the settings against what was set, as a PNG file: a curve where it is one, a heat map where two.

    Returns its path; None, and nothing is drawn, where more is set or no setting has a score.
    """
    names = list(outcomes[0].values)
    if len(names) not in (1, 2) or not any(np.isfinite(outcome.score) for outcome in outcomes):
        return None
    draw = _draw_one if len(names) == 1 else _draw_two
    with plots.theme():
        axes = draw(outcomes, *names)
        axes.set_title(title)
        return plots.save(axes, path)


def _draw_one(outcomes: list[Outcome], name: str) -> Axes:
    scores = np.array([np.where(outcome.diverged, np.nan, outcome.returns) for outcome in outcomes])
    values = [_number(outcome.values[name]) for outcome in outcomes]
    return plots.sensitivity(values, scores, x_label=name, y_label="running return at the end")


def _draw_two(outcomes: list[Outcome], y: str, x: str) -> Axes:
    ys, xs = (sorted({_number(outcome.values[name]) for outcome in outcomes}, key=_order) for name in (y, x))
    scores = np.full((len(ys), len(xs)), np.nan)
    for outcome in outcomes:
        scores[ys.index(_number(outcome.values[y])), xs.index(_number(outcome.values[x]))] = outcome.score
    return plots.heat_map(scores, ys, xs, y_label=y, x_label=x, label="running return at the end, IQM")


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
