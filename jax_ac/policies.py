"""Policies: a network with its parameters as rollouts and losses use it, with or without a memory."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jax_ac import tree
from jax_ac.protocols import Distribution, Network, Policy, RecurrentNetwork
from jax_ac.types import Box, Env, PyTree

INIT_STREAM = 2**32 - 2
"""What is folded into a lane's key to initialize a network: no update has this index."""


def init_params(network: Network | RecurrentNetwork, key: jax.Array, env: Env) -> PyTree:
    """The network's parameters for observations of `env`.

    Flax's modules take the lane's key itself, as they fold hashes of names into it. Others may split it or fold 0, 1, ...
    into it, which would give the keys of the updates: theirs is ``fold_in(key, INIT_STREAM)``.
    """
    key = key if isinstance(network, nn.Module) else jax.random.fold_in(key, INIT_STREAM)
    space = env.observation_space
    obs = jnp.zeros(space.shape, jnp.float32) if isinstance(space, Box) else jnp.zeros((), jnp.int32)
    if isinstance(network, RecurrentNetwork):
        return network.init(key, obs, network.initial_memory())
    return network.init(key, obs)


def make_policy(network: Network | RecurrentNetwork, params: PyTree) -> Policy:
    """The policy of a network with parameters."""
    if isinstance(network, RecurrentNetwork):
        initial = network.initial_memory()

        def act(obs: jax.Array, memory: PyTree, first: jax.Array):
            return network.apply(params, obs, _begin(first, initial, memory))

        return Policy(initial, act)

    def act_without(obs: jax.Array, memory: PyTree, first: jax.Array):
        del first
        return *network.apply(params, obs), memory

    return Policy((), act_without)


def replay(policy: Policy, obs: jax.Array, memory: PyTree, first: jax.Array) -> tuple[Distribution, jax.Array]:
    """What a policy says along whole sequences.

    Args:
      policy: with or without a memory.
      obs: ``[T, N, ...]``, or ``[B, ...]`` for a policy without memory.
      memory: at the first step, ``[N, ...]``.
      first: where the memory begins anew, as `obs` without the observation's axes.

    Returns:
      The distribution and the value, with the leading axes of `obs`.
    """
    if not jax.tree.leaves(policy.initial_memory):
        distribution, value, _ = policy.act(obs, memory, first)
        return distribution, value

    def step(memory: PyTree, inputs: Any):
        distribution, value, memory = policy.act(inputs[0], memory, inputs[1])
        return memory, (distribution, value)

    return jax.lax.scan(step, memory, (obs, first))[1]


def value_along(policy: Policy, obs: jax.Array, memory: PyTree, first: jax.Array) -> jax.Array:
    """v(sₜ), ``[T, N]``, along whole sequences: arguments as `replay`."""
    if jax.tree.leaves(policy.initial_memory):
        return replay(policy, obs, memory, first)[1]
    flat_obs, flat_first = tree.flatten_time((obs, first))
    return replay(policy, flat_obs, memory, flat_first)[1].reshape(first.shape)


def log_prob_along(distribution: Distribution, action: jax.Array) -> jax.Array:
    """log π(aₜ|sₜ), ``[T, N]``, of the distributions of T steps and actions ``[T, N, ...]``.

    Step by step: a distribution may have leaves without N, such as one deviation for all.
    """
    return jax.vmap(lambda distribution, action: distribution.log_prob(action))(distribution, action)


def repeat_memory(policy: Policy, num: int) -> PyTree:
    """The initial memory for N environments, leaves ``[N, ...]``."""
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (num, *leaf.shape)), policy.initial_memory)


def _begin(first: jax.Array, initial: PyTree, memory: PyTree) -> PyTree:
    """The initial memory where an episode begins, else `memory`; leaves ``[N, ...]``, or without N."""
    initial = jax.tree.map(lambda begin, leaf: jnp.broadcast_to(begin, leaf.shape), initial, memory)
    return tree.select(first, initial, memory)
