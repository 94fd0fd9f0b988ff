"""Rendering: pictures are gymnasium's and gymnax's, episodes those that an evaluation plays, files whole or not there."""

import io
import itertools
import re
import sys
from typing import NamedTuple

import gymnasium
import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from by_hand import ragged
from gymnax.visualize import vis_minatar
from matplotlib.figure import Figure
from PIL import Image

import jax_ac
from jax_ac import panels, transforms
from jax_ac.agent import Agent
from jax_ac.cli import main
from jax_ac.evaluation import evaluation_key
from jax_ac.networks import RecurrentActorCritic
from jax_ac.pictures import artist
from jax_ac.recordings import record
from jax_ac.rendering import animate, gif, play

CLASSIC = {
    "CartPole-v0": ("x", "x_dot", "theta", "theta_dot"),
    "CartPole-v1": ("x", "x_dot", "theta", "theta_dot"),
    "Acrobot-v1": ("joint_angle1", "joint_angle2", "velocity_1", "velocity_2"),
    "Pendulum-v1": ("theta", "theta_dot"),
    "MountainCar-v0": ("position", "velocity"),
    "MountainCarContinuous-v0": ("position", "velocity"),
}
SEEDS = [4, 1]


def untrained(algorithm, seed=0):
    state = jax.jit(algorithm.init)(jax.random.key(seed), algorithm.hyperparams)
    return Agent(algorithm, state.params, state.moments, algorithm.hyperparams, seed)


@pytest.fixture(scope="module")
def agent(keras):
    return untrained(keras)


@pytest.fixture(scope="module")
def other(keras):
    return untrained(keras, 3)


@pytest.fixture(scope="module")
def custom():
    """Of an environment that nobody draws; its state is a vector of 4 numbers."""
    return untrained(jax_ac.a2c(ragged(longest=9), num_envs=1, num_steps=2))


@pytest.mark.parametrize("name", CLASSIC)
def test_classic_control_is_drawn_by_gymnasium(name, monkeypatch):
    """An episode of gymnasium's own, also without a display: where it stands after 0, 10, 20, ... steps, pixel for pixel."""
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    theirs = gymnasium.make(name, render_mode="rgb_array")
    env = jax_ac.make_env(name)
    _, state = env.reset(jax.random.key(0))
    draw = artist(name, env.params, state).draw
    theirs.reset(seed=1)
    theirs.action_space.seed(1)
    seen = []
    for step in range(41):
        bare = theirs.unwrapped
        bare.state = np.float64(np.float32(bare.state))
        fields = dict(zip(CLASSIC[name], np.float32(bare.state), strict=True))
        if name == "Pendulum-v1":
            fields["last_u"] = np.float32(0.0 if bare.last_u is None else bare.last_u)
            bare.last_u = None if bare.last_u is None else float(fields["last_u"])
        if step % 10 == 0:
            np.testing.assert_array_equal(draw(state.replace(**fields)), theirs.render())
            seen.append(theirs.render())
        if theirs.step(theirs.action_space.sample())[2]:
            break
    assert (seen[0] != seen[-1]).any()


@pytest.mark.parametrize(
    ("name", "ours", "theirs"),
    [
        ("CartPole-v1", {"length": 1.0}, {"length": 1.0}),
        ("CartPole-v1", {"x_threshold": 1.5}, {"x_threshold": 1.5}),
        ("Acrobot-v1", {"link_length_2": 2.0}, {"LINK_LENGTH_2": 2.0}),
        ("MountainCar-v0", {"goal_position": 0.2}, {"goal_position": 0.2}),
    ],
)
def test_numbers_of_the_environment_are_drawn(name, ours, theirs):
    env = jax_ac.make_env(name, **ours)
    _, state = env.reset(jax.random.key(0))
    bare = gymnasium.make(name, render_mode="rgb_array").unwrapped
    bare.state = np.array([getattr(state, field) for field in CLASSIC[name]], float)
    usual = bare.render()
    for attribute, value in theirs.items():
        setattr(bare, attribute, value)
    drawn = artist(name, env.params, state).draw(state)
    np.testing.assert_array_equal(drawn, bare.render())
    assert (drawn != usual).any()


@pytest.mark.slow
@pytest.mark.parametrize("name", [f"{game}-MinAtar" for game in ("Asterix", "Breakout", "Freeway", "SpaceInvaders")])
def test_minatar_looks_as_in_gymnax(name):
    game, params = gymnax.make(name)
    keys = jax.random.split(jax.random.key(2), 30)
    state = game.reset_env(keys[0], params)[1]
    step = jax.jit(game.step_env)
    for key in keys[1:]:
        state = step(key, state, jax.random.randint(key, (), 0, game.num_actions), params)[1]
    shown = vis_minatar.init_minatar(Figure().add_subplot(), game, state, params)
    expected = shown.cmap(shown.norm(shown.get_array()))[..., :3]
    drawn = artist(name, {"a number of a transformer": 1.0}, state).draw(state)
    assert drawn.dtype == np.uint8
    np.testing.assert_allclose(drawn / 255, expected, atol=1 / 255)
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 2


def fallen(state):
    return abs(state.x) > 2.4 or abs(state.theta) > 12 * np.pi / 180


def test_a_recording_is_the_episode_that_an_evaluation_plays(agent):
    """Whole: only the last state has fallen. Its states follow from each other by pushes to the left or the right."""
    for greedy in (False, True):
        key = evaluation_key(5)
        states, returns, ended = record(agent, key, greedy=greedy)
        played = agent.evaluate(key, 1, greedy=greedy)
        assert len(states) == int(played.episode_length[0]) + 1 == len(returns)
        assert [fallen(state) for state in states] == [False] * (len(states) - 1) + [True]
        np.testing.assert_array_equal(returns, np.arange(len(states)))
        assert ended
    bare = gymnasium.make("CartPole-v0").unwrapped
    for before, after in itertools.pairwise(states):
        pushed = []
        for action in (0, 1):
            bare.reset()
            bare.state = np.array([before.x, before.x_dot, before.theta, before.theta_dot], float)
            pushed.append(np.abs(bare.step(action)[0] - [after.x, after.x_dot, after.theta, after.theta_dot]).max())
        assert min(pushed) < 1e-5 < max(pushed)


def test_a_recording_is_left_at_max_steps(agent):
    states, returns, ended = record(agent, evaluation_key(5), max_steps=4)
    assert (len(states), returns.tolist(), ended) == (5, [0, 1, 2, 3, 4], False)


def test_states_are_those_under_all_transformers_and_a_memory_goes_along():
    env = transforms.sticky_actions(transforms.time_limit(jax_ac.make_env("CartPole-v0"), 7), 0.5)
    env = transforms.normalize_observations(transforms.flatten(transforms.scale_rewards(env, 0.1)))
    network = RecurrentActorCritic(env.observation_space, env.action_space, (4,), 3)
    player = untrained(jax_ac.a2c(env, 1, 2, network=network))
    (panel,) = play({"it": player}, seed=2)
    assert [set(vars(state)) for state in panel.recording.states] == [{"x", "x_dot", "theta", "theta_dot", "time"}] * 8
    assert panel.recording.returns[-1] == 7 == player.evaluate(evaluation_key(2), 1).episode_return[0]
    assert panel.artist.draw(panel.recording.states[7]).shape == (400, 600, 3)


def test_frames_are_the_steps_of_the_longest_side_by_side(agent, other):
    both = play({"one": agent, "the other": other}, seed=5)
    lengths = [int(each.evaluate(evaluation_key(5), 1).episode_length[0]) for each in (agent, other)]
    assert lengths[0] != lengths[1]
    shots = panels.frames(both)
    assert len(shots) == max(lengths) + 1
    left, right = np.split(shots, [both[0].size[0]], axis=2)
    below = panels.CAPTION + panels.MARGIN
    np.testing.assert_array_equal(left[0, below:], right[0, below:])  # both begin in the same state
    short, long = (left, right) if lengths[0] < lengths[1] else (right, left)
    assert (short[min(lengths) :] == short[-1]).all()
    assert all((one != next_one).any() for one, next_one in itertools.pairwise(long))
    half = Image.fromarray(both[1].artist.draw(both[1].recording.states[2])).resize((300, 200), Image.Resampling.BOX)
    np.testing.assert_array_equal(right[2, below : below + 200, panels.MARGIN : panels.MARGIN + 300], half)
    np.testing.assert_array_equal(panels.frames(both, every=7), shots[[*range(0, max(lengths), 7), max(lengths)]])
    assert panels.caption(both[0], 3) == "one\nstep 3, return 3"
    assert panels.caption(both[0], 999) == f"one\nstep {lengths[0]}, return {lengths[0]}, ended"
    cut = play({"a name that needs more room than its picture, which is only 300 pixels wide": agent}, max_steps=3)
    assert panels.caption(cut[0], 999).endswith("\nstep 3, return 3")
    assert cut[0].size[0] > 400


def test_a_gif_shows_what_was_played_and_is_small(agent, other, tmp_path):
    both = play({"one": agent, "the other": other}, seed=5)
    steps = [*range(0, len(panels.frames(both)) - 1, 2), len(panels.frames(both)) - 1]  # 50 steps a second: every other
    content = gif(both)
    assert content == gif(both) == animate({"one": agent, "the other": other}, tmp_path / "a.GIF", seed=5).read_bytes()
    picture = Image.open(io.BytesIO(content))
    assert (picture.n_frames, picture.info["loop"]) == (len(steps), 0)
    durations = []
    for i, step in enumerate(steps):
        picture.seek(i)
        durations.append(picture.info["duration"])
        error = np.abs(np.int32(picture.convert("RGB")) - panels.frame(both, step))
        assert error.max() < 100  # letters' edges, in few colours
        assert error.mean() < 0.5
    assert durations == [40] * (len(steps) - 1) + [1500]
    assert len(content) < 3000 * len(steps)
    slow = Image.open(io.BytesIO(gif(both, fps=10)))
    assert (slow.n_frames, slow.info["duration"]) == (len(panels.frames(both)), 100)
    assert [path.name for path in tmp_path.iterdir()] == ["a.GIF"]


def test_an_mp4_shows_what_was_played(agent, tmp_path):
    av = pytest.importorskip("av")
    path = agent.render(str(tmp_path / "late.mp4"), seed=5, fps=20)
    (panel,) = play({"seed 0": agent}, seed=5)
    shots = panels.frames([panel])
    with av.open(path) as film:
        shown = [picture.to_ndarray(format="rgb24") for picture in film.decode(video=0)]
        assert film.streams.video[0].average_rate == 20
    assert len(shown) == len(shots) + 30  # the last stays for 1.5 seconds
    for ours, theirs in zip(shots, shown, strict=False):
        assert np.abs(np.int32(ours) - theirs).mean() < 3
    assert [path.name for path in tmp_path.iterdir()] == ["late.mp4"]


def grey(shape, kind=np.uint8):
    return lambda state: np.full(shape, 10 * state[1], kind)


def test_any_environment_can_be_drawn_by_a_function(custom):
    """It is given the state; low pictures are enlarged by a whole factor, high ones made 200 pixels high."""
    (panel,) = play({"it": custom}, draw=grey((30, 50, 3)), max_steps=9)
    at, left = panels.CAPTION + panels.MARGIN, panels.MARGIN
    for step in range(len(panel.recording.states)):
        assert (panels.frame([panel], step)[at : at + 180, left : left + 300] == 10 * step).all()
    assert play({"it": custom}, draw=grey((400, 900, 3)), max_steps=9)[0].size == (450 + 2 * panels.MARGIN, 256)


def growing(state):
    return np.zeros((10 + int(state[1]), 10, 3), np.uint8)


class Impostor(NamedTuple):
    """A state that is not gymnax's, of an environment with the name of one of gymnax's."""

    x: float


IMPOSTOR = jax_ac.Functions(
    lambda key: (jnp.zeros(1), Impostor(jnp.zeros(()))),
    lambda key, state, action: (jnp.zeros(1), state, 0.0, False, False),
    action_space=jax_ac.Discrete(2),
    name="CartPole-v1",
    max_steps=5,
)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"path": "late.png"}, ValueError, r"the name of .*late\.png must end in \.gif or \.mp4"),
        ({"path": "nowhere/late.gif"}, ValueError, r"cannot write the file .*late\.gif: there is no folder .*nowhere"),
        ({"agents": {}}, ValueError, "agents must hold at least one agent, got none"),
        ({"agents": None}, TypeError, "agents must be agents by name, such as .*, got NoneType"),
        ({"agents": {"early": 3}}, TypeError, "agents must be agents by name, got int for 'early'"),
        ({"fps": 0}, ValueError, r"fps must be in \[0.1, 1000\], got 0"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"max_steps": 0}, ValueError, "max_steps must be at least 1, got 0"),
        ({"draw": grey((9, 9))}, ValueError, r"draw must give a picture, uint8 \[height, width, 3\], got uint8 \[9, 9\]"),
        ({"draw": grey((9, 9, 3), float)}, ValueError, r"got float64 \[9, 9, 3\]"),
        ({"draw": growing}, ValueError, r"draw must give pictures of one shape, got \(10, 10, 3\) and \(11, 10, 3\)"),
        ({"draw": None}, ValueError, "custom has no picture of its own: pass draw=, a function"),
        ({"draw": grey((9, 9, 3)), "max_steps": None}, ValueError, "max_steps must be given, .*: custom has no time limit"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence_and_leaves_nothing(arguments, error, message, custom, tmp_path):
    settings = {"agents": {"it": custom}, "draw": grey((9, 9, 3)), "max_steps": 4, "path": "late.gif", **arguments}
    with pytest.raises(error, match=f"{message}.*\\.$"):
        animate(settings.pop("agents"), tmp_path / settings.pop("path"), **settings)
    assert not list(tmp_path.iterdir())


def test_a_name_is_not_enough_for_a_picture():
    with pytest.raises(ValueError, match="CartPole-v1 has no picture of its own"):
        play({"it": untrained(jax_ac.a2c(jax_ac.make_env(IMPOSTOR), 1, 2))})


@pytest.mark.parametrize(
    ("module", "package", "path"),
    [
        ("gymnasium.envs.classic_control", "gymnasium", "late.gif"),
        ("pygame", "pygame", "late.gif"),
        ("PIL.Image", "pillow", "late.gif"),
        ("av", "av", "late.mp4"),
    ],
)
def test_a_missing_package_is_one_sentence(module, package, path, agent, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"^rendering needs the package {package}: pip install 'jax_ac\[render\]'\.$"):
        agent.render(tmp_path / path)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def folder(keras, tmp_path_factory):
    """Of a run of two settings; the second diverges at once."""
    path = tmp_path_factory.mktemp("rendering") / "run"
    hyper = jax_ac.grid(keras.hyperparams, learning_rate=[1e-2, 1e30])
    options = {"hyperparams": hyper, "tile_width": 2, "progress": False, "devices": jax.local_devices()[:1]}
    jax_ac.run(keras, SEEDS, max_updates=20, out=path, **options)
    return path


def command_line(*arguments):
    with pytest.raises(SystemExit) as end:
        main(["render", *map(str, arguments)])
    return end.value.code


def test_the_command_shows_early_middle_and_late(folder, capsys):
    assert command_line(folder, "--setting", 0) == 0
    said = capsys.readouterr().out
    result = jax_ac.Result.load(folder)
    agents = {f"update {update}": result.agent(4, 0, update) for update in (2, 10, 20)}
    for name, each in agents.items():
        length = int(each.evaluate(evaluation_key(0), 1).episode_length[0])
        assert f"{name}: step {length}, return {length}, ended" in said
    path = folder / "seed-4-setting-0.gif"
    assert f"written: {path}" in said
    assert path.read_bytes() == gif(play(agents))


def test_the_command_shows_what_it_is_asked_for(folder, tmp_path, capsys):
    out = tmp_path / "a.gif"
    assert (
        command_line(folder, "--seed", 1, "--setting", 0, "--updates", "7,0", "--greedy", "--max-steps", 5, "--out", out)
        == 0
    )
    result = jax_ac.Result.load(folder)
    agents = {f"update {update}": result.agent(1, 0, update) for update in (0, 7)}
    assert out.read_bytes() == gif(play(agents, greedy=True, max_steps=5))
    assert command_line(folder, "--setting", 1, "--out", out) == 0  # diverged in its first updates
    assert "update 0: step" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the run has 2 settings: say which, from 0"),
        (["--setting", 2], r"setting must be in \[0, 1\], got 2"),
        (["--setting", 0, "--seed", 3], "there is no seed 3 in this run; it has 4, 1"),
        (["--setting", 0, "--updates", "0,21"], r"update must be in \[0, 20\], which the lane of seed 4 has done, got 21"),
        (
            ["--setting", 0, "--updates", "all"],
            "--updates takes whole numbers with commas between them, such as 0,50, got 'all'",
        ),
        (["--setting", 0, "--out", "late.jpg"], r"the name of late\.jpg must end in \.gif or \.mp4"),
        (["--setting", 0, "--max-steps", 0], "--max-steps must be at least 1, got 0"),
    ],
)
def test_bad_input_to_the_command_is_one_sentence(arguments, message, folder, capsys):
    before = sorted(folder.iterdir())
    assert command_line(folder, *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("jax-ac: ")
    assert error.count("\n") == 1
    assert re.search(message, error)
    assert sorted(folder.iterdir()) == before


def test_the_folder_of_a_sweep_or_of_nothing_is_one_sentence(folder, tmp_path, capsys):
    program = tmp_path / "sweep" / "num_envs=8"
    program.mkdir(parents=True)
    (program / "run.json").touch()
    assert command_line(program.parent) == 2
    assert f"is the folder of a sweep; name that of one of its programs: {program}." in capsys.readouterr().err
    assert command_line(tmp_path) == 2
    assert "is not the folder of a run" in capsys.readouterr().err
