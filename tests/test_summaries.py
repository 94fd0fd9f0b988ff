"""What a sweep leaves: its table, its file and its pictures, of lanes that nobody trained."""

import csv

import numpy as np
import pytest
from made_runs import made

from jax_ac import findings, intervals, plots, studies, summaries

SWEPT = studies.of({"": made(6, 20, rates=(0.1, 0.01), gammas=(0.9, 0.99))}, "sweep")


def test_the_table_is_the_reports():
    table = summaries.sweep_table(SWEPT, "title", most=3)
    found = findings.settings_table(SWEPT)
    assert [column.header for column in table.columns] == found.columns
    assert [list(column.cells) for column in table.columns] == [list(cells) for cells in zip(*found.rows[:3], strict=True)]
    assert table.caption == "the best 3 of 4; sweep.csv holds all"


def test_the_file_holds_every_seed_best_setting_first(tmp_path):
    summaries.write_sweep(SWEPT, tmp_path / "sweep.csv")
    with (tmp_path / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    scores = [float(intervals.iqm(runs)) for runs in SWEPT.scores()]
    best = SWEPT.cohorts[int(np.argmax(scores))]
    assert len(rows) == 24
    assert [(row["learning_rate"], row["gamma"]) for row in rows[:6]] == [tuple(best.values.values())] * 6
    np.testing.assert_array_equal(np.float32([row["running_return"] for row in rows[:6]]), best.marks.running_return)
    assert [int(row["diverged"]) for row in rows[:6]] == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(("swept", "drawn"), [({"rates": (0.1, 0.01)}, True), ({}, False)])
def test_settings_are_drawn_where_something_is_set(tmp_path, swept, drawn):
    study = studies.of({"": made(6, 20, **swept)}, "sweep")
    path = tmp_path / "settings.png"
    assert summaries.draw_settings(study, path, "title") == (path if drawn else None)
    assert path.exists() == drawn
    assert summaries.draw_sweep(study, tmp_path / "sweep.png", "title").exists()


def test_nothing_is_drawn_of_settings_without_a_score(tmp_path):
    nobody = [cohort._replace(marks=cohort.marks._replace(running_return=np.full(6, np.nan))) for cohort in SWEPT.cohorts]
    assert summaries.draw_settings(SWEPT._replace(cohorts=tuple(nobody)), tmp_path / "none.png", "title") is None


def test_two_axes_of_settings_in_their_order():
    """Numbers first, then names; the setting that was not trained has an empty cell."""
    values = [["64", 3.0, "64"], [10.0, 9.0, 9.0]]
    with plots.theme():
        image = summaries._draw_two(np.array([[1.0] * 4, [2.0] * 4, [3.0] * 4]), ("sizes", "steps"), values).images[0]
    np.testing.assert_array_equal(np.ma.filled(image.get_array(), np.nan), [[2.0, np.nan], [3.0, 1.0]])
