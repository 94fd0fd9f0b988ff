"""Whole episodes against a Python loop over the environment, and what the padding holds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_ac.distributions import Categorical
from jax_ac.networks import SharedActorCritic
from jax_ac.policies import make_policy
from jax_ac.protocols import Policy
from jax_ac.rollout import episodes

NUM_EPISODES = 3


def play(env, policy, num_episodes, key):
    return jax.device_get(jax.jit(lambda key: episodes(num_episodes).act(key, env, policy, ())[1])(key))


@pytest.fixture(scope="module")
def played(cartpole):
    network = SharedActorCritic(cartpole.observation_space, cartpole.action_space)
    policy = make_policy(network, network.init(jax.random.key(0), jnp.zeros(4)))
    return policy, play(cartpole, policy, NUM_EPISODES, jax.random.key(7))


def test_shapes(played, cartpole):
    _, experience = played
    assert experience.memory == ()
    assert experience.trajectory.obs.shape == (cartpole.max_steps, NUM_EPISODES, 4)
    for leaf in experience.trajectory[1:]:
        assert leaf.shape == (cartpole.max_steps, NUM_EPISODES)
    rollout = episodes(2)
    assert rollout.num_steps is None
    assert rollout.init(jax.random.key(0), cartpole, played[0]) == ()


def test_replaying_the_actions_one_by_one_gives_the_trajectory(played, cartpole):
    policy, (trajectory, _, ends) = played
    _, start = cartpole.reset(jax.random.key(0))
    act, transition = jax.jit(lambda obs: policy.act(obs, (), True)), jax.jit(cartpole.transition)
    for n in range(NUM_EPISODES):
        length = int(trajectory.mask[:, n].sum())
        obs = trajectory.obs[0, n]
        assert np.abs(obs).max() <= 0.05
        x, x_dot, theta, theta_dot = jnp.asarray(obs)
        state = start.replace(x=x, x_dot=x_dot, theta=theta, theta_dot=theta_dot)
        for t in range(length):
            np.testing.assert_allclose(trajectory.obs[t, n], obs, rtol=1e-4, atol=1e-5)
            distribution, value, _ = act(trajectory.obs[t, n])
            np.testing.assert_allclose(trajectory.value[t, n], value, rtol=1e-4, atol=1e-5)
            action = jnp.asarray(trajectory.action[t, n])
            np.testing.assert_allclose(trajectory.log_prob[t, n], distribution.log_prob(action), rtol=1e-4, atol=1e-5)
            obs, state, reward, terminated, truncated = transition(jax.random.key(0), state, action)
            np.testing.assert_allclose(trajectory.next_value[t, n], act(obs)[1], rtol=1e-4, atol=1e-5)
            assert trajectory.reward[t, n] == reward == 1.0
            assert trajectory.terminated[t, n] == terminated == (t == length - 1)
            assert trajectory.truncated[t, n] == truncated
            assert trajectory.first[t, n] == (t == 0)
        assert ends.episode_return[n] == ends.episode_length[n] == length
        assert ends.env_step[n] == trajectory.mask[:, : n + 1].sum()  # as if played one after another
        assert ends.ended[n]


def test_padding(played):
    _, (trajectory, _, _) = played
    lengths = trajectory.mask.sum(axis=0)
    assert len(set(lengths)) > 1  # otherwise the test sees nothing
    for n, length in enumerate(lengths):
        assert trajectory.mask[:length, n].all()
        assert not trajectory.mask[length:, n].any()
        for leaf in (trajectory.reward, trajectory.terminated, trajectory.truncated, trajectory.first):
            assert not leaf[length:, n].any()
        assert (trajectory.obs[length:, n] == trajectory.obs[length : length + 1, n]).all()  # the final observation


def test_actions_follow_the_policy(cartpole):
    """Under a policy with P(right) = 0.8, four actions in five are right."""

    def act(obs, memory, first):
        return Categorical(jnp.broadcast_to(jnp.log(jnp.array([0.2, 0.8])), (*obs.shape[:-1], 2))), obs[..., 0], memory

    trajectory, _, _ = play(cartpole, Policy((), act), 500, jax.random.key(0))
    right = np.mean(trajectory.action, where=trajectory.mask)
    assert abs(right - 0.8) < 4 * np.sqrt(0.16 / trajectory.mask.sum())


def test_the_time_limit_truncates(cartpole):
    def balancing(obs, memory, first):
        lean = obs @ jnp.array([0.1, 0.3, 1.0, 0.3])
        return Categorical(1e6 * jnp.stack([-lean, lean], axis=-1)), lean, memory

    trajectory, _, ends = play(cartpole, Policy((), balancing), 4, jax.random.key(0))
    assert trajectory.mask.all()
    assert trajectory.truncated[-1].all()
    assert not trajectory.terminated.any()
    assert not trajectory.truncated[:-1].any()
    assert (ends.episode_length == 200).all()
    after = trajectory.next_value[-1]  # of the final observation, which is not in `obs`
    np.testing.assert_array_equal(trajectory.next_value[:-1], trajectory.value[1:])
    assert (after != trajectory.value[-1]).all()


def test_whole_episodes_need_a_time_limit(cartpole, played):
    with pytest.raises(ValueError, match="whole episodes need a time limit; CartPole-v0 has none"):
        episodes().act(jax.random.key(0), cartpole._replace(max_steps=None), played[0], ())
