"""Returns against rlax, a Python loop, NumPy and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import rlax
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from jax_ac import returns

FINITE = st.floats(-10, 10, width=32)


def looped_recurrence(decay, increment):
    x = np.zeros_like(increment, dtype=np.float64)
    following = np.zeros(increment.shape[1:])
    for t in reversed(range(len(increment))):
        following = increment[t] + decay[t] * following
        x[t] = following
    return x


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_reverse_recurrence_is_the_loop(data):
    shape = data.draw(st.sampled_from([(1,), (2,), (7,), (200,), (5, 3), (9, 2, 2)]))
    decay = data.draw(npst.arrays(np.float32, shape, elements=st.sampled_from([0.0, 0.5, 0.99, 1.0])))
    increment = data.draw(npst.arrays(np.float32, shape, elements=FINITE))
    x = returns.reverse_recurrence(jnp.asarray(decay), jnp.asarray(increment))
    np.testing.assert_allclose(x, looped_recurrence(decay, increment), rtol=2e-5, atol=2e-4)


def test_discounted_returns_against_rlax():
    key_reward, key_end = jax.random.split(jax.random.key(0))
    reward = jax.random.normal(key_reward, (40,))
    discount = 0.9 * (jax.random.uniform(key_end, (40,)) > 0.2)
    expected = rlax.discounted_returns(reward, discount, jnp.zeros(()))
    np.testing.assert_allclose(returns.discounted_returns(reward, discount), expected, rtol=1e-5, atol=1e-6)


def test_discounted_returns_by_hand():
    result = returns.discounted_returns(jnp.array([1.0, 2.0, 3.0]), jnp.full(3, 0.5))
    np.testing.assert_allclose(result, [1 + 0.5 * (2 + 0.5 * 3), 2 + 0.5 * 3, 3])


def test_closed_form_of_constant_reward():
    gamma, horizon = 0.99, 200
    result = returns.discounted_returns(jnp.ones(horizon), jnp.full(horizon, gamma))
    np.testing.assert_allclose(result, (1 - gamma ** np.arange(horizon, 0, -1)) / (1 - gamma), rtol=1e-5)


def test_zero_discount_keeps_episodes_apart():
    reward = jnp.arange(10.0)
    discount = jnp.full(10, 0.9).at[4].set(0.0)
    before = returns.discounted_returns(reward, discount)
    after = returns.discounted_returns(reward.at[7].add(100.0), discount)
    np.testing.assert_array_equal(before[:5], after[:5])
    assert not np.any(np.isclose(before[5:8], after[5:8]))


def test_normalize_is_numpy_on_the_unmasked_part():
    x = np.array(jax.random.normal(jax.random.key(1), (30, 2)) * 5 + 3)
    mask = np.arange(30)[:, None] < np.array([30, 11])
    result = returns.normalize(jnp.asarray(x), jnp.asarray(mask), 1e-3)
    for column, length in enumerate([30, 11]):
        part = x[:length, column]
        np.testing.assert_allclose(result[:length, column], (part - part.mean()) / (part.std() + 1e-3), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(result[11:, 1], 0.0)


def test_normalize_ignores_what_the_mask_hides():
    mask = jnp.array([True, True, False])
    hidden = returns.normalize(jnp.array([1.0, 3.0, np.nan]), mask, 0.0)
    np.testing.assert_allclose(hidden, [-1.0, 1.0, 0.0])


def test_one_step_episode_normalizes_to_zero_with_a_finite_gradient():
    mask = jnp.array([True, False])
    value, gradient = jax.value_and_grad(lambda x: returns.normalize(jnp.array([x, 0.0]), mask, 1e-7)[0])(2.0)
    assert value == 0.0
    assert np.isfinite(gradient)
