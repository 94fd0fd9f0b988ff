"""Rosters: the table of all lanes, column by column, as the page sorts and filters it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jax_ac import findings, stats
from jax_ac.studies import Cohort, Study

STATUS = ("solved", "unsolved", "diverged", "ended", "training", "waiting")
"""What a lane can be; `unsolved` where it ended so, `ended` where the task has no threshold."""


def roster(studies: Sequence[Study]) -> dict[str, Any]:
    """``{"columns": [name ...], "values": [column ...]}``, a row per lane; a number that is not known is None.

    The first column is the lane's status, an index into `STATUS`. Returns have five significant digits.
    """
    cohorts = [cohort for study in studies for cohort in study.cohorts]
    swept = list(dict.fromkeys(name for study in studies for name in study.swept))
    columns: dict[str, list] = {"status": _joined(cohorts, status)}
    if len(studies) > 1:
        columns["run"] = _joined(cohorts, lambda cohort: np.full(len(cohort.seeds), cohort.study))
    for name in swept:
        columns[name] = _joined(cohorts, lambda cohort, name=name: _swept(cohort, name))
    columns["seed"] = _joined(cohorts, lambda cohort: cohort.seeds)
    if any(cohort.config.solved_at is not None for cohort in cohorts):
        columns["episodes to solve"] = _joined(cohorts, lambda cohort: _after(cohort.marks.solved_episode))
        columns["steps to solve"] = _joined(cohorts, lambda cohort: _after(cohort.marks.solved_step))
    columns["return at the end"] = _joined(cohorts, lambda cohort: cohort.marks.running_return)
    for name in dict.fromkeys(name for cohort in cohorts for name in findings.evaluated(cohort)):
        columns[name.replace("_", " ")] = _joined(cohorts, lambda cohort, name=name: _last(cohort, name))
    for title, name in (("episodes", "num_episodes"), ("updates", "num_updates"), ("environment steps", "env_steps")):
        columns[title] = _joined(cohorts, lambda cohort, name=name: getattr(cohort.marks, name))
    return {"columns": list(columns), "values": list(columns.values())}


def status(cohort: Cohort) -> np.ndarray:
    """Of each lane, ``[S]``, an index into `STATUS`."""
    names = np.where(cohort.ended, "ended" if cohort.config.solved_at is None else "unsolved", "training")
    names = np.where(~cohort.ended & (cohort.marks.num_updates == 0), "waiting", names)
    names = np.where(cohort.solved, "solved", names)
    names = np.where(cohort.diverged, "diverged", names)
    return np.array([STATUS.index(name) for name in names])


def _after(index: np.ndarray) -> np.ndarray:
    """How many it took; NaN where it has not happened."""
    return np.where(index >= 0, index + 1.0, np.nan)


def _last(cohort: Cohort, name: str) -> np.ndarray:
    values = getattr(cohort.metrics, name, None)
    return np.full(len(cohort.seeds), np.nan) if values is None else stats.last_known(np.asarray(values, float))


def _swept(cohort: Cohort, name: str) -> np.ndarray:
    value = cohort.values.get(name, "")
    try:
        return np.full(len(cohort.seeds), float(value))
    except ValueError:
        return np.full(len(cohort.seeds), value)


def _joined(cohorts: Sequence[Cohort], column: Any) -> list:
    return [_plain(value) for cohort in cohorts for value in column(cohort).tolist()]


def _plain(value: Any) -> Any:
    """A whole number as one, another with five significant digits, NaN as None."""
    if not isinstance(value, float):
        return value
    if not np.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else float(f"{value:.5g}")
