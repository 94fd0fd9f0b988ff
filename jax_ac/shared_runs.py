"""Shared runs: one run that several processes work on (`hosts`), each on its own devices and at its own part of the folder.

Lanes do not depend on each other, so nothing is computed together: each process draws the next waiting lane where it has
room, and writes what it did. In the end each reads the whole.
"""

import contextlib
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jax_ac import run_folder, spending
from jax_ac.hosts import Hosts
from jax_ac.interruption import interrupts
from jax_ac.marks import Marks
from jax_ac.plans import Plan, check_current
from jax_ac.progress import Progress
from jax_ac.restoring import ends_of
from jax_ac.results import Result
from jax_ac.run_folder import Records
from jax_ac.schedule import Schedule

TELL_SECONDS = 2.0
"""Between two messages of a process on how its lanes are."""


class Line:
    """Shows how the lanes of all processes are, at process 0; elsewhere tells that one how those here are."""

    def __init__(self, hosts: Hosts, schedule: Schedule, show: Callable[[Progress], None]):
        self._hosts, self._schedule, self._show = hosts, schedule, show
        self._next, self._told = 0.0, list[bytes]()
        self._last: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        self._last = progress
        if time.monotonic() >= self._next:
            self.renew()
        if self._hosts.index == 0:
            self._show(merged(progress, self._told))

    def renew(self) -> None:
        """Asks, or tells, anew."""
        if self._hosts.index == 0:
            self._told = self._hosts.told()
        else:
            self._hosts.tell(packed(self._schedule))
        self._next = time.monotonic() + TELL_SECONDS

    def again(self) -> None:
        """Where nothing is done here any more: as others go on."""
        if self._last is not None and self._hosts.index == 0 and time.monotonic() >= self._next:
            self(self._last._replace(seconds=self._last.seconds + TELL_SECONDS))


class Share(NamedTuple):
    """What one process has of a run: the processes, and what draws the next place in the line of waiting lanes."""

    hosts: Hosts
    draw: Callable[[], int]

    @property
    def process(self) -> tuple[int, int]:
        """Which of how many."""
        return self.hosts.index, self.hosts.count


def execute(plan: Plan, hosts: Hosts, train: Callable[[Plan, Share], Line], publish: Callable[[Result], object]) -> Result:
    """Trains what is left of a run, together with the other processes. Gives all of them the whole result.

    Args:
      plan: of the run, in a folder that all share.
      hosts: the processes.
      train: trains a share and saves it.
      publish: writes the labelled results.

    Raises:
      Gone: if another process is gone; what there is of this one has been saved.
      OSError: as `run`.
    """
    _folder_of(plan)
    tiles = plan.tiles
    most = -(-len(plan.lanes.seed) // (tiles.width * hosts.count))
    with contextlib.ExitStack() as held:
        hosts.meet()  # all have read which lanes wait before one of them adds to what is there
        hosts.lead(lambda: _open(plan, held))
        share = Share(hosts, hosts.begin())
        line = train(plan._replace(tiles=tiles._replace(devices=tiles.devices[:most])), share)
        line.renew()
        with interrupts(hosts.stop):
            hosts.meet(line.again)
        result = _whole(plan)
        hosts.meet()
        hosts.lead(lambda: _close(plan, result, publish))
        hosts.rest()
    return result


def _folder_of(plan: Plan) -> Path:
    if plan.folder is None:
        raise ValueError("on several processes a run needs out=, a folder on a file system that all of them share.")
    return plan.folder


def _open(plan: Plan, held: contextlib.ExitStack) -> None:
    """Takes the lock, for all, and enters into the books what a run that broke off has cost."""
    folder = _folder_of(plan)
    held.enter_context(run_folder.locked(folder))
    check_current(plan)
    if spending.read_shares(folder):
        spending.write(folder, plan.spent)


def _whole(plan: Plan) -> Result:
    """What all processes have done."""
    folder = _folder_of(plan)
    result = Result.load(folder, plan.tiles.algorithm)
    spent = spending.together(spending.read_shares(folder))
    return result._replace(spent=spent, interrupted=not ends_of(plan.config).reached(result.marks).all())


def _close(plan: Plan, result: Result, publish: Callable[[Result], object]) -> None:
    """Leaves one checkpoint, where some lanes have not ended, and one account of what was spent."""
    folder = _folder_of(plan)
    begun = (result.states.num_updates > 0) & ~ends_of(plan.config).reached(result.marks)
    whole = Records(result.lanes.setting, result.lanes.seed, result.states, result.metrics)
    run_folder.save(folder, None, jax.tree.map(lambda leaf: leaf[begun], whole) if begun.any() else None)
    spending.write(folder, [*plan.spent, result.spent])
    publish(result)


def packed(schedule: Schedule) -> bytes:
    """How the lanes are that a process has, as bytes."""
    lanes, buffer = np.flatnonzero(schedule.own), io.BytesIO()
    marks = {name: column[lanes] for name, column in schedule.marks._asdict().items()}
    np.savez_compressed(buffer, lanes=lanes, done=schedule.done[lanes], **marks)
    return buffer.getvalue()


def merged(progress: Progress, told: list[bytes]) -> Progress:
    """Together with what other processes have told (`packed`)."""
    marks, done, begun = jax.tree.map(np.copy, (progress.marks, progress.done, progress.begun))
    for words in told:
        with np.load(io.BytesIO(words)) as said:
            lanes = said["lanes"]
            done[lanes], begun[lanes] = said["done"], True
            for name, column in zip(Marks._fields, marks, strict=True):
                column[lanes] = said[name]
    return progress._replace(marks=marks, done=done, begun=begun)
