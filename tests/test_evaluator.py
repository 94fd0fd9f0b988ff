"""Evaluation within a run: the scores are those of the agents of that moment, and change nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jax_ac
from jax_ac import loop
from jax_ac.evaluation import evaluate, evaluation_key
from jax_ac.evaluator import Scores
from jax_ac.plans import Limits, new_plan
from jax_ac.runs import run

WIDTH, LANES, MAX_UPDATES, EPISODES = 4, 12, 35, 3
OPTIONS = {"max_updates": MAX_UPDATES, "segment_updates": 5, "tile_width": WIDTH, "progress": False}


@pytest.fixture(scope="module")
def evaluated(easy):
    return run(easy, LANES, eval_every=10, eval_episodes=EPISODES, **OPTIONS)


def test_the_scores_are_those_of_the_agents_of_that_moment(easy, evaluated):
    """Against lanes trained up to that update, and played one agent at a time."""
    for lane in (0, 5, 11):
        ended = evaluated.marks.num_updates[lane]
        expected = {name: np.full(MAX_UPDATES, np.nan) for name in Scores._fields}
        for updates in sorted({*range(10, ended + 1, 10), int(ended)}):
            alone = run(easy, [lane], **OPTIONS | {"max_updates": updates})
            params = jax.tree.map(lambda leaf: leaf[0], alone.states.params)
            for name, greedy in zip(Scores._fields, (True, False), strict=True):
                played = evaluate(easy, params, None, easy.hyperparams, evaluation_key(0), EPISODES, greedy)
                expected[name][updates - 1] = np.mean(played.episode_return)
        for name, row in expected.items():
            np.testing.assert_allclose(getattr(evaluated.metrics, name)[lane], row, rtol=1e-6, err_msg=name)
            np.testing.assert_array_equal(evaluated.data[name].values[lane], getattr(evaluated.metrics, name)[lane])


def test_greedy_and_drawn_actions_differ(evaluated):
    greedy, drawn = (getattr(evaluated.metrics, name) for name in Scores._fields)
    known = ~np.isnan(greedy)
    np.testing.assert_array_equal(known, ~np.isnan(drawn))
    assert (greedy[known] != drawn[known]).mean() > 0.9
    assert (greedy[known] >= 1).all()


def test_nothing_else_changes(easy, evaluated):
    plain = run(easy, LANES, **OPTIONS)
    for name in plain.metrics._fields:
        np.testing.assert_array_equal(getattr(evaluated.metrics, name), getattr(plain.metrics, name), err_msg=name)
    jax.tree.map(np.testing.assert_array_equal, evaluated.states, plain.states)
    assert 0 < evaluated.spent.evaluating < 1
    assert plain.spent.evaluating == 0


def test_the_same_bits_when_cut_and_on_one_device(easy, evaluated, tmp_path):
    calls = []

    def stop(progress):
        calls.append(progress)
        if len(calls) == 4:
            raise KeyboardInterrupt

    options = OPTIONS | {"progress": stop}
    stopped = run(easy, LANES, eval_every=10, eval_episodes=EPISODES, out=tmp_path / "run", save_seconds=0.0, **options)
    assert stopped.interrupted
    finished = jax_ac.resume(tmp_path / "run", easy, progress=False, devices=jax.local_devices()[:1])
    jax.tree.map(np.testing.assert_array_equal, finished.metrics, evaluated.metrics)
    jax.tree.map(np.testing.assert_array_equal, jax_ac.Result.load(tmp_path / "run", easy).metrics, evaluated.metrics)


def test_lanes_that_diverge_have_the_same_scores_however_their_updates_are_cut_into_calls(easy, monkeypatch):
    """None at the end: what their parameters are worth was not asked for. Before it, as all others."""
    hyper = jax_ac.grid(easy.hyperparams, learning_rate=[1e-2, 1e17])  # diverges after 1 update, one seed after 6
    whole = run(easy, 4, hyperparams=hyper, eval_every=1, eval_episodes=1, **OPTIONS)
    long = run(easy, 4, hyperparams=hyper, eval_every=4, eval_episodes=1, **OPTIONS)
    monkeypatch.setattr(loop, "CALL_SECONDS", 0.0)
    cut = run(easy, 4, hyperparams=hyper, eval_every=4, eval_episodes=1, **OPTIONS)
    jax.tree.map(np.testing.assert_array_equal, cut.metrics, long.metrics)
    diverged = long.marks.diverged_update >= 0
    assert diverged.tolist() == [False] * 4 + [True] * 4
    assert 6 in long.marks.num_updates[diverged]
    for result in (whole, long):
        for lane, updates in enumerate(result.marks.num_updates.tolist()):
            every = result.config.eval_every
            known = np.flatnonzero(~np.isnan(result.metrics.sampled_return[lane])) + 1
            assert known.tolist() == sorted({*range(every, updates + 1, every), *([] if diverged[lane] else [updates])})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"eval_every": 0}, "eval_every must be at least 1, got 0"),
        ({"eval_every": 5, "eval_episodes": 0}, "eval_episodes must be at least 1, got 0"),
    ],
)
def test_what_cannot_be(easy, arguments, message):
    with pytest.raises(ValueError, match=message):
        run(easy, 2, **OPTIONS, **arguments)


def test_an_environment_without_a_time_limit_is_refused():
    step = lambda key, state, action: (state, state, jnp.float32(1), jnp.bool_(False), jnp.bool_(False))
    env = jax_ac.make_env(jax_ac.Functions(lambda key: (jnp.zeros(1), jnp.zeros(1)), step, jax_ac.Discrete(2)))
    with pytest.raises(ValueError, match="has no time limit"):
        run(jax_ac.a2c(env, 2, 4), 2, eval_every=5, **OPTIONS)


def test_evaluations_between_the_ends_of_segments_change_nothing(easy, evaluated):
    """Every 4 updates, where segments have 5."""
    odd = run(easy, 4, eval_every=4, eval_episodes=EPISODES, **OPTIONS)
    for name in ("running_return", "grad_norm"):
        np.testing.assert_array_equal(getattr(odd.metrics, name), getattr(evaluated.metrics, name)[:4], err_msg=name)
    for lane, ended in enumerate(odd.marks.num_updates.tolist()):
        known = np.flatnonzero(~np.isnan(odd.metrics.greedy_return[lane])) + 1
        assert known.tolist() == sorted({*range(4, ended + 1, 4), ended})
    both = 19  # after 20 updates both were evaluated
    np.testing.assert_array_equal(odd.metrics.greedy_return[:, both], evaluated.metrics.greedy_return[:4, both])
    for until_solved, segment_updates in ((True, 50), (False, 200)):
        plan = new_plan(easy, 1, None, Limits(2, until_solved=until_solved))
        assert plan.config.segment_updates == plan.tiles.num_updates == segment_updates
