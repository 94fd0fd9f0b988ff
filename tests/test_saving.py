"""When checkpoints are written."""

import types

import pytest

import jax_ac
from jax_ac import restoring, saving
from jax_ac.lanes import lay_out
from jax_ac.plans import Limits, new_plan
from jax_ac.schedule import Ends, Schedule
from jax_ac.spending import Spent


@pytest.fixture
def schedule():
    """Of one tile of two lanes that have begun."""
    algorithm = jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0"))
    config = new_plan(algorithm, 2, None, Limits(10, None, False, 5, 2, None, 10), None).config
    made = Schedule(
        lay_out([0, 1], algorithm.hyperparams), (1, 2), Ends(10, False, 5), restoring.shapes_of(algorithm, config)
    )
    made.refill(0)
    return made


@pytest.mark.parametrize(
    ("seconds", "took", "pause"),
    [(30.0, 1.0, 30.0), (30.0, 3.0, 30.0), (30.0, 5.0, 45.0), (30.0, 60.0, 540.0), (0.0, 5.0, 0.0)],
)
def test_checkpoints_take_a_tenth_of_the_time_at_most(schedule, tmp_path, monkeypatch, seconds, took, pause):
    now = [0.0]
    monkeypatch.setattr(saving, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(saving.run_folder, "save", lambda *_: now.__setitem__(0, now[0] + took))
    saver = saving.Saver(tmp_path, schedule, seconds)
    assert saver.wants(0) == (seconds == 0)
    now[0] = seconds
    assert saver.wants(0)
    saver.after_call(0, True, Spent)
    assert now[0] == seconds + took  # it was written
    for fraction in (0.0, 0.5, 0.99):
        now[0] = seconds + took + fraction * pause
        assert saver.wants(0) == (pause == 0)
    now[0] = seconds + took + pause
    assert saver.wants(0)
