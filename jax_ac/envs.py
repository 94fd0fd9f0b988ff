"""Environments: `make_env` turns what a user has into an `Env` of plain functions, its numbers bound."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jax_ac import tree
from jax_ac.checks import FINITE, check_number
from jax_ac.contracts import check_contract, check_fields
from jax_ac.errors import unknown_name
from jax_ac.gymnax_envs import from_gymnax
from jax_ac.recipes import recorded
from jax_ac.types import Box, Env, Functions, PyTree


@recorded
def make_env(env: Any, params: Any = None, **numbers: float) -> Env:
    """An environment as plain functions.

    Args:
      env: an id that gymnax registers; ``"CartPole-v0"`` (CartPole-v1 with a limit of 200 steps, solved at 195); a gymnax
        ``Environment``; or `Functions`.
      params: gymnax ``EnvParams``, which replace all of the environment's own, its time limit included; those where None.
        With another time limit the environment has no `solved_at`.
      **numbers: single parameters by name, such as ``length=1.0``. The time limit ``max_steps_in_episode`` and the bounds of
        real actions, such as ``max_torque``, are fixed in the environment; all others can be swept.

    Returns:
      The environment; rewards and real observations are float32.

    Raises:
      ValueError: if the id or a parameter is not known (the sentence names the nearest that is), the environment needs data
        that cannot be had, or functions break their contract.
      TypeError: if `env` or `params` is of another type, a space is neither box nor discrete, or functions do not take what
        their contract says.
    """
    bare = isinstance(env, Functions)
    if bare and params is not None:
        raise TypeError(f"params are those of a gymnax environment; functions have none, got {type(params).__name__}.")
    functions, sweepable = (env, numbers) if bare else from_gymnax(env, params, numbers)
    functions = check_fields(functions)
    for name in sweepable:
        if name not in functions.params:
            raise ValueError(unknown_name(f"parameter of {functions.name}", name, functions.params))
    given = {name: check_number(name, value, FINITE) for name, value in sweepable.items()}
    defaults = {name: check_number(name, value, FINITE) for name, value in {**functions.params, **given}.items()}
    check_contract(functions, defaults)
    gap = 1 if bare else functions.max_steps or 1
    return _bind(functions, gap, defaults, defaults if bare else given)  # gymnax has its own in EnvParams


def auto_reset(reset: Callable, transition: Callable) -> Callable:
    """`Env.step` from `Env.reset` and `Env.transition`: where an episode ends, the next one begins at once."""

    def step(key: jax.Array, state: PyTree, action: jax.Array):
        key_transition, key_reset = jax.random.split(key)
        final_obs, next_state, reward, terminated, truncated = transition(key_transition, state, action)
        obs, state = tree.select(terminated | truncated, reset(key_reset), (final_obs, next_state))
        return obs, state, reward, terminated, truncated, final_obs

    return step


def _bind(functions: Functions, truncation_gap: int, defaults: Mapping[str, float], numbers: Mapping[str, Any]) -> Env:
    """The environment with `numbers` in place of the functions' own."""
    space = functions.action_space

    def reset(key: jax.Array) -> tuple[jax.Array, PyTree]:
        return jax.tree.map(_plain, functions.reset(key, **numbers))

    like = jax.eval_shape(reset, jax.eval_shape(lambda: jax.random.key(0)))

    def transition(key: jax.Array, state: PyTree, action: jax.Array):
        if isinstance(space, Box):  # a policy's actions are vectors
            action = jnp.clip(jnp.reshape(action, space.shape), space.low, space.high)
        obs, state, reward, terminated, truncated = functions.step(key, state, action, **numbers)
        obs, state = jax.tree.map(lambda leaf, kind: jnp.asarray(leaf, kind.dtype), (obs, state), like)
        return obs, state, jnp.asarray(reward, jnp.float32), jnp.asarray(terminated, bool), jnp.asarray(truncated, bool)

    return Env(
        name=functions.name,
        reset=reset,
        transition=transition,
        step=auto_reset(reset, transition),
        observation_space=functions.observation_space or Box(like[0].shape, -np.inf, np.inf),
        action_space=space,
        max_steps=functions.max_steps,
        solved_at=functions.solved_at,
        truncation_gap=truncation_gap,
        params=defaults,
        bind=lambda others: _bind(functions, truncation_gap, defaults, {**numbers, **others}),
    )


def _plain(leaf: Any) -> jax.Array:
    """An array of one fixed type, so that a scan can carry it: floats become float32, and it is not weakly typed."""
    array = jnp.asarray(leaf)
    return array.astype(jnp.float32 if jnp.issubdtype(array.dtype, jnp.floating) else array.dtype)
