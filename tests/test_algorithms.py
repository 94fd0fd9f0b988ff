"""One update of the preset against NumPy and against Keras itself; the accounts of a lane; what the preset cannot take."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_actor_critic import Adam, Weights, gradient, normalized_returns

import jax_ac
from jax_ac import losses, rollout
from jax_ac.algorithms import actor_critic
from jax_ac.algorithms import normalized_returns as our_normalized_returns
from jax_ac.networks import SharedActorCritic
from jax_ac.types import Metrics, Transition
from jax_ac.update import keras_adam

KERAS_STEPS = Path(__file__).parent / "data" / "keras_steps.npz"  # from experiments/keras_steps.py


def to_params(weights):
    """Our parameters from weights in Keras's order."""
    hidden, hidden_bias, actor, actor_bias, critic, critic_bias = map(jnp.float32, weights)
    return {
        "params": {
            "hidden_0": {"kernel": hidden, "bias": hidden_bias},
            "actor": {"kernel": actor, "bias": actor_bias},
            "critic": {"kernel": critic, "bias": critic_bias},
        }
    }


def to_weights(params):
    names = [(layer, part) for layer in ("hidden_0", "actor", "critic") for part in ("kernel", "bias")]
    return Weights(*(np.asarray(params["params"][layer][part], np.float64) for layer, part in names))


def replay(observations, actions, max_steps=200):
    """A rollout that plays a recorded episode, padded."""
    length = len(actions)

    def recorded(key, env, policy):
        obs = jnp.zeros((max_steps, 1, 4)).at[:length, 0].set(observations)
        action = jnp.zeros((max_steps, 1), jnp.int32).at[:length, 0].set(actions)
        mask = (jnp.arange(max_steps) < length)[:, None]
        distribution, value = policy(obs)
        ends = jnp.zeros((max_steps, 1), bool)
        log_prob = distribution.log_prob(action)
        return Transition(obs, action, log_prob, value, mask.astype(jnp.float32), ends, ends, mask)

    return recorded


def keras_with(env, play, stop_gradient=False):
    """The preset with another rollout in its place."""
    return actor_critic(
        env,
        SharedActorCritic(2),
        rollout=play,
        advantage=our_normalized_returns,
        loss=partial(losses.keras_actor_critic_loss, stop_gradient=stop_gradient),
        optimizer=lambda h: keras_adam(h.learning_rate, h.adam_b1, h.adam_b2, h.adam_eps),
        hyperparams=jax_ac.KerasHyperparams(),
    )


def float_hyperparams(algorithm):
    return jax.tree.map(jnp.float32, algorithm.hyperparams)


def test_three_updates_are_those_of_keras(cartpole):
    recorded = np.load(KERAS_STEPS, allow_pickle=False)
    state = None
    for update in range(3):
        algorithm = keras_with(cartpole, replay(recorded[f"observations_{update}"], recorded[f"actions_{update}"]))
        if state is None:
            state = algorithm.init(jax.random.key(0), float_hyperparams(algorithm))
            state = state._replace(params=to_params([recorded[f"weights_0_{i}"] for i in range(6)]))
        state, metrics = algorithm.step(jax.random.key(0), state, float_hyperparams(algorithm))
        np.testing.assert_allclose(metrics.policy_loss + metrics.value_loss, recorded[f"loss_{update}"], rtol=1e-5)
        for i, ours in enumerate(to_weights(state.params)):
            np.testing.assert_allclose(ours, recorded[f"weights_{update + 1}_{i}"], atol=1e-5)


@pytest.mark.parametrize("stop_gradient", [False, True])
def test_one_update_is_that_of_numpy(cartpole, stop_gradient):
    """From the weights and the episode of the preset's own rollout, in float64 NumPy."""
    algorithm = jax_ac.keras_actor_critic(cartpole, stop_gradient=stop_gradient)
    hyperparams = float_hyperparams(algorithm)
    for seed in range(5):
        key = jax.random.key(seed)
        state = algorithm.init(key, hyperparams)
        policy = partial(SharedActorCritic(2).apply, state.params)
        trajectory = rollout.episodes(key, cartpole, policy)
        length = int(trajectory.mask.sum())
        observations, actions = np.float64(trajectory.obs[:length, 0]), np.asarray(trajectory.action[:length, 0])
        stepped, metrics = algorithm.step(key, state, hyperparams)
        weights = to_weights(state.params)
        grads = gradient(weights, observations, actions, stop_gradient)
        expected, _ = Adam.start(weights).step(weights, grads)
        moments = to_weights(stepped.opt_state.mu)  # 0.1 g after one step
        largest = max(np.abs(grad).max() for grad in grads)
        for ours, theirs, moment, grad in zip(to_weights(stepped.params), expected, moments, grads, strict=True):
            np.testing.assert_allclose(moment / 0.1, grad, rtol=1e-5, atol=1e-5 * largest)
            clear = np.abs(grad) > 1e-5  # Adam divides by |g| + ε, so that float32 shows where g is as small as ε
            assert np.mean(clear | (grad == 0)) > 0.95
            np.testing.assert_allclose(ours[clear], theirs[clear], atol=1e-5)
        np.testing.assert_allclose(metrics.grad_norm, np.sqrt(sum((g**2).sum() for g in grads)), rtol=1e-5)
        assert metrics.episode_length == metrics.episode_return == metrics.env_steps == length


def test_normalized_returns_are_those_of_numpy():
    zeros = jnp.zeros((200, 1))
    for length in (1, 2, 9, 200):
        mask = (jnp.arange(200) < length)[:, None]
        trajectory = Transition(zeros, zeros, zeros, zeros + 3, mask.astype(jnp.float32), zeros, zeros, mask)
        estimate = our_normalized_returns(trajectory, jax_ac.KerasHyperparams())
        np.testing.assert_allclose(estimate.value_target[:length, 0], normalized_returns(length), atol=2e-5)
        np.testing.assert_array_equal(estimate.value_target[length:], 0.0)
        np.testing.assert_allclose(estimate.advantage, estimate.value_target - 3)


def fixed_length(lengths):
    """A rollout of several episodes with the given lengths, chosen by the number in the key."""
    table = jnp.asarray(lengths)  # [U, N]

    def play(key, env, policy):
        mask = jnp.arange(200)[:, None] < table[jax.random.key_data(key)[1]][None, :]
        obs = jnp.ones((200, table.shape[1], 4))
        distribution, value = policy(obs)
        action = jnp.zeros(mask.shape, jnp.int32)
        ends = jnp.zeros(mask.shape, bool)
        return Transition(obs, action, distribution.log_prob(action), value, mask.astype(jnp.float32), ends, ends, mask)

    return play


@pytest.mark.parametrize("num_episodes", [1, 3])
def test_accounts_and_marks_against_python(cartpole, num_episodes):
    rng = np.random.default_rng(0)
    lengths = rng.integers(190, 201, (200, num_episodes))
    algorithm = keras_with(cartpole, fixed_length(lengths))
    hyperparams = float_hyperparams(algorithm)
    step = jax.jit(algorithm.step)
    state = algorithm.init(jax.random.key(0), hyperparams)
    running, episode, steps, solved = 0.0, 0, 0, None
    for update, row in enumerate(lengths):
        state, metrics = step(jax.random.key(update), state, hyperparams)
        for n, length in enumerate(row):
            running = 0.05 * length + 0.95 * running
            if running > 195 and solved is None:
                solved = (update, episode, steps + row[: n + 1].sum() - 1)
            episode += 1
        steps += row.sum()
        np.testing.assert_allclose(metrics.running_return, running, rtol=1e-5)
        np.testing.assert_allclose(metrics.episode_return, row.mean(), rtol=1e-6)
        assert metrics.num_episodes == num_episodes
    assert solved is not None
    assert (state.solved_update, state.solved_episode, state.solved_step) == solved
    assert (state.num_updates, state.num_episodes, state.env_steps) == (200, episode, steps)
    assert not state.frozen  # this assembly does not stop


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
        assert np.isfinite(values[: solved + 1]).all()


def test_stopping_can_be_turned_off(cartpole):
    algorithm = jax_ac.keras_actor_critic(cartpole._replace(solved_at=8.0), stop_when_solved=False)
    state, metrics = jax_ac.train(algorithm, jax.random.key(0), 40)
    assert state.solved_update >= 0
    assert state.num_updates == 40
    assert np.isfinite(metrics.episode_return).all()


def test_a_lane_that_diverges_is_frozen_at_its_last_finite_state(keras):
    hyperparams = keras.hyperparams._replace(learning_rate=1e30)
    state, metrics = jax_ac.train(keras, jax.random.key(0), 10, hyperparams)
    assert state.diverged_update >= 0
    assert state.frozen
    assert state.num_updates == state.diverged_update
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((state.params, state.opt_state)))
    assert np.isnan(metrics.running_return[state.diverged_update + 1 :]).all()
    assert (metrics.num_episodes[state.diverged_update + 1 :] == 0).all()


def test_metric_names(keras):
    _, metrics = jax_ac.train(keras, jax.random.key(0), 2)
    assert isinstance(metrics, Metrics)
    assert set(metrics._fields) == {
        "episode_return", "episode_length", "num_episodes", "running_return", "env_steps",
        "policy_loss", "value_loss", "entropy", "grad_norm",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Pendulum-v1", "takes discrete actions"),
        ("Breakout-MinAtar", r"vectors; .* \(10, 10, 4\)"),
        ("FrozenLake-misc", "vectors"),
    ],
)
def test_environments_that_the_preset_cannot_take(name, reason):
    with pytest.raises(ValueError, match=reason):
        jax_ac.keras_actor_critic(jax_ac.make_env(name))


def test_other_bad_input(cartpole):
    with pytest.raises(TypeError, match="from make_env, got str"):
        jax_ac.keras_actor_critic("CartPole-v0")
    with pytest.raises(ValueError, match="need a time limit"):
        jax_ac.keras_actor_critic(cartpole._replace(max_steps=None))
    with pytest.raises(ValueError, match="gamma must be in"):
        jax_ac.keras_actor_critic(cartpole, hyperparams=jax_ac.KerasHyperparams(gamma=1.5))
