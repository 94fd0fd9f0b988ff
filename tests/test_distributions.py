"""Categorical against distrax, scipy's chi-squared test and extremes by hand."""

from functools import partial

import distrax
import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from jax_ac.distributions import Categorical

LOGITS = jax.random.normal(jax.random.key(0), (6, 3)) * 3


def test_against_distrax():
    ours, theirs = Categorical(LOGITS), distrax.Categorical(LOGITS)
    action = jnp.array([0, 1, 2, 2, 1, 0])
    np.testing.assert_allclose(ours.log_prob(action), theirs.log_prob(action), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours.entropy(), theirs.entropy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(ours.mode(), theirs.mode())


def test_samples_have_the_probabilities():
    logits = jnp.array([0.3, -1.0, 1.2])
    samples = Categorical(jnp.broadcast_to(logits, (20_000, 3))).sample(jax.random.key(3))
    expected = 20_000 * np.asarray(jax.nn.softmax(logits), np.float64)
    expected *= 20_000 / expected.sum()
    assert stats.chisquare(np.bincount(samples, minlength=3), expected).pvalue > 1e-3


def test_a_policy_that_is_certain():
    certain = Categorical(jnp.array([0.0, -jnp.inf]))
    assert certain.sample(jax.random.key(0)) == 0
    assert certain.log_prob(jnp.array(0)) == 0.0
    assert certain.log_prob(jnp.array(1)) == -jnp.inf


def test_vmap_is_a_loop():
    keys = jax.random.split(jax.random.key(1), 6)
    mapped = jax.vmap(lambda logits, key: Categorical(logits).sample(key))(LOGITS, keys)
    looped = [Categorical(logits).sample(key) for logits, key in zip(LOGITS, keys, strict=True)]
    np.testing.assert_array_equal(mapped, looped)


def test_the_noise_of_many_steps_drawn_at_once():
    distribution = Categorical(LOGITS)
    noise = distribution.noise(jax.random.key(0), (1000,))
    assert noise.shape == (1000, 6, 3)
    samples = jax.vmap(distribution.sample_from)(noise)
    frequency = np.mean(np.asarray(samples)[..., None] == np.arange(3), axis=0)
    np.testing.assert_allclose(frequency, jax.nn.softmax(LOGITS), atol=0.06)


def test_log_probabilities_of_many_actions_under_one_distribution_and_of_one_under_many():
    logits = np.array([0.5, -1.0, 2.0], np.float32)
    expected = np.log(np.exp(logits) / np.exp(logits).sum())
    close = partial(np.testing.assert_allclose, rtol=1e-5)
    for actions in ([0, 0, 2, 1], [2, 1], [[0, 1, 1], [2, 2, 0]]):
        close(Categorical(jnp.asarray(logits)).log_prob(jnp.array(actions)), expected[np.array(actions)])
    two = Categorical(jnp.stack([logits, logits[::-1]]))  # [2, 3]
    close(two.log_prob(jnp.array(0)), [expected[0], expected[2]])
    close(Categorical(two.logits[:, None]).log_prob(jnp.arange(3)[None]), np.stack([expected, expected[::-1]]))
