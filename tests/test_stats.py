"""Summaries with unsolved seeds, by hand and against NumPy."""

import numpy as np
import pytest

from jax_ac.stats import five_numbers, nan_quantiles


def test_five_numbers_by_hand():
    assert five_numbers(np.array([5, 1, 4, 2, 3])) == (1, 2, 3, 4, 5)
    assert five_numbers(np.array([7])) == (7, 7, 7, 7, 7)


def test_unsolved_seeds_count():
    assert five_numbers(np.array([1, 2, np.inf, 3])) == (1, 1, 2, 3, np.inf)
    assert five_numbers(np.array([1, np.inf, np.inf])).median == np.inf  # a mean over the lucky one would say 1
    assert five_numbers(np.array([np.inf])).min == np.inf


@pytest.mark.parametrize("values", [np.array([]), np.array([1.0, np.nan]), np.ones((2, 2))])
def test_bad_input(values):
    with pytest.raises(ValueError, match="five_numbers takes"):
        five_numbers(values)


def test_quantiles_over_the_seeds_that_are_there():
    values = np.array([[1.0, np.nan, np.nan], [3.0, 4.0, np.nan]])
    np.testing.assert_array_equal(nan_quantiles(values, (0.5, 1.0)), [[2.0, 4.0, np.nan], [3.0, 4.0, np.nan]])
