"""What `actor_critic` assembles: accounts and marks against Python; freezing; schedules; networks of another library."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from played import keras_with, of_lengths

import jax_ac
from jax_ac import advantages, algorithms, losses, rollout
from jax_ac.accounts import running_returns
from jax_ac.distributions import Categorical
from jax_ac.networks import SharedActorCritic
from jax_ac.policies import make_policy
from jax_ac.types import Ends, Metrics
from jax_ac.update import clipped_adam


def shared(env, **arguments):
    return SharedActorCritic(env.observation_space, env.action_space, **arguments)


@pytest.mark.parametrize("start", [np.nan, 0.0, -7.5])
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.7, 1.0])
def test_running_returns_against_python(start, rate):
    rng = np.random.default_rng(int(10 * rate))
    for num_ends in (1, 2, 50):
        ended, returns = rng.random(num_ends) < rate, np.float32(rng.normal(-100, 50, num_ends))
        expected, running = [], start
        for has_ended, episode_return in zip(ended, returns, strict=True):
            if has_ended:
                running = episode_return if np.isnan(running) else 0.05 * episode_return + 0.95 * running
            expected.append(running)
        nothing = np.zeros(num_ends, np.int32)
        garbage = np.where(ended, returns, np.inf)  # where no episode ended nothing must be read
        ours = running_returns(jnp.float32(start), Ends(*map(jnp.asarray, (ended, garbage, nothing, nothing))))
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("start", [0.0, np.nan])
@pytest.mark.parametrize("num_episodes", [1, 3])
def test_accounts_and_marks_against_python(cartpole, num_episodes, start):
    rng = np.random.default_rng(0)
    lengths = rng.integers(190, 201, (200, num_episodes))
    lengths[0] = 150  # so that a running return that starts there is not solved at once
    algorithm = keras_with(cartpole, of_lengths(lengths), initial_running_return=start)
    step, state = jax.jit(algorithm.step), algorithm.init(jax.random.key(0), algorithm.hyperparams)
    running, episode, steps, solved = start, 0, 0, None
    for update, row in enumerate(lengths):
        state, metrics = step(jax.random.key(update), state, algorithm.hyperparams)
        for n, length in enumerate(row):
            running = length if np.isnan(running) else 0.05 * length + 0.95 * running
            if running > 195 and solved is None:
                solved = (update, episode, steps + row[: n + 1].sum() - 1)
            episode += 1
        steps += row.sum()
        np.testing.assert_allclose(metrics.running_return, running, rtol=1e-5)
        np.testing.assert_allclose(metrics.episode_return, row.mean(), rtol=1e-6)
        assert metrics.num_episodes == num_episodes
        assert metrics.env_steps == row.sum()
    assert solved is not None
    assert solved[0] > 10
    assert (state.solved_update, state.solved_episode, state.solved_step) == solved
    assert (state.num_updates, state.num_episodes, state.env_steps) == (200, episode, steps)
    assert not state.frozen  # this assembly does not stop


def test_accounts_and_marks_of_unrolled_environments(cartpole):
    """Episodes that end anywhere in a rollout, in order of time, then of environment; in some rollouts none does."""
    env, network, unrolled = cartpole._replace(solved_at=33.1), shared(cartpole), rollout.unroll(2, 6)
    algorithm = jax_ac.a2c(env, num_envs=2, num_steps=6, network=network)

    def observed(key, state):
        """An update, and the ends of episodes in what it acts out."""
        policy = make_policy(network, state.params)
        _, experience = unrolled.act(jax.random.split(key)[0], env, policy, state.acting)
        return algorithm.step(key, state, algorithm.hyperparams), experience.ends

    state, step = algorithm.init(jax.random.key(0), algorithm.hyperparams), jax.jit(observed)
    running, episode, solved, without = np.nan, 0, None, 0
    for update in range(80):
        (state, metrics), ends = step(jax.random.key(update), state)
        places = np.flatnonzero(ends.ended)
        for place in places:
            episode_return = float(ends.episode_return[place])
            running = episode_return if np.isnan(running) else 0.05 * episode_return + 0.95 * running
            if running > 33.1 and solved is None:
                solved = (update, episode, 12 * update + place)
            episode += 1
        without += len(places) == 0
        mean = np.mean(ends.episode_return[places]) if len(places) else np.nan
        np.testing.assert_allclose([metrics.episode_return, metrics.episode_length], mean, rtol=1e-6)
        np.testing.assert_allclose(metrics.running_return, running, rtol=1e-5)
        assert metrics.num_episodes == len(places)
        assert metrics.env_steps == 12
    assert without > 10
    assert solved is not None
    assert solved[1] > 0
    assert (state.solved_update, state.solved_episode, state.solved_step) == solved
    assert (state.num_updates, state.num_episodes, state.env_steps) == (80, episode, 80 * 12)
    assert not state.frozen


def test_a_solved_lane_freezes(cartpole):
    algorithm = jax_ac.keras_actor_critic(cartpole._replace(solved_at=8.0))
    state, metrics = jax_ac.train(algorithm, jax.random.key(0), 40)
    solved = int(state.solved_update)
    assert 0 <= solved < 39
    assert state.frozen
    assert state.num_updates == solved + 1
    again, _ = jax_ac.train(algorithm, jax.random.key(0), solved + 1)
    jax.tree.map(np.testing.assert_array_equal, state, again)
    for name, values in metrics._asdict().items():
        blank = values[solved + 1 :]
        assert (blank == 0).all() if name == "num_episodes" else np.isnan(blank).all()
        assert (name in UNREPORTED) == bool(np.isnan(values[: solved + 1]).any())


def test_stopping_can_be_turned_off(cartpole):
    algorithm = jax_ac.keras_actor_critic(cartpole._replace(solved_at=8.0), stop_when_solved=False)
    state, metrics = jax_ac.train(algorithm, jax.random.key(0), 40)
    assert state.solved_update >= 0
    assert state.num_updates == 40
    assert np.isfinite(metrics.episode_return).all()


@pytest.mark.parametrize("preset", ["keras_actor_critic", "a2c"])
def test_a_lane_that_diverges_is_frozen_at_its_last_finite_state(cartpole, preset):
    algorithm = getattr(jax_ac, preset)(cartpole)
    hyperparams = algorithm.hyperparams._replace(learning_rate=1e38 if preset == "a2c" else 1e30)
    state, metrics = jax_ac.train(algorithm, jax.random.key(0), 10, hyperparams)
    assert state.diverged_update >= 0
    assert state.frozen
    assert state.num_updates == state.diverged_update
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((state.params, state.opt_state)))
    assert np.isnan(metrics.running_return[state.diverged_update + 1 :]).all()
    assert (metrics.num_episodes[state.diverged_update + 1 :] == 0).all()


UNREPORTED = {"approx_kl", "clip_fraction"}
"""What only the losses with probability ratios report."""


def test_metric_names(keras):
    assert set(Metrics._fields) == UNREPORTED | {
        "episode_return", "episode_length", "num_episodes", "running_return", "env_steps",
        "policy_loss", "value_loss", "entropy", "grad_norm",
    }  # fmt: skip
    _, metrics = jax.eval_shape(lambda: jax_ac.train(keras, jax.random.key(0), 2))
    assert isinstance(metrics, Metrics)
    for name, leaf in metrics._asdict().items():
        assert leaf.shape == (2,)
        assert leaf.dtype == (jnp.int32 if name == "num_episodes" else jnp.float32)


@pytest.mark.parametrize(("num_updates", "remaining"), [(1, [1.0]), (2, [1.0, 0.0]), (5, [1.0, 0.75, 0.5, 0.25, 0.0, 0.0])])
def test_linear_annealing(num_updates, remaining):
    annealing, hyperparams = algorithms.linear_annealing(num_updates), jax_ac.A2CHyperparams(learning_rate=0.3)
    rates = [annealing.at(hyperparams, jnp.int32(update)).learning_rate for update in range(len(remaining))]
    np.testing.assert_allclose(rates, 0.3 * np.array(remaining), rtol=1e-6)
    assert annealing.at(hyperparams, jnp.int32(0))[1:] == hyperparams[1:]
    assert annealing.num_updates == num_updates


class Nnx(nnx.Module):
    """The shared network of 16 relu units, in another library."""

    def __init__(self, rngs):
        self.hidden, self.actor, self.critic = (nnx.Linear(*shape, rngs=rngs) for shape in ((4, 16), (16, 2), (16, 1)))

    def __call__(self, obs):
        features = nnx.relu(self.hidden(obs))
        return Categorical(self.actor(features)), self.critic(features)[..., 0]


class WrappedNnx:
    """It as `actor_critic` takes networks."""

    def init(self, key, obs):
        del obs
        return nnx.to_pure_dict(nnx.split(Nnx(nnx.Rngs(key)))[1])

    def apply(self, params, obs):
        graph, state = nnx.split(nnx.eval_shape(lambda: Nnx(nnx.Rngs(0))))
        nnx.replace_by_pure_dict(state, params)
        return nnx.merge(graph, state)(obs)


def test_a_network_of_another_library_trains_as_ours_does(cartpole):
    ours = jax_ac.a2c(cartpole, 3, 4, network=shared(cartpole, hidden_sizes=(16,)))
    theirs = jax_ac.a2c(cartpole, 3, 4, network=WrappedNnx())
    begin = ours.init(jax.random.key(0), ours.hyperparams)
    hidden, actor, critic = (begin.params["params"][name] for name in ("hidden_0", "actor", "critic"))
    other = theirs.init(jax.random.key(0), theirs.hyperparams)
    assert jax.tree.map(jnp.shape, other.params) == jax.tree.map(
        jnp.shape, {"hidden": hidden, "actor": actor, "critic": critic}
    )
    other = other._replace(params={"hidden": hidden, "actor": actor, "critic": critic})
    for state, algorithm in ((begin, ours), (other, theirs)):
        step = jax.jit(algorithm.step)
        for update in range(4):
            state, metrics = step(jax.random.key(update), state, algorithm.hyperparams)
        if algorithm is ours:
            expected, expected_metrics = state.params["params"]["hidden_0"]["kernel"], metrics
    np.testing.assert_allclose(state.params["hidden"]["kernel"], expected, rtol=1e-4, atol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), metrics, expected_metrics)
    assert np.abs(expected - hidden["kernel"]).max() > 1e-4


def test_lanes_of_a_network_of_another_library(cartpole):
    states, metrics = jax_ac.train_many(jax_ac.a2c(cartpole, 3, 4, network=WrappedNnx()), 3, 2)
    assert states.params["hidden"]["kernel"].shape == (3, 4, 16)
    assert np.isfinite(metrics.grad_norm).all()
    assert len(np.unique(metrics.grad_norm)) == 6


class Splitting:
    """A network whose parameters are the keys that it derives from its own: by splitting, and by folding in 0, 1, ..."""

    def init(self, key, obs):
        del obs
        keys = [key, *jax.random.split(key), *(jax.random.fold_in(key, index) for index in range(3))]
        return jax.random.key_data(jnp.stack(keys))

    def apply(self, params, obs):
        return Categorical(jnp.zeros((*obs.shape[:-1], 2))), jnp.zeros(obs.shape[:-1])


def test_a_network_draws_its_parameters_from_no_updates_key(cartpole):
    """A linen module's are those that it has always drawn from the lane's key; others have a key of their own."""
    lane = jax.random.key(3)
    drawn = jax_ac.a2c(cartpole, 2, 2, network=Splitting()).init(lane, jax_ac.a2c(cartpole).hyperparams).params
    updates = [jax.random.fold_in(lane, update) for update in range(5)]
    used = [lane, *updates, *(half for key in [lane, *updates] for half in jax.random.split(key))]
    assert not {*map(tuple, drawn.tolist())} & {*map(tuple, jax.random.key_data(jnp.stack(used)).tolist())}
    network = shared(cartpole)
    begun = jax_ac.a2c(cartpole, 2, 2, network=network).init(lane, jax_ac.a2c(cartpole).hyperparams)
    jax.tree.map(np.testing.assert_array_equal, begun.params, network.init(lane, jnp.zeros(4)))


def test_bad_input(cartpole):
    for arguments, message in (
        ({"env": "CartPole-v0"}, "actor_critic takes an environment from make_env, got str"),
        ({"rollout": rollout.unroll}, "rollout must be a Rollout, as unroll and episodes make, got function"),
        ({"hyperparams": {"gamma": 0.9}}, "hyperparams must be a NamedTuple such as alg.hyperparams, got dict"),
    ):
        parts = {"env": cartpole, "rollout": rollout.episodes(), "hyperparams": jax_ac.KerasHyperparams(), **arguments}
        with pytest.raises(TypeError, match=message):
            jax_ac.actor_critic(
                network=shared(cartpole), advantage=advantages.gae, loss=losses.policy_gradient_loss,
                optimizer=clipped_adam, **parts,
            )  # fmt: skip
