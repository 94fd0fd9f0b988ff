"""Environment transformers: functions from an `Env` to an `Env`, composed by calling one on the other's result."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jax_ac.checks import check_number, check_positive
from jax_ac.envs import auto_reset
from jax_ac.recipes import recorded
from jax_ac.types import Box, Env, PyTree


@recorded
def flatten(env: Env) -> Env:
    """Observations as vectors: ``[...]`` becomes ``[product of the axes]``."""
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

    flat = _derive(env, reset, transition)
    low, high = (jnp.broadcast_to(jnp.asarray(bound), space.shape).reshape(size) for bound in (space.low, space.high))
    return _with(flat, lambda bound: bound._replace(observation_space=Box((size,), low, high)))


class Timed(NamedTuple):
    """A state, and the steps taken in its episode, int32."""

    inner: PyTree
    steps: jax.Array


@recorded
def time_limit(env: Env, max_steps: int) -> Env:
    """Truncates episodes at `max_steps` steps. With a lower limit than before there is no `solved_at`.

    Raises:
      ValueError, TypeError: unless `max_steps` is a whole number of at least 1.
    """
    max_steps = check_positive("max_steps", max_steps)

    def reset(inner: Env, key: jax.Array):
        obs, state = inner.reset(key)
        return obs, Timed(state, jnp.zeros((), jnp.int32))

    def transition(inner: Env, key: jax.Array, state: Timed, action: jax.Array):
        obs, next_state, reward, terminated, truncated = inner.transition(key, state.inner, action)
        steps = state.steps + 1
        return obs, Timed(next_state, steps), reward, terminated, truncated | (steps >= max_steps)

    unchanged = env.max_steps is not None and env.max_steps <= max_steps
    changes: dict[str, Any] = {} if unchanged else {"max_steps": max_steps, "solved_at": None}
    gap = min(env.truncation_gap, max_steps)
    if not unchanged and env.max_steps is not None:
        gap = max_steps
    return _with(_derive(env, reset, transition), lambda bound: bound._replace(truncation_gap=gap, **changes))


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
      ValueError, TypeError: unless `probability` is a number in [0, 1].
    """
    probability = check_number("sticky_probability", probability)
    space = env.action_space
    idle = jnp.zeros(space.shape, jnp.float32) if isinstance(space, Box) else jnp.zeros((), jnp.int32)

    def reset(inner: Env, key: jax.Array):
        obs, state = inner.reset(key)
        return obs, Sticky(state, idle, jnp.zeros((), bool))

    def transition(inner: Env, key: jax.Array, state: Sticky, action: jax.Array, *, sticky_probability: Any = probability):
        key_stick, key_inner = jax.random.split(key)
        sticks = state.acted & (jax.random.uniform(key_stick, (), jnp.float32) < sticky_probability)
        action = jnp.where(sticks, state.action, jnp.asarray(action, idle.dtype))
        obs, next_state, *rest = inner.transition(key_inner, state.inner, action)
        return obs, Sticky(next_state, action, jnp.ones((), bool)), *rest

    return _derive(env, reset, transition, sticky_probability=probability)


@recorded
def scale_rewards(env: Env, scale: float) -> Env:
    """The learner sees rewards times `scale`; episode returns are reported unscaled.

    The scale can be swept, as ``env_reward_scale``.

    Raises:
      ValueError, TypeError: unless `scale` is a finite number greater than 0.
    """
    scale = check_number("reward_scale", scale)
    scaled = env._replace(reward_scale=scale, params={**env.params, "reward_scale": scale})

    def bind(numbers: Any) -> Env:
        inner = {name: value for name, value in numbers.items() if name != "reward_scale"}
        bound = scale_rewards(env.bind(inner), scale)
        return bound._replace(reward_scale=numbers.get("reward_scale", scale))

    return scaled._replace(bind=bind)


@recorded
def normalize_observations(env: Env) -> Env:
    """The learner sees observations normalized by their running mean and standard deviation.

    The statistics are of all frames that the lane has seen, over its N environments; they live in `TrainState.moments` and
    move between updates, so that acting and learning see the same frame alike. See `moments`.

    Raises:
      ValueError: if observations are integers, which have no mean.
    """
    if not isinstance(env.observation_space, Box):
        raise ValueError(f"normalize_observations takes real observations; those of {env.name} are integers.")
    return _with(env, lambda bound: bound._replace(normalized=True))


def _derive(env: Env, reset: Callable, transition: Callable, **params: float) -> Env:
    """An environment whose functions are `reset` and `transition` of the inner one, with the numbers `params` of its own."""

    def build(inner: Env, own: dict[str, Any]) -> Env:
        outer_reset, outer_transition = partial(reset, inner), partial(transition, inner, **own)
        return inner._replace(
            reset=outer_reset,
            transition=outer_transition,
            step=auto_reset(outer_reset, outer_transition),
            params={**inner.params, **params},
            bind=bind,
        )

    def bind(numbers: Any) -> Env:
        own = {name: value for name, value in numbers.items() if name in params}
        return build(env.bind({name: value for name, value in numbers.items() if name not in params}), own)

    return build(env, {})


def _with(env: Env, change: Callable[[Env], Env]) -> Env:
    """`change(env)`, also after its numbers have been bound anew."""
    return change(env)._replace(bind=lambda numbers: _with(env.bind(numbers), change))
