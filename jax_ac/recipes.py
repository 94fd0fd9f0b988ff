"""Recipes: how an algorithm or an environment was made, as JSON, so that a run folder can make it again.

A recipe is a call of one of the functions that are `recorded`, with its arguments: numbers, strings, other recipes, and
functions, classes and networks of jax_ac, jax.nn, flax.linen and optax by name. Nothing else can be written as one, and
nothing else is ever looked up when one is read.
"""

import functools
import importlib
import inspect
import json
from collections.abc import Callable
from math import isfinite
from typing import Any, ParamSpec, TypeVar

import flax.linen as nn
import jax
import numpy as np

from jax_ac import networks
from jax_ac.layers import Initialization

P = ParamSpec("P")
R = TypeVar("R")

OURS = (
    "advantages", "algorithms", "brax_envs", "distributions", "envs", "hyperparams", "losses", "networks", "presets",
    "rollout", "transforms", "types", "update",
)  # fmt: skip
MODULES = (*(f"jax_ac.{name}" for name in OURS), "jax.nn", "flax.linen", "optax")
"""Where the functions and classes that a recipe names may come from."""


NUMBERS = tuple(np.dtype(code).name for code in "?" + np.typecodes["AllInteger"] + "efd")
"""The types of the arrays that a recipe holds."""


class NoRecipe(Exception):
    """Something cannot be written as a recipe, or a text is not one; the message says what."""


def recorded(function: Callable[P, R]) -> Callable[P, R]:
    """The function, whose results, NamedTuples with a field `recipe`, carry the call that made them.

    `recipe` is a JSON text, or None where an argument cannot be written as one, such as a network of the user's own.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def record(*args: P.args, **kwargs: P.kwargs) -> R:
        result: Any = function(*args, **kwargs)
        try:
            recipe = json.dumps(_encode_call(function, signature.bind(*args, **kwargs)))
        except NoRecipe:
            recipe = None
        return result._replace(recipe=recipe)

    record.__dict__["recorded"] = True
    return record


def make(recipe: str) -> Any:
    """What the recipe makes.

    Raises:
      NoRecipe: if the text is not a recipe of this version.
    """
    try:
        call = json.loads(recipe)
        if not isinstance(call, dict) or "call" not in call:
            raise NoRecipe(f"not a recipe: {json.dumps(call)[:80]}.")
        return _decode(call)
    except NoRecipe:
        raise
    except (ValueError, TypeError, AttributeError, KeyError, ImportError, OverflowError, RecursionError) as error:
        raise NoRecipe(f"{type(error).__name__}: {error}") from None


def _encode_call(function: Callable, bound: inspect.BoundArguments) -> dict[str, Any]:
    arguments = dict(bound.arguments)
    for parameter in bound.signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            arguments.update(arguments.pop(parameter.name, {}))
    given = {name: _encode(value) for name, value in arguments.items() if value is not None}
    return {"call": _name_of(function), "arguments": given}


def _encode(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        array = _array_of_numbers(value)
        value = array if array.ndim else array.item()
    if isinstance(value, np.ndarray) or (isinstance(value, float) and not isfinite(value)):
        array = np.asarray(value)
        numbers = [repr(float(number)) for number in array.ravel()]
        return {"array": numbers, "shape": array.shape, "dtype": array.dtype.name}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(getattr(value, "recipe", None), str):
        return json.loads(value.recipe)
    if isinstance(value, nn.Module):
        fields = (name for name in type(value).__dataclass_fields__ if name not in ("parent", "name"))
        return {"make": _name_of(type(value)), "arguments": {name: _encode(getattr(value, name)) for name in fields}}
    if isinstance(value, Initialization):  # made of closures, so that only the named ones can be looked up
        return {"name": _name_of_constant(value)}
    if hasattr(value, "_asdict"):
        fields = {name: _encode(field) for name, field in value._asdict().items()}
        return {"make": _name_of(type(value)), "arguments": fields}
    if isinstance(value, functools.partial):
        keywords = {name: _encode(argument) for name, argument in value.keywords.items()}
        return {"partial": _name_of(value.func), "positional": [_encode(item) for item in value.args], "keywords": keywords}
    if isinstance(value, list | tuple):
        return {"tuple": [_encode(item) for item in value]}
    if callable(value):
        return {"name": _name_of(value)}
    raise NoRecipe(f"{type(value).__name__} cannot be written as a recipe.")


def _array_of_numbers(value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except TypeError:  # keys, and what is traced
        raise NoRecipe("keys and traced arrays cannot be written as a recipe.") from None
    if array.dtype.name not in NUMBERS:
        raise NoRecipe(f"an array of {array.dtype.name} cannot be written as a recipe.")
    return array


def _decode(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    match value:
        case {"call": str(name), "arguments": dict(arguments), **rest} if not rest:
            function = _look_up(name)
            if not getattr(function, "recorded", False):
                raise NoRecipe(f"{name!r} is not a function that recipes call.")
            return function(**{key: _decode(argument) for key, argument in arguments.items()})
        case {"make": str(name), "arguments": dict(arguments), **rest} if not rest:
            kind = _look_up(name)
            if not (isinstance(kind, type) and (issubclass(kind, nn.Module) or hasattr(kind, "_fields"))):
                raise NoRecipe(f"{name!r} is neither a network nor a NamedTuple.")
            return kind(**{key: _decode(argument) for key, argument in arguments.items()})
        case {"partial": str(name), "positional": list(positional), "keywords": dict(keywords), **rest} if not rest:
            decoded = {key: _decode(argument) for key, argument in keywords.items()}
            return functools.partial(_look_up(name), *map(_decode, positional), **decoded)
        case {"array": list(numbers), "shape": list(shape), "dtype": str(dtype), **rest} if not rest and dtype in NUMBERS:
            array = np.array([float(number) for number in numbers], dtype).reshape(shape)
            return array if array.ndim else array.item()
        case {"tuple": list(items), **rest} if not rest:
            return tuple(map(_decode, items))
        case {"name": str(name), **rest} if not rest:
            return _look_up(name)
    raise NoRecipe(f"not a recipe: {json.dumps(value)[:80]}.")


def _name_of(value: Any) -> str:
    """``module:name`` under which the very same object can be looked up."""
    name = getattr(value, "__qualname__", getattr(value, "__name__", type(value).__name__))
    for module in (getattr(value, "__module__", None), *MODULES[len(OURS) :]):
        try:
            found = _look_up(f"{module}:{name}")
        except NoRecipe:
            continue
        if found is value or getattr(found, "__wrapped__", None) is value:
            return f"{module}:{name}"
    raise NoRecipe(f"{name!r} is not a function, class or network that can be looked up by name.")


def _name_of_constant(value: Any) -> str:
    for name, constant in vars(networks).items():
        if constant is value:
            return f"{networks.__name__}:{name}"
    raise NoRecipe(f"a {type(value).__name__} of one's own cannot be looked up by name.")


def _look_up(full: str) -> Any:
    module, _, name = full.partition(":")
    if module not in MODULES or name.startswith("_"):
        raise NoRecipe(f"{full!r} is not one of the functions, classes and networks of {', '.join(MODULES)}.")
    found = vars(importlib.import_module(module)).get(name)
    origin = getattr(found, "__module__", None) or ""
    if not callable(found) and not isinstance(found, Initialization):
        raise NoRecipe(f"there is no function, class or network {full!r}.")
    if origin.split(".")[0] not in ("jax_ac", "jax", "flax", "optax"):
        raise NoRecipe(f"there is no function, class or network {full!r}.")
    return found
