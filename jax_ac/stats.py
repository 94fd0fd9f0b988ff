"""Run-level statistics: the run (seed) is the unit."""

from typing import NamedTuple

import numpy as np


class FiveNumbers(NamedTuple):
    """Minimum, quartiles and maximum."""

    min: float
    lower_quartile: float
    median: float
    upper_quartile: float
    max: float


def five_numbers(values: np.ndarray) -> FiveNumbers:
    """The five-number summary of observations of which some may be right-censored.

    A censored observation, such as the episodes-to-solve of a seed that was not solved, is given as +inf: it counts, as
    larger than all others. A quantile is an observed value, never an average of two (Hyndman & Fan 1996, definition 1), so
    that infinity is the answer exactly where the quantile is a censored observation.

    Args:
      values: ``[S]``, at least one; no NaN.

    Raises:
      ValueError: if `values` is empty, has more than one axis or holds NaN.
    """
    values = np.asarray(values, float)
    if values.ndim != 1 or values.size == 0 or np.isnan(values).any():
        raise ValueError(f"five_numbers takes one or more numbers in a row, none NaN, got the shape {values.shape}.")
    return FiveNumbers(*np.quantile(values, [0, 0.25, 0.5, 0.75, 1], method="inverted_cdf").tolist())


def nan_quantiles(values: np.ndarray, quantiles: tuple[float, ...]) -> np.ndarray:
    """Quantiles over runs at each update, over the runs that have a number there; NaN where none has.

    Args:
      values: ``[S, U]``.
      quantiles: Q numbers in [0, 1].

    Returns:
      ``[Q, U]``, by linear interpolation.
    """
    result = np.full((len(quantiles), values.shape[1]), np.nan)
    ordered, counts = np.sort(values, axis=0), (~np.isnan(values)).sum(axis=0)  # NaN is sorted to the end
    for count in np.unique(counts[counts > 0]):
        same = counts == count
        result[:, same] = np.quantile(ordered[:count, same], quantiles, axis=0)
    return result


def last_known(values: np.ndarray) -> np.ndarray:
    """The last number of each run that is not NaN, ``[S, U]`` to ``[S]``; NaN where there is none."""
    known = ~np.isnan(values)
    last = values.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)
    return np.where(known.any(axis=1), values[np.arange(len(values)), last], np.nan)
