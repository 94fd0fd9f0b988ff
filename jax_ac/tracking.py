"""Tracking: the feed from a run's segments to its trackers."""

from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType

import jax
import numpy as np

from jax_ac.lanes import Lanes
from jax_ac.run_folder import Config
from jax_ac.schedule import Done, Schedule
from jax_ac.trackers import Segment, Tracker


class Feed:
    """Tells trackers of every update once, also where it is done again as a worker was lost; begins and ends them."""

    def __init__(self, trackers: Sequence[Tracker], lanes: Lanes, config: Config):
        self.trackers, self.lanes, self.config = trackers, lanes, config
        self._told = np.zeros(len(lanes.seed), np.int64)  # updates of each lane
        self._ends = ExitStack()

    def __enter__(self) -> "Feed":
        with ExitStack() as ends:
            for tracker in self.trackers:
                tracker.begin(self.config._asdict())
                ends.callback(tracker.end)
            self._ends = ends.pop_all()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ends.close()

    def __call__(self, schedule: Schedule, done: Done) -> None:
        """After `Schedule.record`."""
        if not self.trackers:
            return
        first = np.maximum(done.before, self._told[done.lanes])
        new = schedule.marks.num_updates[done.lanes] > first
        if not new.any():
            return
        lanes, first = done.lanes[new], first[new]
        num_updates = schedule.marks.num_updates[lanes] - first
        columns = np.minimum(first[:, None] + np.arange(num_updates.max()), schedule.ends.max_updates - 1)
        already = zip(schedule.metrics.env_steps[lanes], done.before[new], first, strict=True)
        segment = Segment(
            setting=self.lanes.setting[lanes],
            seed=self.lanes.seed[lanes],
            hyperparams={name: column[lanes] for name, column in self.lanes.hyperparams._asdict().items()},
            first_update=first,
            num_updates=num_updates,
            env_steps=done.steps_before[new] + [int(steps[begin:end].sum()) for steps, begin, end in already],
            metrics=jax.tree.map(lambda rows: rows[lanes[:, None], columns], schedule.metrics),
        )
        self._told[lanes] = first + num_updates
        for tracker in self.trackers:
            tracker.log(segment)
