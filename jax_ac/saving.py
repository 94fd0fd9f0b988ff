"""Saving: what a run puts into its folder while it works, at the borders of segments."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np

from jax_ac import remote, run_folder, spending
from jax_ac.marks import marks_of
from jax_ac.run_folder import Records
from jax_ac.schedule import Schedule
from jax_ac.spending import Spent
from jax_ac.store import ALONE
from jax_ac.types import PyTree

SHARE = 0.1
"""The part of the time that may go to lanes that have not ended, and will be written again: the more, the rarer."""


class Saver:
    """Saves lanes that have ended and, every so many seconds, the whole state of those that have not.

    Tiles reach the borders of their segments at different times. When a checkpoint is due each tile hands over its lanes at
    its next border, and it is written when all have: lanes do not depend on each other.
    """

    def __init__(
        self, path: Path, schedule: Schedule, seconds: float, spent: Sequence[Spent] = (), process: tuple[int, int] = ALONE
    ):
        """`seconds` lie between two checkpoints, more where they take long (`SHARE`), unless it is 0.

        `spent`: what the run had cost before; `process`: which of how many write.
        """
        self.path, self.schedule, self.seconds, self._spent, self._process = path, schedule, seconds, spent, process
        self._checkpoint: list[Path] | None = None if process == ALONE else []  # of this process; None: whatever is there
        self._next = time.monotonic() + seconds
        self._missing: set[int] | None = None  # tiles that have not handed over their lanes; None: no checkpoint is due
        self._saved = schedule.done.copy()

    def wants(self, tile: int) -> bool:
        """Whether the tile is to hand over the states of all its lanes with its next report."""
        if self._missing is None and time.monotonic() >= self._next:
            self._missing = set(range(len(self.schedule.lane_at)))
        return self._missing is not None and tile in self._missing

    def after_call(self, tile: int, all_states: bool, spent: Callable[[], Spent]) -> None:
        """To be called after `Schedule.record`, with whether the tile has handed over all states, or else is lost."""
        if self._missing is None:
            return
        if all_states:
            self._missing.discard(tile)
        self._missing = {other for other in self._missing if self.schedule.busy(other)}
        if not self._missing:
            self.save(spent())

    def save(self, spent: Spent) -> None:
        """Writes what has ended since the last time, a checkpoint, and what the run has cost.

        Raises:
          OSError: if that fails, in one sentence; what was there before is whole.
        """
        start = time.monotonic()
        ended = self.schedule.done & ~self._saved
        kept = marks_of(self.schedule.states).num_updates > 0
        unfinished = self.schedule.own & self.schedule.begun & ~self.schedule.done & kept
        try:
            records = self._records(ended), self._records(unfinished)
            written = run_folder.save(self.path, *records, self._process, self._checkpoint)
            if self._process == ALONE:
                spending.write(self.path, [*self._spent, spent])
            else:
                self._checkpoint = written
                spending.write_share(self.path, self._process[0], len(self._spent), spent)
            remote.push(self.path)
        except OSError as error:
            raise OSError(
                f"the run cannot be saved to {self.path} ({error.strerror or error}); what was saved before is whole: "
                f"mend that, then resume it."
            ) from error
        self._saved |= ended
        end = time.monotonic()
        again = (end - start) * unfinished.sum() / max(ended.sum() + unfinished.sum(), 1)
        pause = max(self.seconds, again * (1 - SHARE) / SHARE) if self.seconds else 0.0
        self._missing, self._next = None, end + pause

    def _records(self, chosen: np.ndarray) -> Records | None:
        return records_of(self.schedule, np.flatnonzero(chosen)) if chosen.any() else None


def records_of(schedule: Schedule, lanes: np.ndarray) -> Records:
    """The lanes ``[n]`` with their kept states; metrics up to the longest of them."""
    states = _rows(schedule.states, lanes)
    most = int(marks_of(states).num_updates.max())
    setting, seed = schedule.lanes.setting[lanes], schedule.lanes.seed[lanes]
    return Records(setting, seed, states, _rows(_columns(schedule.metrics, most), lanes))


def _rows(tree: PyTree, rows: np.ndarray) -> PyTree:
    return jax.tree.map(lambda leaf: leaf[rows], tree)


def _columns(tree: PyTree, count: int) -> PyTree:
    return jax.tree.map(lambda leaf: leaf[:, :count], tree)
