"""Findings: what studies have come to, in words and in tables, with the uncertainty of it. The seed is the unit."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jax_ac import intervals, selection, solving, stats
from jax_ac.evaluator import Scores
from jax_ac.intervals import Interval
from jax_ac.studies import Cohort, Study


class Table(NamedTuple):
    """A table for the reader: the names of its columns, and its rows, as text."""

    columns: list[str]
    rows: list[list[str]]


def verdict(study: Study) -> str:
    """The study in one sentence: what share was solved after how much, or the return at the end, with 95 % intervals."""
    if not study.begun:
        return "Nothing saved yet."
    so_far = "" if study.complete else "So far: "
    best = ranked(study)[0]
    cohort = study.cohorts[best]
    if len(study.cohorts) > 1:
        return honest(study)[0] or f"{so_far or 'The '}best of {len(study.cohorts):,} settings: {cohort.setting_in_words}."
    if cohort.config.solved_at is not None:
        threshold = f"(running return above {cohort.config.solved_at:g})"
        return so_far + solving.verdict(*cohort.times, threshold, intervals=cohort.complete)
    return f"{so_far}{_iqm(score(study, 0))} over {_seeds(cohort)}."


def honest(study: Study) -> tuple[str, str]:
    """The setting that half of the seeds choose and what it is worth on the others; what choosing flatters; or nothing.

    Where lanes stop when solved, that is by the episodes it takes, of which a seed that was not solved counts as needing the
    most that any was given; else by the return at the end (`selection.choose`).
    """
    lengths = {len(cohort.seeds) for cohort in study.cohorts}
    halts = any(cohort.halts for cohort in study.cohorts)
    if not study.complete or len(lengths) > 1 or min(lengths) < LEAST:
        return "", ""
    most = max(cohort.times[0].max() for cohort in study.cohorts)
    unsolved = sum(int((~cohort.solved).sum()) for cohort in study.cohorts)
    scores = np.stack([-np.minimum(needed(cohort), most) for cohort in study.cohorts] if halts else study.scores())
    if np.isnan(scores).all() or (halts and unsolved == scores.size):
        return "", ""
    choice = selection.choose(scores)
    counted = f" (an unsolved seed counted as {most:,.0f})" if unsolved else ""
    sign, what = (-1, f"episodes to solve{counted}") if halts else (1, "running return at the end")
    low, high = sorted((sign * choice.score.low, sign * choice.score.high))
    worth = shown(Interval(sign * choice.score.estimate, low, high), "{}")
    chosen = f"Chosen by half of the seeds: {study.cohorts[choice.setting].setting_in_words}."
    flattery = (
        f"Where it is chosen, the best of {len(study.cohorts):,} looks {_number(choice.optimism)} better than it is, on "
        f"average over many halvings of the seeds; {choice.agreement:.0%} of them choose this setting."
    )
    return f"{chosen} On the other half: {what} {worth}, interquartile mean.", flattery


LEAST = 10
"""Seeds of which half can choose and half can judge."""


def needed(cohort: Cohort) -> np.ndarray:
    """The episodes that each seed needed, ``[S]``; inf: not solved."""
    time, solved = cohort.times
    return np.where(solved, time, np.inf)


def notes(study: Study) -> list[str]:
    """What one must know to read the verdict: what brackets mean, what has not ended, what diverged."""
    ended = sum(int(cohort.ended.sum()) for cohort in study.cohorts)
    lanes = sum(len(cohort.seeds) for cohort in study.cohorts)
    diverged = sum(int(cohort.diverged.sum()) for cohort in study.cohorts)
    result = []
    if ended < lanes:
        result.append(f"{ended:,} of {lanes:,} lanes have ended; what is said of all of them waits for the others.")
    elif len(study.cohorts[0].seeds) > 1:
        few = " Of fewer than 10 seeds they promise too much." if len(study.cohorts[0].seeds) < 10 else ""
        result.append(f"Brackets hold 95 % confidence intervals.{few} The seed is the unit; one that was not solved counts "
                      "as censored, never left out.")  # fmt: skip
    if diverged:
        result.append(f"{diverged:,} {'lane' if diverged == 1 else 'lanes'} diverged: frozen at the last finite state. "
                      "Such a lane counts as the worst return that was seen.")  # fmt: skip
    flattery = honest(study)[1] if len(study.cohorts) > 1 else ""
    if flattery:
        result.append(flattery)
    if any(cohort.halts for cohort in study.cohorts):
        result.append("A lane stops once it is solved: its return at the end says no more than that.")
    return result


def figures(study: Study) -> list[tuple[str, str]]:
    """A few numbers of the whole study, by what they are."""
    marks = [cohort.marks for cohort in study.cohorts]
    result = [("lanes", f"{sum(len(cohort.seeds) for cohort in study.cohorts):,}")]
    if study.config.solved_at is not None:
        result.append(("solved", f"{sum(int(cohort.solved.sum()) for cohort in study.cohorts):,}"))
    result.append(("diverged", f"{sum(int(cohort.diverged.sum()) for cohort in study.cohorts):,}"))
    result.append(("updates", f"{sum(int(mark.num_updates.sum(dtype=np.int64)) for mark in marks):,}"))
    result.append(("environment steps", f"{sum(int(mark.env_steps.sum(dtype=np.int64)) for mark in marks):,}"))
    return result


def ranked(study: Study) -> list[int]:
    """The cohorts, best first: by solved seeds' time where lanes stop when solved, else by the return at the end."""
    if any(cohort.halts for cohort in study.cohorts):
        return sorted(range(len(study.cohorts)), key=lambda index: _soonest(study.cohorts[index]))
    scores = np.nan_to_num([float(intervals.iqm(values)) for values in study.scores()], nan=-np.inf)
    return np.argsort(-scores, kind="stable").tolist()


def _soonest(cohort: Cohort) -> tuple[float, ...]:
    """The median of the episodes that seeds needed, then the quartiles, for what is equal; inf: not solved."""
    return tuple(np.quantile(needed(cohort), [0.5, 0.25, 0.75], method="inverted_cdf"))


def settings_table(study: Study) -> Table:
    """The settings, best first: what was set, seeds solved, episodes, and the return at the end."""
    columns = ["rank", *study.swept, *SUMMARY]
    rows = [
        [str(rank), *(study.cohorts[index].values.get(name, "") for name in study.swept), *summary(study, index)]
        for rank, index in enumerate(ranked(study), 1)
    ]
    return without_empty(Table(columns, rows))


SUMMARY = ("solved", "median episodes", "return, IQM", "diverged")
"""What is said of a cohort."""

NOTHING = "–"


def summary(study: Study, index: int) -> list[str]:
    """What is said of a cohort, as in `SUMMARY`."""
    cohort = study.cohorts[index]
    solved, median = NOTHING, NOTHING
    if study.config.solved_at is not None:
        share = intervals.wilson(int(cohort.solved.sum()), len(cohort.seeds))
        bounds = f" [{share.low:.0%}, {share.high:.0%}]" if cohort.complete else ""
        solved = f"{cohort.solved.sum():,} of {len(cohort.seeds):,}{bounds}"
        median = _bracketed(solving.median_time(solving.kaplan_meier(*cohort.times)), cohort.complete)
    returned = NOTHING if cohort.halts else _bracketed(score(study, index), cohort.complete)
    return [solved, median, returned, f"{cohort.diverged.sum():,}"]


def without_empty(table: Table) -> Table:
    """The table without the columns in which nothing is said."""
    kept = [column for column in range(len(table.columns)) if any(row[column] != NOTHING for row in table.rows)]
    return Table([table.columns[column] for column in kept], [[row[column] for column in kept] for row in table.rows])


def evaluated(cohort: Cohort) -> list[str]:
    """The fields of its metrics that hold evaluations."""
    return [
        name
        for name in Scores._fields
        if hasattr(cohort.metrics, name) and not np.isnan(getattr(cohort.metrics, name)).all()
    ]


def evaluation_table(cohorts: Sequence[Cohort]) -> Table:
    """The last evaluation of each seed, over seeds: interquartile mean with its interval, and the extremes."""
    rows = []
    for cohort in cohorts:
        for name in evaluated(cohort):
            last = stats.last_known(np.asarray(getattr(cohort.metrics, name), float))
            known = last[~np.isnan(last)]
            rows.append([cohort.name, name.replace("_", " "), _bracketed(intervals.bootstrap(known), cohort.complete),
                         _number(known.min()), _number(known.max()), f"{len(known):,}"])  # fmt: skip
    return Table(["setting", "actions", "IQM", "min", "max", "seeds"], rows)


def score(study: Study, index: int) -> Interval:
    """The interquartile mean over a cohort's seeds of the running return at the end; NaN where none finished an episode."""
    scores = study.scores()[index]
    return Interval(np.nan, np.nan, np.nan) if np.isnan(scores).any() else intervals.bootstrap(scores)


def _iqm(score: Interval) -> str:
    return f"running return at the end, interquartile mean {_bracketed(score, True)}"


def _seeds(cohort: Cohort) -> str:
    return f"{len(cohort.seeds):,} {'seed' if len(cohort.seeds) == 1 else 'seeds'}"


def _bracketed(interval: Interval, known: bool) -> str:
    if not np.isfinite(interval.estimate):
        return NOTHING
    return shown(interval, "{}") if known and np.isfinite(interval.low) else _number(interval.estimate)


def shown(interval: Interval, form: str) -> str:
    """An estimate with its interval, where there is one."""
    if form == "{}":
        high = _number(interval.high) if np.isfinite(interval.high) else "not known"
        return f"{_number(interval.estimate)} [{_number(interval.low)}, {high}]"
    if np.isnan(interval.low):
        return form.format(interval.estimate)
    return f"{form.format(interval.estimate)} [{form.format(interval.low)}, {form.format(interval.high)}]"


def _number(value: float) -> str:
    """Four significant digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
