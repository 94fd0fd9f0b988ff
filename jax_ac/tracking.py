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
    """Tells trackers of every segment; a context manager, which begins and ends them."""

    def __init__(self, trackers: Sequence[Tracker], lanes: Lanes, config: Config):
        self.trackers, self.lanes, self.config = trackers, lanes, config

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
        lanes, num_updates = done.lanes, schedule.marks.num_updates[done.lanes] - done.before
        columns = np.minimum(done.before[:, None] + np.arange(num_updates.max()), schedule.ends.max_updates - 1)
        segment = Segment(
            setting=self.lanes.setting[lanes],
            seed=self.lanes.seed[lanes],
            hyperparams={name: column[lanes] for name, column in self.lanes.hyperparams._asdict().items()},
            first_update=done.before,
            num_updates=num_updates,
            env_steps=done.steps_before,
            metrics=jax.tree.map(lambda rows: rows[lanes[:, None], columns], schedule.metrics),
        )
        for tracker in self.trackers:
            tracker.log(segment)
