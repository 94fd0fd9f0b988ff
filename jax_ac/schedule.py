"""The schedule of a run: which lane is at which place of the tiles, and the record of what each lane has done."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from jax_ac.lanes import Lanes
from jax_ac.marks import Marks, marks_of, no_marks
from jax_ac.orders import Order, Report
from jax_ac.tiles import Slots
from jax_ac.types import Metrics, PyTree, TrainState

OFTEN = 5
"""So often a lane may be lost among others; then it is given a tile to itself, to know whether it is the cause."""


class Done(NamedTuple):
    """What a segment did in one tile: the lanes in it, and the updates and environment steps of each before, ``[n]``."""

    lanes: np.ndarray
    before: np.ndarray
    steps_before: np.ndarray


class Ends(NamedTuple):
    """Where lanes end.

    Attributes:
      max_updates: the limit per lane.
      until_solved: whether a solved lane is done, at the end of the segment.
      segment_updates: K; a segment of a lane is its updates from one multiple of K to the next.
      eval_every: after so many updates a lane stands still for an evaluation; None: never.
    """

    max_updates: int
    until_solved: bool
    segment_updates: int
    eval_every: int | None = None

    def reached(self, marks: Marks) -> np.ndarray:
        """Which lanes with these marks are done, ``[n]``."""
        at_border = marks.num_updates % self.segment_updates == 0
        solved = self.until_solved & (marks.solved_update >= 0) & at_border
        return marks.frozen | solved | (marks.num_updates >= self.max_updates)

    def next_limit(self, before: np.ndarray) -> np.ndarray:
        """Up to where a lane goes in one call that has done so many updates before, ``[n]``: to the next border."""
        borders = [(before // every + 1) * every for every in (self.segment_updates, self.eval_every) if every]
        return np.minimum.reduce([*borders, np.full_like(before, self.max_updates)])


class Schedule:
    """Hands L lanes to the places of D tiles, in order, and keeps what comes back.

    A place is idle, or holds a lane until the lane is done. All arrays live on the host. Tiles may come and go: lanes do not
    depend on where they are.

    Attributes:
      lanes: all lanes of the run.
      ends: where they end.
      lane_at: int ``[D, W]``, the lane at each place; -1 where the place is idle.
      begun, done: bool ``[L]``; the lanes that have not begun are pending.
      marks: leaves ``[L]``.
      metrics: leaves ``[L, max_updates]``; blank where a lane has not been.
      states: leaves ``[L, ...]``: of lanes that are done the final state, of others the one last kept (`keep`).
      own: bool ``[L]``; all, but where lanes are shared with other processes (`share`).
      repeated: updates that were recorded, and have to be done again since a tile was lost.
      losses: int ``[L]``, how often a lane was lost with its worker without having come further than before.
    """

    def __init__(self, lanes: Lanes, tiles: tuple[int, int], ends: Ends, like: tuple[TrainState, Metrics]):
        """`tiles`: D and W; `like`: states and metrics of a tile, for the types."""
        num_lanes = len(lanes.seed)
        self.lanes = lanes
        self.ends = ends
        self.lane_at = np.full(tiles, -1)
        self.begun, self.done = np.zeros(num_lanes, bool), np.zeros(num_lanes, bool)
        states, metrics = like
        self.states = jax.tree.map(lambda leaf: np.zeros((num_lanes, *leaf.shape[1:]), leaf.dtype), states)
        self.metrics = jax.tree.map(lambda leaf: _blank_rows(leaf, num_lanes, ends.max_updates), metrics)
        self.marks = no_marks(num_lanes)
        self.repeated = 0
        self.losses, self._furthest = np.zeros(num_lanes, np.int32), np.zeros(num_lanes, np.int32)
        self._suspect = np.zeros(num_lanes, bool)
        self.own = np.ones(num_lanes, bool)
        self._waiting: deque[int] = deque(range(num_lanes))
        self._listed: list[int] = []
        self._draw: Callable[[], int] | None = None
        self._fresh = np.zeros(tiles, bool)

    def restore(self, lanes: np.ndarray, states: TrainState, metrics: Metrics) -> None:
        """Takes lanes as they were kept, leaves ``[n, ...]`` and ``[n, U]``, to go on from there; before any refill."""
        for kept, new in zip(jax.tree.leaves(self.states), jax.tree.leaves(states), strict=True):
            kept[lanes] = new
        marks = marks_of(states)
        for kept, new in zip(self.marks, marks, strict=True):
            kept[lanes] = new
        for lane, row in zip(lanes, range(len(lanes)), strict=True):
            count = marks.num_updates[row]
            for kept, new in zip(self.metrics, metrics, strict=True):
                kept[lane, :count] = new[row, :count]
        self.begun[lanes] = (marks.num_updates > 0) | marks.frozen
        self._finish(lanes)
        self._waiting = deque(sorted(np.flatnonzero(~self.done).tolist(), key=lambda lane: not self.begun[lane]))

    def share(self, draw: Callable[[], int]) -> None:
        """Has only some of the waiting lanes: those whose places in the line it draws, one at a time, up to its end."""
        self._listed, self._waiting, self._draw = list(self._waiting), deque(), draw
        self.own[:] = False

    @property
    def over(self) -> bool:
        """Whether no lane is at work or waits."""
        return self._draw is None and not self._waiting and bool((self.lane_at < 0).all())

    def refill(self, tile: int) -> tuple[np.ndarray, np.ndarray]:
        """Gives idle places of a tile to waiting lanes.

        Returns the places ``[m]`` and the lanes ``[m]`` of those that were restored, whose states must be put there.
        """
        self._fresh[tile] = False
        restored = []
        for place in np.flatnonzero(self.lane_at[tile] < 0):
            if not self._draw_lane() or not self._may_join(self._waiting[0], tile):
                break
            lane = self._waiting.popleft()
            self.lane_at[tile, place] = lane
            if self.begun[lane]:
                restored.append((place, lane))
            self._fresh[tile, place] = not self.begun[lane]
            self.begun[lane] = True
        places, lanes = np.array(restored, int).reshape(-1, 2).T
        return places, lanes

    def busy(self, tile: int) -> bool:
        """Whether a lane is in the tile."""
        return bool((self.lane_at[tile] >= 0).any())

    def updates_at(self, tile: int) -> np.ndarray:
        """Updates done by the lane at each place, ``[W]``; 0 where the place is idle."""
        lane = self.lane_at[tile]
        return np.where(lane >= 0, self.marks.num_updates[lane], 0)

    def order(self, tile: int, most: int, all_states: bool = False) -> Order:
        """Fills the tile's idle places, and says what its worker is to do: as `slots`."""
        places, lanes = self.refill(tile)
        rows = jax.tree.map(lambda leaf: leaf[lanes], self.states)
        return Order(self.slots(tile, most), places, rows, all_states)

    def slots(self, tile: int, most: int | None = None) -> Slots:
        """What a tile is told about its places: to do the rest of each lane's segment, but not more than `most` updates."""
        lane, before = np.maximum(self.lane_at[tile], 0), self.updates_at(tile)
        limit = self.ends.next_limit(before)
        if most is not None:
            limit = np.minimum(limit, before + most)
        return Slots(
            seed=self.lanes.seed[lane],
            hyperparams=jax.tree.map(lambda column: column[lane], self.lanes.hyperparams),
            fresh=self._fresh[tile].copy(),
            limit=np.where(self.lane_at[tile] >= 0, limit, 0).astype(np.int32),
        )

    def record(self, tile: int, report: Report) -> Done:
        """Keeps what a worker did in a call, and frees the places of lanes that are done."""
        places = np.flatnonzero(self.lane_at[tile] >= 0)
        lanes = self.lane_at[tile, places]
        before, steps_before = self.marks.num_updates[lanes], self.marks.env_steps[lanes]
        for kept, new in zip(self.metrics, report.metrics, strict=True):
            for place, lane, start in zip(places, lanes, before, strict=True):
                count = min(new.shape[1], self.ends.max_updates - start)
                kept[lane, start : start + count] = new[place, :count]
        for kept, new in zip(self.marks, report.marks, strict=True):
            kept[lanes] = new[places]
        self._suspect[lanes] &= self.marks.num_updates[lanes] <= self._furthest[lanes]
        self.keep(tile, report.places, report.states)
        self.lane_at[tile, places[self._finish(lanes)]] = -1
        return Done(lanes, before, steps_before)

    def keep(self, tile: int, places: np.ndarray, rows: TrainState) -> None:
        """Keeps the states of the lanes at these places, leaves ``[n, ...]``."""
        for kept, new in zip(jax.tree.leaves(self.states), jax.tree.leaves(rows), strict=True):
            kept[self.lane_at[tile, places]] = new

    def keep_all(self, tile: int, states: TrainState) -> None:
        """Keeps the states of all lanes in a tile; leaves ``[W, ...]``."""
        places = np.flatnonzero(self.lane_at[tile] >= 0)
        self.keep(tile, places, jax.tree.map(lambda leaf: np.asarray(leaf)[places], states))

    def release(self, tile: int, alone: bool = False) -> np.ndarray:
        """Takes back the lanes of a tile that was lost, ``[n]``: each goes on, somewhere, from the state that was last kept.

        A lane that may be the cause is given a tile to itself: where that is said by `alone`, and where it was lost often.
        """
        lanes = self.lane_at[tile][self.lane_at[tile] >= 0]
        kept = jax.tree.map(lambda leaf: leaf[lanes], self.states)
        begun = (kept.num_updates > 0) | kept.frozen
        further = self.marks.num_updates[lanes] > self._furthest[lanes]
        self._furthest[lanes] = np.maximum(self._furthest[lanes], self.marks.num_updates[lanes])
        self.losses[lanes] = np.where(further, 1, self.losses[lanes] + 1)
        self._suspect[lanes] = alone | (self.losses[lanes] >= OFTEN)
        self.repeated += int((self.marks.num_updates[lanes] - kept.num_updates).sum())
        for mark, then, blank in zip(self.marks, marks_of(kept), no_marks(len(lanes)), strict=True):
            mark[lanes] = np.where(begun, then, blank)
        for lane in lanes:
            for rows in self.metrics:
                rows[lane, self.marks.num_updates[lane] :] = _blank(rows.dtype)
        self.begun[lanes] = begun
        self.lane_at[tile] = -1
        self._waiting.extendleft(lanes[::-1].tolist())
        return lanes

    def _draw_lane(self) -> bool:
        """Whether a lane waits, or could be drawn."""
        if not self._waiting and self._draw is not None:
            ticket = self._draw()
            if ticket >= len(self._listed):
                self._draw = None
            else:
                self._waiting.append(self._listed[ticket])
                self.own[self._listed[ticket]] = True
        return bool(self._waiting)

    def _may_join(self, lane: int, tile: int) -> bool:
        """Whether a lane may go where others are, if there are any."""
        others = self.lane_at[tile][self.lane_at[tile] >= 0]
        return not len(others) or not (self._suspect[lane] or self._suspect[others].any())

    def add_tile(self) -> int:
        """Makes room for one more tile, and gives its number."""
        width = self.lane_at.shape[1]
        self.lane_at = np.concatenate([self.lane_at, np.full((1, width), -1)])
        self._fresh = np.concatenate([self._fresh, np.zeros((1, width), bool)])
        return len(self.lane_at) - 1

    def _finish(self, lanes: np.ndarray) -> np.ndarray:
        """Marks those of the lanes that are done. Returns which, ``[n]``."""
        self.done[lanes] = self.ends.reached(Marks(*(mark[lanes] for mark in self.marks)))
        return self.done[lanes]


def _blank_rows(leaf: PyTree, num_lanes: int, num_updates: int) -> np.ndarray:
    return np.full((num_lanes, num_updates), _blank(leaf.dtype), leaf.dtype)


def _blank(kind: np.dtype) -> float:
    """What stands in the place of an update that was not done."""
    return np.nan if np.issubdtype(kind, np.floating) else 0
