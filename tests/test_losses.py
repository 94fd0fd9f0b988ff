"""The loss by hand, and where its gradient flows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_ac.distributions import Categorical
from jax_ac.hyperparams import A2CHyperparams, KerasHyperparams
from jax_ac.losses import clipped_squared_error, keras_actor_critic_loss, policy_gradient_loss
from jax_ac.types import Estimate, Transition

LOGITS = np.log([[[0.25, 0.75]], [[0.5, 0.5]], [[0.9, 0.1]]])  # [T=3, N=1, A=2]
VALUE = np.array([[0.5], [3.0], [100.0]])
TARGET = np.array([[1.0], [-1.0], [7.0]])
MASK = np.array([[True], [True], [False]])
ACTION = np.array([[1], [0], [0]])


def trajectory():
    zeros, nowhere, value = jnp.zeros((3, 1)), jnp.zeros((3, 1), bool), jnp.asarray(VALUE)
    return Transition(
        zeros[..., None], jnp.asarray(ACTION), zeros, value, value, zeros, nowhere, nowhere, nowhere, jnp.asarray(MASK)
    )


DEFAULTS = KerasHyperparams()


def loss(value, stop_gradient, hyperparams=DEFAULTS):
    estimate = Estimate(jnp.asarray(TARGET), jnp.asarray(TARGET - VALUE))
    return keras_actor_critic_loss(
        Categorical(jnp.asarray(LOGITS)), value, trajectory(), estimate, hyperparams, stop_gradient=stop_gradient
    )


@pytest.mark.parametrize("stop_gradient", [False, True])
def test_by_hand(stop_gradient):
    total, parts = loss(jnp.asarray(VALUE), stop_gradient)
    actor = -np.log(0.75) * (1.0 - 0.5) + -np.log(0.5) * (-1.0 - 3.0)
    critic = 0.5 * 0.5**2 + (4.0 - 0.5)  # quadratic inside delta 1, linear beyond
    np.testing.assert_allclose(parts.policy_loss, actor, rtol=1e-5)
    np.testing.assert_allclose(parts.value_loss, critic, rtol=1e-6)
    np.testing.assert_allclose(total, actor + critic, rtol=1e-5)
    entropy = [-(0.25 * np.log(0.25) + 0.75 * np.log(0.75)), np.log(2)]
    np.testing.assert_allclose(parts.entropy, np.mean(entropy), rtol=1e-5)
    assert np.isnan([parts.approx_kl, parts.clip_fraction]).all()


def test_the_actor_trains_the_critic_only_without_stop_gradient():
    def gradient(stop_gradient):
        return jax.grad(lambda value: loss(value, stop_gradient)[0])(jnp.asarray(VALUE))[:, 0]

    huber = np.array([-0.5, 1.0, 0.0])  # clip(v - G, -1, 1) on the real steps
    np.testing.assert_allclose(gradient(True), huber, rtol=1e-5)
    np.testing.assert_allclose(gradient(False), huber + np.array([np.log(0.75), np.log(0.5), 0.0]), rtol=1e-5)


def test_coefficients_are_read():
    total, parts = loss(jnp.asarray(VALUE), False, KerasHyperparams(vf_coef=0.5, huber_delta=2.0))
    np.testing.assert_allclose(parts.value_loss, 0.5 * 0.5**2 + 2.0 * (4.0 - 1.0), rtol=1e-6)
    np.testing.assert_allclose(total, parts.policy_loss + 0.5 * parts.value_loss, rtol=1e-6)


def test_what_stands_in_the_padding_counts_for_nothing():
    flat = jax.tree.map(lambda leaf: leaf[:, 0], trajectory())
    numbers = A2CHyperparams()

    def losses_with(padding):
        target = jnp.array([1.0, -1.0, padding])
        distribution, value = Categorical(jnp.asarray(LOGITS[:, 0], jnp.float32)), jnp.asarray(VALUE[:, 0], jnp.float32)
        return policy_gradient_loss(distribution, value, flat, Estimate(target, target), numbers)

    plain, odd = losses_with(7.0), losses_with(jnp.nan)
    assert np.isfinite(plain[0])
    np.testing.assert_array_equal(plain[0], odd[0])
    np.testing.assert_allclose(plain[1].policy_loss, -(np.log(0.75) - np.log(0.5)) / 2, rtol=1e-5)


def test_a_value_that_was_not_finite_is_seen():
    assert np.isnan(clipped_squared_error(jnp.float32(1), jnp.float32(2), jnp.float32(jnp.nan), 0.2))
