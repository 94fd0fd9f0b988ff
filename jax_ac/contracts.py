"""Contracts: whether functions are an environment as `Functions` says, found by tracing them once."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jax_ac.checks import FINITE, check_number, check_positive
from jax_ac.types import Box, Discrete, Functions, PyTree


def check_fields(functions: Functions) -> Functions:
    """The functions with whole and real numbers in their fields. Raises ValueError or TypeError, in one sentence, else."""
    name = functions.name
    for field in ("reset", "step"):
        if not callable(getattr(functions, field)):
            raise TypeError(f"{field} of {name} must be a function, got {type(getattr(functions, field)).__name__}.")
    if not isinstance(functions.params, Mapping):
        raise TypeError(f"params of {name} must map names to numbers, got {type(functions.params).__name__}.")
    _check_space(f"action_space of {name}", functions.action_space)
    if functions.observation_space is not None:
        _check_space(f"observation_space of {name}", functions.observation_space)
    max_steps, solved_at = functions.max_steps, functions.solved_at
    return functions._replace(
        max_steps=None if max_steps is None else check_positive(f"max_steps of {name}", max_steps),
        solved_at=None if solved_at is None else check_number(f"solved_at of {name}", solved_at, FINITE),
    )


def check_contract(functions: Functions, numbers: Mapping[str, float]) -> None:
    """Raises ValueError or TypeError, in one sentence, where what the functions take or return breaks their contract."""
    name = functions.name
    _check_signature(f"reset of {name}", functions.reset, ("key",), numbers)
    _check_signature(f"step of {name}", functions.step, ("key", "state", "action"), numbers)
    key = jax.eval_shape(lambda: jax.random.key(0))
    began = jax.eval_shape(partial(functions.reset, **numbers), key)
    _check_reset(functions, began)
    space = functions.action_space
    shape, dtype = (space.shape, jnp.float32) if isinstance(space, Box) else ((), jnp.int32)
    action = jax.ShapeDtypeStruct(shape, dtype)
    _check_step(name, began, jax.eval_shape(partial(functions.step, **numbers), key, began[1], action))


def _check_space(what: str, space: Any) -> None:
    """Raises ValueError or TypeError unless it is a space; bounds that are traced are trusted."""
    if isinstance(space, Discrete):
        check_positive(f"n of the {what}", space.n)
        return
    if not isinstance(space, Box):
        raise TypeError(f"{what} must be a Box or Discrete, got {type(space).__name__}.")
    if not isinstance(space.shape, tuple):
        raise TypeError(f"shape of the {what} must be a tuple of whole numbers, got {space.shape!r}.")
    for size in space.shape:
        check_positive(f"every axis of the {what}", size)
    if isinstance(space.low, Tracer) or isinstance(space.high, Tracer):
        return
    try:
        low, high = (np.asarray(bound, np.float64) for bound in (space.low, space.high))
    except (TypeError, ValueError):
        raise TypeError(f"low and high of the {what} must be numbers, got {space.low!r} and {space.high!r}.") from None
    if not {low.shape, high.shape} <= {(), space.shape}:
        raise ValueError(
            f"low and high of the {what} must be numbers or of its shape {space.shape}, got {low.shape} and {high.shape}."
        )
    if not np.all(low <= high):
        raise ValueError(f"low of the {what} must be at most its high, got {space.low} and {space.high}.")


def _check_signature(what: str, function: Callable, wanted: tuple[str, ...], numbers: Mapping[str, float]) -> None:
    try:
        signature = inspect.signature(function)
    except ValueError:  # a builtin, which does not say
        return
    try:
        signature.bind(*wanted, **numbers)
    except TypeError as error:
        raise TypeError(f"{what} must take ({', '.join((*wanted, *numbers))}): {error}.") from None


def _check_reset(functions: Functions, began: Any) -> None:
    name, space = functions.name, functions.observation_space
    if not (isinstance(began, tuple) and len(began) == 2):
        raise ValueError(f"reset of {name} must return (obs, state).")
    if any(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in jax.tree.leaves(began)):
        raise ValueError(f"the state of {name} must hold numbers; keep a key as jax.random.key_data.")
    obs = began[0]
    if not isinstance(obs, jax.ShapeDtypeStruct):
        raise ValueError(f"the observations of {name} must be one array, got {type(obs).__name__}.")
    if space is None:
        return
    expected = space.shape if isinstance(space, Box) else ()
    if obs.shape != expected:
        raise ValueError(f"reset of {name} gives observations of the shape {obs.shape}, its space says {expected}.")
    if isinstance(space, Discrete) and not jnp.issubdtype(obs.dtype, jnp.integer):
        raise ValueError(f"the observations of {name} must be whole numbers, as its space says, got {obs.dtype}.")


def _check_step(name: str, began: Any, stepped: Any) -> None:
    if not (isinstance(stepped, tuple) and len(stepped) == 5):
        raise ValueError(f"step of {name} must return (obs, state, reward, terminated, truncated).")
    if _shapes(began) != _shapes(stepped[:2]):
        raise ValueError(f"step of {name} must return obs and state of the structure and shapes that reset gives them.")
    if not jax.tree.all(jax.tree.map(lambda a, b: jnp.can_cast(b.dtype, a.dtype, "same_kind"), began, stepped[:2])):
        raise ValueError(f"step of {name} returns real numbers where reset gives whole ones, which would be cut off.")
    if jax.tree.map(jnp.shape, stepped[2:]) != ((), (), ()):
        raise ValueError(f"reward, terminated and truncated of {name} must be scalars.")
    reward, terminated, truncated = (leaf.dtype for leaf in stepped[2:])
    if jnp.issubdtype(reward, jnp.complexfloating):
        raise ValueError(f"the reward of {name} must be a real number, got {reward}.")
    if {terminated, truncated} != {np.dtype(bool)}:
        raise ValueError(f"terminated and truncated of {name} must be bools, got {terminated} and {truncated}.")


def _shapes(tree: PyTree) -> tuple[list[tuple[int, ...]], Any]:
    """The shapes of the leaves, and the structure: a structure can be compared where its nodes, holding arrays, cannot."""
    leaves, structure = jax.tree.flatten(tree)
    return [leaf.shape for leaf in leaves], structure
