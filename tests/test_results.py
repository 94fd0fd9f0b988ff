"""Results: every lane's numbers under its own names, and agents that are the lanes'."""

import jax
import numpy as np
import pytest
from by_hand import small

import jax_ac
from jax_ac.evaluation import evaluation_key
from jax_ac.results import Result
from jax_ac.runs import run
from jax_ac.trackers import Segment

pytestmark = pytest.mark.slow

UPDATES, SEEDS = 12, [7, 3, 11]


@pytest.fixture(scope="module")
def result():
    """Two settings, three seeds, of PPO, on four places; the second setting does not learn."""
    env = jax_ac.make_env("CartPole-v1")
    algorithm = jax_ac.ppo(env, 2, 16, 2, 2, network=small(env))
    hyper = jax_ac.grid(algorithm.hyperparams, learning_rate=[3e-3, 0.0])
    options = {"max_updates": UPDATES, "segment_updates": UPDATES, "progress": False}
    return run(algorithm, SEEDS, hyperparams=hyper, tile_width=4, devices=jax.local_devices()[:1], **options)


def test_the_dataset_has_a_name_for_everything(result):
    data = result.data
    assert dict(data.sizes) == {"setting": 2, "seed": 3, "update": UPDATES}
    assert data.seed.values.tolist() == SEEDS
    np.testing.assert_array_equal(data.learning_rate, np.float32([3e-3, 0.0]))
    hyper = jax_ac.grid(result.algorithm.hyperparams, learning_rate=[3e-3, 0.0])
    one = {"tile_width": 4, "devices": jax.local_devices()[:1]}
    states, metrics = jax_ac.train_many(result.algorithm, SEEDS, UPDATES, hyper, **one)
    np.testing.assert_array_equal(data.policy_loss, metrics.policy_loss)
    np.testing.assert_array_equal(data.total_env_steps, states.env_steps)
    np.testing.assert_array_equal(data.final_running_return, states.running_return)
    assert float(data.attrs["solved_at"]) == 475.0


def test_an_agent_is_that_of_its_lane(result):
    agent = result.agent(seed=3, setting=0)
    np.testing.assert_array_equal(
        agent.params["params"]["actor"]["kernel"], result.states.params["params"]["actor"]["kernel"][1]
    )
    assert (agent.seed, float(agent.hyperparams.learning_rate)) == (3, np.float32(3e-3))
    untrained = result.agent(seed=11, setting=1)
    assert float(untrained.hyperparams.learning_rate) == 0.0
    for arguments, message in (
        ({"seed": 4, "setting": 0}, "no seed 4 in this run; it has 7, 3, 11"),
        ({"seed": 3}, "the run has 2 settings: say which"),
        ({"seed": 3, "setting": 2}, r"setting must be in \[0, 1\], got 2"),
        ({"seed": 3, "setting": -1}, r"setting must be in \[0, 1\], got -1"),
    ):
        with pytest.raises(ValueError, match=message):
            result.agent(**arguments)


def test_the_best_is_the_one_with_the_highest_last_value(result):
    for metric in ("running_return", "entropy", "episode_return"):
        columns = np.asarray(getattr(result.metrics, metric), float)
        last = [row[~np.isnan(row)][-1] if (~np.isnan(row)).any() else -np.inf for row in columns]
        best = result.best(metric)
        lane = int(np.argmax(last))
        assert (best.seed, best.hyperparams.learning_rate) == (SEEDS[lane % 3], result.lanes.hyperparams.learning_rate[lane])
    with pytest.raises(ValueError, match="unknown metric 'runing_return'; did you mean 'running_return'"):
        result.best("runing_return")


def test_all_agents_are_evaluated_on_the_same_episodes(result):
    evaluation = result.evaluate(6, greedy=True, seed=5)
    assert evaluation.episode_return.dims == ("setting", "seed", "episode")
    for setting in range(2):
        for i, seed in enumerate(SEEDS):
            alone = result.agent(seed, setting).evaluate(evaluation_key(5), 6, greedy=True)
            np.testing.assert_array_equal(evaluation.episode_return[setting, i], alone.episode_return)
    np.testing.assert_array_equal(evaluation.episode_length, evaluation.episode_return)  # a reward of 1 a step
    assert (result.evaluate(6, seed=5).episode_return != evaluation.episode_return).any()
    pending = result._replace(states=result.states._replace(num_updates=np.array([12, 0, 12, 12, 12, 12])))
    again = pending.evaluate(6, greedy=True, seed=5).episode_return
    assert np.isnan(again[0, 1]).all()
    np.testing.assert_array_equal(
        np.delete(again.values.reshape(6, 6), 1, 0), np.delete(evaluation.episode_return.values.reshape(6, 6), 1, 0)
    )


def test_saved_and_loaded(result, tmp_path):
    assert result.save(tmp_path / "kept") == tmp_path / "kept"
    loaded = Result.load(tmp_path / "kept")
    jax.tree.map(np.testing.assert_array_equal, loaded.states, result.states)
    assert loaded.data.identical(result.data)
    assert loaded.summary() == result.summary()
    with pytest.raises(ValueError, match="is not empty"):
        result.save(tmp_path / "kept")
    resumed = jax_ac.resume(tmp_path / "kept", max_updates=UPDATES + 2, devices=jax.local_devices()[:1], progress=False)
    assert resumed.spent.updates == 2 * 6


def test_the_summary_in_words(easy):
    result = run(easy, 8, max_updates=13, segment_updates=5, tile_width=4, progress=False)
    solved = result.marks.solved_episode >= 0
    assert 4 <= solved.sum() < 8
    middle = sorted(result.marks.solved_episode[solved] + 1)[3]  # the fourth of eight, the others being later
    line = result.summary().splitlines()[1]
    assert line.startswith(f"{solved.sum()} of 8 solved [")
    assert f"%] (running return above 14.25); median {middle} episodes [" in line


class Remembering:
    """A tracker."""

    def __init__(self):
        self.config, self.segments, self.ended = None, [], 0

    def begin(self, config):
        self.config = config

    def log(self, segment):
        self.segments.append(segment)

    def end(self):
        self.ended += 1


def test_trackers_hear_every_update_once(easy):
    tracker = Remembering()
    options = {"max_updates": 33, "segment_updates": 5, "tile_width": 4, "progress": False}
    result = run(easy, [5, 2, 9, 4, 1, 8, 3, 0, 6, 7], trackers=[tracker], **options)
    heard = {}
    for segment in tracker.segments:
        assert isinstance(segment, Segment)
        for i, seed in enumerate(segment.seed.tolist()):
            begin, count = int(segment.first_update[i]), int(segment.num_updates[i])
            told, returns = heard.setdefault(seed, ([], []))
            assert begin == len(told)
            assert segment.env_steps[i] == sum(told)
            told.extend(segment.metrics.env_steps[i, :count])
            returns.extend(segment.metrics.episode_return[i, :count])
    for lane, seed in enumerate(result.lanes.seed.tolist()):
        np.testing.assert_array_equal(heard[seed][1], result.metrics.episode_return[lane, : result.marks.num_updates[lane]])
    assert tracker.ended == 1
    assert tracker.config["seeds"] == [5, 2, 9, 4, 1, 8, 3, 0, 6, 7]


def test_trackers_are_ended_after_an_error(cartpole):
    trackers = [Remembering(), Remembering()]

    def fail(progress):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        run(jax_ac.keras_actor_critic(cartpole), 2, max_updates=3, trackers=trackers, progress=fail)
    assert [tracker.ended for tracker in trackers] == [1, 1]
