"""The optimizer against Keras's formulas in NumPy, and gradients through it."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.stats
from numpy_actor_critic import Adam, Weights

from jax_ac.batching import lane_by_lane
from jax_ac.update import SHORT, clip_by_norm, gradient_step, keras_adam, shuffled

PARAMS = {"w": jnp.array([1.0, -2.0, 3.0]), "b": jnp.array(0.5)}


def test_keras_adam_against_keras_formulas():
    rng = np.random.default_rng(0)
    weights = Weights(*(rng.normal(size=shape) for shape in [(4, 3), (3,), (3, 2), (2,), (3, 1), (1,)]))
    adam, params = Adam.start(weights), tuple(map(jnp.float32, weights))
    optimizer = keras_adam(0.01, 0.9, 0.999, 1e-7)
    opt_state = optimizer.init(params)
    for step in range(20):
        scale = 10.0 ** (step % 7 - 5)  # gradients down to 1e-5, where the place of epsilon shows
        grads = Weights(*(rng.normal(size=weight.shape) * scale for weight in weights))
        weights, adam = adam.step(weights, grads)
        updates, opt_state = optimizer.update(tuple(map(jnp.float32, grads)), opt_state)
        params = optax.apply_updates(params, updates)
        for ours, theirs in zip(params, weights, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_epsilon_is_where_keras_puts_it():
    """After one step from g, Keras moves by α √(1-β₂)/(1-β₁) · (1-β₁)g / (√(1-β₂)|g| + ε)."""
    grads = {"w": jnp.full(3, 1e-6), "b": jnp.array(1e-6)}
    optimizer = keras_adam(0.01, 0.9, 0.999, 1e-7)
    updates, _ = optimizer.update(grads, optimizer.init(PARAMS))
    root = np.sqrt(1 - 0.999)
    np.testing.assert_allclose(updates["b"], -0.01 * root * 1e-6 / (root * 1e-6 + 1e-7), rtol=1e-4)


def test_gradient_step_by_hand():
    def loss(params):
        return jnp.sum(params["w"] ** 2) + 3 * params["b"], params["b"]

    optimizer = optax.sgd(0.1)
    step = gradient_step(loss, PARAMS, optimizer.init(PARAMS), optimizer)
    np.testing.assert_allclose(step.loss, 14 + 1.5)
    np.testing.assert_allclose(step.params["w"], [0.8, -1.6, 2.4], rtol=1e-6)
    np.testing.assert_allclose(step.params["b"], 0.2, rtol=1e-6)
    np.testing.assert_allclose(step.grad_norm, np.sqrt(4 + 16 + 36 + 9), rtol=1e-6)
    assert step.parts == 0.5


@pytest.mark.parametrize("scale", [0.0, 1e-3, 0.2, 1.0, 1e3, 1e-30])
@pytest.mark.parametrize("most", [0.5, 1e6, math.inf])
def test_clipping_is_that_of_optax(scale, most):
    grads = {"w": scale * jnp.array([1.0, -2.0, 3.0]), "b": scale * jnp.array(0.5)}
    ours, _ = clip_by_norm(most).update(grads, optax.EmptyState())
    theirs, _ = optax.clip_by_global_norm(most).update(grads, optax.EmptyState())
    for name in grads:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-6)


@pytest.mark.parametrize("most", [0.5, 1e6, math.inf])
@pytest.mark.parametrize("derivative", [jax.jacfwd, jax.jacrev])
def test_derivatives_of_clipping_are_those_of_optax(derivative, most):
    def clipped(optimizer):
        return derivative(lambda gradient: optimizer.update(gradient, optax.EmptyState())[0])(jnp.array([1.0, -2.0, 3.0]))

    np.testing.assert_allclose(clipped(clip_by_norm(most)), clipped(optax.clip_by_global_norm(most)), rtol=1e-4, atol=1e-6)


def test_gradients_pass_through_the_optimizer_where_a_gradient_is_zero():
    def moved(learning_rate, b2):
        grads = {"w": jnp.array([1.0, 0.0, -1.0]), "b": jnp.array(0.0)}
        optimizer = keras_adam(learning_rate, 0.9, b2, 1e-7)
        updates, _ = optimizer.update(grads, optimizer.init(PARAMS))
        return updates["w"][0]

    by_learning_rate, by_b2 = jax.grad(moved, (0, 1))(0.01, 0.999)
    np.testing.assert_allclose(by_learning_rate, -1.0, rtol=1e-4)
    assert np.isfinite(by_b2)


def quadratic(x, scale):
    return jax.value_and_grad(lambda x: jnp.sum(scale * x**3))(x)


def test_lane_by_lane_is_the_function_vmapped_or_not_and_its_derivatives():
    x, scale = jnp.arange(12.0).reshape(4, 3), jnp.arange(1.0, 5.0)
    ours, plain = lane_by_lane(quadratic), quadratic
    for mine, other in (
        (ours(x[0], scale[0]), plain(x[0], scale[0])),
        (jax.vmap(ours)(x, scale), jax.vmap(plain)(x, scale)),
        (jax.vmap(ours, (0, None))(x, scale[0]), jax.vmap(plain, (0, None))(x, scale[0])),
        (
            jax.vmap(jax.vmap(ours, (None, 0)), (0, None))(x, scale),
            jax.vmap(jax.vmap(plain, (None, 0)), (0, None))(x, scale),
        ),
    ):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), mine, other)

    def meta(function):
        return jax.grad(lambda scale: jnp.sum(jax.vmap(function)(x, scale)[1] ** 2))(scale)

    np.testing.assert_allclose(meta(ours), meta(plain), rtol=1e-6)


def test_lane_by_lane_compiles_to_a_loop_on_cpu():
    x, scale = jnp.ones((4, 3)), jnp.ones(4)
    assert "while" in jax.jit(jax.vmap(lane_by_lane(quadratic))).lower(x, scale).as_text()
    assert "while" not in jax.jit(jax.vmap(quadratic)).lower(x, scale).as_text()


@pytest.mark.parametrize("num", [1, 2, 5, 512, SHORT, SHORT + 1])
def test_shuffled_numbers_are_all_of_them_each_time_in_another_order(num):
    orders = np.asarray(jax.vmap(lambda key: shuffled(key, num))(jax.random.split(jax.random.key(num), 3)))
    assert orders.dtype == np.int32
    np.testing.assert_array_equal(np.sort(orders, axis=1), np.broadcast_to(np.arange(num), (3, num)))
    assert num < 512 or not np.any(np.all(orders[:2] == orders[1:], axis=1))


def test_all_orders_of_four_are_equally_likely():
    orders = np.asarray(jax.vmap(lambda key: shuffled(key, 4))(jax.random.split(jax.random.key(0), 24_000)))
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert len(counts) == 24
    assert scipy.stats.chisquare(counts).pvalue > 0.001


def test_every_number_is_equally_likely_at_every_place():
    orders = np.asarray(jax.vmap(lambda key: shuffled(key, 32))(jax.random.split(jax.random.key(1), 3_200)))
    counts = np.stack([np.bincount(place, minlength=32) for place in orders.T])  # about 100 each
    assert scipy.stats.chisquare(counts.ravel(), ddof=2 * 31).pvalue > 0.001
