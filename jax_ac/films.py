"""Films: the agent of a study's median seed in a report, early in its training and at its end, side by side."""

from typing import NamedTuple

import numpy as np

from jax_ac import findings, rendering
from jax_ac.results import Result
from jax_ac.studies import Cohort, Study, Trained

EARLY, MOST = 10, 100
"""Early is after a tenth of a lane's updates, and not after more than this: it is trained again up to there."""


class Film(NamedTuple):
    """A GIF, and what it shows in words; or None, and why it cannot be shown."""

    gif: bytes | None
    text: str


def film(study: Study) -> Film | None:
    """The median seed of the best setting, early and late; None where it has not ended.

    It cannot be shown where the agent cannot be made from disk, the environment has no picture, or a package is missing.
    """
    best = findings.ranked(study)[0]
    cohort = study.cohorts[best]
    if not cohort.complete:
        return None
    seed, run = median_seed(cohort), _run_of(study, best)
    setting = cohort.setting if len(run.lanes.shape) > 1 else None
    try:
        result = run if isinstance(run, Result) else _loaded(run)
        last = int(result.states.num_updates[result.lane(seed, setting)])
        early = min(last // EARLY, MOST)
        agents = {f"update {update:,}": result.agent(seed, setting, update) for update in (early, last)}
        gif = rendering.gif(rendering.play(agents))
    except (ValueError, ImportError) as error:
        return Film(None, f"Not shown: {error}")
    of = f" of {cohort.setting_in_words}" if cohort.values else ""
    return Film(gif, f"Seed {seed}, the median{of}: after {early:,} updates, and after {last:,}, its last.")


def median_seed(cohort: Cohort) -> int:
    """The seed in the middle, in the order in which seeds were solved; then come the others, the highest return first."""
    time, solved = cohort.times
    returns = np.nan_to_num(np.where(cohort.diverged, np.nan, cohort.marks.running_return), nan=-np.inf)
    order = np.lexsort((-returns, np.where(solved, time, np.inf)))
    return int(cohort.seeds[order[(len(order) - 1) // 2]])


def _run_of(study: Study, index: int) -> Trained:
    """The run that a cohort belongs to."""
    counts = np.cumsum([len(run.lanes.seed) // run.lanes.shape[-1] for run in study.runs])
    return study.runs[int(np.searchsorted(counts, index, side="right"))]


def _loaded(run: Trained) -> Result:
    if run.folder is None:
        raise ValueError("a run without a folder has no agents.")
    return Result.load(run.folder)
