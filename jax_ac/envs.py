"""Environments: `make_env` turns what a user has into an `Env` of plain functions, its numbers bound."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jax_ac import tree
from jax_ac.checks import check_number, check_positive
from jax_ac.errors import unknown_name
from jax_ac.gymnax_envs import from_gymnax
from jax_ac.recipes import recorded
from jax_ac.types import Box, Discrete, Env, Functions, PyTree


@recorded
def make_env(env: Any, params: Any = None, **numbers: float) -> Env:
    """An environment as plain functions.

    Args:
      env: an id that gymnax registers; ``"CartPole-v0"`` (CartPole-v1 with a limit of 200 steps, solved at 195); a gymnax
        ``Environment``; or `Functions`.
      params: gymnax ``EnvParams``, which replace all of the environment's own, its time limit included; those where None.
        With another time limit the environment has no `solved_at`.
      **numbers: single parameters by name, such as ``length=1.0``.

    Returns:
      The environment; rewards and real observations are float32.

    Raises:
      ValueError: if the id or a parameter is not known (the sentence names the nearest that is), the environment needs data
        that cannot be had, or functions break their contract.
      TypeError: if `env` or `params` is of another type, or a space is neither box nor discrete.
    """
    if isinstance(env, Functions) and params is not None:
        raise TypeError(f"params are those of a gymnax environment; functions have none, got {type(params).__name__}.")
    functions = env if isinstance(env, Functions) else from_gymnax(env, params, numbers)
    if functions.max_steps is not None:
        check_positive(f"max_steps of {functions.name}", functions.max_steps)
    for name, value in numbers.items():
        if name not in functions.params and (env is functions or name != "max_steps_in_episode"):
            raise ValueError(unknown_name(f"parameter of {functions.name}", name, functions.params))
        check_number(name, value)
    given = {name: float(value) for name, value in numbers.items() if name in functions.params}
    defaults = {name: check_number(name, value) for name, value in {**functions.params, **given}.items()}
    _check_contract(functions, defaults)
    return _bind(functions, defaults, given)


def auto_reset(reset: Callable, transition: Callable) -> Callable:
    """`Env.step` from `Env.reset` and `Env.transition`: where an episode ends, the next one begins at once."""

    def step(key: jax.Array, state: PyTree, action: jax.Array):
        key_transition, key_reset = jax.random.split(key)
        final_obs, next_state, reward, terminated, truncated = transition(key_transition, state, action)
        obs, state = tree.select(terminated | truncated, reset(key_reset), (final_obs, next_state))
        return obs, state, reward, terminated, truncated, final_obs

    return step


def _bind(functions: Functions, defaults: Mapping[str, float], numbers: Mapping[str, Any]) -> Env:
    """The environment with `numbers` in place of the functions' own."""

    def reset(key: jax.Array) -> tuple[jax.Array, PyTree]:
        return jax.tree.map(_plain, functions.reset(key, **numbers))

    like = jax.eval_shape(reset, jax.eval_shape(lambda: jax.random.key(0)))

    def transition(key: jax.Array, state: PyTree, action: jax.Array):
        if isinstance(functions.action_space, Box):
            action = jnp.clip(action, functions.action_space.low, functions.action_space.high)
        obs, state, reward, terminated, truncated = functions.step(key, state, action, **numbers)
        obs, state = jax.tree.map(lambda leaf, kind: jnp.asarray(leaf, kind.dtype), (obs, state), like)
        return obs, state, jnp.asarray(reward, jnp.float32), jnp.asarray(terminated, bool), jnp.asarray(truncated, bool)

    return Env(
        name=functions.name,
        reset=reset,
        transition=transition,
        step=auto_reset(reset, transition),
        observation_space=functions.observation_space or Box(like[0].shape, -np.inf, np.inf),
        action_space=functions.action_space,
        max_steps=functions.max_steps,
        solved_at=functions.solved_at,
        truncation_gap=functions.max_steps or 1,
        params=defaults,
        bind=lambda others: _bind(functions, defaults, {**numbers, **others}),
    )


def _check_contract(functions: Functions, numbers: Mapping[str, float]) -> None:
    """Raises ValueError or TypeError, in one sentence, where `functions` break the contract of `Functions`."""
    name = functions.name
    if not isinstance(functions.action_space, Box | Discrete):
        raise TypeError(f"action_space of {name} must be a Box or Discrete, got {type(functions.action_space).__name__}.")
    key = jax.eval_shape(lambda: jax.random.key(0))
    began = jax.eval_shape(partial(functions.reset, **numbers), key)
    if not (isinstance(began, tuple) and len(began) == 2):
        raise ValueError(f"reset of {name} must return (obs, state).")
    if any(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in jax.tree.leaves(began)):
        raise ValueError(f"the state of {name} must hold numbers; keep a key as jax.random.key_data.")
    if not hasattr(began[0], "shape"):
        raise ValueError(f"the observations of {name} must be one array, got {type(began[0]).__name__}.")
    space = functions.observation_space or Box(began[0].shape, -np.inf, np.inf)
    if not isinstance(space, Box | Discrete):
        raise TypeError(f"observation_space of {name} must be a Box or Discrete, got {type(space).__name__}.")
    expected = space.shape if isinstance(space, Box) else ()
    if began[0].shape != expected:
        raise ValueError(f"reset of {name} gives observations of the shape {began[0].shape}, its space says {expected}.")
    shape = functions.action_space.shape if isinstance(functions.action_space, Box) else ()
    action = jax.ShapeDtypeStruct(shape, jnp.float32 if isinstance(functions.action_space, Box) else jnp.int32)
    stepped = jax.eval_shape(partial(functions.step, **numbers), key, began[1], action)
    if not (isinstance(stepped, tuple) and len(stepped) == 5):
        raise ValueError(f"step of {name} must return (obs, state, reward, terminated, truncated).")
    if jax.tree.map(jnp.shape, began) != jax.tree.map(jnp.shape, stepped[:2]):
        raise ValueError(f"step of {name} must return obs and state of the structure and shapes that reset gives them.")
    if not jax.tree.all(jax.tree.map(lambda a, b: jnp.can_cast(b.dtype, a.dtype, "same_kind"), began, stepped[:2])):
        raise ValueError(f"step of {name} returns real numbers where reset gives whole ones, which would be cut off.")
    if jax.tree.map(jnp.shape, stepped[2:]) != ((), (), ()):
        raise ValueError(f"reward, terminated and truncated of {name} must be scalars.")


def _plain(leaf: Any) -> jax.Array:
    """An array of one fixed type, so that a scan can carry it: floats become float32, and it is not weakly typed."""
    array = jnp.asarray(leaf)
    return array.astype(jnp.float32 if jnp.issubdtype(array.dtype, jnp.floating) else array.dtype)
