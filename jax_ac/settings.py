"""Settings: hyperparameters with an axis, for sweeps inside one compiled program.

Every function takes an algorithm's hyperparameters (``alg.hyperparams``) and returns the same NamedTuple with every leaf
float32 ``[H]``. Any number of the algorithm or, as ``env_<name>``, of its environment may be named.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Set
from typing import Any, NamedTuple

import numpy as np

from jax_ac.checks import check_name, check_number, check_positive, check_whole


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
      TypeError: if `hyperparams` are not an algorithm's, or a value is not a list of numbers.

    >>> from jax_ac import PPOHyperparams
    >>> settings = grid(PPOHyperparams(), learning_rate=[1e-3, 3e-4], gamma=[0.9, 0.99])
    >>> [f"{rate:g}, {gamma:g}" for rate, gamma in zip(settings.learning_rate, settings.gamma, strict=True)]
    ['0.001, 0.9', '0.001, 0.99', '0.0003, 0.9', '0.0003, 0.99']
    """
    _check_hyperparams("grid", hyperparams)
    columns = {name: _column("grid", hyperparams, name, column) for name, column in values.items()}
    settings = list(itertools.product(*columns.values()))
    return _fill(hyperparams, {name: [setting[i] for setting in settings] for i, name in enumerate(columns)}, len(settings))


def zip_settings(hyperparams: Any, **values: Iterable[float]) -> Any:
    """The first of all given values together, then the second, and so on.

    Args, returns and raises: as `grid`; and ValueError if the lists differ in length or none is given.

    >>> from jax_ac import PPOHyperparams
    >>> zip_settings(PPOHyperparams(), clip_eps=[0.1, 0.2], vf_coef=[0.5, 1.0]).vf_coef.tolist()
    [0.5, 1.0]
    """
    _check_hyperparams("zip_settings", hyperparams)
    columns = {name: _column("zip_settings", hyperparams, name, column) for name, column in values.items()}
    if not columns:
        raise ValueError("zip_settings needs a list of numbers for at least one hyperparameter, got none.")
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"zip_settings needs lists of one length, got {lengths}.")
    return _fill(hyperparams, columns, *set(lengths.values()))


class Draw(NamedTuple):
    """A distribution that `random` draws a hyperparameter from; `uniform`, `log_uniform` and `choice` make them.

    Attributes:
      kind: which of the three.
      values: the two bounds, or the choices.
    """

    kind: str
    values: tuple[float, ...]

    def at(self, u: np.ndarray) -> np.ndarray:
        """F⁻¹(u), for u uniform in [0, 1): ``[H]``."""
        return QUANTILES[self.kind](u, *self.values)


def uniform(low: float, high: float) -> Draw:
    """Uniform between `low` and `high`. Raises ValueError unless low < high."""
    return Draw("uniform", _bounds("uniform", low, high))


def log_uniform(low: float, high: float) -> Draw:
    """Between `low` and `high`, the logarithm uniform. Raises ValueError unless 0 < low < high."""
    bounds = _bounds("log_uniform", low, high)
    if bounds[0] <= 0:
        raise ValueError(f"log_uniform needs bounds greater than 0, got {low} and {high}.")
    return Draw("log_uniform", bounds)


def choice(values: Iterable[float]) -> Draw:
    """One of the given values, each equally likely. Raises ValueError if there is none, TypeError if it is no list."""
    return Draw("choice", tuple(check_number("every choice", value) for value in _listed("choice", values)))


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
      ValueError: if a name is not a hyperparameter of the algorithm, a draw is out of its range, `num_settings` is below 1
        or `seed` below 0.
      TypeError: if `hyperparams` are not an algorithm's, a value is not one of the three kinds of draws, or `num_settings`
        or `seed` is not a whole number.
    """
    _check_hyperparams("random", hyperparams)
    num_settings = check_positive("num_settings", num_settings)
    seed = check_whole("seed", seed, limit=2**63)
    columns = {}
    for name, draw in draws.items():
        check_name(name, hyperparams._fields)
        if not isinstance(draw, Draw) or draw.kind not in QUANTILES:
            raise TypeError(f"random takes uniform, log_uniform or choice for {name}, got {draw!r}.")
        for value in draw.values:
            check_number(name, value)
        if draw.kind == "log_uniform":
            log_uniform(*draw.values)  # checks the bounds of one that was made by hand
        generator = np.random.default_rng([seed, *name.encode()])
        columns[name] = draw.at(generator.random(num_settings)).tolist()
    return _fill(hyperparams, columns, num_settings)


def _uniform(u: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip(low + u * (high - low), low, high)


def _log_uniform(u: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip(np.exp(_uniform(u, math.log(low), math.log(high))), low, high)


def _choice(u: np.ndarray, *values: float) -> np.ndarray:
    return np.asarray(values)[(u * len(values)).astype(int)]


QUANTILES = {"uniform": _uniform, "log_uniform": _log_uniform, "choice": _choice}
"""F⁻¹ of each kind of draw: ``(u [H], *values) -> [H]``."""


def _column(function: str, hyperparams: Any, name: str, column: Any) -> list[float]:
    check_name(name, hyperparams._fields)
    return [check_number(name, value) for value in _listed(function, column, f" for {name}")]


def _listed(function: str, values: Any, purpose: str = "") -> list[Any]:
    """The values as a list. Raises TypeError if they are not several in an order, ValueError if there is none."""
    try:
        listed = None if isinstance(values, str | bytes | Mapping | Set) else list(values)
    except TypeError:
        listed = None
    if listed is None:
        raise TypeError(f"{function} takes a list of numbers{purpose}, got {values!r}.")
    if not listed:
        raise ValueError(f"{function} needs at least one value{purpose}, got none.")
    return listed


def _check_hyperparams(function: str, hyperparams: Any) -> None:
    fields = getattr(hyperparams, "_fields", ())
    if "hyperparams" in fields:
        raise TypeError(f"{function} takes hyperparameters, got an {type(hyperparams).__name__}: pass alg.hyperparams.")
    if not (isinstance(hyperparams, tuple) and fields):
        raise TypeError(f"{function} takes hyperparameters, such as alg.hyperparams, got {type(hyperparams).__name__}.")


def _bounds(function: str, low: float, high: float) -> tuple[float, float]:
    bounds = check_number("low", low), check_number("high", high)
    if bounds[0] >= bounds[1]:
        raise ValueError(f"{function} needs its low bound below its high one, got {low} and {high}.")
    return bounds


def _fill(hyperparams: Any, columns: dict[str, list[float]], num_settings: int) -> Any:
    fixed = {name: [check_number(name, value)] * num_settings for name, value in hyperparams._asdict().items()}
    return type(hyperparams)(**{name: np.asarray(column, np.float32) for name, column in (fixed | columns).items()})
