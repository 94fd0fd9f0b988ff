"""Networks: layers, initialization, and what they compute, against NumPy and flax's own convolution."""

import math
import platform
import sys
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import jax_ac
from jax_ac import networks
from jax_ac.distributions import Categorical, DiagonalGaussian
from jax_ac.layers import MANY, Features, dense, orthogonal
from jax_ac.networks import ConvActorCritic, RecurrentActorCritic, SeparateActorCritic, SharedActorCritic
from jax_ac.products import LARGE
from jax_ac.types import Box, Discrete

REAL, TWO = Box((4,), -np.inf, np.inf), Discrete(2)
IMAGE = Box((6, 5, 3), 0.0, 1.0)


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
@pytest.mark.parametrize("axis", [0, -1])
def test_dense_is_one_function_in_all_its_forms(size, axis):
    x, kernel, bias = (
        np.random.default_rng(size).normal(size=shape).astype(np.float32) for shape in [(3, 2, 7), (7, size), size]
    )
    for batch in (x, x[:1, :1], x[0, 0]):
        product = dense(Features(jnp.moveaxis(jnp.asarray(batch), -1, axis), axis), (jnp.asarray(kernel), jnp.asarray(bias)))
        np.testing.assert_allclose(product.last(), batch @ kernel + bias, rtol=1e-4, atol=1e-5)
        assert product.axis == axis
        assert product.size == size


@pytest.mark.parametrize(("inputs", "size"), [(4, 64), (64, 2), (128, 3), (64, 64), (4, 1)])
@pytest.mark.parametrize("axis", [0, -1])
def test_derivatives_of_dense_in_all_its_forms(inputs, size, axis):
    """Of a weighted sum of the outputs: Xᵀ C for the kernel, the sum of C for the bias, C Wᵀ for the inputs."""
    rng = np.random.default_rng(size)
    x, kernel, bias, weights = (
        rng.normal(size=shape).astype(np.float32) for shape in [(200, inputs), (inputs, size), size, (200, size)]
    )
    expected = weights @ kernel.T, x.T @ weights, weights.sum(axis=0)

    def weighted(x, kernel, bias):
        return jnp.sum(dense(Features(jnp.moveaxis(x, -1, axis), axis), (kernel, bias)).last() * weights)

    arguments = jnp.asarray(x), jnp.asarray(kernel), jnp.asarray(bias)
    for derivative in (jax.grad, jax.jacfwd):
        for ours, theirs in zip(jax.jit(derivative(weighted, (0, 1, 2)))(*arguments), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


@pytest.mark.skipif((sys.platform, platform.machine()) != ("linux", "x86_64"), reason="XLA may not use YNNPACK there")
def test_hidden_layers_multiply_by_ynnpack_forwards_and_backwards():
    """What it does not take XLA multiplies in another way, which is slower."""

    def summed(x, kernel, bias):
        return jnp.sum(jnp.sin(dense(Features(x, 0), (kernel, bias)).array))

    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in [(64, 128), (64, 64), (64,)]]
    text = jax.jit(jax.grad(summed, (0, 1, 2))).lower(*shapes).compile().as_text()
    assert text.count("__ynn_fusion") == 3


@pytest.mark.skipif((sys.platform, platform.machine()) != ("linux", "x86_64"), reason="XLA may not use YNNPACK there")
def test_activations_are_the_left_side_of_a_heads_gradient():
    """They are then read as they lie in memory; the cotangent, which is turned round instead, is small."""

    def summed(kernel, x, bias):
        return jnp.sum(jnp.sin(dense(Features(x, 0), (kernel, bias)).array))

    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in [(64, 2), (64, 128), (2,)]]
    text = jax.jit(jax.grad(summed)).lower(*shapes).compile().as_text()
    assert any("= f32[64,2]" in line and "__ynn_fusion" in line for line in text.splitlines())


def test_heads_of_large_layers_and_the_activation_before_them_go_back_in_one_pass():
    def summed(x, kernel, bias):
        return jnp.sum(jnp.sin(dense(Features(jnp.tanh(x), 0), (kernel, bias)).array))

    def passes(inputs, outputs):
        shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in [(inputs, 128), (inputs, outputs), (outputs,)]]
        text = jax.jit(jax.grad(summed)).lower(*shapes).compile().as_text()
        return sum(f"f32[{inputs},128]" in line and " dot(" in line for line in text.splitlines() if " = " in line)

    assert 64 * 128 < LARGE <= 128 * 128
    assert passes(64, 3) > passes(128, 3)


@pytest.mark.parametrize("kind", [SharedActorCritic, SeparateActorCritic])
@pytest.mark.parametrize("space", [TWO, Box((3,), -1.0, 1.0)])
def test_a_batch_of_any_size_gets_what_single_observations_get(kind, space):
    """Few observations, many, and one take other forms of the products."""
    network = kind(REAL, space)
    obs = jax.random.normal(jax.random.key(0), (2 * MANY, 4))
    params = jax.tree.map(lambda leaf: leaf + 0.1, network.init(jax.random.key(1), obs[0]))
    one_by_one = jax.lax.map(partial(network.apply, params), obs)
    for batch in (obs, obs[: MANY - 1], obs[:3], obs.reshape(2, MANY, 4)):
        said = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[batch.ndim - 1 :]), network.apply(params, batch))  # noqa: B023
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b[: len(a)], rtol=1e-4, atol=1e-5), said, one_by_one)


@pytest.mark.parametrize("shape", [(4, 64), (64, 64), (64, 2), (64, 1), (1, 7)])
@pytest.mark.parametrize("scale", [math.sqrt(2), 0.01])
def test_orthogonal_rows_or_columns(shape, scale):
    kernel = np.asarray(orthogonal(scale)(jax.random.key(0), shape), np.float64)
    assert kernel.shape == shape
    product = kernel @ kernel.T if shape[0] <= shape[1] else kernel.T @ kernel
    np.testing.assert_allclose(product, scale**2 * np.eye(min(shape)), atol=1e-5 * scale**2)


@pytest.mark.parametrize("shape", [(3, 6), (6, 3)])
def test_orthogonal_kernels_are_uniformly_distributed(shape):
    """The square of a coordinate of a direction that is uniform in six dimensions is Beta(1/2, 5/2)."""
    kernels = jax.vmap(lambda key: orthogonal(2.0)(key, shape))(jax.random.split(jax.random.key(0), 2000))
    for entry in np.ndindex(shape):
        coordinate = np.asarray(kernels)[:, *entry] / 2
        assert stats.kstest(coordinate**2, stats.beta(0.5, 2.5).cdf).pvalue > 1e-3
        assert abs(np.mean(coordinate > 0) - 0.5) < 4 * np.sqrt(0.25 / 2000)


def test_layers_and_orthogonal_initialization():
    params = SeparateActorCritic(REAL, TWO).init(jax.random.key(0), jnp.zeros(4))["params"]
    gains = {"actor": 0.01, "critic": 1.0} | {
        f"{head}_hidden_{i}": math.sqrt(2) for head in ("actor", "critic") for i in (0, 1)
    }
    shapes = {name: (4 if name.endswith("0") else 64, {"actor": 2, "critic": 1}.get(name, 64)) for name in gains}
    assert {name: layer["kernel"].shape for name, layer in params.items()} == shapes
    for name, gain in gains.items():
        singular = np.linalg.svd(np.asarray(params[name]["kernel"], np.float64), compute_uv=False)
        np.testing.assert_allclose(singular, gain, rtol=1e-5)
        np.testing.assert_array_equal(params[name]["bias"], 0.0)
    distribution, _ = SeparateActorCritic(REAL, TWO).apply({"params": params}, 10 * jnp.ones((3, 4)))
    np.testing.assert_allclose(jax.nn.softmax(distribution.logits), 0.5, atol=0.01)


@pytest.mark.parametrize(("kind", "shared"), [(SharedActorCritic, True), (SeparateActorCritic, False)])
def test_what_the_policy_and_the_value_share(kind, shared):
    network, obs = kind(REAL, TWO, hidden_sizes=(7, 5)), jax.random.normal(jax.random.key(1), (6, 4))
    params = network.init(jax.random.key(0), obs[0])
    by_value = jax.grad(lambda params: jnp.sum(network.apply(params, obs)[1]))(params)["params"]
    by_policy = jax.grad(lambda params: jnp.sum(network.apply(params, obs)[0].logits[:, 0]))(params)["params"]
    assert len(by_value) == (4 if shared else 6)
    for name in by_value:
        moved = [bool(jnp.any(gradient[name]["kernel"] != 0)) for gradient in (by_value, by_policy)]
        assert moved == ([True, True] if "hidden" in name and shared else ["critic" in name, "actor" in name]), name


@pytest.mark.parametrize("kind", [SharedActorCritic, SeparateActorCritic])
def test_integer_observations_are_one_hot(kind):
    network = kind(Discrete(5), TWO, hidden_sizes=(8,), activation=nn.relu)
    params = network.init(jax.random.key(0), jnp.zeros((), jnp.int32))["params"]
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)
    obs = np.array([[3, 0, 4], [1, 2, 2]])
    distribution, value = network.apply({"params": params}, jnp.asarray(obs))
    for head, ours in (("actor", distribution.logits), ("critic", value[..., None])):
        hidden = params["hidden_0" if kind is SharedActorCritic else f"{head}_hidden_0"]
        features = np.maximum(np.asarray(hidden["kernel"])[obs] + np.asarray(hidden["bias"]), 0)
        expected = features @ np.asarray(params[head]["kernel"]) + np.asarray(params[head]["bias"])
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)
    alone, _ = network.apply({"params": params}, jnp.int32(4))
    np.testing.assert_allclose(alone.logits, distribution.logits[0, 2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 2, 1)])
def test_observations_of_any_shape_are_read_as_vectors(shape):
    size = math.prod(shape)
    vectors, arrays = (SeparateActorCritic(Box(shape, -1.0, 1.0), TWO) for shape in ((size,), shape))
    obs = jax.random.normal(jax.random.key(0), (5, 2, *shape))
    params = arrays.init(jax.random.key(1), obs[0, 0])
    for axes in (0, 1, 2):
        ours = arrays.apply(params, obs[(0,) * (2 - axes)])
        theirs = vectors.apply(params, obs.reshape(5, 2, size)[(0,) * (2 - axes)])
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), ours, theirs)
        assert ours[1].shape == (5, 2)[2 - axes :]


@pytest.mark.parametrize("batch", [(), (3,), (3, 2)])
def test_convolutions_are_those_of_flax(batch):
    network = ConvActorCritic(IMAGE, TWO, channels=(4, 5), hidden_sizes=(6,))
    obs = jax.random.uniform(jax.random.key(0), (*batch, 6, 5, 3))
    params = network.init(jax.random.key(1), jnp.zeros((6, 5, 3)))["params"]
    params = jax.tree.map(lambda leaf: leaf + 0.05, params)
    features = obs
    for layer, (inputs, outputs) in enumerate([(3, 4), (4, 5)]):
        ours = params[f"conv_{layer}"]
        assert ours["kernel"].shape == (9 * inputs, outputs)
        theirs = {"kernel": ours["kernel"].reshape(3, 3, inputs, outputs), "bias": ours["bias"]}
        features = nn.relu(nn.Conv(outputs, (3, 3), padding="VALID").apply({"params": theirs}, features))
    assert features.shape == (*batch, 2, 1, 5)
    features = np.moveaxis(np.asarray(features), -1, -3).reshape(*batch, 10)  # channels first

    def layer(x, name):
        return x @ np.asarray(params[name]["kernel"]) + np.asarray(params[name]["bias"])

    hidden = np.maximum(layer(features, "hidden_0"), 0)
    distribution, value = network.apply({"params": params}, obs)
    np.testing.assert_allclose(distribution.logits, layer(hidden, "actor"), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(value, layer(hidden, "critic")[..., 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [SharedActorCritic, SeparateActorCritic])
def test_real_actions_have_a_spread_that_does_not_depend_on_the_state(kind):
    network = kind(REAL, Box((3,), -1.0, 1.0))
    obs = jax.random.normal(jax.random.key(0), (5, 2, 4))
    params = network.init(jax.random.key(1), obs[0, 0])
    distribution, value = network.apply(params, obs)
    assert isinstance(distribution, DiagonalGaussian)
    assert distribution.mean.shape == distribution.log_std.shape == (5, 2, 3)
    assert value.shape == (5, 2)
    np.testing.assert_array_equal(distribution.log_std, 0.0)
    assert (np.ptp(distribution.mean, axis=(0, 1)) > 0).all()
    params["params"]["log_std"]["log_std"] = jnp.array([0.1, -2.0, 0.5])
    for x in (obs, obs[0, 0], obs[:1, :1]):
        other, _ = network.apply(params, x)
        np.testing.assert_array_equal(other.log_std, np.broadcast_to(np.float32([0.1, -2.0, 0.5]), other.mean.shape))
        np.testing.assert_allclose(other.mean.reshape(-1, 3)[0], distribution.mean[0, 0], rtol=1e-4)


def test_the_recurrent_network_against_numpys_gru():
    network = RecurrentActorCritic(REAL, TWO, hidden_sizes=(5,), memory_size=3)
    obs, memory = (jax.random.normal(jax.random.key(i), (7, size)) for i, size in enumerate((4, 3)))
    params = jax.tree.map(lambda leaf: leaf + 0.1, network.init(jax.random.key(2), obs[0], memory[0])["params"])
    np.testing.assert_array_equal(network.initial_memory(), np.zeros(3))

    def layer(x, layer):
        return x @ np.asarray(layer["kernel"]) + np.asarray(layer.get("bias", 0.0))

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    gru, old = params["gru"], np.asarray(memory)
    x = np.tanh(layer(np.asarray(obs), params["hidden_0"]))
    reset, update = (sigmoid(layer(x, gru[f"i{gate}"]) + layer(old, gru[f"h{gate}"])) for gate in "rz")
    new = (1 - update) * np.tanh(layer(x, gru["in"]) + reset * layer(old, gru["hn"])) + update * old
    distribution, value, after = network.apply({"params": params}, obs, memory)
    np.testing.assert_allclose(after, new, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(distribution.logits, layer(new, params["actor"]), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(value, layer(new, params["critic"])[:, 0], rtol=1e-4, atol=1e-5)


def test_the_kernels_of_the_memory_are_orthogonal():
    """Drawn by `orthogonal`, not by flax's own initializer, whose QR can wait for ever on two CPU devices."""
    network = RecurrentActorCritic(REAL, TWO, hidden_sizes=(5,), memory_size=6)
    init = jax.jit(lambda key: network.init(key, jnp.zeros(4), jnp.zeros(6)))
    for gate in "rzn":
        kernel = np.asarray(init(jax.random.key(0))["params"]["gru"][f"h{gate}"]["kernel"], np.float64)
        np.testing.assert_allclose(kernel @ kernel.T, np.eye(6), atol=1e-5)
    assert "lapack" not in init.lower(jax.random.key(0)).as_text()


@pytest.mark.parametrize("shape", [(2, 5, 1), (5, 2, 3)])
def test_images_too_small_for_a_convolution(cartpole, shape):
    env = cartpole._replace(observation_space=Box(shape, 0.0, 1.0))
    network = networks.default_network(env)
    assert isinstance(network, SeparateActorCritic)
    _, value = network.apply(network.init(jax.random.key(0), jnp.zeros(shape)), jnp.ones((4, *shape)))
    assert value.shape == (4,)
    assert isinstance(networks.default_network(env._replace(observation_space=Box((3, 3, 1), 0.0, 1.0))), ConvActorCritic)


@pytest.mark.parametrize(
    ("name", "network", "head"),
    [
        ("CartPole-v1", SeparateActorCritic, Categorical),
        ("Pendulum-v1", SeparateActorCritic, DiagonalGaussian),
        ("Catch-bsuite", SeparateActorCritic, Categorical),
        ("FrozenLake-misc", SeparateActorCritic, Categorical),
        ("Breakout-MinAtar", ConvActorCritic, Categorical),
    ],
)
def test_the_default_network_follows_the_spaces(name, network, head):
    env = jax_ac.make_env(name)
    chosen = networks.default_network(env)
    assert type(chosen) is network
    obs, _ = jax.eval_shape(env.reset, jax.random.key(0))
    (distribution, value), _ = jax.eval_shape(chosen.init_with_output, jax.random.key(0), obs)
    assert isinstance(distribution, head)
    assert value.shape == ()
