"""Returns: one reverse linear recurrence and its one-line uses. Time-major, any trailing axes."""

import chex
import jax
import jax.numpy as jnp

from jax_ac.numerics import safe_sqrt


def reverse_recurrence(decay: jax.Array, increment: jax.Array) -> jax.Array:
    """xₜ = bₜ + aₜ xₜ₊₁ with x_T = 0, for all t at once.

    Args:
      decay: a, ``[T, ...]``.
      increment: b, ``[T, ...]``.

    Returns:
      x, ``[T, ...]``.
    """

    chex.assert_equal_shape((decay, increment))

    def compose(later, earlier):  # affine maps x -> b + a x; the later step is applied first
        later_decay, later_increment = later
        earlier_decay, earlier_increment = earlier
        return earlier_decay * later_decay, earlier_increment + earlier_decay * later_increment

    _, x = jax.lax.associative_scan(compose, (decay, increment), reverse=True)
    return x


def discounted_returns(reward: jax.Array, discount: jax.Array) -> jax.Array:
    """Gₜ = rₜ₊₁ + γₜ₊₁ Gₜ₊₁, and G is 0 after the last step. Sutton & Barto (2018), eq. 3.9.

    Args:
      reward: rₜ₊₁, the reward for the action at step t, ``[T, ...]``.
      discount: γₜ₊₁, zero where the episode ended at step t, ``[T, ...]``.

    Returns:
      G, ``[T, ...]``.
    """
    return reverse_recurrence(discount, reward)


def normalize(x: jax.Array, mask: jax.Array, epsilon: float) -> jax.Array:
    """(x - mean) / (std + ε) along time, over the steps where `mask` is True; zero elsewhere.

    The standard deviation is that of the population (divided by the number of steps), as NumPy's default.

    Args:
      x: ``[T, ...]``.
      mask: ``[T, ...]``, bool, with at least one True along T.
      epsilon: added to the standard deviation.

    Returns:
      ``[T, ...]``.
    """
    count = jnp.sum(mask, axis=0, keepdims=True)  # [1, ...]
    mean = jnp.sum(x, axis=0, keepdims=True, where=mask) / count
    centred = jnp.where(mask, x - mean, 0.0)
    std = safe_sqrt(jnp.sum(jnp.square(centred), axis=0, keepdims=True) / count)
    return centred / (std + epsilon)
