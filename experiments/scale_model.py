"""A run on many workers, simulated call by call: what `loop.py`, `schedule.py` and `saving.py` do.

Workers take their tiles through compiled calls; the driver, one process, takes in a report at a time, and while it writes
a checkpoint it takes in none. Simulated is when what happens, and how long it takes; times and sizes are measured (`Costs`).
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import simpy

CALL_SECONDS, CALLS_PER_SECOND, WARM = 1.0, 200, 8  # those of loop.py; calls of a worker until they have their length


class Costs(NamedTuple):
    """What was measured.

    Attributes:
      call, update, lane_update: seconds of a compiled call, of each update in it, and of each of a lane.
      spread: how much calls differ, the standard deviation of the logarithm.
      transport: seconds from a report to the driver and of an order back, in which the worker waits.
      report, report_lane, report_worker: the driver's seconds for a report, those for each lane of the run, each worker.
      report_byte: for each byte of a report.
      save, save_byte: of a checkpoint, and for each byte.
      restart: from the loss of a worker until it works again.
      state, metrics: bytes of a lane, and of one of its updates.
      reported: bytes of a report beside metrics and states.
    """

    call: float
    update: float
    lane_update: float
    spread: float
    transport: float
    report: float
    report_lane: float
    report_worker: float
    report_byte: float
    save: float
    save_byte: float
    restart: float
    state: int
    metrics: int
    reported: int


class Case(NamedTuple):
    """A run: how many updates each lane needs, ``[L]``, on how many workers, and how often one is lost, per hour of it.

    `share`: as `saving.SHARE`; `grain`: so many calls of a worker are one event, as long as many lanes wait.
    """

    needs: np.ndarray
    workers: int
    width: int = 16
    segment: int = 50
    losses: float = 0.0
    save_seconds: float | None = 30.0
    share: float | None = None
    grain: int = 1


class Outcome(NamedTuple):
    """What came of it; seconds, and bytes."""

    makespan: float
    bound: float
    driver: float
    saving: float
    taken_in: float
    reports: int
    repeated: int
    checkpoint: float


def simulate(case: Case, costs: Costs, seed: int = 0) -> Outcome:
    """The run, from when all workers are ready until the last checkpoint is written."""
    run = Run(case, costs, seed)
    for tile in range(case.workers):
        run.env.process(run.worker(tile))
    run.env.run()
    run.write(everything=True)
    full = (costs.call / case.segment + costs.update) / case.width + costs.lane_update
    bound = float(case.needs.sum()) * full / case.workers
    return Outcome(
        run.end + run.last_write, bound, run.busy, run.saving, run.taken_in, run.reports, run.repeated, run.largest
    )


class Run:
    """The state of the simulation."""

    def __init__(self, case: Case, costs: Costs, seed: int):
        places, self.mean = (case.workers, case.width), float(case.needs.mean())
        self.case, self.costs, self.rng = case, costs, np.random.default_rng(seed)
        self.env = simpy.Environment()
        self.driver = simpy.Resource(self.env)
        self.at, self.kept, self.need = (np.zeros(places, int) for _ in range(3))  # need 0: an idle place
        self.begun, self.back, self.idle = 0, deque[tuple[int, int]](), self.env.event()
        self.at_work = np.zeros(case.workers, bool)
        self.most, self.told = np.ones(case.workers, int), np.zeros(case.workers, int)
        self.wanted: np.ndarray | None = None
        self.next_save = case.save_seconds if case.save_seconds is not None else np.inf
        self.next_keep = np.full(case.workers, case.save_seconds or 30.0)
        self.ended = np.zeros(2)  # lanes since the last checkpoint, and their updates
        self.busy = self.saving = self.taken_in = self.largest = self.last_write = 0.0
        self.end, self.reports, self.repeated = 0.0, 0, 0

    def worker(self, tile: int) -> Iterator[Any]:
        """A worker's life: orders, calls, reports; lost and back again."""
        env, case = self.env, self.case
        while True:
            self.refill(tile)
            if not self.at_work[tile]:
                if not self.at_work.any() and not self.back:
                    return
                yield self.idle
                continue
            waiting = len(case.needs) - self.begun
            calls = case.grain if waiting > 2 * self.need.size and self.told[tile] > WARM else 1
            self.told[tile] += 1
            hand_over = env.now >= self.next_keep[tile] or self.wants(tile)
            before = self._snapshot(tile)
            seconds, updates, calls = self.advance(tile, calls)
            lost = self.rng.exponential(3600 / case.losses) if case.losses else np.inf
            if lost < seconds:
                yield env.timeout(lost if calls == 1 else seconds)  # many calls have reported before
                self.lose(tile, before if calls == 1 else self._snapshot(tile))
                yield env.timeout(self.costs.restart)
                continue
            yield env.timeout(seconds + calls * self.costs.transport)
            with self.driver.request() as turn:
                yield turn
                service = self.take_in(tile, updates, calls, hand_over)
                yield env.timeout(service)
                written = self.checkpoint(tile, hand_over)
                if written:
                    yield env.timeout(written)
                self.end = env.now

    def refill(self, tile: int) -> None:
        """Gives idle places to lanes: those that were lost first, then those that have not begun."""
        places = np.flatnonzero(self.need[tile] == 0)
        again, places = np.split(places, [min(len(self.back), len(places))])
        for place in again:
            self.at[tile, place], self.need[tile, place] = self.back.popleft()
        fresh = places[: len(self.case.needs) - self.begun]
        self.need[tile, fresh] = self.case.needs[self.begun : self.begun + len(fresh)]
        self.begun += len(fresh)
        self.kept[tile, fresh] = self.at[tile, fresh] = 0
        self.kept[tile, again] = self.at[tile, again]
        self.at_work[tile] = self.need[tile].any()

    def advance(self, tile: int, calls: int) -> tuple[float, int, int]:
        """So many calls: their seconds, and the updates of all lanes; places are filled anew between them."""
        at, need, costs = self.at[tile], self.need[tile], self.costs
        per = min(int(self.most[tile]), self.case.segment)
        if calls == 1:
            to = np.minimum(np.minimum((at // self.case.segment + 1) * self.case.segment, at + per), need)
            updates, longest = int((to - at).sum()), int((to - at).max())
            self.at[tile] = to
            self._finish(tile)
        else:
            updates, longest = self._many(tile, calls, per), calls * per
        seconds = calls * costs.call + longest * costs.update + updates * costs.lane_update
        spread = costs.spread / np.sqrt(calls)
        seconds *= np.exp(spread * self.rng.standard_normal() - spread**2 / 2)
        allowed = max(CALL_SECONDS, self.case.workers / CALLS_PER_SECOND)
        fitting = int(longest * allowed / seconds)
        self.most[tile] = max(1, min(fitting, 2 * int(self.most[tile]))) if calls == 1 else max(1, fitting)
        return seconds, updates, calls

    def _many(self, tile: int, calls: int, per: int) -> int:
        """Several calls at once, of `per` updates each; a lane that ends in one makes room for the next."""
        left, updates = np.full(self.case.width, calls), 0
        while left.any() and self.need[tile].any():
            at, need = self.at[tile], self.need[tile]
            used = np.minimum(left, -(-(need - at) // per))
            to = np.minimum(at + used * per, need)
            updates += int((to - at).sum())
            left = np.where(need > 0, left - used, 0)
            self.at[tile] = to
            self._finish(tile)
            self.refill(tile)
        return updates

    def _finish(self, tile: int) -> None:
        done = (self.at[tile] >= self.need[tile]) & (self.need[tile] > 0)
        self.ended += done.sum(), self.need[tile][done].sum()
        self.need[tile][done] = self.at[tile][done] = 0  # `kept` is set when the place is filled

    def take_in(self, tile: int, updates: int, calls: int, hand_over: bool) -> float:
        """A report arrives: the driver's seconds for it."""
        costs, case = self.costs, self.case
        states = case.width * hand_over + updates / self.mean
        size = calls * costs.reported + updates * costs.metrics + states * costs.state
        if hand_over:
            self.kept[tile], self.next_keep[tile] = self.at[tile], self.env.now + (case.save_seconds or 30.0)
        self.taken_in, self.reports = self.taken_in + size, self.reports + calls
        each = costs.report + costs.report_lane * len(case.needs) + costs.report_worker * case.workers
        seconds = calls * each + size * costs.report_byte
        self.busy += seconds
        return seconds

    def wants(self, tile: int) -> bool:
        """As `Saver.wants`."""
        if self.wanted is None and self.env.now >= self.next_save:
            self.wanted = np.ones(self.case.workers, bool)
        return self.wanted is not None and bool(self.wanted[tile])

    def checkpoint(self, tile: int, handed_over: bool) -> float:
        """As `Saver.after_call`: the seconds of writing, if all have handed over their lanes."""
        if self.wanted is None:
            return 0.0
        self.at_work[tile] = self.need[tile].any()
        self.wanted[tile] &= not handed_over
        self.wanted &= self.at_work
        if self.wanted.any():
            return 0.0
        again = (self.need > 0).sum() / max((self.need > 0).sum() + self.ended[0], 1)
        seconds, self.wanted = self.write(), None
        pause = max(self.case.save_seconds or 0.0, again * seconds * (1 / self.case.share - 1) if self.case.share else 0.0)
        self.next_save = self.env.now + seconds + pause
        return seconds

    def write(self, everything: bool = False) -> float:
        """Seconds of a checkpoint: lanes that have ended since the last, and what the others have done so far."""
        costs, live = self.costs, self.need > 0
        size = (self.ended + np.array([live.sum(), self.kept[live].sum()])) @ np.array([costs.state, costs.metrics])
        self.ended[:] = 0
        self.largest = max(self.largest, size)
        seconds = costs.save + size * costs.save_byte if self.case.save_seconds is not None else 0.0
        self.saving, self.last_write = self.saving + seconds, seconds * everything
        return seconds

    def _snapshot(self, tile: int) -> tuple[np.ndarray, ...]:
        return self.at[tile].copy(), self.need[tile].copy(), self.ended.copy()

    def lose(self, tile: int, before: tuple[np.ndarray, ...]) -> None:
        """A worker is gone: its lanes wait, as they were last handed over; of a call that was lost nothing counts."""
        (at, need, ended), kept = before, self.kept[tile]
        live, self.ended = need > 0, ended
        self.repeated += int((at - kept)[live].sum())
        self.back.extend(zip(kept[live].tolist(), need[live].tolist(), strict=True))
        self.need[tile] = self.at[tile] = self.kept[tile] = 0
        self.most[tile], self.at_work[tile] = 1, False
        self.idle.succeed()
        self.idle = self.env.event()
