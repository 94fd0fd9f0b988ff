"""Running moments of observations: mean and variance of all frames so far."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Moments(NamedTuple):
    """The number of frames (float32 scalar), their mean and population variance, of the shape of one observation."""

    num_frames: jax.Array
    mean: jax.Array
    variance: jax.Array


def no_frames(shape: tuple[int, ...]) -> Moments:
    """Before any frame: mean 0 and variance 1, so that `normalize` only clips."""
    return Moments(jnp.zeros((), jnp.float32), jnp.zeros(shape, jnp.float32), jnp.ones(shape, jnp.float32))


def observe(moments: Moments, frames: jax.Array, mask: jax.Array) -> Moments:
    """The moments with a batch of frames added: the parallel algorithm of Chan et al. (1983), eq. 2.1.

    Args:
      moments: of the frames before.
      frames: ``[B, *observation]``.
      mask: bool ``[B]``, somewhere True; frames where False are left out.
    """
    where = mask.reshape(-1, *(1,) * (frames.ndim - 1))
    batch = jnp.sum(mask, dtype=jnp.float32)
    mean = jnp.sum(frames, axis=0, where=where) / batch
    squares = jnp.sum(jnp.square(frames - mean[None]), axis=0, where=where)
    count = moments.num_frames + batch
    delta = mean - moments.mean
    total = moments.variance * moments.num_frames + squares + jnp.square(delta) * (moments.num_frames * batch / count)
    return Moments(count, moments.mean + delta * (batch / count), total / count)


def normalize(moments: Moments, frame: jax.Array, epsilon: float = 1e-8, limit: float = 10.0) -> jax.Array:
    """(x - mean) / √(variance + ε), clipped to ± `limit`, ``[..., *observation]``."""
    axes = tuple(range(frame.ndim - moments.mean.ndim))
    mean, variance = (jnp.expand_dims(moment, axes) for moment in (moments.mean, moments.variance))
    return jnp.clip((frame - mean) * jax.lax.rsqrt(variance + epsilon), -limit, limit)
