"""Lanes: settings x seeds, laid out in one row."""

import math
import operator
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import numpy as np

from jax_ac.checks import check_number, check_positive


class Lanes(NamedTuple):
    """Training runs in one row, settings outermost.

    Attributes:
      seed: uint32 ``[L]``.
      hyperparams: the algorithm's NamedTuple, float32 leaves ``[L]``.
      shape: ``(S,)``, or ``(H, S)`` where the hyperparameters carry an axis; L is its product.
    """

    seed: np.ndarray
    hyperparams: Any
    shape: tuple[int, ...]

    @property
    def seeds(self) -> np.ndarray:
        """The seeds of one setting, ``[S]``."""
        return self.seed[: self.shape[-1]]

    @property
    def setting(self) -> np.ndarray:
        """The index of each lane's setting, int32 ``[L]``; 0 where there is one."""
        return (np.arange(len(self.seed)) // self.shape[-1]).astype(np.int32)

    def settings(self) -> Any:
        """The hyperparameters without repetition: scalars, or ``[H]``."""
        return jax.tree.map(lambda column: column.reshape(self.shape)[..., 0], self.hyperparams)


def lay_out(seeds: int | Iterable[int], hyperparams: Any) -> Lanes:
    """One lane per (setting, seed).

    Args:
      seeds: a number of seeds S, meaning 0 ... S - 1, or the seeds themselves.
      hyperparams: a NamedTuple whose leaves are scalars or ``[H]``.

    Raises:
      ValueError: if there is no seed, one is given twice or is not in [0, 2^32), two hyperparameters disagree about H, or
        a number is out of its range.
      TypeError: if `seeds` is neither an integer nor integers.
    """
    seed = _seeds(seeds)
    columns = {name: _column(name, value) for name, value in hyperparams._asdict().items()}
    lengths = {name: len(column) for name, column in columns.items() if column.ndim == 1}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"hyperparameters with an axis must have one length, got {lengths}.")
    shape = (*set(lengths.values()), len(seed))
    num_settings = math.prod(shape[:-1])
    lane_hyperparams = {
        name: np.repeat(np.broadcast_to(column, num_settings), len(seed)) for name, column in columns.items()
    }
    return Lanes(np.tile(seed, num_settings), type(hyperparams)(**lane_hyperparams), shape)


def _seeds(seeds: int | Iterable[int]) -> np.ndarray:
    if not isinstance(seeds, Iterable) or getattr(seeds, "ndim", 1) == 0:
        seeds = range(check_positive("seeds", seeds, limit=2**31))
    numbers = [_integer("every seed", seed) for seed in seeds]
    if not numbers:
        raise ValueError("seeds must hold at least one seed, got none.")
    if min(numbers) < 0 or max(numbers) >= 2**32:
        wrong = next(number for number in numbers if not 0 <= number < 2**32)
        raise ValueError(f"every seed must be in [0, 2^32), got {wrong}.")
    if len(set(numbers)) < len(numbers):
        twice = Counter(numbers).most_common(1)[0][0]
        raise ValueError(f"seeds must differ from each other, got {twice} more than once.")
    return np.asarray(numbers, np.uint32)


def _integer(what: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{what} must be an integer, got {value!r}.") from None


def _column(name: str, value: Any) -> np.ndarray:
    """A scalar or ``[H]``, float32, each number checked."""
    column = np.asarray(jax.device_get(value))
    if column.ndim > 1 or column.size == 0:
        raise ValueError(f"{name} must be a number or a row of numbers, got the shape {column.shape}.")
    for number in column.ravel():
        check_number(name, number)
    return column.astype(np.float32)
