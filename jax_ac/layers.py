"""Layers: what the networks are made of.

Features are one axis of an array, the first or the last, and the batch has the others; which one follows the size of the
batch, for speed on CPU (`Features`).
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jax_ac.distributions import Categorical, DiagonalGaussian
from jax_ac.numerics import orthonormal_rows
from jax_ac.products import biased, narrow_product, pinned, product, transposed_product
from jax_ac.types import Box, Discrete

FEW = 4
"""Up to so many outputs, a single row is multiplied with the kernel transposed: rows of features, not narrow columns.

The barrier keeps XLA from undoing the transposition, which a rollout then does once, outside of its steps (measured on CPU:
with 16 lanes an update of the Keras preset took 0.83 of the time by medians, 0.55 by minima, beside other work).
"""

MANY = 128
"""From so many observations on, features are the first axis: narrow layers then fill the vector units. With fewer, products
of that form fall back to scalar loops (measured on CPU: 4 observations take 6 times as long)."""


NARROW = 8
"""Up to so many inputs or outputs, a batch with features first is multiplied with the kernel transposed, and its cotangent
pinned: what products the layer and its gradient have are then of forms that are not a scalar loop (measured on CPU: the
gradient of the 4 inputs takes half of the time or less, an update of PPO 0.88, A2C 0.95, Keras preset 0.92).
With few inputs the bias is a row of the kernel, so that its gradient is no pass of its own (Keras preset 0.95)."""


class Initialization(NamedTuple):
    """How kernels begin: those of hidden layers, of the policy's head and of the value's; biases begin at zero."""

    hidden: Callable
    actor: Callable
    critic: Callable


def orthogonal(scale: float) -> Callable:
    """Initializer of kernels ``[I, size]`` with orthogonal rows or columns of norm `scale`. Saxe et al. (2014)."""

    def initialize(key: jax.Array, shape: tuple[int, int], dtype: Any = jnp.float32) -> jax.Array:
        rows = orthonormal_rows(jax.random.normal(key, (min(shape), max(shape)), dtype))
        return scale * (rows if shape[0] <= shape[1] else rows.T)

    return initialize


class Features(NamedTuple):
    """An array with the features on its first axis (`axis` 0) or its last (-1), the batch on the others."""

    array: jax.Array
    axis: int

    @property
    def size(self) -> int:
        """The number of features."""
        return self.array.shape[self.axis]

    def map(self, function: Callable[[jax.Array], jax.Array]) -> "Features":
        """With an elementwise function applied."""
        return Features(function(self.array), self.axis)

    def take(self, start: int, stop: int) -> "Features":
        """Those from `start` to before `stop`."""
        return Features(jax.lax.slice_in_dim(self.array, start, stop, axis=self.axis), self.axis)

    def last(self) -> jax.Array:
        """The array with features last, ``[..., size]``."""
        return jnp.moveaxis(self.array, self.axis, -1)


def features(obs: jax.Array, space: Box | Discrete) -> Features:
    """Observations ``[..., *shape]`` as vectors; integers as one-hot vectors."""
    batch = obs.shape[: obs.ndim - len(space.shape)] if isinstance(space, Box) else obs.shape
    axis = -1 if 1 < math.prod(batch) < MANY else 0
    if isinstance(space, Discrete):
        return Features(jax.nn.one_hot(obs, space.n, dtype=jnp.float32, axis=axis), axis)
    vectors = obs.astype(jnp.float32).reshape(*batch, math.prod(space.shape))
    return Features(jnp.moveaxis(vectors, -1, axis), axis)


class Weights(nn.Module):
    """The kernel ``[I, size]`` and the bias ``[size]`` of a dense layer."""

    size: int
    initializer: Callable

    @nn.compact
    def __call__(self, num_inputs: int) -> tuple[jax.Array, jax.Array]:
        kernel = self.param("kernel", self.initializer, (num_inputs, self.size), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (self.size,), jnp.float32)
        return kernel, bias


def dense(x: Features, weights: tuple[jax.Array, jax.Array]) -> Features:
    """Wᵀx + b.

    The form of the product follows the shapes, for speed on CPU: see `MANY`, `NARROW` and `FEW`.
    """
    kernel, bias = weights
    batch = x.last().shape[:-1]
    if math.prod(batch) == 1:
        return _single(x, batch, kernel, bias)
    if x.axis == -1:
        return Features(x.array @ kernel + bias.reshape(*(1,) * len(batch), -1), -1)
    if min(kernel.shape) > NARROW:
        return Features(biased(product(kernel, x.array), bias), 0)
    if len(kernel) > NARROW:
        return Features(pinned(biased(narrow_product(kernel, x.array), bias)), 0)
    with_bias = jnp.concatenate([kernel, bias[None]])  # [I + 1, size]: its last input is 1
    inputs = jnp.concatenate([x.array, jnp.ones((1, *x.array.shape[1:]), x.array.dtype)])
    return Features(pinned(transposed_product(with_bias, inputs)), 0)


def _single(x: Features, batch: tuple[int, ...], kernel: jax.Array, bias: jax.Array) -> Features:
    row = x.array.reshape(-1)
    outputs = row @ kernel + bias if len(bias) > FEW else jax.lax.optimization_barrier(kernel.T) @ row + bias
    return Features(outputs.reshape(-1, *batch) if x.axis == 0 else outputs.reshape(*batch, -1), x.axis)


def mlp(x: Features, sizes: tuple[int, ...], activation: Callable, initializer: Callable, prefix: str = "") -> Features:
    """Dense layers, each followed by the activation."""
    for layer, size in enumerate(sizes):
        x = dense(x, Weights(size, initializer, name=f"{prefix}hidden_{layer}")(x.size)).map(activation)
    return x


class LogStd(nn.Module):
    """log σ of each component of an action, ``[size]``, whatever the observation; it begins at 0."""

    size: int

    @nn.compact
    def __call__(self) -> jax.Array:
        return self.param("log_std", nn.initializers.zeros, (self.size,), jnp.float32)


def policy_head(x: Features, space: Box | Discrete, initializer: Callable) -> Categorical | DiagonalGaussian:
    """Features to a `Categorical` over integer actions, a `DiagonalGaussian` over real ones."""
    return _distribution(dense(x, Weights(_outputs(space), initializer, name="actor")(x.size)).last(), space)


def value_head(x: Features, initializer: Callable) -> jax.Array:
    """Features to the value ``[...]``."""
    return dense(x, Weights(1, initializer, name="critic")(x.size)).last()[..., 0]


def both_heads(
    x: Features, space: Box | Discrete, actor: Callable, critic: Callable
) -> tuple[Categorical | DiagonalGaussian, jax.Array]:
    """`policy_head` and `value_head` of the same features, as one matrix product."""
    size = _outputs(space)
    weights = Weights(size, actor, name="actor")(x.size), Weights(1, critic, name="critic")(x.size)
    joined = [jnp.concatenate(parts, axis=-1) for parts in zip(*weights, strict=True)]
    outputs = dense(x, (joined[0], joined[1]))
    return _distribution(outputs.take(0, size).last(), space), outputs.take(size, size + 1).last()[..., 0]


def _outputs(space: Box | Discrete) -> int:
    return space.n if isinstance(space, Discrete) else math.prod(space.shape)


def _distribution(outputs: jax.Array, space: Box | Discrete) -> Categorical | DiagonalGaussian:
    if isinstance(space, Discrete):
        return Categorical(outputs)
    size = outputs.shape[-1]
    log_std = LogStd(size, name="log_std")().reshape(*(1,) * (outputs.ndim - 1), size)
    return DiagonalGaussian(outputs, jnp.broadcast_to(log_std, outputs.shape))
