"""The network is the Keras example's: layers, initialization, and what it computes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_ac.networks import SharedActorCritic


@pytest.fixture(scope="module")
def params():
    return SharedActorCritic(2).init(jax.random.key(0), jnp.zeros(4))["params"]


def test_layers_and_keras_initialization(params):
    shapes = {"Dense_0": (4, 128), "actor": (128, 2), "critic": (128, 1)}
    assert set(params) == set(shapes)
    for name, (rows, columns) in shapes.items():
        kernel, limit = params[name]["kernel"], np.sqrt(6 / (rows + columns))
        assert kernel.shape == (rows, columns)
        assert np.abs(kernel).max() <= limit
        assert np.abs(kernel).max() > 0.9 * limit
        np.testing.assert_allclose(np.var(kernel), limit**2 / 3, rtol=0.3)  # of the uniform distribution
        np.testing.assert_array_equal(params[name]["bias"], 0.0)


def test_forward_pass_against_numpy(params):
    obs = np.asarray(jax.random.normal(jax.random.key(1), (5, 3, 4)))
    distribution, value = SharedActorCritic(2).apply({"params": params}, obs)
    hidden = np.maximum(obs @ params["Dense_0"]["kernel"], 0)
    np.testing.assert_allclose(distribution.logits, hidden @ params["actor"]["kernel"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(value, (hidden @ params["critic"]["kernel"])[..., 0], rtol=1e-4, atol=1e-5)
