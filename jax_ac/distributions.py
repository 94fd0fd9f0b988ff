"""Distributions over actions: NamedTuples with `sample`, `log_prob`, `entropy`, `mode`; batch axes lead.

Sampling is split in two, `noise` and `sample_from`, so that a rollout can draw the noise of all its steps at once.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Categorical(NamedTuple):
    """π(a) = softmax(logits)ₐ over the actions 0 ... A - 1.

    Attributes:
      logits: unnormalized log-probabilities, ``[..., A]``.

    >>> coin = Categorical(jnp.zeros(2))
    >>> print(f"{coin.log_prob(jnp.array(1)):.3f}, {coin.entropy():.3f}")  # log ½, log 2
    -0.693, 0.693
    """

    logits: jax.Array

    def sample(self, key: jax.Array) -> jax.Array:
        """An action, int32 ``[...]``."""
        return self.sample_from(self.noise(key))

    def noise(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        """Standard Gumbel noise, ``[*shape, ..., A]``: all the randomness that `sample_from` needs."""
        return jax.random.gumbel(key, shape + self.logits.shape, jnp.float32)

    def sample_from(self, noise: jax.Array) -> jax.Array:
        """The action that `noise` ``[..., A]`` leads to, int32 ``[...]``: argmaxₐ logitsₐ + Gₐ (the Gumbel-max trick)."""
        return jnp.argmax(self.logits + noise, axis=-1).astype(jnp.int32)

    def log_prob(self, action: jax.Array) -> jax.Array:
        """log π(action), ``[...]``, for integer actions ``[...]``."""
        one_hot = jax.nn.one_hot(action, self.logits.shape[-1], dtype=bool)
        shape = jnp.broadcast_shapes(self.logits.shape, one_hot.shape)
        return jnp.sum(jnp.broadcast_to(self._log_probs(), shape), axis=-1, where=one_hot)

    def entropy(self) -> jax.Array:
        """-Σₐ π(a) log π(a) in nats, ``[...]``."""
        log_probs = self._log_probs()
        return -jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)

    def mode(self) -> jax.Array:
        """The most probable action, int32 ``[...]``; the first of equals."""
        return jnp.argmax(self.logits, axis=-1).astype(jnp.int32)

    def _log_probs(self) -> jax.Array:
        """log π of all actions, ``[..., A]``, which are the first axis meanwhile: vector units then take the batch."""
        return jnp.moveaxis(jax.nn.log_softmax(jnp.moveaxis(self.logits, -1, 0), axis=0), 0, -1)


class DiagonalGaussian(NamedTuple):
    """Independent normal distributions N(mean, σ²) of the components of real actions.

    Attributes:
      mean: ``[..., A]``.
      log_std: log σ, ``[..., A]``.

    >>> standard = DiagonalGaussian(jnp.zeros(1), jnp.zeros(1))
    >>> print(f"{standard.log_prob(jnp.zeros(1)):.3f}, {standard.entropy():.3f}")  # -½ log 2π, ½ log 2πe
    -0.919, 1.419
    """

    mean: jax.Array
    log_std: jax.Array

    def sample(self, key: jax.Array) -> jax.Array:
        """An action, ``[..., A]``."""
        return self.sample_from(self.noise(key))

    def noise(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        """Standard normal noise, ``[*shape, ..., A]``."""
        return jax.random.normal(key, shape + self.mean.shape, jnp.float32)

    def sample_from(self, noise: jax.Array) -> jax.Array:
        """The action mean + σ `noise`, ``[..., A]``."""
        return self.mean + jnp.exp(self.log_std) * noise

    def log_prob(self, action: jax.Array) -> jax.Array:
        """log π(action), ``[...]``, for actions ``[..., A]``, unclipped: Σ -½ ((a-μ)/σ)² - log σ - ½ log 2π."""
        scaled = (action - self.mean) * jnp.exp(-self.log_std)
        return -jnp.sum(0.5 * jnp.square(scaled) + self.log_std + HALF_LOG_2PI, axis=-1)

    def entropy(self) -> jax.Array:
        """Σ log σ + ½ log 2πe in nats, ``[...]``."""
        return jnp.sum(self.log_std + HALF_LOG_2PI + 0.5, axis=-1)

    def mode(self) -> jax.Array:
        """The mean, ``[..., A]``."""
        return self.mean
