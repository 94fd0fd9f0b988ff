"""The benchmark counts what was done, not what was asked for; and its command, as a user meets it."""

import json
import subprocess
import sys

import jax
import pytest

from jax_ac import bench, cli
from jax_ac.tiles import make_tiles


@pytest.fixture(scope="module")
def steady(cartpole):
    import jax_ac

    return jax_ac.a2c(cartpole, num_envs=2, num_steps=3)


@pytest.mark.parametrize("lanes", [1, 4, 9])
def test_every_lane_does_every_update(steady, lanes):
    """On two devices of two places each: partly filled, filled, and in three waves of which the last has one lane."""
    tiles = make_tiles(steady, lanes, 2, width=2)
    all_lanes = bench.Lanes(tiles, lanes)
    for updates in (1, 5, 2):  # 5 are three calls
        repetition = all_lanes.advance(updates)
        assert repetition[:2] == (lanes * updates, lanes * updates * 2 * 3)
        assert repetition.seconds > 0
    counts = [leaf for states in all_lanes._states for each in states for leaf in each.num_updates.tolist()]
    assert sorted(counts, reverse=True) == [8] * lanes + [0] * (len(counts) - lanes)


def test_lanes_go_on_with_what_they_learned(steady):
    """They are not begun anew in each call: after 3 + 4 updates they are those of `train_many`."""
    import jax_ac

    all_lanes = bench.Lanes(make_tiles(steady, 2, 7, width=2), 2)
    all_lanes.advance(3)
    all_lanes.advance(4)
    expected, _ = jax_ac.train_many(steady, 2, 7, tile_width=2)
    trained = all_lanes._states[0][0]
    assert jax.tree.all(jax.tree.map(lambda ours, theirs: (ours == theirs).all(), trained.params, expected.params))


def test_updates_of_lanes_that_stopped_are_not_counted(easy):
    """A lane that is solved after u updates has done u of the 60 that were asked for."""
    import jax_ac

    all_lanes = bench.Lanes(make_tiles(easy, 4, 5, width=4), 4)
    repetition = all_lanes.advance(60)
    states, _ = jax_ac.train_many(easy, 4, 60, tile_width=4)
    assert repetition.updates == int(states.num_updates.sum()) < 4 * 60
    assert repetition.env_steps == int(states.env_steps.sum())
    assert all_lanes.advance(10).updates <= 4 * 60 - repetition.updates


def test_measure(steady):
    said = []
    tasks = [bench.Task("a", steady, 1), bench.Task("b", steady, 20)]
    points = bench.measure(tasks, 0.05, 3, say=said.append)
    assert [(point.name, point.lanes, point.devices) for point in points] == [("a", 1, 1), ("b", 20, 2)]
    assert [words.split(": ")[1].split(",")[0] for words in said[2:]] == ["a", "b"] * 3  # in turns
    for point in points:
        assert len(point.repetitions) == 3
        assert {each.updates % point.lanes for each in point.repetitions} == {0}
        assert {each.env_steps for each in point.repetitions} == {6 * each.updates for each in point.repetitions}
        assert point.program.tile_width == 16
        assert point.program.temporary_bytes > 16 * 2 * 3 * 4 * 4  # the observations of a rollout, at least
    assert points[0].program is points[1].program  # one program for both


def test_rates_by_hand():
    program = bench.Program(1, 0.0, 0.0, 0)
    repetitions = tuple(bench.Repetition(updates, 10 * updates, 2.0) for updates in (4, 2, 8))
    point = bench.Point("a", 1, 1, program, repetitions)
    assert point.updates_per_second == (2.0, 1.0, 4.0)
    assert point.steps_per_second == (20.0, 10.0, 40.0)
    assert point.microseconds == (5e5, 2.5e5, 1e6)


@pytest.mark.parametrize("arguments", [{"repetitions": 0}, {"repetitions": 1.5}])
def test_measure_refuses(steady, arguments):
    with pytest.raises((ValueError, TypeError), match="repetitions must be"):
        bench.measure([bench.Task("a", steady, 1)], 1.0, **arguments)


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(["bench", *arguments])
    return ended.value.code


@pytest.mark.slow
def test_the_command_and_its_file(tmp_path, capsys):
    out = tmp_path / "speed.json"
    assert run("--algorithm", "keras,one_step", "--lanes", "1,3", "--seconds", "0.2", "--out", str(out)) == 0
    shown = capsys.readouterr().out
    assert "2 x cpu" in shown
    assert "keras CartPole-v0" in shown
    assert "one_step CartPole-v1" in shown
    found = json.loads(out.read_text())
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["packages"]["jax"] == jax.__version__
    assert found["import_seconds"] > 0
    assert [(point["algorithm"], point["env"], point["lanes"]) for point in found["points"]] == [
        ("keras", "CartPole-v0", 1),
        ("keras", "CartPole-v0", 3),
        ("one_step", "CartPole-v1", 1),
        ("one_step", "CartPole-v1", 3),
    ]
    for point in found["points"]:
        assert len(point["repetitions"]) == bench.REPETITIONS
        for name in ("updates_per_second", "env_steps_per_second", "microseconds_per_lane_update"):
            assert 0 < point[name]["low"] <= point[name]["median"] <= point[name]["high"]
        assert point["trace_seconds"] > 0
        assert point["temporary_bytes"] > 0
        assert {each["updates"] % point["lanes"] for each in point["repetitions"]} == {0}


BAD = [
    (["--algorithm", "kers"], "unknown algorithm 'kers'; did you mean 'keras'"),
    (["--algorithm", "ppo,ppo"], "--algorithm was given 'ppo' twice"),
    (["--algorithm", ""], "unknown algorithm ''"),
    (["--lanes", "1,0"], "--lanes must be at least 1, got 0"),
    (["--lanes", "1,many"], "--lanes takes whole numbers with commas between them, such as 1,16, got '1,many'"),
    (["--lanes", "4,4"], "--lanes was given '4' twice"),
    (["--lanes", "99999999999"], "--lanes must be at least 1 and less than 2,147,483,648"),
    (["--seconds", "0"], "--seconds must be a finite number greater than 0, got 0"),
    (["--seconds", "nan"], "--seconds must be a finite number greater than 0, got nan"),
    (["--out", "speed.txt"], "the name of speed.txt must end in .json"),
    (["--out", "nowhere/speed.json"], "cannot write the file nowhere/speed.json: there is no folder nowhere"),
    (["--second", "3"], "unknown option '--second'; did you mean '--seconds'"),
    (["CartPole-v7"], "unknown environment 'CartPole-v7'"),
    (["Pendulum-v1", "--algorithm", "keras"], "takes discrete actions"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_bad_input_is_one_sentence(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    out, error = capsys.readouterr()
    assert error.startswith("jax-ac: ")
    assert error.count("\n") == 1
    assert message in error
    assert out == ""
    assert not any(tmp_path.iterdir())


def test_bad_input_does_not_wait_for_jax():
    code = """
import sys
from jax_ac import cli
try:
    cli.main(["bench", "--lanes", "0"])
except SystemExit as end:
    print(end.code, "jax" in sys.modules, "numpy" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["2", "False", "False"]
