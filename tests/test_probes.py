"""Every preset solves the probes of `probes.py`, on at least 7 of 8 seeds each.

The answers are known: values to within 0.1, the right action with probability 0.95, the mean of real actions to within 0.1
of the target. One program per preset and kind of action trains on all of the probes at once.
"""

import functools
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from probes import DISCRETE, REAL, TARGET, TEN_STEPS, any_of

import jax_ac
from jax_ac.networks import KERAS, SeparateActorCritic
from jax_ac.update import clipped_adam

pytestmark = pytest.mark.slow

SEEDS, ENOUGH = 8, 7
GAMMA = 0.5  # γ, γ² and 1 are further apart than two margins
MARGIN = 0.1
OBS = np.array([-1.0, 0.0, 1.0], np.float32)
KINDS = {"discrete": DISCRETE, "real": REAL}
ANSWERS = {"constant": {0: 1.0}, "observation": {-1: -1.0, 1: 1.0}, "discount": {0: GAMMA, 1: 1.0}}
SEEN = {"action": [1], "both": [0, 2]}  # which of OBS


class Agent(NamedTuple):
    preset: Callable
    num_updates: int
    learning_rate: float
    sweep: Mapping[str, list[float]] = MappingProxyType({})  # all of these settings must solve the probes
    critic: bool = True


AGENTS = {
    "reinforce": Agent(partial(jax_ac.reinforce, num_episodes=64), 200, 0.02),
    "reinforce_plain": Agent(partial(jax_ac.reinforce, num_episodes=64, baseline=False), 300, 0.02, critic=False),
    "one_step": Agent(partial(jax_ac.one_step, num_envs=16), 600, 0.01, {"trace_lambda": [0.0, 0.9]}),
    "a2c": Agent(partial(jax_ac.a2c, num_envs=16, num_steps=4), 300, 0.004, {"gae_lambda": [0.0, 1.0]}),
    "a2c_adam": Agent(
        partial(jax_ac.a2c, num_envs=16, num_steps=4, optimizer=clipped_adam), 200, 0.02, {"gae_lambda": [0.0, 1.0]}
    ),
    "ppo": Agent(partial(jax_ac.ppo, num_envs=8, num_steps=16, num_minibatches=2), 50, 0.01, {"gae_lambda": [0.0, 0.95]}),
}
LEFT_OUT = [("a2c_adam", "real")]  # an optimizer sees no actions
CRITICS = [name for name, agent in AGENTS.items() if agent.critic]
CRITICS_AND_KINDS = [(name, kind) for name in CRITICS for kind in KINDS if (name, kind) not in LEFT_OUT]


class Learned(NamedTuple):
    """What the lanes of one probe say at OBS: ``[settings, seeds, 3]``; `distribution` has a further axis in its leaves."""

    distribution: Any
    value: np.ndarray


def tiny_network(env):
    """Glorot's initialization compiles faster than the orthogonal one."""
    return SeparateActorCritic(env.observation_space, env.action_space, hidden_sizes=(16,), initialization=KERAS)


def train(algorithm, network, num_updates, hyperparams):
    """The distributions and values at OBS, ``[H, S, 3, ...]``."""
    lanes = SEEDS * len(hyperparams.gamma)
    states, _ = jax_ac.train_many(
        algorithm, SEEDS, num_updates, hyperparams, tile_width=lanes, devices=jax.local_devices()[:1]
    )
    assert (states.diverged_update == -1).all()
    return jax.vmap(jax.vmap(lambda params: network.apply(params, OBS[:, None])))(states.params)


@functools.cache
def learn(name: str, kind: str) -> dict[str, Learned]:
    """What an agent learned on each of the probes."""
    agent, probes = AGENTS[name], KINDS[kind]
    env = jax_ac.make_env(any_of(probes))
    network = tiny_network(env)
    algorithm = agent.preset(env, network=network)
    numbers = {"gamma": [GAMMA], "learning_rate": [agent.learning_rate], "env_probe": range(len(probes))}
    learned = train(algorithm, network, agent.num_updates, jax_ac.grid(algorithm.hyperparams, **numbers, **agent.sweep))
    learned = jax.tree.map(lambda leaf: np.asarray(leaf).reshape(len(probes), -1, *leaf.shape[1:]), learned)
    return {probe: jax.tree.map(lambda leaf, i=i: leaf[i], Learned(*learned)) for i, probe in enumerate(probes)}


def check(right: np.ndarray):
    """Enough seeds are right, in all settings: ``[settings, seeds, observations]``."""
    assert right.shape[1] == SEEDS
    assert (right.all(axis=2).sum(axis=1) >= ENOUGH).all(), right


def right_actions(probe: str, distribution) -> np.ndarray:
    """The probability of the right action at the probe's observations, ``[settings, seeds, observations]``."""
    right = np.where(OBS >= 0, 1, 0)
    return np.exp(distribution.log_prob(np.broadcast_to(right, distribution.logits.shape[:-1])))[..., SEEN[probe]]


@pytest.mark.parametrize("probe", ANSWERS)
@pytest.mark.parametrize(("name", "kind"), CRITICS_AND_KINDS)
def test_values(name, kind, probe):
    value = learn(name, kind)[probe].value
    index = np.searchsorted(OBS, list(ANSWERS[probe]))
    check(np.abs(value[..., index] - np.array([*ANSWERS[probe].values()])) < MARGIN)


@pytest.mark.parametrize("probe", SEEN)
@pytest.mark.parametrize("name", AGENTS)
def test_discrete_actions(name, probe):
    """The policy takes the right action, and the value is what this policy can expect: p - (1 - p)."""
    distribution, value = learn(name, "discrete")[probe]
    probability = right_actions(probe, distribution)
    check(probability > 0.95)
    if AGENTS[name].critic:
        check(np.abs(value[..., SEEN[probe]] - (2 * probability - 1)) < MARGIN)


@pytest.mark.parametrize("probe", SEEN)
@pytest.mark.parametrize("name", [name for name in AGENTS if (name, "real") not in LEFT_OUT])
def test_real_actions(name, probe):
    """The mean goes to the target μ*, and the value is what this policy can expect: -(μ - μ*)² - σ²."""
    distribution, value = learn(name, "real")[probe]
    error = (distribution.mean[..., 0] - TARGET * np.where(OBS >= 0, 1, -1))[..., SEEN[probe]]
    check(np.abs(error) < MARGIN)
    if AGENTS[name].critic:
        expected = -(error**2) - np.exp(2 * distribution.log_std[..., SEEN[probe], 0])
        check(np.abs(value[..., SEEN[probe]] - expected) < MARGIN)


def test_keras_actor_critic():
    """It normalizes the returns of each episode, so that one step carries no signal: ten steps, and the policy is judged."""
    env = jax_ac.make_env(TEN_STEPS)
    network = tiny_network(env)
    algorithm = jax_ac.keras_actor_critic(env, network=network)
    distribution, _ = train(algorithm, network, 200, jax_ac.grid(algorithm.hyperparams, gamma=[GAMMA]))
    check(right_actions("both", distribution) > 0.95)
