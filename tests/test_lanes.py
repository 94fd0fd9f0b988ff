"""Seeds and settings laid out in a row, and every way to get them wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jax_ac
from jax_ac.lanes import lay_out

DEFAULTS = jax_ac.KerasHyperparams()


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
