"""Memory: begun anew where episodes begin, the same in learning as in acting, and of use where something is hidden."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from by_hand import KEY, close, float64, ragged, targets

import jax_ac
from jax_ac import Discrete, Functions, make_env
from jax_ac.networks import KERAS, RecurrentActorCritic, SeparateActorCritic
from jax_ac.policies import make_policy, replay
from jax_ac.rollout import unroll
from jax_ac.types import Experience

N, T, R, M = 4, 7, 3, 5
PPO = jax_ac.PPOHyperparams(learning_rate=0.01, gamma=0.9, gae_lambda=0.8, clip_eps=1e-4, max_grad_norm=1e6)


def recurrent(env):
    return RecurrentActorCritic(env.observation_space, env.action_space, (6,), M, initialization=KERAS)


class Recorded(NamedTuple):
    """Consecutive rollouts, leaves ``[R, T, N, ...]`` (the memory at their starts ``[R, N, M]``), all of one policy."""

    env: Any
    network: Any
    params: Any
    experience: Experience


@pytest.fixture(scope="module")
def recorded():
    env = ragged(longest=12)
    network, rollout = recurrent(env), unroll(N, T)

    @jax.jit
    def play(key):
        params = network.init(key, jnp.zeros(4), network.initial_memory())
        policy = make_policy(network, params)
        begin, keys = rollout.init(key, env, policy), jax.random.split(key, R)
        return params, jax.lax.scan(lambda acting, key: rollout.act(key, env, policy, acting), begin, keys)[1]

    return Recorded(env, network, *jax.device_get(play(jax.random.key(2))))


def test_acting_is_a_replay_episode_by_episode(recorded):
    """From memory zero at each episode's start, also across the borders of rollouts."""
    env, network, params, experience = recorded
    seen = jax.tree.map(lambda leaf: leaf.reshape(R * T, N, *leaf.shape[3:]), experience.trajectory)
    apply, transition = jax.jit(network.apply), jax.jit(env.transition)
    carried = begun = 0
    for n in range(N):
        memory, begins = np.zeros(M), True
        for t in range(R * T):
            assert seen.first[t, n] == begins
            if begins:
                memory, begun = np.zeros(M, np.float32), begun + 1
            elif t % T == 0:
                close(experience.memory[t // T, n], memory)
                carried += 1
            distribution, value, memory = apply(params, seen.obs[t, n], memory)
            close((seen.value[t, n], seen.log_prob[t, n]), (value, distribution.log_prob(seen.action[t, n])))
            next_obs, *_ = transition(KEY, seen.obs[t, n], seen.action[t, n])
            if not seen.terminated[t, n]:  # also where truncated: the memory goes on to the final observation
                close(seen.next_value[t, n], apply(params, next_obs, memory)[1])
            begins = seen.terminated[t, n] or seen.truncated[t, n]
    assert carried >= 3
    assert begun > 2 * N
    assert seen.truncated.any()


def test_learning_sees_what_acting_saw(recorded):
    """And would not with another memory at the start, nor if it were never begun anew."""
    _, network, params, experience = recorded
    again = jax.jit(lambda params, *seen: replay(make_policy(network, params), *seen))
    for r in range(R):
        seen, memory = jax.tree.map(lambda leaf, r=r: leaf[r], (experience.trajectory, experience.memory))
        distribution, value = again(params, seen.obs, memory, seen.first)
        close((value, distribution.log_prob(seen.action)), (seen.value, seen.log_prob), rtol=1e-6, atol=1e-6)
        if r > 0:
            _, blank_start = again(params, seen.obs, np.zeros_like(memory), seen.first)
            assert np.abs(blank_start - seen.value)[0].max() > 1e-2
        _, never_begun = again(params, seen.obs, memory, np.zeros_like(seen.first))
        assert np.abs(never_begun - seen.value)[seen.first].max() > 1e-2


@functools.cache
def updates(epochs, minibatches, learning_rate):
    """The states before and after each of four PPO updates, and their metrics."""
    env, hyperparams = ragged(longest=12), PPO._replace(learning_rate=learning_rate)
    algorithm = jax_ac.ppo(env, N, T, epochs, minibatches, network=recurrent(env), hyperparams=hyperparams)
    step, states, reports = jax.jit(algorithm.step), [jax.jit(algorithm.init)(KEY, algorithm.hyperparams)], []
    for index in range(4):
        state, metrics = step(jax.random.key(index), states[-1], algorithm.hyperparams)
        states.append(state)
        reports.append(metrics)
    return states, reports


@pytest.mark.parametrize(("epochs", "minibatches", "learning_rate"), [(1, 1, 0.01), (2, 2, 0.0)])
def test_the_ratio_is_one_until_the_parameters_change(epochs, minibatches, learning_rate):
    """Later updates begin within episodes; were sequences cut or mixed, the ratio would not be one."""
    states, reports = updates(epochs, minibatches, learning_rate)
    assert all(not state.acting.first.all() for state in states[1:])
    for metrics in reports:
        assert metrics.clip_fraction == 0
        np.testing.assert_allclose(metrics.approx_kl, 0.0, atol=1e-6)


def test_the_gradient_goes_through_time(recorded):
    """Against a loop that carries the memory; at unchanged parameters the clipped surrogate's gradient is -Â ∇log π."""
    env, network, *_ = recorded
    (_, _, _, state, after), _ = updates(1, 1, 0.01)

    def act(key, params, acting):
        return unroll(N, T).act(jax.random.split(key)[0], env, make_policy(network, params), acting)[1]

    seen, memory, _ = float64(jax.jit(act)(jax.random.key(3), state.params, state.acting))
    assert np.abs(memory).max() > 0.1
    target, advantage = targets(seen, PPO.gamma, PPO.gae_lambda)
    advantage = (advantage - advantage.mean()) / advantage.std()

    def loss(params):
        total, carried = 0.0, jnp.float32(memory)
        for t in range(T):
            carried = jnp.where(seen.first[t][:, None], 0.0, carried)
            distribution, value, carried = network.apply(params, jnp.float32(seen.obs[t]), carried)
            policy = -jnp.float32(advantage[t]) * distribution.log_prob(seen.action[t])
            error = 0.5 * (value - jnp.float32(target[t])) ** 2
            total += jnp.sum(policy + PPO.vf_coef * error - PPO.ent_coef * distribution.entropy())
        return total / (T * N)

    moved = 10 * (optax.tree.get(after, "mu") - 0.9 * optax.tree.get(state, "mu"))  # of all parameters in one vector
    gradient = jax.tree.leaves(jax.jit(jax.grad(loss))(state.params))
    close(moved, jnp.concatenate([jnp.ravel(leaf) for leaf in gradient]), rtol=1e-4, atol=1e-5)


def test_minibatches_are_of_environments(recorded):
    with pytest.raises(ValueError, match=r"must divide the 4 environments of a rollout, got 3"):
        jax_ac.ppo(recorded.env, N, 6, num_minibatches=3, network=recorded.network)


BLANKS = 3


def maze():
    """The first observation is ±1, the others are blank; the last action must be 1 where the first observation was 1."""

    def reset(key):
        sign = jnp.where(jax.random.bernoulli(key), 1.0, -1.0)[None]
        return sign, (sign, jnp.zeros((), jnp.int32))

    def step(key, state, action):
        sign, time = state
        last = time == BLANKS
        reward = jnp.where((action == 1) == (sign[0] > 0), 1.0, -1.0)
        return jnp.zeros(1), (sign, time + 1), jnp.where(last, reward, 0.0), last, jnp.zeros((), bool)

    return make_env(Functions(reset, step, Discrete(2)))


@pytest.mark.slow
@pytest.mark.parametrize("network", [RecurrentActorCritic, SeparateActorCritic])
def test_only_memory_solves_the_maze(network):
    """Episodes of 4 steps in rollouts of 10: memory is carried across most borders."""
    env = maze()
    network = network(env.observation_space, env.action_space, hidden_sizes=(16,))
    hyperparams = jax_ac.PPOHyperparams(learning_rate=3e-3)
    algorithm = jax_ac.ppo(env, 16, 10, 4, 2, network=network, hyperparams=hyperparams)
    _, metrics = jax_ac.train_many(algorithm, 8, 30, tile_width=8)
    final = np.mean(metrics.episode_return[:, -10:], axis=1)
    if isinstance(network, RecurrentActorCritic):
        assert np.sum(final > 0.9) >= 7
    else:
        assert (final < 0.3).all()
