"""gymnax: its environments as `Functions`. The only file that knows gymnax."""

import importlib
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jax_ac.checks import ACTION_BOUNDS, FINITE, check_number, check_positive
from jax_ac.errors import unknown_name
from jax_ac.types import Box, Discrete, Functions, PyTree

SOLVED_AT = {
    "CartPole-v0": 195.0,
    "CartPole-v1": 475.0,
    "Acrobot-v1": -100.0,
    "MountainCar-v0": -110.0,
    "MountainCarContinuous-v0": 90.0,
}
"""Reward thresholds, from gymnasium's registry."""


FIXED = ("max_steps_in_episode", *ACTION_BOUNDS)
"""Parameters that can be set, but not traced: they are the time limit and the action space, which programs are built on."""

FOLLOWING = {"total_mass": "masscart and masspole", "polemass_length": "masspole and length"}
"""Parameters of CartPole that follow from others; gymnax keeps them apart, so that setting one would contradict another."""


def from_gymnax(env: Any, params: Any, numbers: Mapping[str, Any]) -> tuple[Functions, dict[str, Any]]:
    """A gymnax environment as functions of those of its numbers that may be traced, and what remains of `numbers` for them.

    The others, such as the time limit, are already set.
    """
    name, env, defaults = _find(env)
    solved_at = SOLVED_AT.get(name)
    limit = _max_steps(defaults)
    if params is None:
        params = defaults
    elif not isinstance(params, type(defaults)):
        raise TypeError(f"params of {name} must be its EnvParams, got {type(params).__name__}.")
    fixed = {key: _fixed(key, value) for key, value in numbers.items() if key in FIXED and key in _fields(params)}
    params = params.replace(**fixed)

    def bound(given: Mapping[str, Any]) -> Any:
        return _follow(name, params.replace(**{k: _like(getattr(params, k), v) for k, v in given.items()}), given)

    def reset(key: jax.Array, **given: Any):
        return env.reset_env(key, bound(given))

    def step(key: jax.Array, state: PyTree, action: jax.Array, **given: Any):
        obs, state, reward, terminated, _ = env.step_env(key, state, action, bound(given))
        return obs, state, reward, terminated, env.is_truncated(state, bound(given))

    with jax.ensure_compile_time_eval():  # so that bounds are numbers, also where an environment is made inside a jit
        spaces = [_space(name, space(params)) for space in (env.action_space, env.observation_space)]
    functions = Functions(
        reset=reset,
        step=step,
        action_space=spaces[0],
        observation_space=spaces[1],
        max_steps=_max_steps(params),
        solved_at=solved_at if _max_steps(params) == limit else None,
        name=name,
    )
    functions = functions._replace(params=_traceable(functions, _scalars(params)))
    rest = {key: value for key, value in numbers.items() if key not in fixed}
    for key in rest:
        if key not in functions.params and key in _fields(params):
            raise ValueError(f"{key} of {name} {_why_not(key)}.")
    return functions, rest


def board(name: str, numbers: Mapping[str, Any]) -> Callable[[PyTree], jax.Array]:
    """What a game of MinAtar with these numbers shows of a state: ``(state) -> obs [rows, columns, channels]``."""
    _, env, params = _find(name)
    own = {key: _like(getattr(params, key), value) for key, value in numbers.items() if key in _fields(params)}
    params = params.replace(**own)
    return jax.jit(lambda state: env.get_obs(state, params))


def _find(env: Any) -> tuple[str, Any, Any]:
    """The name, the gymnax ``Environment`` and its default parameters, from an id or an ``Environment``."""
    gymnax = _gymnax()
    from gymnax.environments.environment import Environment

    if isinstance(env, Environment):
        return env.name, env, env.default_params
    if not isinstance(env, str):
        raise TypeError(f"env must be an environment id, a gymnax Environment or Functions, got {type(env).__name__}.")
    if env not in {"CartPole-v0", *gymnax.registered_envs}:
        raise ValueError(unknown_name("environment", env, ["CartPole-v0", *gymnax.registered_envs]))
    try:
        found, defaults = gymnax.make("CartPole-v1" if env == "CartPole-v0" else env)
    except OSError as error:  # MNISTBandit-bsuite downloads its images
        raise ValueError(f"{env} could not be made: {error}.") from None
    return env, found, defaults.replace(max_steps_in_episode=200) if env == "CartPole-v0" else defaults


class _Later(types.ModuleType):
    """A module that is imported when something is asked of it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


def _gymnax() -> Any:
    """The package, without seaborn, which takes as long to import as all the rest: only the picture of a game needs it."""
    if not {"gymnax", "seaborn"} & set(sys.modules):
        sys.modules["seaborn"] = _Later("seaborn")
        try:
            return importlib.import_module("gymnax")
        finally:
            del sys.modules["seaborn"]
    return importlib.import_module("gymnax")


def _scalars(params: Any) -> dict[str, float]:
    """Single numbers, but for those that are fixed in an environment, and those that follow from others."""
    values = {name: getattr(params, name) for name in _fields(params)}
    numbers = {name: float(value) for name, value in values.items() if type(value) in (int, float)}
    return {name: value for name, value in numbers.items() if name not in (*FIXED, *FOLLOWING)}


def _fields(params: Any) -> tuple[str, ...]:
    return tuple(params.__dataclass_fields__)


def _fixed(name: str, value: Any) -> float:
    """The value of one of `FIXED`; the time limit is a whole number."""
    number = check_number(name, value, FINITE)
    if name != "max_steps_in_episode":
        return number
    return check_positive(name, int(number) if number.is_integer() else number)


def _why_not(name: str) -> str:
    """Why a parameter cannot be set by its name."""
    if name in FOLLOWING:
        return f"follows from {FOLLOWING[name]}; set those"
    return "is not one number that can be traced; give it in params, as EnvParams"


def _follow(name: str, params: Any, given: Mapping[str, Any]) -> Any:
    if not name.startswith("CartPole") or not {"masscart", "masspole", "length"} & set(given):
        return params
    return params.replace(total_mass=params.masscart + params.masspole, polemass_length=params.masspole * params.length)


def _traceable(functions: Functions, numbers: dict[str, float]) -> dict[str, float]:
    """Those numbers that do not decide shapes or Python branches, found by tracing each."""
    try:
        _trace(functions, numbers)
        return numbers
    except TypeError:  # of which JAX's tracer errors are kinds
        return {name: value for name, value in numbers.items() if _traces(functions, {name: value})}


def _traces(functions: Functions, numbers: dict[str, float]) -> bool:
    try:
        _trace(functions, numbers)
    except TypeError:
        return False
    return True


def _trace(functions: Functions, numbers: dict[str, float]) -> None:
    space = functions.action_space
    action = jnp.zeros(space.shape if isinstance(space, Box) else (), jnp.int32)

    def play(key: jax.Array, traced: dict[str, jax.Array]):
        _, state = functions.reset(key, **traced)
        return functions.step(key, state, action, **traced)

    jax.eval_shape(play, jax.random.key(0), {name: jnp.float32(value) for name, value in numbers.items()})


def _like(default: Any, value: Any) -> Any:
    """`value` as the kind of number that `default` is."""
    if not isinstance(value, jax.Array):
        return round(value) if isinstance(default, int) else type(default)(value)
    return jnp.round(value).astype(jnp.int32) if isinstance(default, int) else value


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
