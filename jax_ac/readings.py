"""Readings: what a run folder says of its lanes, without agents: no algorithm, which may be one's own, is needed."""

import re
from collections import namedtuple
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jax_ac import restoring, run_folder, spending, store
from jax_ac.lanes import Lanes, lay_out
from jax_ac.marks import Marks
from jax_ac.run_folder import Config, Records
from jax_ac.schedule import Schedule
from jax_ac.spending import Spent
from jax_ac.types import Metrics

STATES = re.compile(r"\.states\.(\w+)")
METRICS = re.compile(r"\.metrics\.(\w+)")
"""What the leaves of `Records` are called on disk."""


class Reading(NamedTuple):
    """What a run has come to so far; the fields as in `Result`."""

    config: Config
    lanes: Lanes
    marks: Marks
    metrics: Any
    spent: Spent
    folder: Path | None


def read(path: Path) -> Reading:
    """Reads a run folder, also that of a run that is at work.

    Raises:
      ValueError: if the folder is not that of a run, or is damaged.
    """
    config = run_folder.read_config(path)
    lanes = _lanes_of(path, config)
    with run_folder.parts(path) as parts:
        records = [_records(part) for part in parts]
    like: Any = records[0][2:] if records else (_blank(Marks, (0,)), _blank(Metrics, (0, 0)))
    schedule = Schedule(lanes, (1, 1), restoring.ends_of(config), like)
    restoring.restore(schedule, records)
    return Reading(config, lanes, schedule.marks, schedule.metrics, spending.total(spending.read(path)), path)


def _blank(kind: Any, shape: tuple[int, ...]) -> Any:
    """No lanes, for the types of their columns: where nothing was saved yet, any will do."""
    return kind(*(np.zeros(shape, np.float32) for _ in kind._fields))


def _lanes_of(path: Path, config: Config) -> Lanes:
    try:
        columns = namedtuple("Hyperparams", config.hyperparams)  # the algorithm's own type would need the algorithm
        return lay_out(config.seeds, columns(**{name: np.float32(values) for name, values in config.hyperparams.items()}))
    except (ValueError, TypeError) as error:
        raise ValueError(f"the lanes in {path}/run.json are not what a run writes: {error}") from None


def _records(part: Path) -> Records:
    """The lanes of a sealed folder, with their marks alone for states."""
    leaves = store.read_leaves(part)
    states = {match[1]: leaf for name, leaf in leaves.items() if (match := STATES.fullmatch(name))}
    metrics = {match[1]: leaf for name, leaf in leaves.items() if (match := METRICS.fullmatch(name))}
    marks: Any = Marks(*(states[name] for name in Marks._fields))
    columns: Any = namedtuple("Columns", metrics)(**metrics)
    return Records(leaves[".setting"], leaves[".seed"], marks, columns)
