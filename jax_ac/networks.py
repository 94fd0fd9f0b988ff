"""Actor-critic networks: from an observation to (distribution over actions, value)."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from jax_ac.distributions import Categorical

FEW = 4
"""Up to so many outputs, XLA's matrix product of a single row is slower than sums of products (measured on CPU)."""


class Weights(nn.Module):
    """The kernel ``[I, size]`` and the bias ``[size]`` of a dense layer, initialized as Keras does.

    Glorot-uniform kernels (Glorot & Bengio 2010, eq. 16) and zero biases.
    """

    size: int

    @nn.compact
    def __call__(self, num_inputs: int) -> tuple[jax.Array, jax.Array]:
        kernel = self.param("kernel", nn.initializers.glorot_uniform(), (num_inputs, self.size), jnp.float32)
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


class SharedActorCritic(nn.Module):
    """Dense layers shared by a softmax head over discrete actions and a scalar value head.

    The defaults are those of the Keras example: one layer of 128 relu units.

    Attributes:
      num_actions: A.
      hidden_sizes: width of each shared layer.
    """

    num_actions: int
    hidden_sizes: tuple[int, ...] = (128,)

    @nn.compact
    def __call__(self, obs: jax.Array) -> tuple[Categorical, jax.Array]:
        """``obs [..., O] -> (Categorical with logits [..., A], value [...])``."""
        features = jnp.moveaxis(obs, -1, 0)
        for layer, size in enumerate(self.hidden_sizes):
            features = nn.relu(dense(features, Weights(size, name=f"hidden_{layer}")(len(features))))
        actor = Weights(self.num_actions, name="actor")(len(features))
        critic = Weights(1, name="critic")(len(features))
        return Categorical(jnp.moveaxis(dense(features, actor), 0, -1)), dense(features, critic)[0]
