"""Contrasts: how the studies of a report differ from the first of them, and how sure that is."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jax_ac import comparisons, findings, intervals, solving
from jax_ac.findings import NOTHING, Table
from jax_ac.studies import Cohort, Study


class Contrast(NamedTuple):
    """How a study differs from another.

    Attributes:
      p_value: of the log-rank test that both are solved at one rate, not corrected; NaN where it could not be made.
      sooner: the probability that a seed of the study is solved sooner than one of the other, in words.
      difference: how much higher the return at the end is.
      higher: how probably it is higher.
    """

    p_value: float = np.nan
    sooner: str = NOTHING
    difference: str = NOTHING
    higher: str = NOTHING


def comparison(found: Sequence[Study]) -> Table:
    """Each study beside the first: its own numbers, then how it differs; the best setting of each stands for it.

    A study of several settings is not tested: the seeds that chose its best one must not judge it. The p values are
    corrected for their number (`comparisons.holm`).
    """
    columns = ["run", *findings.SUMMARY, "log-rank p", "P(sooner)", "difference in IQM", "P(higher return)"]
    contrasts = [Contrast(), *(contrast(study, found[0]) for study in found[1:])]
    p_values = comparisons.holm([one.p_value for one in contrasts])
    rows = []
    for study, one, p_value in zip(found, contrasts, p_values, strict=True):
        said = NOTHING if np.isnan(p_value) else f"{p_value:.2g}"
        rows.append([study.name, *findings.summary(study, findings.ranked(study)[0]), said, *one[1:]])
    return findings.without_empty(Table(columns, rows))


def contrast(ours: Study, theirs: Study) -> Contrast:
    """How two studies of one setting each differ, as far as they are of one task and have ended."""
    (first, *more), (second, *others) = ours.cohorts, theirs.cohorts
    if more or others or first.config.env != second.config.env or not (ours.complete and theirs.complete):
        return Contrast()
    p_value, sooner = _solving(first, second)
    returns = ours.scores()[0], theirs.scores()[0]
    if first.halts or second.halts or np.isnan(np.concatenate(returns)).any():
        return Contrast(p_value, sooner)
    higher = findings.shown(intervals.probability_of_improvement(*returns), "{:.2f}")
    several = min(map(len, returns)) > 1
    return Contrast(p_value, sooner, findings.shown(comparisons.difference(*returns), "{}") if several else NOTHING, higher)


def _solving(ours: Cohort, theirs: Cohort) -> tuple[float, str]:
    """The p value, and who is solved sooner; nothing where there is no threshold, or another, or nobody was solved."""
    thresholds = {cohort.config.solved_at for cohort in (ours, theirs)}
    times = _until_solved(ours, theirs)
    if len(thresholds) > 1 or None in thresholds or not any(solved.any() for _, solved in times):
        return np.nan, NOTHING
    p_value = solving.log_rank(*times)
    if not all(_watched_long_enough(*pair) for pair in (times, times[::-1])):
        return p_value, NOTHING
    needed = (-findings.needed(cohort) for cohort in (ours, theirs))
    return p_value, findings.shown(intervals.probability_of_improvement(*needed), "{:.2f}")


def _until_solved(ours: Cohort, theirs: Cohort) -> list[tuple[np.ndarray, np.ndarray]]:
    """Times and solved of both; a lane that diverged is unsolved for as long as any lane of both was watched."""
    most = max(cohort.times[0].max() for cohort in (ours, theirs))
    return [(np.where(cohort.diverged & ~cohort.solved, most, cohort.times[0]), cohort.solved) for cohort in (ours, theirs)]


def _watched_long_enough(ours: tuple[np.ndarray, np.ndarray], theirs: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether each of our unsolved seeds was watched until the last of theirs was solved: who was sooner is known then."""
    (time, solved), (other, others_solved) = ours, theirs
    return bool(solved.all() or not others_solved.any() or time[~solved].min() >= other[others_solved].max())
