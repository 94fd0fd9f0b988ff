"""The schedule of a run: which lane is at which place of the tiles, and the record of what each lane has done."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from jax_ac.lanes import Lanes
from jax_ac.tiles import Slots, gather
from jax_ac.types import PyTree, TrainState


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


class Schedule:
    """Hands L lanes to P places, in order, and keeps what comes back.

    A place is idle, or holds a lane until the lane is done. All arrays live on the host.

    Attributes:
      lanes: all lanes of the run.
      max_updates: the limit per lane.
      until_solved: whether a solved lane is done.
      lane_at: int ``[P]``, the lane at each place; -1 where the place is idle.
      begun: how many lanes have begun; the others are pending.
      done: bool ``[L]``.
      marks: leaves ``[L]``.
      metrics: leaves ``[L, max_updates]``; blank where a lane has not been.
    """

    def __init__(self, lanes: Lanes, num_places: int, max_updates: int, until_solved: bool, metrics_like: PyTree):
        """`metrics_like`: a tile's metrics as a segment returns them, for their structure and types."""
        num_lanes = len(lanes.seed)
        self.lanes = lanes
        self.max_updates = max_updates
        self.until_solved = until_solved
        self.lane_at = np.full(num_places, -1)
        self.begun = 0
        self.done = np.zeros(num_lanes, bool)
        self.marks = _no_marks(num_lanes)
        self.metrics = jax.tree.map(lambda leaf: _blank_rows(leaf, num_lanes, max_updates), metrics_like)
        self._fresh = np.zeros(num_places, bool)

    def refill(self) -> bool:
        """Gives idle places to pending lanes. Returns whether any place holds a lane."""
        idle = np.flatnonzero(self.lane_at < 0)
        incoming = np.arange(self.begun, min(self.begun + len(idle), len(self.lanes.seed)))
        places = idle[: len(incoming)]
        self.lane_at[places] = incoming
        self._fresh[:] = False
        self._fresh[places] = True
        self.begun += len(incoming)
        return bool((self.lane_at >= 0).any())

    def slots(self) -> Slots:
        """What the tiles are told about their places, for the next segment."""
        lane = np.maximum(self.lane_at, 0)
        return Slots(
            seed=self.lanes.seed[lane],
            hyperparams=jax.tree.map(lambda column: column[lane], self.lanes.hyperparams),
            fresh=self._fresh.copy(),
            limit=np.where(self.lane_at >= 0, self.max_updates, 0).astype(np.int32),
        )

    def record(self, states: Sequence[TrainState], metrics: Sequence[PyTree]) -> np.ndarray:
        """Keeps a segment's results and frees the places of lanes that are done.

        Returns the updates that the segment did at each place, ``[P]``.
        """
        places = np.flatnonzero(self.lane_at >= 0)
        lanes = self.lane_at[places]
        now = Marks(*gather([[getattr(tile, field) for field in Marks._fields] for tile in states]))
        rows = gather(metrics)
        before = self.marks.num_updates[lanes]
        for kept, new in zip(jax.tree.leaves(self.metrics), jax.tree.leaves(rows), strict=True):
            for place, lane, start in zip(places, lanes, before, strict=True):
                count = min(new.shape[1], self.max_updates - start)
                kept[lane, start : start + count] = new[place, :count]
        for kept, new in zip(self.marks, now, strict=True):
            kept[lanes] = new[places]
        updates = np.zeros(len(self.lane_at), int)
        updates[places] = now.num_updates[places] - before
        self._free(places, lanes)
        return updates

    def _free(self, places: np.ndarray, lanes: np.ndarray) -> None:
        solved = self.until_solved & (self.marks.solved_update[lanes] >= 0)
        at_limit = self.marks.num_updates[lanes] >= self.max_updates
        finished = self.marks.frozen[lanes] | solved | at_limit
        self.done[lanes[finished]] = True
        self.lane_at[places[finished]] = -1


def _no_marks(num_lanes: int) -> Marks:
    def counts(value: int) -> np.ndarray:
        return np.full(num_lanes, value, np.int32)

    return Marks(
        num_updates=counts(0),
        num_episodes=counts(0),
        env_steps=counts(0),
        running_return=np.zeros(num_lanes, np.float32),
        solved_update=counts(-1),
        solved_episode=counts(-1),
        solved_step=counts(-1),
        diverged_update=counts(-1),
        frozen=np.zeros(num_lanes, bool),
    )


def _blank_rows(leaf: jax.Array, num_lanes: int, num_updates: int) -> np.ndarray:
    return np.full((num_lanes, num_updates), np.nan if np.issubdtype(leaf.dtype, np.floating) else 0, leaf.dtype)
