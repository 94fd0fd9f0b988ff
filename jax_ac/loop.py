"""The loop of a run over its calls: workers are given lanes, and what they did is kept, reported and saved."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait

import numpy as np

from jax_ac.crews import Crew
from jax_ac.errors import CannotTrain
from jax_ac.interruption import interrupts
from jax_ac.orders import Failed, Lost, Order, Report
from jax_ac.progress import Progress
from jax_ac.saving import Saver
from jax_ac.schedule import Schedule
from jax_ac.spending import Spent
from jax_ac.tracking import Feed

CALL_SECONDS = 1.0
"""How long a compiled call may take: the host can speak, save and stop between two calls."""

CALLS_PER_SECOND = 200
"""How many reports the host takes in; with more workers than that each call takes longer."""

MOST_LOSSES = 10
"""So often a lane may be lost without coming further, to which a worker of its own is given after half of that."""


class Loop:
    """The loop over calls: each worker goes on by itself, as soon as its tile has been filled anew.

    A compiled call does a segment, or as much of it as takes about a second. Where a worker is lost, its lanes go on with
    others, from the states that were last kept; if it comes back it is given lanes again, and so are workers that join.
    """

    def __init__(self, crew: Crew, schedule: Schedule, saver: Saver | None, keep_seconds: float):
        """`keep_seconds`: so long a worker that may be lost keeps its lanes' states to itself, where nothing is saved."""
        self.crew, self.schedule, self.saver, self.keep_seconds = crew, schedule, saver, keep_seconds
        self._running: dict[Future, tuple[int, Order | None]] = {}  # None: a worker that is not ready yet
        self._idle: set[int] = set()
        self._most: list[int] = []  # updates per call, of each worker
        self._next: list[float] = []  # when it is to hand over its states
        self._seconds, self._evaluating, self._computed = 0.0, 0.0, 0
        self._before = self._totals()

    def _totals(self) -> tuple[int, int]:
        """Updates and environment steps of all lanes."""
        marks = self.schedule.marks
        return int(marks.num_updates.sum(dtype=np.int64)), int(marks.env_steps.sum(dtype=np.int64))

    def spent(self) -> Spent:
        """What it has cost so far."""
        updates, env_steps = (now - before for now, before in zip(self._totals(), self._before, strict=True))
        num_workers = len(self._most)
        return Spent(
            compile_seconds=self.crew.start_seconds,
            run_seconds=self._seconds,
            updates=max(updates, 0),
            env_steps=max(env_steps, 0),
            utilisation=min(1.0, updates / self._computed) if self._computed and updates > 0 else 1.0,
            num_devices=num_workers,
            evaluating=self._evaluating / (max(self._seconds, 1e-9) * max(num_workers, 1)),
            repeated=self.schedule.repeated,
        )

    def run(self, feed: Feed, line: Callable[[Progress], None], stop: threading.Event | None = None) -> bool:
        """Trains all lanes, until `stop`. Returns whether it was stopped. After an error what has been done is saved."""
        try:
            return self._run(feed, line, stop or threading.Event())
        except Exception:
            if self.saver:
                with contextlib.suppress(OSError):
                    self.saver.save(self.spent())
            raise

    def _run(self, feed: Feed, line: Callable[[Progress], None], stop: threading.Event) -> bool:
        start = time.perf_counter()
        with interrupts(stop):
            while self._at_work(stop):
                self.crew.look()
                for _ in range(len(self._most), len(self.crew)):
                    self._welcome()
                for future in wait(list(self._running), self.crew.look_seconds, FIRST_COMPLETED).done:
                    tile, order = self._running.pop(future)
                    try:
                        self._end(tile, order, future.result(), feed, stop)
                    except Lost as error:
                        self._lost(tile, error, stop)
                self._seconds = time.perf_counter() - start
                try:
                    line(self._progress())
                except KeyboardInterrupt:
                    stop.set()
            if self.saver:
                self.saver.save(self.spent())
        return stop.is_set()

    def _at_work(self, stop: threading.Event) -> bool:
        """Whether a call is at work, or there is more to do."""
        calls = any(order is not None for _, order in self._running.values())
        return calls or not (stop.is_set() or self.schedule.over)

    def _welcome(self) -> None:
        """Makes room for the next worker of the crew, which is given lanes when it is ready."""
        tile = len(self._most)
        if tile == len(self.schedule.lane_at):
            self.schedule.add_tile()
        self._most.append(1)
        self._next.append(time.monotonic() + self.keep_seconds)
        self._running[self.crew.ready(tile)] = tile, None

    def _begin(self, tile: int) -> None:
        """Fills the tile's idle places and starts its next call, if it holds a lane."""
        order = self.schedule.order(tile, self._most[tile], self._wants_states(tile))
        if self.schedule.busy(tile):
            self._idle.discard(tile)
            self._running[self.crew.advance(tile, order)] = tile, order
        else:
            self._idle.add(tile)

    def _wants_states(self, tile: int) -> bool:
        """Whether the worker is to hand over the states of all its lanes."""
        due = self.crew.look_seconds is not None and time.monotonic() >= self._next[tile]
        return due or bool(self.saver and self.saver.wants(tile))

    def _end(self, tile: int, order: Order | None, report: Report | None, feed: Feed, stop: threading.Event) -> None:
        """After a call, or when a worker has become ready."""
        if order is not None and report is not None:
            self._record(tile, order, report, feed)
            if stop.is_set() and not order.all_states and self.schedule.busy(tile):
                self.schedule.keep_all(tile, self.crew.states(tile).result())
        if not stop.is_set():
            self._begin(tile)

    def _record(self, tile: int, order: Order, report: Report, feed: Feed) -> None:
        seconds, done = report.seconds - report.evaluating, report.metrics[0].shape[1]
        allowed = max(CALL_SECONDS, len(self.crew) / CALLS_PER_SECOND) if CALL_SECONDS else 0.0
        self._most[tile] = max(1, min(int(done * allowed / seconds), 2 * self._most[tile]))
        self._evaluating += report.evaluating
        self._computed += len(order.slots.seed) * done
        feed(self.schedule, self.schedule.record(tile, report))
        if order.all_states:
            self._next[tile] = time.monotonic() + self.keep_seconds
        if self.saver:
            self.saver.after_call(tile, order.all_states, self.spent)

    def _lost(self, tile: int, error: Lost, stop: threading.Event) -> None:
        """Gives the lanes of a lost worker to those that have nothing to do, and waits for it to come back.

        Raises CannotTrain if a worker cannot begin, or a lane that had one to itself failed, or was lost again and again.
        """
        lanes = self.schedule.release(tile, alone=isinstance(error, Failed))
        if isinstance(error, Failed) and not len(lanes):
            self._leave_out(tile, error)
            return
        if len(lanes) == 1 and (isinstance(error, Failed) or self.schedule.losses[lanes[0]] > MOST_LOSSES):
            lane, of = lanes[0], self.schedule.lanes
            raise CannotTrain(f"seed {of.seed[lane]}, setting {of.setting[lane]} cannot be trained: {error}") from error
        if self.saver:
            self.saver.after_call(tile, False, self.spent)
        if not stop.is_set():
            self._running[self.crew.ready(tile)] = tile, None
            for idle in sorted(self._idle):
                self._begin(idle)

    def _leave_out(self, tile: int, error: Failed) -> None:
        """Goes on without a worker that cannot begin, where others could. Raises CannotTrain if none has."""
        at_work = {other for future, (other, order) in self._running.items() if order or _went_well(future)}
        if not self._idle | at_work:
            raise CannotTrain(f"a worker cannot begin: {error}") from error
        print(f"jax-ac: a worker is left out, as it cannot begin: {error}", file=sys.stderr)

    def _progress(self) -> Progress:
        schedule = self.schedule
        limit = schedule.ends.max_updates
        return Progress(schedule.marks, schedule.done, schedule.begun, limit, self._seconds, *self._before)


def _went_well(future: Future) -> bool:
    return future.done() and future.exception() is None
