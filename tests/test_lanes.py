"""Seeds and settings laid out in a row, and every way to get them wrong."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jax_ac
from jax_ac.lanes import lay_out

DEFAULTS = jax_ac.KerasHyperparams()


def test_grid_is_the_product_first_name_slowest():
    hyper = jax_ac.grid(DEFAULTS, learning_rate=[1e-2, 3e-3], gamma=[0.99, 0.9, 0.5])
    expected = list(itertools.product([1e-2, 3e-3], [0.99, 0.9, 0.5]))
    np.testing.assert_allclose(np.stack([hyper.learning_rate, hyper.gamma], axis=1), expected, rtol=1e-6)
    for leaf in hyper:
        assert leaf.shape == (6,)
        assert leaf.dtype == np.float32
    np.testing.assert_array_equal(hyper.huber_delta, 1.0)


def test_lanes_settings_outermost():
    lanes = lay_out([5, 3], jax_ac.grid(DEFAULTS, gamma=[0.9, 0.8, 0.7]))
    assert lanes.shape == (3, 2)
    np.testing.assert_array_equal(lanes.seed, [5, 3, 5, 3, 5, 3])
    np.testing.assert_allclose(lanes.hyperparams.gamma, [0.9, 0.9, 0.8, 0.8, 0.7, 0.7])
    assert lay_out(4, DEFAULTS).shape == (4,)


@pytest.mark.parametrize(
    "seeds", [3, np.int64(3), np.array(3), range(3), [0, 1, 2], np.arange(3), jnp.arange(3), iter([0, 1, 2])]
)
def test_seeds_in_every_form(seeds):
    np.testing.assert_array_equal(lay_out(seeds, DEFAULTS).seed, [0, 1, 2])


def test_a_seed_means_the_key_of_that_number():
    numbers = [0, 1, 2**31 + 5, 2**32 - 1]
    keys = jax.vmap(jax.random.key)(lay_out(numbers, DEFAULTS).seed)
    for key, number in zip(keys, numbers, strict=True):
        np.testing.assert_array_equal(jax.random.key_data(key), jax.random.key_data(jax.random.key(number)))


@pytest.mark.parametrize(
    ("seeds", "error", "message"),
    [
        (0, ValueError, "seeds must be at least 1, got 0"),
        (-3, ValueError, "seeds must be at least 1, got -3"),
        ([], ValueError, "at least one seed"),
        ([1, 2, 1], ValueError, "got 1 more than once"),
        ([1, -2], ValueError, r"\[0, 2\^32\), got -2"),
        ([2**32], ValueError, r"\[0, 2\^32\), got 4294967296"),
        (2.5, TypeError, "seeds must be a whole number, got 2.5"),
        (True, TypeError, "seeds must be a whole number, got True"),
        (10**11, ValueError, "seeds must be at least 1 and less than 2,147,483,648"),
        ([1.5], TypeError, "every seed must be an integer, got 1.5"),
        ("12", TypeError, "every seed must be an integer, got '1'"),
        (np.array(2.5), TypeError, "seeds must be a whole number"),
        (None, TypeError, "must be a whole number, got None"),
    ],
)
def test_bad_seeds(seeds, error, message):
    with pytest.raises(error, match=message):
        lay_out(seeds, DEFAULTS)


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"learning_rat": [0.1]}, ValueError, "'learning_rat'; did you mean 'learning_rate'"),
        ({"num_envs": [4, 8]}, ValueError, "num_envs fixes the shape"),
        ({"hidden_sizes": [4, 8]}, ValueError, "hidden_sizes fixes the shape"),
        ({"gamma": []}, ValueError, "at least one value for gamma"),
        ({"gamma": 0.9}, TypeError, "list of numbers for gamma"),
        ({"gamma": "0.9"}, TypeError, "list of numbers for gamma"),
        ({"gamma": [0.9, 1.1]}, ValueError, r"gamma must be in \[0, 1\], got 1.1"),
        ({"gamma": [float("nan")]}, ValueError, "gamma .* got nan"),
        ({"learning_rate": [float("inf")]}, ValueError, "learning_rate .* got inf"),
        ({"learning_rate": [-1e-3]}, ValueError, "learning_rate must be a finite number of at least 0, got -0.001"),
        ({"learning_rate": ["fast"]}, TypeError, "learning_rate must be a number, got 'fast'"),
        ({"adam_b1": [1.0]}, ValueError, r"adam_b1 must be in \[0, 1\), got 1"),
        ({"learning_rate": ["0.1"]}, TypeError, "learning_rate must be a number, got '0.1'"),
        ({"learning_rate": [True]}, TypeError, "learning_rate must be a number, got True"),
        ({"learning_rate": [1e39]}, ValueError, "also in float32, where 1e.39 is inf"),
        ({"learning_rate": [10**400]}, ValueError, "got inf"),
        ({"adam_eps": [1e-60]}, ValueError, "also in float32, where 1e-60 is 0"),
        ({"adam_b2": [1 - 1e-12]}, ValueError, "also in float32, where 0.999999999999 is 1"),
        ({"huber_delta": [0.0]}, ValueError, "huber_delta must be a finite number greater than 0"),
    ],
)
def test_bad_grids(values, error, message):
    with pytest.raises(error, match=message):
        jax_ac.grid(DEFAULTS, **values)


@pytest.mark.parametrize(
    ("hyperparams", "message"),
    [
        (DEFAULTS._replace(gamma=np.array([0.9, np.nan])), "gamma .* got nan"),
        (DEFAULTS._replace(gamma=2.0), r"gamma must be in \[0, 1\], got 2"),
        (DEFAULTS._replace(gamma=np.ones((2, 2))), r"gamma must be a number or a row .* \(2, 2\)"),
        (DEFAULTS._replace(gamma=np.ones(2), vf_coef=np.ones(3)), "must have one length, got {'gamma': 2, 'vf_coef': 3}"),
    ],
)
def test_bad_hyperparams(hyperparams, message):
    with pytest.raises(ValueError, match=message):
        lay_out(2, hyperparams)
