"""Samples: the doors of all statistics. A sample is one number per run (seed), the unit; a named axis must be that."""

import math
from typing import Any

import numpy as np


def row(name: str, values: Any, *, least: int = 1) -> np.ndarray:
    """One number per run, ``[S]``, none NaN, as floats.

    Raises:
      ValueError: if `values` is something else, is of fewer runs than `least`, or its axis has another name than ``seed``.
    """
    numbers = _over_seeds(name, values, ("seed",))
    if numbers.ndim != 1 or len(numbers) < least or np.isnan(numbers).any():
        raise ValueError(f"{name} must be a row of {least} or more numbers, none NaN, got the shape {numbers.shape}.")
    return numbers


def gappy_row(name: str, values: Any) -> np.ndarray:
    """One number per run, ``[S]``, at least one of them not NaN, as floats. Raises ValueError as `row`."""
    numbers = _over_seeds(name, values, ("seed",))
    if numbers.ndim != 1 or np.isnan(numbers).all():
        raise ValueError(f"{name} must be a row of one or more numbers, not all NaN, got the shape {numbers.shape}.")
    return numbers


def settings(name: str, values: Any, *, least: int = 1) -> np.ndarray:
    """One number per setting and run, ``[H, S]``, as floats; NaN where a run has none.

    Raises:
      ValueError: if `values` has another shape, fewer runs than `least`, or axes of other names than ``setting``, ``seed``.
    """
    numbers = _over_seeds(name, values, ("setting", "seed"))
    if numbers.ndim != 2 or not len(numbers) or numbers.shape[1] < least:
        raise ValueError(f"{name} must be [settings, seeds], {least} or more seeds, got the shape {numbers.shape}.")
    return numbers


def curves(name: str, values: Any) -> np.ndarray:
    """A curve per run, ``[S, U]``, as floats; NaN where there is no number.

    Raises:
      ValueError: if `values` has another shape, or axes of other names than ``seed``, ``update``.
    """
    numbers = _over_seeds(name, values, ("seed", "update"))
    if numbers.ndim != 2 or not numbers.size:
        raise ValueError(f"{name} must be curves [seeds, updates], got the shape {numbers.shape}.")
    return numbers


def check_level(level: float, name: str = "level") -> None:
    """Raises ValueError unless it is a fraction between 0 and 1."""
    if not 0 < level < 1 or math.isnan(level):
        raise ValueError(f"{name} must be between 0 and 1, got {level!r}.")


def _over_seeds(name: str, values: Any, axes: tuple[str, ...]) -> np.ndarray:
    given = getattr(values, "dims", axes)
    if given != axes:
        raise ValueError(f"{name} must have the axes {', '.join(axes)}, got {', '.join(map(str, given)) or 'none'}.")
    return np.asarray(values, float)
