"""Environment transformers: functions from an `Env` to an `Env`, composed by calling one on the other's result."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jax_ac.checks import check_number, check_positive
from jax_ac.doors import check_env
from jax_ac.envs import auto_reset
from jax_ac.recipes import recorded
from jax_ac.types import Box, Env, PyTree


@recorded
def flatten(env: Env) -> Env:
    """Observations as vectors: ``[...]`` becomes ``[product of the axes]``.

    Raises:
      TypeError: if `env` is not from `make_env`.
      ValueError: if observations are integers.
    """
    check_env("flatten", env)
    space = env.observation_space
    if not isinstance(space, Box):
        raise ValueError(f"flatten takes observations that are arrays; those of {env.name} are integers.")
    size = math.prod(space.shape)

    def reset(inner: Env, key: jax.Array):
        obs, state = inner.reset(key)
        return obs.reshape(size), state

    def transition(inner: Env, key: jax.Array, state: PyTree, action: jax.Array):
        obs, *rest = inner.transition(key, state, action)
        return obs.reshape(size), *rest

    low, high = (jnp.broadcast_to(jnp.asarray(bound), space.shape).reshape(size) for bound in (space.low, space.high))
    return _derive(env, _played_by(reset, transition, observation_space=Box((size,), low, high)))


class Timed(NamedTuple):
    """A state, and the steps taken in its episode, int32."""

    inner: PyTree
    steps: jax.Array


@recorded
def time_limit(env: Env, max_steps: int) -> Env:
    """Truncates episodes at `max_steps` steps. With a lower limit than before there is no `solved_at`.

    Raises:
      TypeError: if `env` is not from `make_env`, or `max_steps` is not a whole number.
      ValueError: if `max_steps` is below 1.
    """
    check_env("time_limit", env)
    max_steps = check_positive("max_steps", max_steps)
    if env.max_steps is not None and env.max_steps <= max_steps:
        return env

    def reset(inner: Env, key: jax.Array):
        obs, state = inner.reset(key)
        return obs, Timed(state, jnp.zeros((), jnp.int32))

    def transition(inner: Env, key: jax.Array, state: Timed, action: jax.Array):
        obs, next_state, reward, terminated, truncated = inner.transition(key, state.inner, action)
        steps = state.steps + 1
        return obs, Timed(next_state, steps), reward, terminated, truncated | (steps >= max_steps)

    gap = min(env.truncation_gap, max_steps)
    return _derive(env, _played_by(reset, transition, max_steps=max_steps, solved_at=None, truncation_gap=gap))


class Sticky(NamedTuple):
    """A state, the action last executed, and whether there is one."""

    inner: PyTree
    action: jax.Array
    acted: jax.Array


@recorded
def sticky_actions(env: Env, probability: float) -> Env:
    """With `probability` the environment repeats the last executed action instead of the agent's.

    Machado et al. (2018), section 5.2. The first action of an episode is always the agent's. The probability can be swept,
    as ``env_sticky_probability``.

    Raises:
      TypeError: if `env` is not from `make_env`, or `probability` is not a number.
      ValueError: if `probability` is not in [0, 1], or `env` has a number of that name already.
    """
    check_env("sticky_actions", env)
    probability = check_number("sticky_probability", probability)
    space = env.action_space
    idle = jnp.zeros(space.shape, jnp.float32) if isinstance(space, Box) else jnp.zeros((), jnp.int32)

    def reset(inner: Env, key: jax.Array):
        obs, state = inner.reset(key)
        return obs, Sticky(state, idle, jnp.zeros((), bool))

    def transition(inner: Env, key: jax.Array, state: Sticky, action: jax.Array, *, sticky_probability: Any):
        key_stick, key_inner = jax.random.split(key)
        sticks = state.acted & (jax.random.uniform(key_stick, (), jnp.float32) < sticky_probability)
        action = jnp.where(sticks, state.action, jnp.asarray(action, idle.dtype).reshape(idle.shape))
        obs, next_state, *rest = inner.transition(key_inner, state.inner, action)
        return obs, Sticky(next_state, action, jnp.ones((), bool)), *rest

    return _derive(env, _played_by(reset, transition), sticky_probability=probability)


@recorded
def scale_rewards(env: Env, scale: float) -> Env:
    """The learner sees rewards times `scale`; episode returns are reported unscaled.

    The scale can be swept, as ``env_reward_scale``.

    Raises:
      TypeError: if `env` is not from `make_env`, or `scale` is not a number.
      ValueError: if `scale` is not finite and greater than 0, or `env` has a number of that name already.
    """
    check_env("scale_rewards", env)
    scale = check_number("reward_scale", scale)
    return _derive(env, lambda inner, numbers: inner._replace(**numbers), reward_scale=scale)


@recorded
def normalize_observations(env: Env) -> Env:
    """The learner sees observations normalized by their running mean and standard deviation.

    The statistics are of all frames that the lane has seen, over its N environments; they live in `TrainState.moments` and
    move between updates, so that acting and learning see the same frame alike. See `moments`.

    Raises:
      TypeError: if `env` is not from `make_env`.
      ValueError: if observations are integers, which have no mean.
    """
    check_env("normalize_observations", env)
    if not isinstance(env.observation_space, Box):
        raise ValueError(f"normalize_observations takes real observations; those of {env.name} are integers.")
    return _derive(env, lambda inner, numbers: inner._replace(normalized=True))


def innermost(state: PyTree) -> PyTree:
    """The state of the environment under all transformers."""
    while isinstance(state, Timed | Sticky):
        state = state.inner
    return state


Build = Callable[[Env, Mapping[str, Any]], Env]
"""``(inner environment, the transformer's own numbers) -> environment``."""


def _derive(env: Env, build: Build, **defaults: float) -> Env:
    """What `build` makes of `env` and the numbers `defaults`. Raises ValueError where `env` has one of the same name."""
    for name in defaults:
        if name in env.params:
            raise ValueError(f"{env.name} cannot be given the number {name}: it has one of that name already.")
    return _bind(env, build, defaults, {})


def _bind(env: Env, build: Build, defaults: Mapping[str, float], given: Mapping[str, Any]) -> Env:
    """The environment with the numbers `given` in place of the transformer's own."""

    def bind(numbers: Mapping[str, Any]) -> Env:
        own = {name: value for name, value in numbers.items() if name in defaults}
        others = {name: value for name, value in numbers.items() if name not in defaults}
        return _bind(env.bind(others), build, defaults, {**given, **own})

    return build(env, {**defaults, **given})._replace(params={**env.params, **defaults}, bind=bind)


def _played_by(reset: Callable, transition: Callable, **fields: Any) -> Build:
    """Builds an environment of other functions, which get the inner one first and the numbers last, and other `fields`."""

    def build(inner: Env, numbers: Mapping[str, Any]) -> Env:
        outer_reset, outer_transition = partial(reset, inner), partial(transition, inner, **numbers)
        step = auto_reset(outer_reset, outer_transition)
        return inner._replace(reset=outer_reset, transition=outer_transition, step=step, **fields)

    return build
