"""The loop of a run over its segments: tiles are filled, advanced, and what they did is kept, reported and saved."""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import jax
import numpy as np

from jax_ac.evaluator import Evaluator
from jax_ac.interruption import interrupts
from jax_ac.progress import Progress
from jax_ac.saving import Saver
from jax_ac.schedule import Schedule
from jax_ac.spending import Spent
from jax_ac.tiles import Tiles
from jax_ac.tracking import Feed

CALL_SECONDS = 1.0
"""How long a compiled call may take: the host can speak, save and stop between two calls."""


class Loop:
    """The loop over segments: each tile goes on by itself, as soon as it has been filled anew.

    A compiled call does a segment, or as much of it as takes about a second.
    """

    def __init__(
        self,
        tiles: Tiles,
        schedule: Schedule,
        states: list,
        saver: Saver | None,
        evaluator: Evaluator | None,
        compile_seconds: float,
    ):
        self.tiles, self.schedule, self.states, self.saver, self.evaluator = tiles, schedule, states, saver, evaluator
        self._compile_seconds = compile_seconds
        self._most = [1] * len(states)  # updates per call, of each tile
        self._seconds, self._computed = 0.0, 0
        self._before = self._totals()

    def _totals(self) -> tuple[int, int]:
        """Updates and environment steps of all lanes."""
        marks = self.schedule.marks
        return int(marks.num_updates.sum(dtype=np.int64)), int(marks.env_steps.sum(dtype=np.int64))

    def spent(self) -> Spent:
        """What it has cost so far."""
        updates, env_steps = (now - before for now, before in zip(self._totals(), self._before, strict=True))
        utilisation = updates / self._computed if self._computed else 1.0
        seconds_of_devices = max(self._seconds, 1e-9) * len(self.states)
        evaluating = sum(self.evaluator.seconds) / seconds_of_devices if self.evaluator else 0.0
        costs = (self._compile_seconds, self._seconds, updates, env_steps, utilisation, len(self.states), evaluating)
        return Spent(*costs)

    def run(self, feed: Feed, line: Callable[[Progress], None]) -> bool:
        """Trains all lanes. Returns whether the user stopped it. After an error what has been done is saved."""
        try:
            return self._run(feed, line)
        except Exception:
            if self.saver:
                with contextlib.suppress(OSError):
                    self.saver.save(self.spent())
            raise

    def _run(self, feed: Feed, line: Callable[[Progress], None]) -> bool:
        start, stop = time.perf_counter(), threading.Event()
        running: dict[Future, int] = {}
        with ThreadPoolExecutor(len(self.states)) as pool, interrupts(stop):
            for tile in range(len(self.states)):
                self._begin(pool, running, tile)
            while running:
                for future in wait(list(running), return_when=FIRST_COMPLETED).done:
                    tile = running.pop(future)
                    states, metrics = future.result()
                    self._end(tile, states, metrics, feed)
                    if stop.is_set():
                        self.schedule.keep(tile, self.states[tile])
                    else:
                        self._begin(pool, running, tile)
                self._seconds = time.perf_counter() - start
                try:
                    line(self._progress())
                except KeyboardInterrupt:
                    stop.set()
            if self.saver:
                self.saver.save(self.spent())
        return stop.is_set()

    def _begin(self, pool: ThreadPoolExecutor, running: dict[Future, int], tile: int) -> None:
        """Fills the tile's idle places and starts its next segment, if it holds a lane."""
        places, lanes = self.schedule.refill(tile)
        if len(places):
            rows = jax.tree.map(lambda leaf: leaf[lanes], self.schedule.states)
            self.states[tile] = self.tiles.insert(tile, self.states[tile], places, rows)
        if self.schedule.busy(tile):
            running[pool.submit(self._call, tile, self.schedule.slots(tile, self._most[tile]))] = tile

    def _call(self, tile: int, slots: Any) -> tuple[Any, Any]:
        """In a thread of its own: a compiled call, and what it left on the device."""
        start, before = time.perf_counter(), self.schedule.updates_at(tile)
        states, metrics = jax.block_until_ready(self.tiles.advance_tile(tile, self.states[tile], slots))
        self.states[tile] = states
        done, seconds = int((np.asarray(states.num_updates) - before)[slots.limit > 0].max()), time.perf_counter() - start
        self._most[tile] = max(1, min(int(done * CALL_SECONDS / seconds), 2 * self._most[tile]))
        if self.evaluator:
            metrics = self.evaluator(tile, states, metrics, slots, before)
        return states, metrics

    def _end(self, tile: int, states: Any, metrics: Any, feed: Feed) -> None:
        done = self.schedule.record(tile, states, metrics)
        updates = self.schedule.marks.num_updates[done.lanes] - done.before
        self._computed += self.tiles.width * int(updates.max())
        feed(self.schedule, done)
        if self.saver:
            self.saver.after_segment(tile, states, self.spent())

    def _progress(self) -> Progress:
        schedule = self.schedule
        limit = schedule.ends.max_updates
        return Progress(schedule.marks, schedule.done, schedule.begun, limit, self._seconds, *self._before)
