"""Sections: the parts of a report below its verdict, each there only where it has something to show."""

import base64
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jax_ac import charts, contrasts, films, findings, learning_charts, lines, provenance
from jax_ac.charts import Chart
from jax_ac.findings import Table
from jax_ac.studies import Cohort, Study

ROWS = 200
"""Settings in a table, at most."""


class Section(NamedTuple):
    """A part of the page.

    Attributes:
      id: its name in the page.
      title, text: for the reader.
      chart: a picture, or None.
      table: a table, or None.
      image: a GIF in base 64, or None.
      legend: names and colours; who clicks a name hides or shows it in all pictures.
      half: whether it can share a row with the next.
    """

    id: str
    title: str
    text: str = ""
    chart: Chart | None = None
    table: Table | None = None
    image: str | None = None
    legend: Sequence[tuple[str, str]] = ()
    half: bool = False

    @property
    def switched(self) -> bool:
        """Whether its chart has switches."""
        return bool(self.chart and self.chart.switch)


def of(studies: Sequence[Study]) -> list[Section]:
    """All sections of a report. Several studies are compared, the best setting of each."""
    begun = [study for study in studies if study.begun]
    if not begun:
        return []
    cohorts = shown(begun)
    sections = [*comparison_view(begun), learning_view(cohorts), *solving_view(cohorts), *sweep_views(begun)]
    return [*sections, *evaluation_view(cohorts)]


def shown(studies: Sequence[Study]) -> list[Cohort]:
    """The cohorts in the pictures: of one study all, best first; of several the best of each."""
    if len(studies) == 1:
        ranked = [studies[0].cohorts[index] for index in findings.ranked(studies[0])]
        return [cohort._replace(study="") for cohort in ranked] if len(ranked) > 1 else ranked
    return [study.cohorts[findings.ranked(study)[0]] for study in studies]


def learning_view(cohorts: Sequence[Cohort]) -> Section:
    """Learning curves, with what was left out of them."""
    chart = learning_charts.learning(cohorts)
    seeds = sum(trace.get("meta") == "seed" for trace in chart.figure["data"])
    all_seeds = sum(len(cohort.seeds) for cohort in cohorts)
    of_few = f" of the best {charts.COLOURED} settings" if len(cohorts) > charts.COLOURED else ""
    drawn = f"{seeds:,} of {all_seeds:,} seeds drawn{of_few}, evenly chosen" if seeds < all_seeds else "every seed drawn"
    most = max(int(cohort.marks.num_updates.max()) for cohort in cohorts)
    points = f", at {lines.POINTS} of up to {most:,} updates: exact values, no averages" if most > lines.POINTS else ""
    text = f"Running return, {drawn}{points}. The band holds the quartiles, or the 95 % interval of the interquartile mean. "
    text += "A seed that ended keeps its last value."
    return Section("learning", "Learning curves", text, chart, legend=legend(cohorts))


def legend(cohorts: Sequence[Cohort]) -> list[tuple[str, str]]:
    """Names and colours of the cohorts that have one, if there is more than one."""
    return [(cohort.name, color) for cohort, color in zip(cohorts, charts.PALETTE, strict=False)] if len(cohorts) > 1 else []


def solving_view(cohorts: Sequence[Cohort]) -> list[Section]:
    """How soon seeds are solved, where the task has a threshold."""
    timed = [cohort for cohort in cohorts if cohort.config.solved_at is not None and cohort.marks.num_episodes.any()]
    if not timed:
        return []
    few = f" The first {charts.COLOURED} of {len(timed):,} settings." if len(timed) > charts.COLOURED else ""
    text = f"Kaplan-Meier estimate with its pointwise 95 % band; ticks mark seeds that were last seen unsolved.{few}"
    sections = [Section("solved", "Fraction solved", text, charts.solved(timed), half=True)]
    unsolved = sum(int((~cohort.solved).sum()) for cohort in timed)
    left_out = f" {unsolved:,} unsolved are not in it." if unsolved else " All were solved."
    if any(cohort.solved.any() for cohort in timed):
        title, text = "Episodes to solve", f"Of the seeds that were solved.{left_out}"
        sections.append(Section("distribution", title, text, charts.distribution(timed), half=True))
    return sections


def sweep_views(studies: Sequence[Study]) -> list[Section]:
    """The sweep view of each study that has several settings."""
    return [section for number, study in enumerate(studies) for section in sweep_view(study, f"sweep-{number}")]


def sweep_view(study: Study, name: str) -> list[Section]:
    """The settings of a sweep: a curve over one swept number, a heat map over two, and a ranked table of all."""
    if len(study.cohorts) < 2:
        return []
    table = findings.settings_table(study)
    of_them = f" The best {ROWS:,} of {len(table.rows):,}." if len(table.rows) > ROWS else ""
    text = f"Best first, by the seeds that are shown: the first looks better than it is, as the verdict says.{of_them}"
    ranks = Section(f"{name}-ranks", f"Settings of {study.name}", text, table=table._replace(rows=table.rows[:ROWS]))
    chart = _swept_chart(study)
    if chart is None:
        return [ranks]
    over = " and ".join(study.swept)
    return [
        Section(name, f"Return over {over}", "Interquartile mean over seeds of the running return at the end.", chart),
        ranks,
    ]


def _swept_chart(study: Study) -> Chart | None:
    """A picture of the scores, where one or two numbers are swept in every combination."""
    if len(study.swept) == 1:
        scores = [findings.score(study, index) for index in range(len(study.cohorts))]
        columns = (np.array([float(getattr(score, field)) for score in scores]) for field in ("estimate", "low", "high"))
        values = [cohort.values[study.swept[0]] for cohort in study.cohorts]
        return charts.sensitivity(study.swept[0], values, *columns)
    if len(study.swept) != 2:
        return None
    row, column = (list(dict.fromkeys(cohort.values[name] for cohort in study.cohorts)) for name in study.swept)
    if len(row) * len(column) != len(study.cohorts):  # not every combination: settings drawn at random, or in pairs
        return None
    scores = np.full((len(row), len(column)), np.nan)
    for index, cohort in enumerate(study.cohorts):
        place = tuple(values.index(cohort.values[name]) for values, name in zip((row, column), study.swept, strict=True))
        scores[place] = findings.score(study, index).estimate
    return charts.heat_map((study.swept[0], study.swept[1]), (row, column), scores)


def comparison_view(studies: Sequence[Study]) -> list[Section]:
    """Several studies beside the first."""
    if len(studies) < 2:
        return []
    text = (
        f"Beside {studies[0].name}, run by run. P: the probability that a seed of the run does better than one of "
        f"{studies[0].name}, ties half. The log-rank test asks whether both are solved at one rate; its p values "
        "are corrected for their number (Holm). A run of several settings is not tested, as its own seeds chose the best."
    )
    if len({study.config.max_updates for study in studies}) > 1:
        text += " The runs had different budgets of updates."
    if len({study.config.solved_at for study in studies}) > 1:
        text += " They have different thresholds: when they were solved is not compared."
    if len({study.config.env for study in studies}) > 1:
        text += " Runs of another environment than the first are not compared."
    return [Section("comparison", "Comparison", text, table=contrasts.comparison(studies))]


def evaluation_view(cohorts: Sequence[Cohort]) -> list[Section]:
    """Evaluations while training, where the runs have them."""
    timed = [cohort for cohort in cohorts if findings.evaluated(cohort)]
    if not timed:
        return []
    name = findings.evaluated(timed[0])[-1]
    text = f"Mean return of evaluation episodes, {name.split('_')[0]} actions; the table holds each seed's last evaluation."
    table = findings.evaluation_table(timed)
    return [
        Section(
            "evaluation", "Evaluation", text, learning_charts.learning(timed, name), table._replace(rows=table.rows[:ROWS])
        )
    ]


def film_views(studies: Sequence[Study]) -> list[Section]:
    """The agent of the median seed of each study, where it can be shown."""
    shots = [(number, study, films.film(study)) for number, study in enumerate(studies) if study.begun]
    return [
        Section(f"film-{number}", f"The agent of {study.name}", shot.text, image=_image(shot.gif))
        for number, study, shot in shots
        if shot
    ]


def _image(gif: bytes | None) -> str | None:
    return None if gif is None else base64.b64encode(gif).decode()


def cost_view(studies: Sequence[Study]) -> Section:
    """What the runs cost, resumed parts added."""
    rows = [row for study in studies for row in provenance.cost_rows(study)]
    text = (
        "Utilisation: updates that trained a lane, over those that the compiled tiles had room for. Resumed parts are added."
    )
    return Section("cost", "What it cost", text, table=Table(provenance.COSTS, rows))
