"""Runs: the host's side of a training run. It hands lanes to the places of the tiles, a segment of updates at a time."""

import math
import os
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from jax_ac.budget import choose_updates
from jax_ac.checks import check_positive
from jax_ac.hyperparams import or_defaults
from jax_ac.lanes import Lanes, lay_out
from jax_ac.protocols import Algorithm, check_algorithm
from jax_ac.schedule import Marks, Schedule
from jax_ac.tiles import make_tiles
from jax_ac.types import Metrics, PyTree

SEGMENT_UPDATES = 50
"""Updates in one compiled call: between two calls the host reports, and gives the places of finished lanes to others."""


class Progress(NamedTuple):
    """What the host knows after a segment.

    Attributes:
      marks: of all lanes, those not begun included.
      done: bool ``[L]``, lanes that will not be trained further.
      begun: bool ``[L]``.
      max_updates: the limit per lane.
      seconds: since training began, compilation not counted.
    """

    marks: Marks
    done: np.ndarray
    begun: np.ndarray
    max_updates: int
    seconds: float

    @property
    def updates_per_second(self) -> float:
        """Lane-updates per second so far."""
        return float(self.marks.num_updates.sum()) / max(self.seconds, 1e-9)

    @property
    def seconds_left(self) -> float:
        """An estimate: unfinished lanes are taken to need as many updates as finished ones needed on average."""
        done, updates = self.done, self.marks.num_updates
        expected = updates[done].mean() if done.any() else self.max_updates
        remaining = np.clip(expected - updates[~done], 1, None).sum()
        return float(remaining) / max(self.updates_per_second, 1e-9)


class Run(NamedTuple):
    """A finished run.

    Attributes:
      lanes: seeds and hyperparameters.
      marks: where each lane ended, leaves ``[L]``.
      metrics: the algorithm's metrics, leaves ``[L, max_updates]``; updates not done are NaN, counts 0.
      compile_seconds: tracing and compiling.
      run_seconds: training.
      utilisation: lane-updates that trained a lane, over those that the tiles made room for.
      num_devices, tile_width: where it ran.
      interrupted: whether the user stopped it.
    """

    lanes: Lanes
    marks: Marks
    metrics: PyTree
    compile_seconds: float
    run_seconds: float
    utilisation: float
    num_devices: int
    tile_width: int
    interrupted: bool


def run(
    algorithm: Algorithm,
    seeds: int | Iterable[int],
    *,
    max_updates: int | None = None,
    total_steps: int | None = None,
    hyperparams: Any = None,
    until_solved: bool = True,
    on_segment: Callable[[Progress], None] = lambda progress: None,
    segment_updates: int = SEGMENT_UPDATES,
    tile_width: int | None = None,
    devices: Any = None,
) -> Run:
    """Trains every lane until it is solved, has diverged, or has done `max_updates`.

    A lane that is done gives up its place at the end of the segment, and the next pending one begins there. Each lane's
    numbers are those of `train_many` at the same tile width, bit for bit on CPU. Ctrl-C ends the run; what the last whole
    segment left is kept.

    Args:
      algorithm: from a preset or `actor_critic`.
      seeds: a number of seeds, or the seeds themselves.
      max_updates: the limit per lane; where None, that of `total_steps`, or else what the algorithm anneals over.
      total_steps: the limit per lane in environment steps: a multiple of those of an update.
      hyperparams: the algorithm's NamedTuple, scalar or ``[H]`` leaves; its defaults where None.
      until_solved: whether a solved lane is done, also where the algorithm itself would go on.
      on_segment: called after each segment.
      segment_updates: updates per compiled call.
      tile_width: lanes per tile; chosen for the device where None.
      devices: all local devices where None.

    Raises:
      ValueError, TypeError: as `train_many`, and if the metrics would not fit in memory.
    """
    check_algorithm(algorithm)
    max_updates = choose_updates(
        max_updates,
        total_steps,
        steps_per_update=algorithm.steps_per_update,
        most=algorithm.num_updates,
        name="max_updates",
    )
    segment_updates = check_positive("segment_updates", segment_updates)
    lanes = lay_out(seeds, or_defaults(hyperparams, algorithm.hyperparams))
    check_memory(len(lanes.seed), max_updates)
    tiles = make_tiles(algorithm, len(lanes.seed), segment_updates, width=tile_width, devices=devices)

    start = time.perf_counter()
    states, metrics = tiles.compile()
    compile_seconds = time.perf_counter() - start

    schedule = Schedule(lanes, tiles.num_slots, max_updates, until_solved, metrics[0])
    start = time.perf_counter()
    computed = 0
    interrupted = False
    try:
        while schedule.refill():
            states, metrics = tiles.advance(states, schedule.slots())
            updates = schedule.record(states, metrics)
            computed += tiles.width * int(updates.reshape(-1, tiles.width).max(axis=1).sum())
            on_segment(_progress(schedule, time.perf_counter() - start))
    except KeyboardInterrupt:
        interrupted = True
    return Run(
        lanes=lanes,
        marks=schedule.marks,
        metrics=schedule.metrics,
        compile_seconds=compile_seconds,
        run_seconds=time.perf_counter() - start,
        utilisation=float(schedule.marks.num_updates.sum()) / max(computed, 1),
        num_devices=len(tiles.devices),
        tile_width=tiles.width,
        interrupted=interrupted,
    )


def check_memory(num_lanes: int, max_updates: int) -> None:
    """Raises ValueError if the metrics of so many lanes and updates would not fit in this machine's memory."""
    needed = num_lanes * max_updates * 4 * len(Metrics._fields)
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else math.inf
    if needed > installed:
        raise ValueError(
            f"the metrics of {num_lanes:,} seeds x {max_updates:,} updates take {needed / 2**30:,.0f} GiB, more than this "
            f"machine's memory of {installed / 2**30:,.0f} GiB; lower max_updates or the number of seeds."
        )


def _progress(schedule: Schedule, seconds: float) -> Progress:
    begun = np.arange(len(schedule.done)) < schedule.begun
    return Progress(schedule.marks, schedule.done, begun, schedule.max_updates, seconds)
