"""The network is the Keras example's: layers, initialization, and what it computes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_ac.networks import SharedActorCritic, dense


@pytest.fixture(scope="module")
def params():
    return SharedActorCritic(REAL, TWO).init(jax.random.key(0), jnp.zeros(4))["params"]


def test_layers_and_keras_initialization(params):
    shapes = {"hidden_0": (4, 128), "actor": (128, 2), "critic": (128, 1)}
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
    network, params = SharedActorCritic(REAL, TWO), jax.tree.map(lambda leaf: leaf + 0.1, params)  # biases that show
    distribution, value = network.apply({"params": params}, obs)

    def layer(x, name):
        return x @ np.asarray(params[name]["kernel"]) + np.asarray(params[name]["bias"])

    hidden = np.maximum(layer(obs, "hidden_0"), 0)
    np.testing.assert_allclose(distribution.logits, layer(hidden, "actor"), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(value, layer(hidden, "critic")[..., 0], rtol=1e-4, atol=1e-5)
    for single in (obs[1, 2], obs[1:2, 2], obs[1:2, 2:]):  # one observation takes another form of the product
        alone, value_alone = network.apply({"params": params}, single)
        np.testing.assert_allclose(
            alone.logits[..., :], np.broadcast_to(distribution.logits[1, 2], alone.logits.shape), rtol=1e-4
        )
        np.testing.assert_allclose(value_alone, np.broadcast_to(value[1, 2], value_alone.shape), rtol=1e-4)


@pytest.mark.parametrize("size", [1, 4, 5, 64])
def test_dense_is_one_function_in_all_its_forms(size):
    x, kernel, bias = (
        np.random.default_rng(size).normal(size=shape).astype(np.float32) for shape in [(7, 3, 2), (7, size), size]
    )
    expected = np.einsum("itn,io->otn", x, kernel) + bias[:, None, None]
    np.testing.assert_allclose(dense(jnp.asarray(x), (kernel, bias)), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(dense(jnp.asarray(x[:, :1, :1]), (kernel, bias)), expected[:, :1, :1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(dense(jnp.asarray(x[:, 0, 0]), (kernel, bias)), expected[:, 0, 0], rtol=1e-4, atol=1e-5)
