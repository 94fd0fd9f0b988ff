"""Measuring: how fast an algorithm trains on this machine, by the program and the tiles of `run`, on all devices."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jax_ac.checks import check_positive
from jax_ac.protocols import Algorithm
from jax_ac.tiles import Slots, Tiles, make_tiles

REPETITIONS = 5

UPDATES_PER_CALL = 200
"""At most so many updates in a compiled call: those of a run that does not stop when solved."""

FOREVER = np.iinfo(np.int32).max


class Task(NamedTuple):
    """What is to be measured: an algorithm under a name, and how many lanes of it."""

    name: str
    algorithm: Algorithm
    lanes: int


class Program(NamedTuple):
    """What compiling a tile for one device took.

    Attributes:
      tile_width: its lanes.
      trace_seconds: from Python to StableHLO.
      compile_seconds: from there to machine code; far less where JAX read it from its cache on disk.
      temporary_bytes: that it needs on its device beside its inputs and outputs, by XLA's own account.
    """

    tile_width: int
    trace_seconds: float
    compile_seconds: float
    temporary_bytes: int


class Repetition(NamedTuple):
    """Updates and environment steps that all lanes together did, by their states, and the seconds it took."""

    updates: int
    env_steps: int
    seconds: float


class Rate(NamedTuple):
    """The median of the repetitions, the lowest and the highest."""

    median: float
    low: float
    high: float


class Point(NamedTuple):
    """What was measured of a task; the repetitions are in turns with those of the other tasks."""

    name: str
    lanes: int
    devices: int
    program: Program
    repetitions: tuple[Repetition, ...]

    @property
    def updates_per_second(self) -> Rate:
        """Lane-updates per second."""
        return _rate([each.updates / each.seconds for each in self.repetitions])

    @property
    def steps_per_second(self) -> Rate:
        """Environment steps per second."""
        return _rate([each.env_steps / each.seconds for each in self.repetitions])

    @property
    def microseconds(self) -> Rate:
        """Per lane-update."""
        return _rate([1e6 * each.seconds / max(each.updates, 1) for each in self.repetitions])


class Lanes:
    """So many lanes of an algorithm, seeds 0, 1, ..., in as many waves of the tiles as they need, all advanced in turn."""

    def __init__(self, tiles: Tiles, num_lanes: int):
        self.tiles = tiles
        self._done = 0
        self._waves = [_slots(tiles, num_lanes, start) for start in range(0, num_lanes, tiles.num_slots)]
        self._states = [tiles.states() for _ in self._waves]

    def advance(self, updates: int) -> Repetition:
        """Up to so many updates of every lane; one that has stopped does none."""
        before, start = self._totals(), time.perf_counter()
        end = self._done + updates
        while self._done < end:
            done = min(end, self._done + self.tiles.num_updates)
            for wave, slots in enumerate(self._waves):
                limit = np.minimum(slots.limit, done)
                now = slots._replace(limit=limit, fresh=np.full_like(slots.fresh, self._done == 0))
                self._states[wave], _ = self.tiles.advance(self._states[wave], now)
            self._done = done
        jax.block_until_ready(self._states)
        seconds = time.perf_counter() - start
        after = self._totals()
        return Repetition(after[0] - before[0], after[1] - before[1], seconds)

    def _totals(self) -> tuple[int, int]:
        """Updates and environment steps of all lanes since they began."""
        if self._done == 0:
            return 0, 0
        tiles = jax.device_get([(each.num_updates, each.env_steps) for states in self._states for each in states])
        updates, steps = (sum(int(tile[which].sum(dtype=np.int64)) for tile in tiles) for which in (0, 1))
        return updates, steps


def measure(
    tasks: Sequence[Task],
    seconds: float,
    repetitions: int = REPETITIONS,
    *,
    devices: Any = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Point]:
    """Compiles and trains each task, for about `seconds` in all repetitions together, which take turns over the tasks.

    Args:
      tasks: whose algorithms had better not stop by themselves.
      seconds: for each task.
      repetitions: of each task, R.
      devices: all local devices where None.
      say: is told what is being done.

    Raises:
      ValueError, TypeError: if a number of lanes or of repetitions is no whole number of at least 1.
    """
    check_positive("repetitions", repetitions)
    programs: dict[tuple, Program] = {}
    prepared = []
    for name, algorithm, lanes in tasks:
        say(f"{name}, {lanes:,} lanes: compiling ...")
        tiles = make_tiles(algorithm, check_positive("lanes", lanes), UPDATES_PER_CALL, devices=devices)
        key = (algorithm.init, algorithm.step, tiles.width)
        if key not in programs:
            programs[key] = compile_program(tiles)
        tiles.compile()
        all_lanes = Lanes(tiles, lanes)
        prepared.append((all_lanes, updates_in(all_lanes, seconds / repetitions), programs[key]))
    done: list[list[Repetition]] = [[] for _ in tasks]
    for turn in range(repetitions):
        for task, (lanes, updates, _), repeated in zip(tasks, prepared, done, strict=True):
            say(f"repetition {turn + 1} of {repetitions}: {task.name}, {task.lanes:,} lanes")
            repeated.append(lanes.advance(updates))
    rows = zip(tasks, prepared, done, strict=True)
    return [
        Point(task.name, task.lanes, len(lanes.tiles.devices), program, tuple(repeated))
        for task, (lanes, _, program), repeated in rows
    ]


def compile_program(tiles: Tiles) -> Program:
    """Traces and compiles a tile's program for its first device."""
    start = time.perf_counter()
    lowered = tiles.lowered()
    traced = time.perf_counter()
    compiled = lowered.compile()
    end = time.perf_counter()
    memory = compiled.memory_analysis()
    return Program(tiles.width, traced - start, end - traced, int(memory.temp_size_in_bytes) if memory else 0)


def updates_in(lanes: Lanes, seconds: float) -> int:
    """How many updates take about so long, found by doubling them; the lanes are warm then."""
    updates = 1
    while True:
        spent = lanes.advance(updates).seconds
        if spent > seconds / 4 or updates >= FOREVER // 2**10:
            return max(1, round(updates * seconds / spent))
        updates *= 2


def _slots(tiles: Tiles, num_lanes: int, start: int) -> Slots:
    """The lanes from `start` on, to go on for ever; places beyond the last lane are idle."""
    index = np.arange(start, start + tiles.num_slots)
    numbers = jax.tree.map(lambda number: np.full(len(index), number, np.float32), tiles.algorithm.hyperparams)
    limit = np.where(index < num_lanes, FOREVER, 0).astype(np.int32)
    return Slots(index.astype(np.uint32), numbers, np.zeros(len(index), bool), limit)


def _rate(values: list[float]) -> Rate:
    return Rate(float(np.median(values)), min(values), max(values))
