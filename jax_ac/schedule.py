"""The schedule of a run: which lane is at which place of the tiles, and the record of what each lane has done."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import jax
import numpy as np

from jax_ac.lanes import Lanes
from jax_ac.tiles import Slots
from jax_ac.types import Metrics, PyTree, TrainState


class Marks(NamedTuple):
    """Where each lane stands: the scalar fields of `TrainState`, by the same names, leaves ``[L]``."""

    num_updates: np.ndarray
    num_episodes: np.ndarray
    env_steps: np.ndarray
    running_return: np.ndarray
    solved_update: np.ndarray
    solved_episode: np.ndarray
    solved_step: np.ndarray
    diverged_update: np.ndarray
    frozen: np.ndarray


def marks_of(states: TrainState) -> Marks:
    """The marks of states, leaves ``[L]``."""
    return Marks(*(np.asarray(getattr(states, name)) for name in Marks._fields))


def episodes_to_solve(marks: Marks) -> tuple[np.ndarray, np.ndarray]:
    """Per lane, ``[L]``: the episodes it needed, or had when it was last seen, and whether it was solved (`solving`).

    A lane that diverged will not be solved: it counts as seen for as long as the one that was seen longest.
    """
    solved = marks.solved_update >= 0
    episodes = np.where(solved, marks.solved_episode + 1, marks.num_episodes)
    return np.where((marks.diverged_update >= 0) & ~solved, episodes.max(), episodes).astype(float), solved


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

    A place is idle, or holds a lane until the lane is done. All arrays live on the host.

    Attributes:
      lanes: all lanes of the run.
      ends: where they end.
      lane_at: int ``[D, W]``, the lane at each place; -1 where the place is idle.
      begun, done: bool ``[L]``; the lanes that have not begun are pending.
      marks: leaves ``[L]``.
      metrics: leaves ``[L, max_updates]``; blank where a lane has not been.
      states: leaves ``[L, ...]``: of lanes that are done the final state, of others the one last kept (`keep`).
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
        self.marks = _no_marks(num_lanes)
        self._waiting = deque(range(num_lanes))
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

    def refill(self, tile: int) -> tuple[np.ndarray, np.ndarray]:
        """Gives idle places of a tile to waiting lanes.

        Returns the places ``[m]`` and the lanes ``[m]`` of those that were restored, whose states must be put there.
        """
        self._fresh[tile] = False
        restored = []
        for place in np.flatnonzero(self.lane_at[tile] < 0):
            if not self._waiting:
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

    def record(self, tile: int, states: TrainState, metrics: Metrics) -> Done:
        """Keeps a segment's results, leaves ``[W, ...]``, and frees the places of lanes that are done."""
        places = np.flatnonzero(self.lane_at[tile] >= 0)
        lanes = self.lane_at[tile, places]
        before, steps_before = self.marks.num_updates[lanes], self.marks.env_steps[lanes]
        for kept, new in zip(self.metrics, map(np.asarray, metrics), strict=True):
            for place, lane, start in zip(places, lanes, before, strict=True):
                count = min(new.shape[1], self.ends.max_updates - start)
                kept[lane, start : start + count] = new[place, :count]
        for kept, new in zip(self.marks, marks_of(states), strict=True):
            kept[lanes] = new[places]
        finished = self._finish(lanes)
        self.keep(tile, states, places[finished])
        self.lane_at[tile, places[finished]] = -1
        return Done(lanes, before, steps_before)

    def keep(self, tile: int, states: TrainState, places: Iterable[int] | None = None) -> None:
        """Keeps the states of the lanes at these places, of all in the tile where None."""
        at = np.flatnonzero(self.lane_at[tile] >= 0) if places is None else np.asarray(places, int)
        for kept, new in zip(jax.tree.leaves(self.states), jax.tree.leaves(states), strict=True):
            kept[self.lane_at[tile, at]] = np.asarray(new)[at]

    def _finish(self, lanes: np.ndarray) -> np.ndarray:
        """Marks those of the lanes that are done. Returns which, ``[n]``."""
        self.done[lanes] = self.ends.reached(Marks(*(mark[lanes] for mark in self.marks)))
        return self.done[lanes]


def _no_marks(num_lanes: int) -> Marks:
    def counts(value: int) -> np.ndarray:
        return np.full(num_lanes, value, np.int32)

    return Marks(
        num_updates=counts(0),
        num_episodes=counts(0),
        env_steps=counts(0),
        running_return=np.full(num_lanes, np.nan, np.float32),
        solved_update=counts(-1),
        solved_episode=counts(-1),
        solved_step=counts(-1),
        diverged_update=counts(-1),
        frozen=np.zeros(num_lanes, bool),
    )


def _blank_rows(leaf: PyTree, num_lanes: int, num_updates: int) -> np.ndarray:
    return np.full((num_lanes, num_updates), np.nan if np.issubdtype(leaf.dtype, np.floating) else 0, leaf.dtype)
