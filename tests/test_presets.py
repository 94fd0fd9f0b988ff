"""One update of the Keras preset against NumPy and against Keras itself; what presets cannot take."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from by_hand import as_tree
from numpy_actor_critic import Adam, Weights, gradient, normalized_returns
from played import keras_with, playing

import jax_ac
from jax_ac import advantages, rollout
from jax_ac.networks import RecurrentActorCritic, SharedActorCritic
from jax_ac.policies import make_policy
from jax_ac.types import Transition

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


def test_three_updates_are_those_of_keras(cartpole):
    recorded = np.load(KERAS_STEPS, allow_pickle=False)
    obs, action, mask = np.zeros((3, 200, 1, 4), np.float32), np.zeros((3, 200, 1), np.int32), np.zeros((3, 200, 1), bool)
    for update in range(3):
        length = len(recorded[f"actions_{update}"])
        obs[update, :length, 0], action[update, :length, 0] = (
            recorded[f"observations_{update}"],
            recorded[f"actions_{update}"],
        )
        mask[update, :length] = True
    algorithm = keras_with(cartpole, playing(obs, action, mask))
    state = algorithm.init(jax.random.key(0), algorithm.hyperparams)
    state, step = state._replace(params=to_params([recorded[f"weights_0_{i}"] for i in range(6)])), jax.jit(algorithm.step)
    for update in range(3):
        state, metrics = step(jax.random.key(0), state, algorithm.hyperparams)
        np.testing.assert_allclose(metrics.policy_loss + metrics.value_loss, recorded[f"loss_{update}"], rtol=1e-5)
        for i, ours in enumerate(to_weights(state.params)):
            np.testing.assert_allclose(ours, recorded[f"weights_{update + 1}_{i}"], atol=1e-5)


@pytest.mark.parametrize("stop_gradient", [False, True])
def test_one_update_is_that_of_numpy(cartpole, stop_gradient):
    """From the weights and the episode of the preset's own rollout, in float64 NumPy."""
    algorithm = jax_ac.keras_actor_critic(cartpole, stop_gradient=stop_gradient)
    network = SharedActorCritic(cartpole.observation_space, cartpole.action_space)
    act = jax.jit(lambda key, params: rollout.episodes().act(key, cartpole, make_policy(network, params), ()))
    init, step = jax.jit(algorithm.init), jax.jit(algorithm.step)
    for seed in range(5):
        key = jax.random.key(seed)
        state = init(key, algorithm.hyperparams)
        trajectory = act(jax.random.split(key)[0], state.params)[1].trajectory
        length = int(trajectory.mask.sum())
        observations, actions = np.float64(trajectory.obs[:length, 0]), np.asarray(trajectory.action[:length, 0])
        stepped, metrics = step(key, state, algorithm.hyperparams)
        weights = to_weights(state.params)
        grads = gradient(weights, observations, actions, stop_gradient)
        expected, _ = Adam.start(weights).step(weights, grads)
        moments = to_weights(as_tree(stepped.opt_state.mu, stepped.params))  # 0.1 g after one step
        largest = max(np.abs(grad).max() for grad in grads)
        for ours, theirs, moment, grad in zip(to_weights(stepped.params), expected, moments, grads, strict=True):
            np.testing.assert_allclose(moment / 0.1, grad, rtol=1e-5, atol=1e-5 * largest)
            clear = np.abs(grad) > 1e-5  # Adam divides by |g| + ε, so that float32 shows where g is as small as ε
            assert np.mean(clear | (grad == 0)) > 0.95
            np.testing.assert_allclose(ours[clear], theirs[clear], atol=1e-5)
        np.testing.assert_allclose(metrics.grad_norm, np.sqrt(sum((g**2).sum() for g in grads)), rtol=1e-5)
        assert metrics.episode_length == metrics.episode_return == metrics.env_steps == length


def test_normalized_returns_are_those_of_numpy():
    zeros, nowhere = jnp.zeros((200, 1)), jnp.zeros((200, 1), bool)
    for length in (1, 2, 9, 200):
        mask = (jnp.arange(200) < length)[:, None]
        reward = mask.astype(jnp.float32)
        steps = Transition(zeros, zeros, zeros, zeros + 3, zeros, reward, nowhere, nowhere, nowhere, mask)
        estimate = advantages.normalized_returns(steps, jax_ac.KerasHyperparams())
        np.testing.assert_allclose(estimate.value_target[:length, 0], normalized_returns(length), atol=2e-5)
        np.testing.assert_array_equal(estimate.value_target[length:], 0.0)
        np.testing.assert_allclose(estimate.advantage, estimate.value_target - 3)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Pendulum-v1", "takes discrete actions"),
        ("Breakout-MinAtar", r"vectors; .* \(10, 10, 4\)"),
        ("FrozenLake-misc", "vectors"),
    ],
)
def test_environments_that_the_keras_preset_cannot_take(name, reason):
    with pytest.raises(ValueError, match=reason):
        jax_ac.keras_actor_critic(jax_ac.make_env(name))


@pytest.mark.parametrize("preset", ["keras_actor_critic", "reinforce", "one_step", "a2c", "ppo"])
def test_every_preset_takes_an_environment_of_make_env(preset):
    with pytest.raises(TypeError, match=f"{preset} takes an environment from make_env, got str"):
        getattr(jax_ac, preset)("CartPole-v0")


@pytest.mark.parametrize("preset", [jax_ac.keras_actor_critic, jax_ac.reinforce])
def test_whole_episodes_need_a_time_limit(cartpole, preset):
    with pytest.raises(ValueError, match=f"{preset.__name__} plays whole episodes, which need a time limit; CartPole"):
        preset(cartpole._replace(max_steps=None))


@pytest.mark.parametrize(
    ("preset", "arguments", "error", "message"),
    [
        (
            "keras_actor_critic",
            {"hyperparams": jax_ac.KerasHyperparams(gamma=1.5)},
            ValueError,
            "gamma must be in",
        ),
        ("reinforce", {"num_episodes": 0}, ValueError, "num_episodes must be at least 1, got 0"),
        ("one_step", {"num_envs": 2.0}, TypeError, "num_envs must be a whole number, got 2.0"),
        ("a2c", {"num_steps": -1}, ValueError, "num_steps must be at least 1, got -1"),
        ("a2c", {"total_steps": 1000}, ValueError, "the nearest: 896 and 1,024"),
        ("a2c", {"hyperparams": jax_ac.A2CHyperparams(gae_lambda=-0.1)}, ValueError, r"gae_lambda must be in \[0, 1\]"),
        ("ppo", {"num_minibatches": 3}, ValueError, "must divide the 512 steps of a rollout, got 3"),
        ("ppo", {"num_epochs": 0}, ValueError, "num_epochs must be at least 1, got 0"),
        ("ppo", {"total_steps": 100}, ValueError, "multiple of the 512 steps of an update, got 100; the nearest: 512"),
        ("ppo", {"hyperparams": (0.1, 0.9)}, TypeError, "must be a NamedTuple such as alg.hyperparams, got tuple"),
    ],
)
def test_bad_arguments(cartpole, preset, arguments, error, message):
    with pytest.raises(error, match=message):
        getattr(jax_ac, preset)(cartpole, **arguments)


def test_what_a_network_with_memory_cannot_do(cartpole):
    recurrent = RecurrentActorCritic(cartpole.observation_space, cartpole.action_space)
    with pytest.raises(ValueError, match="one_step takes a network without memory"):
        jax_ac.one_step(cartpole, network=recurrent)
    with pytest.raises(ValueError, match="num_minibatches must divide the 4 environments of a rollout, got 8"):
        jax_ac.ppo(cartpole, num_minibatches=8, network=recurrent)
