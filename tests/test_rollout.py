"""Whole episodes against a Python loop over the environment, and what the padding holds."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_ac.networks import SharedActorCritic
from jax_ac.rollout import episodes

NUM_EPISODES = 3


@pytest.fixture(scope="module")
def played(cartpole):
    network = SharedActorCritic(2)
    policy = partial(network.apply, network.init(jax.random.key(0), jnp.zeros(4)))
    trajectory = jax.jit(lambda key: episodes(key, cartpole, policy, num_episodes=NUM_EPISODES))(jax.random.key(7))
    return policy, jax.tree.map(np.asarray, trajectory)


def test_shapes(played, cartpole):
    _, trajectory = played
    assert trajectory.obs.shape == (cartpole.max_steps, NUM_EPISODES, 4)
    for leaf in trajectory[1:]:
        assert leaf.shape == (cartpole.max_steps, NUM_EPISODES)


def test_replaying_the_actions_one_by_one_gives_the_trajectory(played, cartpole):
    policy, trajectory = played
    for n in range(NUM_EPISODES):
        length = int(trajectory.mask[:, n].sum())
        obs = trajectory.obs[0, n]
        assert np.abs(obs).max() <= 0.05
        _, state = cartpole.reset(jax.random.key(0))
        x, x_dot, theta, theta_dot = jnp.asarray(obs)
        state = state.replace(x=x, x_dot=x_dot, theta=theta, theta_dot=theta_dot)
        for t in range(length):
            np.testing.assert_allclose(trajectory.obs[t, n], obs, rtol=1e-4, atol=1e-5)
            distribution, value = policy(jnp.asarray(trajectory.obs[t, n]))
            np.testing.assert_allclose(trajectory.value[t, n], value, rtol=1e-4, atol=1e-5)
            action = jnp.asarray(trajectory.action[t, n])
            np.testing.assert_allclose(trajectory.log_prob[t, n], distribution.log_prob(action), rtol=1e-4, atol=1e-5)
            obs, state, reward, terminated, truncated = cartpole.transition(jax.random.key(0), state, action)
            assert trajectory.reward[t, n] == reward == 1.0
            assert trajectory.terminated[t, n] == terminated == (t == length - 1)
            assert trajectory.truncated[t, n] == truncated


def test_padding(played):
    _, trajectory = played
    lengths = trajectory.mask.sum(axis=0)
    assert len(set(lengths)) > 1  # otherwise the test sees nothing
    for n, length in enumerate(lengths):
        assert trajectory.mask[:length, n].all()
        assert not trajectory.mask[length:, n].any()
        for leaf in (trajectory.reward, trajectory.terminated, trajectory.truncated):
            assert not leaf[length:, n].any()
        assert (trajectory.obs[length:, n] == trajectory.obs[length : length + 1, n]).all()  # the final observation


def test_actions_follow_the_policy(cartpole):
    """Under a policy with P(right) = 0.8, four actions in five are right."""
    from jax_ac.distributions import Categorical

    def policy(obs):
        return Categorical(jnp.broadcast_to(jnp.log(jnp.array([0.2, 0.8])), (*obs.shape[:-1], 2))), obs[..., 0]

    trajectory = episodes(jax.random.key(0), cartpole, policy, num_episodes=500)
    right = np.mean(trajectory.action, where=np.asarray(trajectory.mask))
    assert abs(right - 0.8) < 4 * np.sqrt(0.16 / trajectory.mask.sum())


def test_the_time_limit_truncates(cartpole):
    from jax_ac.distributions import Categorical

    def balancing(obs):
        lean = obs @ jnp.array([0.1, 0.3, 1.0, 0.3])
        return Categorical(1e6 * jnp.stack([-lean, lean], axis=-1)), lean

    trajectory = episodes(jax.random.key(0), cartpole, balancing, num_episodes=4)
    assert trajectory.mask.all()
    assert trajectory.truncated[-1].all()
    assert not trajectory.terminated.any()
    assert not trajectory.truncated[:-1].any()
