"""Actor-critic networks, flax.linen modules: from observations to (distribution over actions, value).

All take observations with any batch axes leading, ``[..., *observation shape]``; integer observations become one-hot
vectors. Inside, features are the leading axis.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jax_ac.distributions import Categorical, DiagonalGaussian
from jax_ac.numerics import orthonormal_rows
from jax_ac.types import Box, Discrete, Env

FEW = 4
"""Up to so many outputs, XLA's matrix product of a single row is slower than sums of products (measured on CPU)."""


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


KERAS = Initialization(*[nn.initializers.glorot_uniform()] * 3)
"""Keras's default: Glorot & Bengio (2010), eq. 16."""

ORTHOGONAL = Initialization(*(orthogonal(scale) for scale in (math.sqrt(2), 0.01, 1.0)))
"""Orthogonal kernels of gain √2 in hidden layers, 0.01 for the policy, 1 for the value.

What PPO's reference code does (Huang et al. 2022, detail 2); the small policy head makes the first policy nearly uniform.
"""


class Weights(nn.Module):
    """The kernel ``[I, size]`` and the bias ``[size]`` of a dense layer."""

    size: int
    initializer: Callable

    @nn.compact
    def __call__(self, num_inputs: int) -> tuple[jax.Array, jax.Array]:
        kernel = self.param("kernel", self.initializer, (num_inputs, self.size), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (self.size,), jnp.float32)
        return kernel, bias


def dense(x: jax.Array, weights: tuple[jax.Array, jax.Array]) -> jax.Array:
    """Wᵀx + b with features leading, ``[I, ...] -> [size, ...]``.

    The form follows the shapes, for speed on CPU: with the batch as the last axis even narrow layers fill the vector
    units; a single observation is a row times a matrix, and where the outputs are few, sums of products.
    """
    kernel, bias = weights
    batch = x.shape[1:]
    if math.prod(batch) > 1:
        return jnp.tensordot(kernel, x, axes=(0, 0)) + bias.reshape(-1, *(1 for _ in batch))
    row = x.reshape(-1)
    if len(bias) > FEW:
        outputs = row @ kernel + bias
    else:
        outputs = jnp.stack([jnp.sum(row * kernel[:, i]) for i in range(len(bias))]) + bias
    return outputs.reshape(-1, *batch)


def features_first(obs: jax.Array, space: Box | Discrete) -> jax.Array:
    """Observations as vectors, features leading: ``[..., *shape] -> [features, ...]``; integers as one-hot vectors."""
    if isinstance(space, Discrete):
        return jax.nn.one_hot(obs, space.n, dtype=jnp.float32, axis=0)
    batch = obs.shape[: obs.ndim - len(space.shape)]
    return jnp.moveaxis(obs.astype(jnp.float32).reshape(*batch, math.prod(space.shape)), -1, 0)


class LogStd(nn.Module):
    """log σ of each component of an action, ``[size]``, whatever the observation; it begins at 0."""

    size: int

    @nn.compact
    def __call__(self) -> jax.Array:
        return self.param("log_std", nn.initializers.zeros, (self.size,), jnp.float32)


def mlp(features: jax.Array, sizes: tuple[int, ...], activation: Callable, initializer: Callable, prefix: str = ""):
    """Dense layers, each followed by the activation, ``[I, ...] -> [last size, ...]``."""
    for layer, size in enumerate(sizes):
        features = activation(dense(features, Weights(size, initializer, name=f"{prefix}hidden_{layer}")(len(features))))
    return features


def policy_head(features: jax.Array, space: Box | Discrete, initializer: Callable) -> Categorical | DiagonalGaussian:
    """Features ``[I, ...]`` to a `Categorical` over integer actions, a `DiagonalGaussian` over real ones."""
    size = space.n if isinstance(space, Discrete) else math.prod(space.shape)
    outputs = jnp.moveaxis(dense(features, Weights(size, initializer, name="actor")(len(features))), 0, -1)
    if isinstance(space, Discrete):
        return Categorical(outputs)
    log_std = LogStd(size, name="log_std")().reshape(*(1,) * (outputs.ndim - 1), size)
    return DiagonalGaussian(outputs, jnp.broadcast_to(log_std, outputs.shape))


def value_head(features: jax.Array, initializer: Callable) -> jax.Array:
    """Features ``[I, ...]`` to the value ``[...]``."""
    return dense(features, Weights(1, initializer, name="critic")(len(features)))[0]


class SharedActorCritic(nn.Module):
    """Dense layers shared by the policy and the value. The defaults are the Keras example's: one layer of 128 relu units.

    Attributes:
      observation_space, action_space: the environment's.
      hidden_sizes: width of each layer.
      activation: of each layer.
      initialization: `KERAS` or `ORTHOGONAL`.
    """

    observation_space: Box | Discrete
    action_space: Box | Discrete
    hidden_sizes: tuple[int, ...] = (128,)
    activation: Callable = nn.relu
    initialization: Initialization = KERAS

    @nn.compact
    def __call__(self, obs: jax.Array) -> tuple[Any, jax.Array]:
        """``obs [..., *shape] -> (distribution [...], value [...])``."""
        hidden, actor, critic = self.initialization
        features = mlp(features_first(obs, self.observation_space), self.hidden_sizes, self.activation, hidden)
        return policy_head(features, self.action_space, actor), value_head(features, critic)


class SeparateActorCritic(nn.Module):
    """Dense layers of their own for the policy and for the value; the defaults are those of PPO's reference code.

    Attributes: as `SharedActorCritic`.
    """

    observation_space: Box | Discrete
    action_space: Box | Discrete
    hidden_sizes: tuple[int, ...] = (64, 64)
    activation: Callable = nn.tanh
    initialization: Initialization = ORTHOGONAL

    @nn.compact
    def __call__(self, obs: jax.Array) -> tuple[Any, jax.Array]:
        """``obs [..., *shape] -> (distribution [...], value [...])``."""
        hidden, actor, critic = self.initialization
        inputs = features_first(obs, self.observation_space)
        for_actor = mlp(inputs, self.hidden_sizes, self.activation, hidden, prefix="actor_")
        for_critic = mlp(inputs, self.hidden_sizes, self.activation, hidden, prefix="critic_")
        return policy_head(for_actor, self.action_space, actor), value_head(for_critic, critic)


class ConvActorCritic(nn.Module):
    """3x3 convolutions and dense layers, shared, for observations ``[height, width, channels]``.

    The defaults are MinAtar's network (Young & Tian 2019): 16 channels, then 128 relu units.

    Attributes:
      channels: of each convolution (stride 1, no padding), relu after each.

    The other attributes are those of `SharedActorCritic`.
    """

    observation_space: Box
    action_space: Box | Discrete
    channels: tuple[int, ...] = (16,)
    hidden_sizes: tuple[int, ...] = (128,)
    activation: Callable = nn.relu
    initialization: Initialization = ORTHOGONAL

    @nn.compact
    def __call__(self, obs: jax.Array) -> tuple[Any, jax.Array]:
        """``obs [..., height, width, channels] -> (distribution [...], value [...])``."""
        hidden, actor, critic = self.initialization
        image = jnp.moveaxis(obs.astype(jnp.float32), -1, 0)  # [channels, ..., height, width]
        for layer, size in enumerate(self.channels):
            patches = patches_3x3(image)
            image = self.activation(dense(patches, Weights(size, hidden, name=f"conv_{layer}")(len(patches))))
        features = jnp.moveaxis(image, (-2, -1), (1, 2)).reshape(-1, *image.shape[1:-2])
        features = mlp(features, self.hidden_sizes, self.activation, hidden)
        return policy_head(features, self.action_space, actor), value_head(features, critic)


def patches_3x3(image: jax.Array) -> jax.Array:
    """The 3x3 neighbourhood of every inner pixel, ``[C, ..., H, W] -> [9 C, ..., H - 2, W - 2]``.

    A convolution is then `dense`: a lane's own kernel under `vmap` stays a matrix product, where XLA's convolution on CPU
    would become a slow grouped one.
    """
    height, width = image.shape[-2:]
    shifts = [image[..., i : height - 2 + i, j : width - 2 + j] for i in range(3) for j in range(3)]
    return jnp.concatenate(shifts, axis=0)


class RecurrentActorCritic(nn.Module):
    """Dense layers, then a gated recurrent unit (Cho et al. 2014), shared by the policy and the value.

    Attributes:
      memory_size: M, units of the GRU.

    The other attributes are those of `SharedActorCritic`.
    """

    observation_space: Box | Discrete
    action_space: Box | Discrete
    hidden_sizes: tuple[int, ...] = (64,)
    memory_size: int = 64
    activation: Callable = nn.tanh
    initialization: Initialization = ORTHOGONAL

    @nn.compact
    def __call__(self, obs: jax.Array, memory: jax.Array) -> tuple[Any, jax.Array, jax.Array]:
        """``obs [..., *shape], memory [..., M] -> (distribution [...], value [...], next memory [..., M])``."""
        hidden, actor, critic = self.initialization
        inputs = mlp(features_first(obs, self.observation_space), self.hidden_sizes, self.activation, hidden)
        gru = nn.GRUCell(self.memory_size, recurrent_kernel_init=orthogonal(1.0), name="gru")  # flax's own calls QR
        memory, _ = gru(memory, jnp.moveaxis(inputs, 0, -1))
        features = jnp.moveaxis(memory, -1, 0)
        return policy_head(features, self.action_space, actor), value_head(features, critic), memory

    def initial_memory(self) -> jax.Array:
        """Zeros, ``[M]``."""
        return jnp.zeros(self.memory_size, jnp.float32)


def default_network(env: Env) -> nn.Module:
    """`ConvActorCritic` for images ``[height, width, channels]`` of at least 3x3 pixels, else `SeparateActorCritic`."""
    space = env.observation_space
    if isinstance(space, Box) and len(space.shape) == 3 and min(space.shape[:2]) >= 3:
        return ConvActorCritic(space, env.action_space)
    return SeparateActorCritic(space, env.action_space)
