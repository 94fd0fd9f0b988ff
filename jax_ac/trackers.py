"""Trackers: what a run says to the outside while it works. The host feeds them with segments, between two compiled calls.

`tracker_files` and `tracker_services` hold the sinks; anything with the three methods of `Tracker` is one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from jax_ac import stats
from jax_ac.types import Metrics

QUARTILES = {"lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75}


class Segment(NamedTuple):
    """What some lanes did in one compiled call: n lanes, K updates at most.

    Attributes:
      setting: int ``[n]``; 0 where there is one setting.
      seed: int ``[n]``.
      hyperparams: by name, float32 ``[n]``.
      first_update: int ``[n]``, the index of the lane's first update in `metrics`.
      num_updates: int ``[n]``, how many of the K columns hold, from the first one on.
      env_steps: int ``[n]``, the lane's environment steps before `first_update`.
      metrics: leaves ``[n, K]``.
    """

    setting: np.ndarray
    seed: np.ndarray
    hyperparams: dict[str, np.ndarray]
    first_update: np.ndarray
    num_updates: np.ndarray
    env_steps: np.ndarray
    metrics: Metrics


class Tracker(Protocol):
    """A sink of segments."""

    def begin(self, config: Mapping[str, Any]) -> None:
        """Called once, before training, with a description of the run that JSON can hold."""
        ...

    def log(self, segment: Segment) -> None:
        """Called after each compiled call."""
        ...

    def end(self) -> None:
        """Called once, also after an error or Ctrl-C."""
        ...


class Curve(NamedTuple):
    """What a sink draws as one line per number: R rows of one tracked run, a row per update.

    Attributes:
      run: the tracked run's name, of letters, digits and dashes; ``""`` where all of training is one tracked run.
      config: what is special about that run, for JSON.
      update: int ``[R]``, ascending.
      numbers: by name, int or float ``[R]``; NaN where there is none.
    """

    run: str
    config: dict[str, Any]
    update: np.ndarray
    numbers: dict[str, np.ndarray]


Rows = Callable[[Segment], Iterable[Curve]]
"""What a service makes of a segment: `aggregated`, `per_setting`, `per_lane`, or another such function."""


def per_lane(segment: Segment) -> Iterator[Curve]:
    """One tracked run per lane, ``setting-<setting>-seed-<seed>``: every metric as it is, and `total_env_steps`.

    `total_env_steps` are the lane's environment steps from its beginning to the end of the update.
    """
    numbers = _numbers(segment)
    for lane in np.flatnonzero(segment.num_updates).tolist():
        setting, seed = int(segment.setting[lane]), int(segment.seed[lane])
        count, start = int(segment.num_updates[lane]), int(segment.first_update[lane])
        yield Curve(
            run=f"setting-{setting}-seed-{seed}",
            config={"setting": setting, "seed": seed, "hyperparams": _hyperparams(segment, lane)},
            update=np.arange(start, start + count),
            numbers={name: values[lane, :count] for name, values in numbers.items()},
        )


def aggregated(segment: Segment) -> Iterator[Curve]:
    """One tracked run: per update and metric, median and quartiles over the segment's lanes that have a number there.

    The names are ``<metric>/median``, ``<metric>/lower_quartile`` and ``<metric>/upper_quartile``; quartiles between two
    numbers are interpolated. `lanes` counts the lanes behind a row, those included that have no number for some metric.

    A row knows only its own segment:

    - Lanes are put together by their own update, whenever they did it. Lanes that come to an update in another compiled
      call, because they took the places of finished ones or belong to another tile, give that update a further row.
    - Lanes that are solved, diverged or otherwise done are missing from the rows of later updates.
    - Settings are mixed; `per_setting` keeps them apart.
    """
    if segment.num_updates.any():
        yield _quartiles(segment, "", {})


def per_setting(segment: Segment) -> Iterator[Curve]:
    """As `aggregated`, with one tracked run per hyperparameter setting, ``setting-<setting>``."""
    for setting in np.unique(segment.setting[segment.num_updates > 0]):
        part = jax.tree.map(lambda leaf, same=segment.setting == setting: leaf[same], segment)
        config = {"setting": int(setting), "hyperparams": _hyperparams(part, 0)}
        yield _quartiles(part, f"setting-{setting}", config)


def _quartiles(segment: Segment, run: str, config: dict[str, Any]) -> Curve:
    num_lanes, num_columns = segment.metrics.env_steps.shape
    column = np.arange(num_columns)
    done = column < segment.num_updates[:, None]  # [n, K]
    lane = np.nonzero(done)[0]
    update, place = np.unique((segment.first_update[:, None] + column)[done], return_inverse=True)
    numbers = {"lanes": np.bincount(place)}
    for metric, values in _numbers(segment).items():
        table = np.full((num_lanes, len(update)), np.nan)
        table[lane, place] = values[done]
        lines = stats.nan_quantiles(table, tuple(QUARTILES.values()))
        numbers |= {f"{metric}/{quartile}": line for quartile, line in zip(QUARTILES, lines, strict=True)}
    return Curve(run, config, update, numbers)


def _numbers(segment: Segment) -> dict[str, np.ndarray]:
    """All that is tracked of each update, by name, ``[n, K]``."""
    taken = np.cumsum(np.nan_to_num(segment.metrics.env_steps), axis=1, dtype=np.int64)
    return {"total_env_steps": segment.env_steps[:, None] + taken, **segment.metrics._asdict()}


def _hyperparams(segment: Segment, lane: int) -> dict[str, float]:
    return {name: float(column[lane]) for name, column in segment.hyperparams.items()}
