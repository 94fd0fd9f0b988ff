"""A time limit is not an end: what the critics learn of tasks that only the clock stops, against closed forms.

One reward per step for ever is worth v = 1 / (1-γ). A trainer that takes the clock's end, after H steps, for the task's end
sees Gₙ = (1 - γⁿ) / (1-γ) with n steps left. What its critic says then depends on what it can see:

- One constant observation: one number, far below v, at which the mean of its trace-weighted TD errors is zero
  (`confused_value`). Ours says v, with every preset.
- CartPole-v1 at its limit of 500 steps under a controller that balances for ever, without a clock to be seen: the mean of
  Gₙ over the episode in all of it. Ours says v in all of it.
- The same with a clock to be seen: Gₙ, which falls to 1 at the limit. Ours still says v up to the last step.
"""

import functools
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_envs import balance

import jax_ac
from jax_ac import advantages, losses, rollout
from jax_ac.algorithms import actor_critic
from jax_ac.distributions import Categorical
from jax_ac.hyperparams import OneStepHyperparams, PPOHyperparams, ReinforceHyperparams
from jax_ac.networks import SeparateActorCritic
from jax_ac.transforms import scale_rewards, time_limit
from jax_ac.types import Box, Discrete, Functions
from jax_ac.update import clipped_adam, eligibility_traces, gradient_steps

pytestmark = pytest.mark.slow

SEEDS = 4
NO_CLIPPING = 1e6  # of gradients: a clipped mean has another fixed point


def confused(advantage):
    """An advantage for which the clock's end is the task's end."""

    def confuse(trajectory, hyperparams):
        return advantage(trajectory._replace(terminated=trajectory.terminated | trajectory.truncated), hyperparams)

    return confuse


def train(algorithm, num_updates, **sweep):
    """The parameters, ``[H, S, ...]``."""
    hyperparams = jax_ac.grid(algorithm.hyperparams, max_grad_norm=[NO_CLIPPING], **sweep)
    width = SEEDS * len(hyperparams.gamma)
    device = jax.local_devices()[:1]
    states, _ = jax_ac.train_many(algorithm, SEEDS, num_updates, hyperparams, tile_width=width, devices=device)
    assert (states.diverged_update == -1).all()
    return states.params


# A constant observation, a constant reward.

LIMIT, GAMMA = 10, 0.9


def for_ever():
    """Observation 1, reward 1, no end; but the clock's, after 10 steps."""
    one = jnp.ones(1)
    bare = Functions(lambda key: (one, one), lambda key, state, action: (one, one, 1.0, False, False), Discrete(2))
    return time_limit(jax_ac.make_env(bare), LIMIT)


def confused_value(lambda_):
    """Where the one value v of a critic stands still that takes step H for the end.

    The TD errors of an episode are 1 - (1-γ) v, and 1 - v at step H; that of step t has been given the weight
    zₜ = 1 + γλ + ... + (γλ)ᵗ⁻¹ by the steps up to it. Σ zₜ δₜ = 0 at v = Σ zₜ / ((1-γ) Σ zₜ + γ z_H).
    """
    trace = np.cumsum((GAMMA * lambda_) ** np.arange(LIMIT))
    return trace.sum() / ((1 - GAMMA) * trace.sum() + GAMMA * trace[-1])


def test_the_confused_value():
    """At λ = 1 the mean of the returns Gₙ; at λ = 0 the end comes by chance, with probability 1/H."""
    returns = (1 - GAMMA ** np.arange(1, LIMIT + 1)) / (1 - GAMMA)
    np.testing.assert_allclose(confused_value(1.0), returns.mean())
    np.testing.assert_allclose(confused_value(0.0), 1 / (1 - GAMMA * (1 - 1 / LIMIT)))
    assert 4 < returns.mean() < 4.2


def confused_reinforce(env, network):
    return actor_critic(
        env,
        network,
        rollout=rollout.episodes(4),
        advantage=confused(advantages.monte_carlo),
        loss=losses.policy_gradient_loss,
        optimizer=clipped_adam,
        hyperparams=ReinforceHyperparams(),
    )


def confused_one_step(env, network):
    return actor_critic(
        env,
        network,
        rollout=rollout.unroll(4, 1),
        advantage=confused(advantages.td_error),
        loss=losses.eligibility,
        optimizer=clipped_adam,
        improve=eligibility_traces(4),
        hyperparams=OneStepHyperparams(),
    )


def confused_ppo(env, network):
    return actor_critic(
        env,
        network,
        rollout=rollout.unroll(4, 2 * LIMIT),
        advantage=confused(advantages.gae),
        loss=losses.ppo_loss,
        optimizer=lambda h: clipped_adam(h, h.adam_eps),
        improve=gradient_steps(4, 2),
        hyperparams=PPOHyperparams(),
    )


A2C = partial(jax_ac.a2c, num_envs=4, num_steps=2 * LIMIT)
AGENTS = {  # ours, the confused one, updates, learning rate, the settings of λ
    "reinforce": (partial(jax_ac.reinforce, num_episodes=4), confused_reinforce, 600, 0.01, {}),
    "one_step": (partial(jax_ac.one_step, num_envs=4), confused_one_step, 4000, 0.003, {"trace_lambda": [0.0, 0.9]}),
    "a2c": (A2C, partial(A2C, advantage=confused(advantages.gae)), 1000, 0.003, {"gae_lambda": [0.0, 0.9, 1.0]}),
    "ppo": (
        partial(jax_ac.ppo, num_envs=4, num_steps=2 * LIMIT, num_minibatches=2),
        confused_ppo, 300, 0.003, {"gae_lambda": [0.95]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", AGENTS)
def test_a_constant_reward_for_ever(name):
    ours, theirs, num_updates, learning_rate, sweep = AGENTS[name]
    env = for_ever()
    network = SeparateActorCritic(env.observation_space, env.action_space, hidden_sizes=(16,))
    numbers = {"gamma": [GAMMA], "learning_rate": [learning_rate], **sweep}
    right, wrong = (
        jax.vmap(jax.vmap(lambda params: network.apply(params, jnp.ones(1))[1]))(
            train(make(env, network=network), num_updates, **numbers)
        )
        for make in (ours, theirs)
    )  # [H, S] each
    lambdas = next(iter(sweep.values()), [1.0])
    np.testing.assert_allclose(right, 1 / (1 - GAMMA), atol=0.3)
    for value, lambda_ in zip(wrong, lambdas, strict=True):
        np.testing.assert_allclose(value, confused_value(lambda_), atol=0.3)


# CartPole at its limit.

CAP, FAR = 500, 0.99
FOREVER = 1 / (1 - FAR)
UNTIL_THE_CAP = (1 - FAR ** np.arange(CAP, 0, -1)) / (1 - FAR)  # Gₙ at the steps 0 ... 499


def cartpole_with_a_clock():
    """CartPole-v1, rewards scaled so that v is 1, the observation followed by t / 100: ``[5]``."""
    cartpole = jax_ac.make_env("CartPole-v1")

    def with_clock(obs, t):
        return jnp.append(obs, t / 100)

    def reset(key):
        obs, state = cartpole.reset(key)
        return with_clock(obs, 0), (state, jnp.zeros((), jnp.int32))

    def step(key, state, action):
        obs, inner, reward, terminated, truncated = cartpole.transition(key, state[0], action)
        return with_clock(obs, state[1] + 1), (inner, state[1] + 1), reward, terminated, truncated

    return scale_rewards(jax_ac.make_env(Functions(reset, step, Discrete(2), max_steps=CAP)), 1 - FAR)


class Balancing(nn.Module):
    """The controller that balances for ever as the policy, and a critic that sees the clock or does not."""

    sees_clock: bool

    @nn.compact
    def __call__(self, obs):
        seen = obs if self.sees_clock else obs[..., :4]
        space = Box(seen.shape[-1:], -np.inf, np.inf)
        critic = SeparateActorCritic(space, Discrete(2), hidden_sizes=(32, 32), activation=nn.relu)
        return Categorical(100 * jax.nn.one_hot(balance(obs), 2)), critic(seen)[1]


@functools.cache
def along_an_episode():
    """The observations of an episode up to the cap, ``[500, 5]``."""
    env = cartpole_with_a_clock()

    def step(carry, _):
        obs, state = carry
        next_obs, next_state, _, terminated, truncated = env.transition(jax.random.key(0), state, balance(obs))
        return (next_obs, next_state), (obs, terminated, truncated)

    _, (obs, terminated, truncated) = jax.lax.scan(step, env.reset(jax.random.key(99)), length=CAP)
    assert not terminated.any()
    np.testing.assert_array_equal(np.flatnonzero(truncated), [CAP - 1])
    return obs


class Numbers(NamedTuple):
    """Those of a2c with Adam, and whether it is confused, so that one program trains both."""

    learning_rate: float = 0.03
    gamma: float = FAR
    gae_lambda: float = 1.0
    vf_coef: float = 0.5
    ent_coef: float = 0.0
    max_grad_norm: float = NO_CLIPPING
    confusion: float = 0.0


def perhaps_confused(trajectory, hyperparams):
    """GAE, for which the clock's end is the task's end if `confusion` says so."""
    both = (advantages.gae(trajectory, hyperparams), confused(advantages.gae)(trajectory, hyperparams))
    return jax.tree.map(lambda right, wrong: jnp.where(hyperparams.confusion, wrong, right), *both)


@functools.cache
def values_along_an_episode(sees_clock):
    """v(sₜ) up to the cap after training with a2c, ours and confused: two ``[S, 500]``, in rewards as they are unscaled."""
    env, network = cartpole_with_a_clock(), Balancing(sees_clock)
    parts = {"advantage": perhaps_confused, "optimizer": clipped_adam, "hyperparams": Numbers()}
    params = train(jax_ac.a2c(env, 4, CAP, network=network, **parts), 300, confusion=[0.0, 1.0])
    values = jax.vmap(jax.vmap(lambda params: network.apply(params, along_an_episode())[1]))(params)
    return np.asarray(values) * FOREVER


@pytest.mark.parametrize("sees_clock", [False, True])
def test_cartpole_is_worth_as_much_just_before_the_cap(sees_clock):
    ours, _ = values_along_an_episode(sees_clock)
    np.testing.assert_allclose(ours, FOREVER, atol=5.0)  # 100 from the first step to the last


def test_the_confused_critic_is_too_low_where_it_sees_no_clock():
    _, theirs = values_along_an_episode(False)
    assert 80 < UNTIL_THE_CAP.mean() < 81
    np.testing.assert_allclose(theirs, UNTIL_THE_CAP.mean(), atol=10.0)  # ours: between 95 and 105


def test_the_confused_critic_falls_to_1_where_it_sees_the_clock():
    """A network of 64 units rounds the corner at the cap off."""
    _, theirs = values_along_an_episode(True)
    np.testing.assert_allclose(theirs, np.broadcast_to(UNTIL_THE_CAP, theirs.shape), atol=12.0)
