"""The report of a run: a table to read, a picture to look at, a file to go on with."""

import csv
import math
from pathlib import Path

import numpy as np
from rich.table import Table

from jax_ac import files, plots, stats
from jax_ac.runs import Run
from jax_ac.types import Env


def table(run: Run, title: str) -> Table:
    """Seeds solved, episodes and environment steps to solve, and where the time went.

    Seeds that were not solved count in every quantile, as needing more than they were given.
    """
    marks = run.marks
    solved = marks.solved_update >= 0
    diverged = marks.diverged_update >= 0
    rows = Table(title=title, title_justify="left", show_header=False)
    rows.add_column(style="bold")
    rows.add_column()
    verdict = f"{solved.sum()} of {len(solved)}"
    waiting = (marks.num_updates == 0) & ~diverged
    for count, what in ((diverged.sum(), "diverged"), (waiting.sum(), "never begun")):
        verdict += f", {count} {what}" if count else ""
    rows.add_row("seeds solved", verdict)
    rows.add_row("episodes to solve", _spread(np.where(solved, marks.solved_episode + 1, math.inf)))
    rows.add_row("env steps to solve", _spread(np.where(solved, marks.solved_step + 1, math.inf)))
    rows.add_row("env steps in all", f"{marks.env_steps.sum(dtype=np.int64):,}")
    rows.add_row("compile time", f"{run.compile_seconds:.2f} s")
    updates = int(marks.num_updates.sum())
    rate = updates / max(run.run_seconds, 1e-9)
    rows.add_row("run time", f"{run.run_seconds:.2f} s ({updates:,} updates, {rate:,.0f}/s)")
    rows.add_row("ran on", f"{run.num_devices} device(s), {run.tile_width} lanes each, {run.utilisation:.0%} of them live")
    if run.interrupted:
        rows.add_row("interrupted", "the numbers are those of the updates done until then")
    return rows


def write_lanes(run: Run, path: Path) -> None:
    """A CSV file, one row per lane: seed, hyperparameters, and where the lane ended (`schedule.Marks`)."""
    columns = {"seed": run.lanes.seed, **run.lanes.hyperparams._asdict(), **run.marks._asdict()}

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))

    files.write_whole(path, write)


def draw(run: Run, env: Env, path: Path) -> Path:
    """The learning curves of all lanes as a PNG file. Returns its path."""
    axes = plots.learning_curves(run.metrics.running_return, solved_at=env.solved_at)
    axes.set_title(f"{env.name}: {(run.marks.solved_update >= 0).sum()} of {len(run.lanes.seed)} seeds solved")
    return plots.save(axes, path)


def _spread(values: np.ndarray) -> str:
    def show(value: float) -> str:
        return "unsolved" if math.isinf(value) else f"{value:,.0f}"

    five = stats.five_numbers(values)
    return (
        f"median {show(five.median)}, quartiles {show(five.lower_quartile)} to {show(five.upper_quartile)}, "
        f"min {show(five.min)}, max {show(five.max)}"
    )
