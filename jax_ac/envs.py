"""Environments: the only file that knows gymnax. `make_env` binds an environment's parameters into plain functions."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jax_ac import tree
from jax_ac.errors import unknown_name
from jax_ac.types import Box, Discrete, Env, PyTree

SOLVED_AT = {"CartPole-v0": 195.0, "CartPole-v1": 475.0, "MountainCarContinuous-v0": 90.0}
"""Reward thresholds, from gymnasium's registry.

The negative ones (Acrobot-v1, MountainCar-v0) are left out: a running return that starts at 0 is above them at once.
"""


def make_env(env: Any, params: Any = None) -> Env:
    """An environment as plain functions.

    Args:
      env: an id that gymnax registers, ``"CartPole-v0"`` (CartPole-v1 with a limit of 200 steps, solved at 195), or a
        gymnax ``Environment``.
      params: gymnax ``EnvParams``, which replace all of the environment's own, its time limit included; those where None.
        With another time limit the environment has no `solved_at`.

    Returns:
      The environment; rewards and real observations are float32.

    Raises:
      ValueError: if the id is not known (the sentence names the nearest that is) or needs data that cannot be had.
      TypeError: if `env` is neither an id nor a gymnax ``Environment``, `params` is not its ``EnvParams``, or a space is
        neither box nor discrete.
    """
    name, env, defaults = _find(env)
    solved_at = SOLVED_AT.get(name)
    if params is None:
        params = defaults
    elif not isinstance(params, type(defaults)):
        raise TypeError(f"params of {name} must be its EnvParams, got {type(params).__name__}.")
    elif _max_steps(params) != _max_steps(defaults):
        solved_at = None
    max_steps = _max_steps(params)
    if max_steps is not None and max_steps < 1:
        raise ValueError(f"max_steps_in_episode of {name} must be at least 1, got {max_steps}.")

    def reset(key: jax.Array) -> tuple[jax.Array, PyTree]:
        return jax.tree.map(_plain, env.reset_env(key, params))

    key_like = jax.eval_shape(lambda: jax.random.key(0))
    like = jax.eval_shape(reset, key_like)

    def transition(key: jax.Array, state: PyTree, action: jax.Array):
        obs, state, reward, terminated, _ = env.step_env(key, state, action, params)
        truncated = env.is_truncated(state, params)
        obs, state = jax.tree.map(lambda leaf, kind: jnp.asarray(leaf, kind.dtype), (obs, state), like)
        return obs, state, jnp.asarray(reward, jnp.float32), jnp.asarray(terminated, bool), jnp.asarray(truncated, bool)

    return Env(
        name=name,
        reset=reset,
        transition=transition,
        step=auto_reset(reset, transition),
        observation_space=_space(name, env.observation_space(params)),
        action_space=_space(name, env.action_space(params)),
        max_steps=max_steps,
        solved_at=solved_at,
    )


def _find(env: Any) -> tuple[str, Any, Any]:
    """The name, the gymnax ``Environment`` and its default parameters, from an id or an ``Environment``."""
    import gymnax
    from gymnax.environments.environment import Environment

    if isinstance(env, Environment):
        return env.name, env, env.default_params
    if not isinstance(env, str):
        raise TypeError(f"env must be an environment id or a gymnax Environment, got {type(env).__name__}.")
    if env not in {"CartPole-v0", *gymnax.registered_envs}:
        raise ValueError(unknown_name("environment", env, ["CartPole-v0", *gymnax.registered_envs]))
    try:
        found, defaults = gymnax.make("CartPole-v1" if env == "CartPole-v0" else env)
    except OSError as error:  # MNISTBandit-bsuite downloads its images
        raise ValueError(f"{env} could not be made: {error}.") from None
    return env, found, defaults.replace(max_steps_in_episode=200) if env == "CartPole-v0" else defaults


def auto_reset(reset: Callable, transition: Callable) -> Callable:
    """`Env.step` from `Env.reset` and `Env.transition`: where an episode ends, the next one begins at once."""

    def step(key: jax.Array, state: PyTree, action: jax.Array):
        key_transition, key_reset = jax.random.split(key)
        final_obs, next_state, reward, terminated, truncated = transition(key_transition, state, action)
        obs, state = tree.select(terminated | truncated, reset(key_reset), (final_obs, next_state))
        return obs, state, reward, terminated, truncated, final_obs

    return step


def _plain(leaf: Any) -> jax.Array:
    """An array of one fixed type, so that a scan can carry it: floats become float32, and it is not weakly typed."""
    array = jnp.asarray(leaf)
    return array.astype(jnp.float32 if jnp.issubdtype(array.dtype, jnp.floating) else array.dtype)


def _max_steps(params: Any) -> int | None:
    limit = getattr(params, "max_steps_in_episode", None)
    return None if limit is None else int(limit)


def _space(name: str, space: Any) -> Box | Discrete:
    from gymnax.environments import spaces

    if isinstance(space, spaces.Discrete):
        return Discrete(int(space.n))
    if isinstance(space, spaces.Box):
        return Box(tuple(space.shape or ()), space.low, space.high)
    raise TypeError(f"{name} has a {type(space).__name__} space; only Box and Discrete spaces are taken.")
