"""The picture shows the numbers that it was given."""

import numpy as np
from matplotlib.image import imread

from jax_ac import plots
from jax_ac.solving import kaplan_meier

CURVES = np.array([[1.0, 2.0, np.nan, np.nan], [1.0, 4.0, 6.0, np.nan], [1.0, 3.0, 5.0, np.nan]])


def test_learning_curves_draw_every_seed_and_the_median():
    axes = plots.learning_curves(CURVES, solved_at=5.5)
    lines = [line.get_ydata() for line in axes.lines]
    for curve, line in zip(CURVES, lines, strict=False):
        np.testing.assert_array_equal(line, curve[:3])
    median = lines[3]  # the seed that stopped after two updates keeps its last value
    np.testing.assert_array_equal(median, [1.0, 3.0, 5.0])
    assert axes.get_xlim()[1] == 3
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["quartiles", "median of 3 seeds", "solved at 5.5"]


def test_the_fraction_solved_is_that_of_the_seeds():
    """Five seeds, solved after 2, 4, 4 and 8 episodes, one never."""
    curve = kaplan_meier(np.array([2.0, 4, 4, 8, 9]), np.array([True, True, True, True, False]))
    axes = plots.solved_curves({"ours": curve, "again": curve})
    steps = axes.lines[0].get_xydata()
    assert len(axes.lines) == 2
    np.testing.assert_allclose(steps, [(0, 0), (2, 0.2), (4, 0.6), (8, 0.8), (9, 0.8)])
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() < 0.6 < band[:, 1].max() <= 1
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["ours", "again"]


def test_save_writes_a_picture_and_nothing_else(tmp_path):
    path = plots.save(plots.learning_curves(CURVES), tmp_path / "curves.png")
    assert imread(path).shape[2] in (3, 4)
    assert [file.name for file in tmp_path.iterdir()] == ["curves.png"]


def test_a_run_in_which_no_update_was_done_can_be_drawn():
    plots.learning_curves(np.full((2, 5), np.nan))
