"""Actor-critic networks, flax.linen modules: from observations to (distribution over actions, value).

All take observations with any batch axes leading, ``[..., *observation shape]``; integer observations become one-hot
vectors.
"""

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jax_ac.layers import (
    Features,
    Initialization,
    Weights,
    both_heads,
    dense,
    features,
    mlp,
    orthogonal,
    policy_head,
    value_head,
)  # fmt: skip
from jax_ac.types import Box, Discrete, Env

KERAS = Initialization(*[nn.initializers.glorot_uniform()] * 3)
"""Keras's default: Glorot & Bengio (2010), eq. 16."""

ORTHOGONAL = Initialization(*(orthogonal(scale) for scale in (math.sqrt(2), 0.01, 1.0)))
"""Orthogonal kernels of gain √2 in hidden layers, 0.01 for the policy, 1 for the value.

What PPO's reference code does (Huang et al. 2022, detail 2); the small policy head makes the first policy nearly uniform.
"""


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
        units = mlp(features(obs, self.observation_space), self.hidden_sizes, self.activation, hidden)
        return both_heads(units, self.action_space, actor, critic)


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
        inputs = features(obs, self.observation_space)
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
            weights = Weights(size, hidden, name=f"conv_{layer}")(len(patches))
            image = dense(Features(patches, 0), weights).map(self.activation).array
        vectors = Features(jnp.moveaxis(image, (-2, -1), (1, 2)).reshape(-1, *image.shape[1:-2]), 0)
        units = mlp(vectors, self.hidden_sizes, self.activation, hidden)
        return both_heads(units, self.action_space, actor, critic)


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
        inputs = mlp(features(obs, self.observation_space), self.hidden_sizes, self.activation, hidden)
        gru = nn.GRUCell(self.memory_size, recurrent_kernel_init=orthogonal(1.0), name="gru")  # flax's own calls QR
        memory, _ = gru(memory, inputs.last())
        return *both_heads(
            Features(jnp.moveaxis(memory, -1, inputs.axis), inputs.axis), self.action_space, actor, critic
        ), memory

    def initial_memory(self) -> jax.Array:
        """Zeros, ``[M]``."""
        return jnp.zeros(self.memory_size, jnp.float32)


def default_network(env: Env) -> nn.Module:
    """`ConvActorCritic` for images ``[height, width, channels]`` of at least 3x3 pixels, else `SeparateActorCritic`."""
    space = env.observation_space
    if isinstance(space, Box) and len(space.shape) == 3 and min(space.shape[:2]) >= 3:
        return ConvActorCritic(space, env.action_space)
    return SeparateActorCritic(space, env.action_space)
