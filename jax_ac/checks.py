"""Checks: what values are allowed, and the one sentence for those that are not. No JAX is needed to check."""

import math
import operator
import struct
from typing import Any, NamedTuple

from jax_ac.errors import unknown_name


class Range(NamedTuple):
    """The values from `low` to `high`; `open_low` and `open_high` leave the ends out."""

    low: float
    high: float
    open_low: bool = False
    open_high: bool = False

    def holds(self, value: float) -> bool:
        """Whether `value` is finite and within the range."""
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return math.isfinite(value) and above and below

    def __str__(self) -> str:
        if self.low == -math.inf:
            return "a finite number"
        if self.high == math.inf:
            return f"a finite number {'greater than' if self.open_low else 'of at least'} {self.low:g}"
        return f"in {'(' if self.open_low else '['}{self.low:g}, {self.high:g}{')' if self.open_high else ']'}"


FINITE = Range(-math.inf, math.inf)
"""Of all numbers that have no range of their own."""

ALLOWED = {
    "learning_rate": Range(0, math.inf),
    "gamma": Range(0, 1),
    "gae_lambda": Range(0, 1),
    "trace_lambda": Range(0, 1),
    "clip_eps": Range(0, math.inf, open_low=True),
    "vf_coef": Range(0, math.inf),
    "ent_coef": Range(0, math.inf),
    "max_grad_norm": Range(0, math.inf, open_low=True),
    "huber_delta": Range(0, math.inf, open_low=True),
    "adam_b1": Range(0, 1, open_high=True),
    "adam_b2": Range(0, 1, open_high=True),
    "adam_eps": Range(0, math.inf, open_low=True),
    "second_moment_decay": Range(0, 1, open_high=True),
    "eps": Range(0, math.inf, open_low=True),
    "reward_scale": Range(0, math.inf, open_low=True),
    "sticky_probability": Range(0, 1),
    "env_reward_scale": Range(0, math.inf, open_low=True),
    "env_sticky_probability": Range(0, 1),
}
"""By the name of a hyperparameter; the numbers of an environment are its own business, but for two of `transforms`."""

SHAPE_FIXING = {
    "hidden_sizes", "network", "num_episodes", "num_envs", "num_steps", "num_epochs", "num_minibatches", "max_steps",
    "total_steps", "n", "env_max_steps_in_episode",
}  # fmt: skip

ACTION_BOUNDS = ("max_torque", "min_action", "max_action", "max_force")
"""Numbers of gymnax's environments that bound their actions, to which `Env.transition` clips."""


def check_number(name: str, value: Any, allowed: Range | None = None) -> float:
    """`value` as a float, if the hyperparameter `name` may have it, also after rounding to float32.

    Raises:
      TypeError: if it is not a number.
      ValueError: if it is NaN, infinite or out of the range `allowed`, that of its name in `ALLOWED` where None.
    """
    try:
        if isinstance(value, str | bool):
            raise TypeError
        number = float(value)
    except OverflowError:
        number = math.inf
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}.") from None
    allowed = allowed or ALLOWED.get(name, FINITE)
    if not allowed.holds(number):
        raise ValueError(f"{name} must be {allowed}, got {number:g}.")
    if not allowed.holds(_as_float32(number)):
        raise ValueError(f"{name} must be {allowed} also in float32, where {number!r} is {_as_float32(number):g}.")
    return number


def _as_float32(number: float) -> float:
    try:
        return struct.unpack("f", struct.pack("f", number))[0]
    except OverflowError:
        return math.inf


def check_name(name: str, fields: tuple[str, ...]) -> None:
    """Raises ValueError unless `name` is one of the hyperparameters `fields`."""
    if name in fields:
        return
    if name in SHAPE_FIXING:
        raise ValueError(
            f"{name} fixes the shape of the compiled program and cannot be swept inside one; "
            f"build one algorithm per value. Sweepable: {', '.join(fields)}."
        )
    bound = name.removeprefix("env_")
    if name != bound and bound in ACTION_BOUNDS:
        raise ValueError(
            f"{name} bounds the action space, which is fixed in the compiled program, and cannot be swept inside one; "
            f"build one algorithm per value, of make_env(..., {bound}=...). Sweepable: {', '.join(fields)}."
        )
    raise ValueError(unknown_name("hyperparameter", name, fields))


def check_hyperparams(hyperparams: Any) -> Any:
    """The NamedTuple `hyperparams` with floats in every field, if they are numbers that the fields may have.

    Raises:
      TypeError: if it is not a NamedTuple, or a field is not a number.
      ValueError: if a number is out of its range.
    """
    if not hasattr(hyperparams, "_fields"):
        raise TypeError(f"hyperparams must be a NamedTuple such as alg.hyperparams, got {type(hyperparams).__name__}.")
    numbers = (check_number(name, value) for name, value in zip(hyperparams._fields, hyperparams, strict=True))
    return type(hyperparams)(*numbers)


def check_positive(name: str, value: Any, limit: int = 2**31) -> int:
    """`value` as an int, if it is a whole number of at least 1 and below `limit`; else TypeError or ValueError."""
    return check_whole(name, value, 1, limit)


def check_whole(name: str, value: Any, low: int = 0, limit: int = 2**31) -> int:
    """`value` as an int, if it is a whole number of at least `low` and below `limit`; else TypeError or ValueError."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, got {value!r}.") from None
    if not low <= number < limit:
        upper = "" if number < low else f" and less than {limit:,}"
        raise ValueError(f"{name} must be at least {low}{upper}, got {number}.")
    return number
