"""Settings: hyperparameters with an axis, for sweeps inside one compiled program.

Every function takes an algorithm's hyperparameters (``alg.hyperparams``) and returns the same NamedTuple with every leaf
float32 ``[H]``. Any number of the algorithm or, as ``env_<name>``, of its environment may be named.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from jax_ac.checks import check_name, check_number, check_positive


def grid(hyperparams: Any, **values: Iterable[float]) -> Any:
    """Every combination of the given values, the first-named varying slowest.

    Args:
      hyperparams: the defaults for the fields not named, such as ``alg.hyperparams``.
      **values: numbers to try, by the name of the hyperparameter.

    Returns:
      The same NamedTuple, every leaf float32 ``[H]``.

    Raises:
      ValueError: if a name is not a hyperparameter of the algorithm (one that fixes shapes is said to), a list is empty, or
        a number is out of its range.
      TypeError: if a value is not a list of numbers.
    """
    columns = {name: _column("grid", hyperparams, name, column) for name, column in values.items()}
    settings = list(itertools.product(*columns.values()))
    return _fill(hyperparams, {name: [setting[i] for setting in settings] for i, name in enumerate(columns)}, len(settings))


def zip_settings(hyperparams: Any, **values: Iterable[float]) -> Any:
    """The first of all given values together, then the second, and so on.

    Args, returns and raises: as `grid`; and ValueError if the lists differ in length or none is given.
    """
    columns = {name: _column("zip_settings", hyperparams, name, column) for name, column in values.items()}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"zip_settings needs lists of one length, got {lengths}.")
    return _fill(hyperparams, columns, *set(lengths.values()))


class Draw(NamedTuple):
    """A distribution that `random` draws a hyperparameter from: F⁻¹(u) for u uniform in [0, 1), with F⁻¹ by interpolation.

    Attributes:
      kind: ``"uniform"``, ``"log_uniform"`` or ``"choice"``.
      values: the two bounds, or the choices.
    """

    kind: str
    values: tuple[float, ...]

    def at(self, u: np.ndarray) -> np.ndarray:
        """The values at the quantiles u, ``[H]``."""
        if self.kind == "choice":
            return np.asarray(self.values)[(u * len(self.values)).astype(int)]
        low, high = self.values
        if self.kind == "uniform":
            return np.clip(low + u * (high - low), low, high)
        return np.clip(np.exp(math.log(low) + u * (math.log(high) - math.log(low))), low, high)


def uniform(low: float, high: float) -> Draw:
    """Uniform between `low` and `high`. Raises ValueError unless low < high."""
    return Draw("uniform", _bounds("uniform", low, high))


def log_uniform(low: float, high: float) -> Draw:
    """Between `low` and `high`, the logarithm uniform. Raises ValueError unless 0 < low < high."""
    bounds = _bounds("log_uniform", low, high)
    if bounds[0] <= 0:
        raise ValueError(f"log_uniform needs bounds greater than 0, got {low} and {high}.")
    return Draw("log_uniform", bounds)


def choice(values: Sequence[float]) -> Draw:
    """One of the given values, each equally likely. Raises ValueError if there is none."""
    numbers = tuple(check_number("choice", value) for value in values)
    if not numbers:
        raise ValueError("choice needs at least one value.")
    return Draw("choice", numbers)


def random(hyperparams: Any, num_settings: int, seed: int = 0, **draws: Draw) -> Any:
    """Random search (Bergstra & Bengio 2012): H settings, each named number drawn independently.

    What a name is given depends on the seed and on the names, not on their order; the first of many draws are those of few.

    Args:
      hyperparams: the defaults for the fields not named, such as ``alg.hyperparams``.
      num_settings: H.
      seed: of the draws; a whole number of at least 0.
      **draws: `uniform`, `log_uniform` or `choice`, by the name of the hyperparameter.

    Returns:
      The same NamedTuple, every leaf float32 ``[H]``.

    Raises:
      ValueError: if a name is not a hyperparameter of the algorithm, or a draw is out of its range.
      TypeError: if a value is not one of the three kinds of draws.
    """
    num_settings = check_positive("num_settings", num_settings)
    columns = {}
    for name, draw in draws.items():
        check_name(name, hyperparams._fields)
        if not isinstance(draw, Draw):
            raise TypeError(f"random takes uniform, log_uniform or choice for {name}, got {draw!r}.")
        for value in draw.values:
            check_number(name, value)
        generator = np.random.default_rng([seed, *name.encode()])
        columns[name] = draw.at(generator.random(num_settings)).tolist()
    return _fill(hyperparams, columns, num_settings)


def _column(function: str, hyperparams: Any, name: str, column: Any) -> list[float]:
    check_name(name, hyperparams._fields)
    if isinstance(column, str) or not isinstance(column, Iterable):
        raise TypeError(f"{function} takes a list of numbers for {name}, got {column!r}.")
    numbers = [check_number(name, value) for value in column]
    if not numbers:
        raise ValueError(f"{function} needs at least one value for {name}.")
    return numbers


def _bounds(function: str, low: float, high: float) -> tuple[float, float]:
    bounds = check_number("low", low), check_number("high", high)
    if bounds[0] >= bounds[1]:
        raise ValueError(f"{function} needs its low bound below its high one, got {low} and {high}.")
    return bounds


def _fill(hyperparams: Any, columns: dict[str, list[float]], num_settings: int) -> Any:
    fixed = {name: [check_number(name, value)] * num_settings for name, value in hyperparams._asdict().items()}
    return type(hyperparams)(**{name: np.asarray(column, np.float32) for name, column in (fixed | columns).items()})
