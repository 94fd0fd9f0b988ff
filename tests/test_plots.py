"""The pictures show the numbers that they were given."""

import jax
import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread

from jax_ac import intervals, plots
from jax_ac.agent import Agent
from jax_ac.intervals import Interval
from jax_ac.solving import kaplan_meier

CURVES = np.array([[1.0, 2.0, np.nan, np.nan], [1.0, 4.0, 6.0, np.nan], [1.0, 3.0, 5.0, np.nan]])
TIMES = (np.array([2.0, 4, 4, 8, 9]), np.array([True, True, True, True, False]))


def legend_of(axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def vertices(axes, place: int = 0) -> np.ndarray:
    return axes.collections[place].get_paths()[0].vertices


def heights_of(axes, x: float, place: int = 0) -> tuple[float, float]:
    """From where to where a band reaches at one of its corners."""
    corners = vertices(axes, place)
    inside = corners[np.isclose(corners[:, 0], x), 1]
    return inside.min(), inside.max()


# Learning curves


def test_learning_curves_draw_every_seed_and_the_median():
    axes = plots.learning_curves(CURVES, solved_at=5.5)
    lines = [line.get_ydata() for line in axes.lines]
    for curve, line in zip(CURVES, lines, strict=False):
        np.testing.assert_array_equal(line, curve[:3])
    median = lines[3]  # the seed that stopped after two updates keeps its last value
    np.testing.assert_array_equal(median, [1.0, 3.0, 5.0])
    np.testing.assert_array_equal(axes.lines[3].get_xdata(), [1, 2, 3])
    np.testing.assert_allclose(heights_of(axes, 2.0), (2.5, 3.5))
    np.testing.assert_allclose(heights_of(axes, 3.0), (3.5, 5.5))
    assert axes.get_xlim() == (0, 3)
    assert legend_of(axes) == ["quartiles", "median of 3 seeds", "solved at 5.5"]


def test_an_update_without_a_number_has_that_of_the_one_before_and_a_seed_without_any_is_left_out():
    values = np.array([[np.nan, 2.0, np.nan, 4.0], [1.0, np.nan, np.nan, np.nan], [np.nan] * 4])
    axes = plots.learning_curves(values, statistic=intervals.mean)
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [np.nan, 2, 2, 4])
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), [1, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(axes.lines[3].get_ydata(), [1.5, 1.5, 1.5, 2.5])
    assert legend_of(axes)[1] == "mean of 2 seeds"


def test_seeds_with_places_of_their_own_are_read_off_on_a_common_grid():
    values = np.array([[0.0, 10.0, np.nan], [0.0, np.nan, 20.0]])
    x = np.array([[1.0, 2.0, np.nan], [0.0, 2.0, 4.0]])
    axes = plots.learning_curves(values, x=x, statistic=intervals.mean, x_label="episodes")
    grid, middle = axes.lines[2].get_data()
    assert (grid[0], grid[-1]) == (0, 4)
    expected = (np.interp(grid, [1, 2], [0, 10]) + np.interp(grid, [0, 2, 4], [0, 0, 20])) / 2
    np.testing.assert_allclose(middle, expected)
    np.testing.assert_allclose(middle[[0, -1]], [0, 15])
    assert axes.get_xlabel() == "episodes"


def test_a_confidence_band_is_the_bootstrap_interval_of_the_middle():
    values = np.random.default_rng(0).normal(size=(9, 4)).cumsum(axis=1)
    axes = plots.learning_curves(values, statistic=intervals.iqm, band=plots.confidence(0.9, resamples=200, seed=5))
    expected = intervals.bootstrap(values, intervals.iqm, level=0.9, resamples=200, seed=5)
    for update in range(4):
        np.testing.assert_allclose(heights_of(axes, update + 1), (expected.low[update], expected.high[update]))
    np.testing.assert_allclose(axes.lines[9].get_ydata(), expected.estimate)
    assert legend_of(axes) == ["90 % interval", "IQM of 9 seeds"]


def test_one_seed_has_no_confidence_band():
    axes = plots.learning_curves(np.array([[1.0, 2.0]]), band=plots.confidence())
    assert legend_of(axes) == ["median of 1 seeds"]
    assert not axes.collections


def test_two_kinds_of_seeds_share_axes():
    axes = plots.learning_curves(CURVES, label="ours")
    assert plots.learning_curves(CURVES[:, :2], label="theirs", color="red", axes=axes) is axes
    assert axes.get_xlim() == (0, 3)
    assert legend_of(axes) == [
        "ours, quartiles",
        "ours, median of 3 seeds",
        "theirs, quartiles",
        "theirs, median of 3 seeds",
    ]


def test_a_run_in_which_no_update_was_done_can_be_drawn():
    plots.learning_curves(np.full((2, 5), np.nan))
    plots.learning_curves(np.full((2, 5), np.nan), x=np.full((2, 5), np.nan))


@pytest.fixture
def data():
    dims = ("seed", "update")
    counts = np.array([[2.0, 0.0, 3.0], [1.0, 1.0, np.nan]])
    variables = {
        "running_return": (dims, np.array([[1.0, 1.0, 5.0], [2.0, 4.0, np.nan]])),
        "num_episodes": (dims, counts),
        "env_steps": (dims, 10 * counts),
        "final_running_return": ("seed", np.array([5.0, 4.0])),
    }
    return xr.Dataset(variables, attrs={"solved_at": 6.0})


@pytest.mark.parametrize(("along", "unit"), [("episodes", 1), ("env_steps", 10)])
def test_a_run_is_drawn_along_what_each_seed_had_done(data, along, unit):
    axes = plots.metric_curves(data, along=along)
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), unit * np.array([2, 2, 5]))
    np.testing.assert_array_equal(axes.lines[1].get_xdata(), unit * np.array([1, 2, np.nan]))
    assert legend_of(axes)[-1] == "solved at 6"
    assert axes.get_ylabel() == "running return"


def test_a_run_is_drawn_along_updates(data):
    axes = plots.metric_curves(data, "env_steps")
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [1, 2, 3])
    assert legend_of(axes) == ["quartiles", "median of 2 seeds"]


# Solving


def test_the_fraction_solved_is_that_of_the_seeds():
    """Five seeds, solved after 2, 4, 4 and 8 episodes, one never."""
    curve = kaplan_meier(*TIMES)
    axes = plots.solved_curves({"ours": curve, "again": curve})
    steps = axes.lines[0].get_xydata()
    np.testing.assert_allclose(steps, [(0, 0), (2, 0.2), (4, 0.6), (8, 0.8), (9, 0.8)])
    band = vertices(axes)
    assert band[:, 1].min() < 0.6 < band[:, 1].max() <= 1
    assert legend_of(axes) == ["ours", "again", "last watched, not solved"]


def test_a_mark_stands_where_seeds_were_last_watched():
    """One at 3, two at 4 where another is solved, none at 6."""
    curve = kaplan_meier(np.array([3.0, 4, 4, 4, 6]), np.array([False, False, False, True, True]))
    np.testing.assert_array_equal(curve.censored, [1, 2, 0])
    marks = plots.solved_curves({"ours": curve}).lines[1].get_xydata()
    np.testing.assert_allclose(marks, [(3, 0), (4, 0.25)])
    none_left = plots.solved_curves({"ours": kaplan_meier(np.array([3.0, 4]), np.array([True, True]))})
    assert len(none_left.lines) == 1
    assert legend_of(none_left) == ["ours"]


def test_seeds_that_were_not_solved_have_a_strip_of_their_own_and_count_in_the_quartiles():
    all_solved = (np.array([10.0, 20.0, 30.0]), np.array([True, True, True]))
    axes = plots.episodes_to_solve({"some": TIMES, "all": all_solved, "none": (np.full(3, 9.0), np.zeros(3, bool))})
    boxes, points = axes.collections[::2], axes.collections[1::2]
    strip = 30 * 1.04
    for (time, solved), drawn in zip((TIMES, all_solved), points, strict=False):
        across = np.asarray(drawn.get_offsets())[:, 0]
        np.testing.assert_array_equal(across[solved], time[solved])
        assert (across[~solved] > strip).all()
    assert (np.asarray(points[2].get_offsets())[:, 0] > strip).all()
    ends = [(box.get_paths()[0].vertices[:, 0].min(), box.get_paths()[0].vertices[:, 0].max()) for box in boxes]
    assert ends[0] == (4.0, 8.0)  # quartiles of 2, 4, 4, 8 and infinity
    assert ends[1] == (10.0, 30.0)
    assert ends[2][0] == ends[2][1] > strip
    assert [text.get_text() for text in axes.texts] == ["not solved: 1", "not solved: 3"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["some", "all", "none"]
    assert max(axes.get_xticks()) <= 30


# Sweeps


def test_a_sweep_has_the_best_settings_in_colour():
    ends = {f"gamma {n}": np.array([n, n + 1, n + 5.0]) for n in (3, 2, 1)}
    settings = {name: (np.array([10.0, 20.0]), np.stack([end / 2, end], axis=1)) for name, end in ends.items()}
    axes = plots.sweep_curves(settings, most=2, solved_at=9)
    drawn = {line.get_label(): line.get_ydata() for line in axes.lines}
    np.testing.assert_array_equal(drawn["gamma 3"], [2, 4])
    np.testing.assert_array_equal(drawn["gamma 2"], [1.5, 3])
    assert legend_of(axes) == ["solved at 9", "gamma 3", "gamma 2"]


def test_a_heat_map_writes_the_scores_and_frames_the_best():
    scores = np.array([[1.0, 2.0, np.nan], [3.0, 9.5, -np.inf]])
    axes = plots.heat_map(scores, [0.9, 0.99], [1e-5, 3e-3, 0.1], y_label="gamma", x_label="learning rate")
    assert [text.get_text() for text in axes.texts] == ["1.0", "2.0", "–", "3.0", "9.5", "–"]
    assert [text.get_position() for text in axes.texts[:4]] == [(0, 0), (1, 0), (2, 0), (0, 1)]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1e-05", "0.003", "0.1"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0.9", "0.99"]
    frame = axes.patches[0]
    np.testing.assert_allclose((frame.get_x() + frame.get_width() / 2, frame.get_y() + frame.get_height() / 2), (1, 1))
    lowest = plots.heat_map(scores, [0.9, 0.99], [1, 2, 3], best=np.nanargmin).patches[0]
    np.testing.assert_allclose((lowest.get_x() + lowest.get_width() / 2, lowest.get_y() + lowest.get_height() / 2), (0, 0))


def test_numbers_can_be_read_on_every_colour_of_a_heat_map():
    axes = plots.heat_map(np.linspace(0, 1, 30)[None], [0], range(30))
    image = axes.images[0]
    for text, score in zip(axes.texts, np.linspace(0, 1, 30), strict=True):
        assert contrast(text.get_color(), image.cmap(image.norm(score))) >= 4.5


def test_sensitivity_is_the_iqm_at_each_value_on_a_log_axis():
    scores = np.random.default_rng(1).normal(size=(3, 8))
    axes = plots.sensitivity([1e-2, 1e-4, 1e-3], scores, x_label="learning rate")
    assert axes.get_xscale() == "log"
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [1e-4, 1e-3, 1e-2])
    order = [1, 2, 0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [np.sort(scores[row])[2:6].mean() for row in order])
    for place, row in zip((1e-4, 1e-3, 1e-2), order, strict=True):
        expected = intervals.bootstrap(scores[row])
        np.testing.assert_allclose(heights_of(axes, place, 1), (expected.low, expected.high))
    axes.figure.canvas.draw()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.0001", "0.001", "0.01"]
    assert legend_of(axes) == ["95 % interval", "IQM of 8 seeds"]


def test_sensitivity_to_names_and_seeds_without_a_score():
    axes = plots.sensitivity(["64", "3x2"], np.array([[1.0, np.nan, 3.0], [-np.inf, 2.0, 0.5]]), statistic=intervals.mean)
    assert axes.get_xscale() == "linear"
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [(1 + 0.5 + 3) / 3, (0.5 + 2 + 0.5) / 3])  # the worst seen is 0.5
    axes.figure.canvas.draw()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["64", "3x2"]
    assert plots.sensitivity([1, 5, 10], np.ones((3, 2))).get_xscale() == "linear"


# Comparisons


def test_a_profile_falls_where_a_score_is():
    axes = plots.performance_profiles({"ours": np.array([1.0, 2.0, 2.0, 4.0]), "theirs": np.array([0.0, 3.0])})
    tau, fraction = axes.lines[0].get_data()
    for place, at in zip(tau, fraction, strict=True):
        assert at == np.mean(np.array([1, 2, 2, 4]) > place)
    np.testing.assert_allclose(tau[1:-1], [0, 1, 2, 3, 4])
    assert axes.lines[0].get_drawstyle() == "steps-post"
    assert legend_of(axes) == ["ours, 4 runs", "theirs, 2 runs"]


def test_a_forest_has_its_rows_from_the_top():
    rows = {"a": Interval(1.25, -0.5, 3.0), "b": Interval(-2.0, np.nan, np.nan)}
    axes = plots.forest(rows, reference=0.5)
    reference, bar, point, _, alone = (line.get_xydata().tolist() for line in axes.lines)
    assert [x for x, _ in reference] == [0.5, 0.5]
    assert bar == [[-0.5, 0], [3.0, 0]]
    assert (point, alone) == ([[1.25, 0]], [[-2.0, 1]])
    assert axes.get_ylim() == (1.5, -0.5)
    assert [text.get_text() for text in axes.texts] == ["1.25 [-0.50, 3.00]", "-2"]


# Agents


@pytest.fixture(scope="module")
def agent(keras):
    state = keras.init(jax.random.key(0), keras.hyperparams)
    return Agent(keras, state.params, state.moments, keras.hyperparams, 0)


@pytest.fixture(scope="module")
def states(agent):
    return plots.visited_states(agent, 1)


def test_visited_states_are_those_of_an_episode(states):
    """CartPole moves by Euler's rule, 0.02 s a step, from within 0.05 of rest; a fallen pole is not visited."""
    assert states.shape[1] == 4
    assert 8 <= len(states) <= 200
    assert (np.abs(states[0]) <= 0.05).all()
    np.testing.assert_allclose(states[1:, [0, 2]], states[:-1, [0, 2]] + 0.02 * states[:-1, [1, 3]], atol=1e-6)
    assert (np.abs(states[:, 2]) <= 12 * np.pi / 180).all()


@pytest.mark.parametrize(("x", "y"), [("position", "angle"), ("angular velocity", 1)])
def test_maps_show_what_the_network_says(agent, states, x, y):
    names = ["position", "velocity", "angle", "angular velocity"]
    first, second = names.index(x), names.index(y) if isinstance(y, str) else y
    axes = plots.value_map(agent, x, y, states=states)
    np.testing.assert_array_equal(axes.collections[-1].get_offsets(), states[:, [first, second]])
    obs = np.zeros((121, 121, 4), np.float32)
    obs[..., first], obs[..., second] = np.linspace(*axes.get_xlim(), 121), np.linspace(*axes.get_ylim(), 121)[:, None]
    parameters, value = agent.to_numpy()(obs)
    corners = axes.collections[0].get_coordinates()
    np.testing.assert_allclose(corners, obs[..., [first, second]], atol=1e-6)
    np.testing.assert_allclose(axes.collections[0].get_array().reshape(121, 121), value, atol=1e-5)
    contours = axes.collections[1]
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        along = np.zeros((len(path.vertices), 4), np.float32)
        along[:, [first, second]] = path.vertices
        np.testing.assert_allclose(agent.to_numpy()(along)[1], level, atol=0.02 * np.ptp(value))
    assert any(len(path.vertices) for path in contours.get_paths())
    probability = 1 / (1 + np.exp(parameters["logits"][..., 0] - parameters["logits"][..., 1]))
    for action, expected in ((1, probability), (0, 1 - probability)):
        mesh = plots.policy_map(agent, x, y, action=action, states=states).collections[0]
        np.testing.assert_allclose(mesh.get_array().reshape(121, 121), expected, atol=1e-5)
        assert mesh.get_clim() == (0, 1)
    units = ["m", "m/s", "rad", "rad/s"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == tuple(f"{names[i]} ({units[i]})" for i in (first, second))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"x": "postion"}, "unknown variable 'postion'; did you mean 'position'"),
        ({"x": 4}, "unknown variable 4"),
        ({"x": "angle", "y": 2}, "x and y must be two variables, got 'angle' for both"),
        ({"states": np.zeros((3, 4))}, "states must be finite rows of 4 variables that differ in x and y"),
        ({"states": np.eye(3)}, "states must be finite rows of 4 variables"),
        ({"states": np.zeros((0, 4))}, "states must be numbers"),
        ({"action": 2}, r"action must be in \[0, 1\], got 2"),
    ],
)
def test_maps_refuse(agent, states, options, words):
    with pytest.raises(ValueError, match=words):
        plots.policy_map(agent, **{"states": states, **options})


# Themes, files, doors


def luminance(color) -> float:
    """WCAG 2.2, relative luminance."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_what_is_drawn_in_a_theme_can_be_read_and_stays_in_it(name):
    with plots.theme(name):
        axes = plots.learning_curves(CURVES, solved_at=5.5)
        axes.set_title("title")
        colors = plots.palette()
    axes.figure.canvas.draw()
    ground = axes.figure.get_facecolor()
    texts = [axes.title, axes.xaxis.label, *axes.get_xticklabels(), *axes.get_yticklabels(), *axes.get_legend().get_texts()]
    assert all(contrast(text.get_color(), ground) >= 7 for text in texts)
    assert all(contrast(color, ground) >= 3 for color in colors[:4])
    assert contrast("black", "white") == 21
    assert len(set(colors)) == 7
    assert axes.lines[3].get_color() == colors[0]
    assert (luminance(ground) > 0.5) == (name == "light")
    assert mpl.rcParams["figure.facecolor"] == mpl.rcParamsDefault["figure.facecolor"]


def test_colours_are_ours_unless_a_style_says_otherwise():
    assert plots.palette() == plots.PALETTE
    with mpl.rc_context({"axes.prop_cycle": mpl.cycler(color=["red", "lime"])}):
        assert plots.palette() == ("red", "lime")
        assert plots.learning_curves(CURVES).lines[0].get_color() == "red"


@pytest.mark.parametrize(
    "heights", [np.linspace(0, 1, 50) ** 0.3, -(np.linspace(0, 1, 50) ** 0.3), np.linspace(0, 1, 50) ** 4]
)
def test_a_legend_keeps_out_of_the_way(heights):
    axes = plots.learning_curves(heights[None])
    axes.figure.canvas.draw()
    box = axes.get_legend().get_window_extent()
    points = axes.transData.transform(np.column_stack([np.arange(1, 51), heights]))
    assert not any(box.contains(*point) for point in points)


def test_save_writes_a_picture_and_nothing_else(tmp_path):
    path = plots.save(plots.learning_curves(CURVES), tmp_path / "curves.png")
    assert imread(path).shape == (750, 1200, 4)
    assert [file.name for file in tmp_path.iterdir()] == ["curves.png"]
    part = Figure().subfigures(1, 2)[0].add_subplot()
    assert plots.save(plots.learning_curves(CURVES, axes=part), str(tmp_path / "part.PNG")).stat().st_size > 1000
    with pytest.raises(ValueError, match="unknown kind of picture 'pnj'; did you mean 'png'"):
        plots.save(part, tmp_path / "curves.pnj")
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: plots.theme("drak"), "unknown theme 'drak'; did you mean 'dark'"),
        (lambda: plots.learning_curves(np.zeros(3)), r"values must be numbers \[seeds, updates\].*\(3,\)"),
        (lambda: plots.learning_curves(np.zeros((0, 3))), r"at least one of each, got the shape \(0, 3\)"),
        (lambda: plots.learning_curves(CURVES, x=np.arange(3)), r"x must be \[updates\] or \[seeds, updates\].*\(3,\)"),
        (lambda: plots.learning_curves(CURVES, x=np.arange(4)[::-1]), "x must ascend"),
        (lambda: plots.learning_curves(CURVES, x=np.full((3, 4), np.nan)), "with a number wherever values have one"),
        (lambda: plots.solved_curves({}), "survivals must hold at least one name"),
        (lambda: plots.episodes_to_solve({}), "groups must hold at least one name"),
        (lambda: plots.episodes_to_solve({"a": (np.ones(2), [True])}), r"of 'a' must be finite rows .* \(2,\) and \(1,\)"),
        (lambda: plots.episodes_to_solve({"a": (np.array([np.nan]), [True])}), "of 'a' must be finite rows"),
        (lambda: plots.sweep_curves({}), "settings must hold at least one name"),
        (lambda: plots.heat_map(np.ones((2, 3)), [1], [1, 2, 3]), r"got \(2, 3\) for 1 y_values and 3 x_values"),
        (lambda: plots.heat_map(np.full((1, 1), np.nan), [1], [1]), "at least one finite number"),
        (lambda: plots.sensitivity([1], np.ones((2, 3))), r"a row for each of the 1 values, got the shape \(2, 3\)"),
        (lambda: plots.sensitivity([1], np.full((1, 2), np.nan)), "at least one finite number"),
        (lambda: plots.performance_profiles({}), "scores must hold at least one name"),
        (lambda: plots.performance_profiles({"a": np.ones((1, 2))}), r"scores of 'a' must be numbers \[runs\]"),
        (lambda: plots.performance_profiles({"a": np.full(2, np.nan)}), "at least one finite number"),
        (lambda: plots.forest({}), "rows must hold at least one name"),
        (
            lambda: plots.forest({"a": Interval(2.0, 0.0, 1.0)}),
            "the row 'a' must be one finite estimate within its interval",
        ),
        (lambda: plots.forest({"a": Interval(np.nan, 0.0, 1.0)}), "the row 'a' must be one finite estimate"),
    ],
)
def test_what_is_refused(draw, words):
    with pytest.raises(ValueError, match=words):
        draw()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"metric": "runing_return"}, "unknown metric 'runing_return'; did you mean 'running_return'"),
        ({"metric": "final_running_return"}, "unknown metric 'final_running_return'"),
        ({"along": "steps"}, "unknown axis 'steps'; did you mean 'env_steps'"),
    ],
)
def test_a_run_is_refused(data, options, words):
    with pytest.raises(ValueError, match=words):
        plots.metric_curves(data, **options)
    several = data.expand_dims("setting")
    with pytest.raises(
        ValueError, match=r"data must be of one setting, as data\.isel\(setting=0\) is; .* setting, seed, update"
    ):
        plots.metric_curves(several)
