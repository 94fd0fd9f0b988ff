"""Curves: what a gap means, curves on a common grid, the area under them."""

import numpy as np
import pytest
import xarray as xr

from jax_ac.curves import area, filled, sampled

NAN = np.nan


def test_gaps_are_filled():
    values = np.array([[NAN, 1, NAN, 3, NAN], [NAN, NAN, NAN, NAN, 7], [NAN] * 5])
    np.testing.assert_array_equal(filled(values), [[1, 1, 1, 3, 3], [7] * 5, [NAN] * 5])


def test_a_common_grid():
    values, steps = np.array([[0.0, 10, 30], [1, 2, NAN]]), np.array([[10.0, 20, 40], [5, 10, NAN]])
    found = sampled(values, steps, np.array([5.0, 15, 20, 30, 99]))
    np.testing.assert_allclose(found, [[0, 5, 10, 20, 30], [1, 2, 2, 2, 2]])


def test_area_by_hand():
    """A line from 0 to 2 has the mean height 1; one that stops at 6 halfway keeps it: (0 to 6, mean 3, then 6) is 4.5."""
    values = np.array([[0.0, 1, 2], [0, 6, NAN]])
    np.testing.assert_allclose(area(values), [1, 4.5])
    np.testing.assert_allclose(area(values, until=1), [0.5, 3])
    np.testing.assert_allclose(area(values, np.array([[0.0, 1, 2], [0, 4, NAN]]), until=4), [(2 + 4) / 4, 3])
    np.testing.assert_allclose(area(values, np.array([[0.0, 1, 2], [1, 2, NAN]])), [1, (0 + 3) / 2])


def test_area_of_many_runs_is_the_trapezoid_rule():
    draw = np.random.default_rng(0)
    values, steps = draw.normal(size=(4, 50)), np.sort(draw.uniform(1, 9, (4, 50)), axis=1)
    steps[:, 0], steps[:, -1] = 0, 10
    np.testing.assert_allclose(area(values, steps), [np.trapezoid(v, s) / 10 for v, s in zip(values, steps, strict=True)])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: filled(np.zeros(3)), r"values must be curves \[seeds, updates\], got the shape \(3,\)"),
        (lambda: area(xr.DataArray(np.zeros((2, 3)), dims=("update", "seed"))), "must have the axes seed, update"),
        (lambda: area(np.zeros((2, 3)), np.zeros((3, 2))), r"got \(3, 2\) for curves \(2, 3\)"),
        (lambda: area(np.zeros((2, 3)), until=0), "beyond the first point, 0, got 0"),
        (lambda: area(np.zeros((2, 1))), "beyond the first point"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
