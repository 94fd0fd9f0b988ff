"""`unroll` against a plain Python loop: one environment at a time, one step at a time, the recorded actions replayed."""

import functools
import itertools
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from by_hand import ragged

import jax_ac
from jax_ac import Box, Discrete, Functions, advantages, make_env, transforms
from jax_ac.distributions import Categorical, DiagonalGaussian
from jax_ac.networks import KERAS, SeparateActorCritic
from jax_ac.protocols import Policy
from jax_ac.rollout import episodes, unroll
from jax_ac.types import Ends, Env, Transition

KEY = jax.random.key(0)


def cartpole_state(env, obs):
    """The state in which an episode of CartPole begins with `obs`, which no two reset keys share."""
    assert np.abs(obs).max() <= 0.05
    _, state = env.reset(KEY)
    x, x_dot, theta, theta_dot = jnp.asarray(obs)
    begin = {"x": x, "x_dot": x_dot, "theta": theta, "theta_dot": theta_dot}
    return state._replace(inner=state.inner.replace(**begin)) if hasattr(state, "inner") else state.replace(**begin)


class Recorded(NamedTuple):
    """Consecutive rollouts: the trajectories one after another ``[R T, N, ...]``, and the ends ``[R, T, N]``."""

    env: Env
    network: Any
    params: Any
    trajectory: Transition
    ends: Ends


def record(env, num_envs, num_steps, num_rollouts):
    network = SeparateActorCritic(env.observation_space, env.action_space, hidden_sizes=(8,), initialization=KERAS)
    rollout = unroll(num_envs, num_steps)
    assert rollout.num_steps == num_envs * num_steps

    @jax.jit
    def play(key):
        params = jax.tree.map(lambda leaf: 3 * leaf, network.init(key, jnp.zeros(4)))
        policy = Policy((), lambda obs, memory, first: (*network.apply(params, obs), memory))
        begin, keys = rollout.init(key, env, policy), jax.random.split(jax.random.key(3), num_rollouts)
        return params, jax.lax.scan(lambda acting, key: rollout.act(key, env, policy, acting), begin, keys)[1]

    params, experience = jax.device_get(play(jax.random.key(1)))
    trajectory = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), experience.trajectory)
    ends = jax.tree.map(lambda leaf: leaf.reshape(num_rollouts, num_steps, num_envs), experience.ends)
    return Recorded(env, network, params, trajectory, ends)


CASES = {
    "several truncations of each": lambda: record(transforms.time_limit(make_env("CartPole-v1"), 3), 4, 10, 2),
    "truncations at any step": lambda: record(ragged(), 5, 12, 2),
    "real actions": lambda: record(ragged(Box((2,), -0.5, 0.5)), 2, 10, 1),
    "episodes longer than rollouts": lambda: record(make_env("CartPole-v0"), 3, 6, 12),
}
once = functools.cache(lambda case: CASES[case]())


@pytest.fixture(scope="module", params=CASES)
def recorded(request):
    return once(request.param)


@pytest.fixture(scope="module")
def looped(recorded):
    return by_hand(recorded)


def by_hand(recorded: Recorded):
    """What the recorded actions and first observations lead to: a trajectory, and ends as (t, n, return, length)."""
    env, network, params, seen, _ = recorded
    apply, transition = jax.jit(network.apply), jax.jit(env.transition)
    expected, ends = jax.tree.map(np.zeros_like, seen), []
    for n in range(seen.reward.shape[1]):
        first = True
        for t in range(len(seen.reward)):
            if first:
                obs, total, length = seen.obs[t, n], 0.0, 0
                state = jnp.asarray(obs) if env.name == "custom" else cartpole_state(env, obs)
            distribution, value = apply(params, obs)
            action = seen.action[t, n]
            next_obs, state, reward, terminated, truncated = transition(KEY, state, action)
            truncated = bool(truncated and not terminated)
            step = Transition(
                obs, action, distribution.log_prob(action), value, apply(params, next_obs)[1], reward, terminated,
                truncated, first, True,
            )  # fmt: skip
            for leaf, number in zip(expected, step, strict=True):
                leaf[t, n] = number
            obs, total, length, first = next_obs, total + float(reward), length + 1, bool(terminated) or truncated
            if first:
                ends.append((t, n, total, length))
    return expected, ends


def test_every_step_is_that_of_the_loop(recorded, looped):
    expected, _ = looped
    seen = recorded.trajectory
    for name in Transition._fields:
        ours, theirs = getattr(seen, name), getattr(expected, name)
        if name == "next_value":  # after termination nothing reads it
            ours, theirs = (np.where(seen.terminated, 0.0, x) for x in (ours, theirs))
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5, err_msg=name)


def test_the_cases_hold_what_they_are_for(recorded, request):
    """Otherwise the test above sees less than it says."""
    case, seen = request.node.callspec.params["recorded"], recorded.trajectory
    per_env = seen.truncated.sum(axis=0)
    if case == "several truncations of each":
        assert (per_env == 6).all()  # 20 steps, episodes of 3
        assert seen.truncated[8].all()
        assert not seen.truncated[9].any()  # the first rollout ends within an episode
    if case == "truncations at any step":
        gaps = np.concatenate([np.diff(np.flatnonzero(column)) for column in seen.truncated.T])
        assert len(set(gaps)) > 2
        assert seen.terminated.any()
        assert recorded.env.max_steps is None
    if case == "real actions":
        assert (np.abs(seen.action) > 0.5).any()  # beyond the box: clipped by the environment, recorded as sampled
    if case == "episodes longer than rollouts":
        assert recorded.ends.episode_length[recorded.ends.ended].max() > 6
    following = np.concatenate([seen.value[1:], seen.value[-1:]])
    assert (np.abs(seen.next_value - following)[seen.truncated] > 1e-3).all()  # not the value of the next episode's start


def test_ends_count_across_rollouts(recorded, looped):
    _, expected = looped
    ends = recorded.ends
    _, num_steps, num_envs = ends.ended.shape
    ours = {
        (r * num_steps + t, n): (ends.episode_return[r, t, n], ends.episode_length[r, t, n], ends.env_step[r, t, n])
        for r, t, n in np.argwhere(ends.ended)
    }
    assert ours.keys() == {(t, n) for t, n, _, _ in expected}
    for t, n, total, length in expected:
        episode_return, episode_length, env_step = ours[t, n]
        np.testing.assert_allclose(episode_return, total, rtol=1e-5, atol=1e-5)
        assert episode_length == length
        assert env_step == (t % num_steps) * num_envs + n + 1


def test_every_episode_begins_somewhere_else(recorded):
    """No reset key is used twice, in whatever environment, step or rollout."""
    starts = recorded.trajectory.obs[recorded.trajectory.first]
    assert len(np.unique(starts, axis=0)) == len(starts)


def test_two_rollouts_are_one_of_double_length():
    """Where neither policy nor environment draws anything. The environments begin at different places of an episode."""

    def reset(key):
        return jnp.zeros(1), jnp.zeros(1)

    def step(key, state, action):
        count = state + 1
        return count, count, count[0] * action, count[0] >= 7, False

    def act(obs, memory, first):
        memory = jnp.where(first, 0, memory) + 1
        return Categorical(1e6 * jnp.stack([jnp.sin(obs[..., 0]), jnp.cos(memory)], axis=-1)), obs[..., 0], memory

    env, policy = make_env(Functions(reset, step, Discrete(2))), Policy(jnp.zeros(()), act)
    start = unroll(3, 5).init(KEY, env, policy)
    places = jnp.array([[0.0], [3.0], [5.0]])
    start = start._replace(obs=places, env_state=places)
    double, whole = jax.jit(partial(unroll(3, 10).act, env=env, policy=policy))(KEY, acting=start)
    half = jax.jit(partial(unroll(3, 5).act, env=env, policy=policy))
    middle, one = half(KEY, acting=start)
    end, two = half(jax.random.key(1), acting=middle)
    two = two._replace(ends=two.ends._replace(env_step=two.ends.env_step + 15))
    assert one.ends.ended.any()
    assert two.ends.ended.any()
    joined = jax.tree.map(lambda *halves: np.concatenate(halves), one[::2], two[::2])  # trajectory and ends
    jax.tree.map(np.testing.assert_array_equal, joined, whole[::2])
    jax.tree.map(np.testing.assert_array_equal, end, double)
    np.testing.assert_array_equal(two.memory, middle.memory)


def test_actions_follow_the_policy_independently():
    """P(1) = 0.8: the counts over environments, and those over time, are binomial."""

    def act(obs, memory, first):
        return Categorical(jnp.broadcast_to(jnp.log(jnp.array([0.2, 0.8])), (*obs.shape[:-1], 2))), obs[..., 0], memory

    env, rollout, policy = ragged(), unroll(50, 60), Policy((), act)
    act_once = jax.jit(lambda key: rollout.act(key, env, policy, rollout.init(key, env, policy))[1].trajectory.action)
    actions = np.asarray(act_once(jax.random.key(5)))
    assert abs(actions.mean() - 0.8) < 4 * np.sqrt(0.16 / actions.size)
    assert 0.5 < actions.sum(axis=0).var() / (60 * 0.16) < 2
    assert 0.5 < actions.sum(axis=1).var() / (50 * 0.16) < 2
    assert (actions != np.asarray(act_once(jax.random.key(6)))).any()


@pytest.mark.parametrize("rollout", [unroll(4, 5), episodes(4)])
def test_log_probabilities_where_one_deviation_serves_all(rollout):
    """It has no axis for the 4 environments; there are 5 steps."""
    space = Box((2,), -1.0, 1.0)

    def act(obs, memory, first):
        return (
            DiagonalGaussian(jnp.stack([obs[..., 0], -obs[..., 0]], axis=-1), jnp.log(jnp.array([0.5, 2.0]))),
            obs[..., 0],
            memory,
        )

    env, policy = ragged(space)._replace(max_steps=5), Policy((), act)
    with jax.numpy_rank_promotion("allow"):
        seen = jax.jit(lambda key: rollout.act(key, env, policy, rollout.init(key, env, policy))[1].trajectory)(KEY)
    mean = np.stack([seen.obs[..., 0], -seen.obs[..., 0]], axis=-1)
    expected = scipy.stats.norm.logpdf(seen.action, mean, [0.5, 2.0]).sum(axis=-1)
    assert expected.shape == (5, 4)
    np.testing.assert_allclose(seen.log_prob, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("estimator", [advantages.gae, advantages.monte_carlo, partial(advantages.n_step, n=3)])
def test_rewards_of_an_episode_reach_no_other(estimator):
    estimate = jax.jit(lambda trajectory: estimator(trajectory, jax_ac.A2CHyperparams(gae_lambda=0.9)))
    trajectory = once("truncations at any step").trajectory
    base = estimate(trajectory)
    tried = 0
    for n in range(trajectory.reward.shape[1]):
        starts = [*np.flatnonzero(trajectory.first[:, n]), len(trajectory.reward)]
        for start, stop in itertools.pairwise(starts):
            reward = trajectory.reward.copy()
            reward[start:stop, n] += 1000.0
            inside = np.zeros_like(trajectory.first)
            inside[start:stop, n] = True
            for ours, theirs in zip(estimate(trajectory._replace(reward=reward)), base, strict=True):
                np.testing.assert_array_equal(np.asarray(ours)[~inside], np.asarray(theirs)[~inside])
                assert (np.asarray(ours)[inside] > np.asarray(theirs)[inside] + 100).all()
            tried += 1
    assert tried > 10
