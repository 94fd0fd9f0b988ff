"""Contrasts: how the studies of a report differ from the first of them, and how sure that is."""

from collections.abc import Sequence

import numpy as np

from jax_ac import comparisons, findings, intervals, solving, studies
from jax_ac.studies import Cohort, Study


def comparison(found: Sequence[Study]) -> findings.Table:
    """Each study beside the first: its own numbers, then how it differs; the best setting of each stands for it.

    A study of several settings is not tested: the seeds that chose its best one must not judge it. The p values are
    corrected for their number (`comparisons.holm`).
    """
    chosen = [(study, findings.ranked(study)[0]) for study in found]
    columns = ["run", *findings.SUMMARY, "log-rank p", "P(sooner)", "difference in IQM", "P(higher return)"]
    first = found[0].cohorts[chosen[0][1]]
    pairs = [(study.cohorts[index], first) for study, index in chosen]
    tested = [len(study.cohorts) == len(found[0].cohorts) == 1 and study is not found[0] for study in found]
    p_values = comparisons.holm([_log_rank(*pair) if test else np.nan for pair, test in zip(pairs, tested, strict=True)])
    rows = []
    for (study, index), pair, test, p_value in zip(chosen, pairs, tested, p_values, strict=True):
        against = _against(*pair) if test else [findings.NOTHING] * 3
        rows.append(
            [
                study.name,
                *findings.summary(study, index),
                findings.NOTHING if np.isnan(p_value) else f"{p_value:.2g}",
                *against,
            ]
        )
    return findings.without_empty(findings.Table(columns, rows))


def _comparable(ours: Cohort, theirs: Cohort) -> bool:
    return ours.config.env == theirs.config.env and ours.complete and theirs.complete


def _until_solved(ours: Cohort, theirs: Cohort) -> list[tuple[np.ndarray, np.ndarray]]:
    """Times and solved of both; a lane that diverged is unsolved for as long as any lane of both was watched."""
    most = max(cohort.times[0].max() for cohort in (ours, theirs))
    return [(np.where(cohort.diverged & ~cohort.solved, most, cohort.times[0]), cohort.solved) for cohort in (ours, theirs)]


def _log_rank(ours: Cohort, theirs: Cohort) -> float:
    """The p value; NaN where the runs are not of one task with one threshold, or none was solved."""
    thresholds = {cohort.config.solved_at for cohort in (ours, theirs)}
    if not _comparable(ours, theirs) or len(thresholds) > 1 or None in thresholds:
        return np.nan
    times = _until_solved(ours, theirs)
    return solving.log_rank(*times) if any(solved.any() for _, solved in times) else np.nan


def _against(ours: Cohort, theirs: Cohort) -> list[str]:
    """The probability to be solved sooner, how much higher the return at the end is, and how probably."""
    if not _comparable(ours, theirs):
        return [findings.NOTHING] * 3
    sooner = difference = higher = findings.NOTHING
    times = _until_solved(ours, theirs)
    if not np.isnan(_log_rank(ours, theirs)) and all(_censored_last(*pair) for pair in (times, times[::-1])):
        sooner = findings.shown(
            intervals.probability_of_improvement(-findings.needed(ours), -findings.needed(theirs)), "{:.2f}"
        )
    returns = studies.returns_at_the_end([ours, theirs])
    if not (ours.halts or theirs.halts) and not any(np.isnan(values).any() for values in returns):
        higher = findings.shown(intervals.probability_of_improvement(*returns), "{:.2f}")
        if min(map(len, returns)) > 1:
            difference = findings.shown(comparisons.difference(returns[0], returns[1]), "{}")
    return [sooner, difference, higher]


def _censored_last(ours: tuple[np.ndarray, np.ndarray], theirs: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether each of our unsolved seeds was watched until the last of theirs was solved: who was sooner is known then."""
    (time, solved), (other, others_solved) = ours, theirs
    return bool(solved.all() or not others_solved.any() or time[~solved].min() >= other[others_solved].max())
