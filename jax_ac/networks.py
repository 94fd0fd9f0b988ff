"""Actor-critic networks: from an observation to (distribution over actions, value)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jax_ac.distributions import Categorical


class Weights(nn.Module):
    """The kernel ``[I, size]`` and the bias ``[size]`` of a dense layer, initialized as Keras does.

    Glorot-uniform kernels (Glorot & Bengio 2010, eq. 16) and zero biases.
    """

    size: int

    @nn.compact
    def __call__(self, num_inputs: int) -> tuple[jax.Array, jax.Array]:
        kernel = self.param("kernel", nn.initializers.glorot_uniform(), (num_inputs, self.size))
        bias = self.param("bias", nn.initializers.zeros, (self.size,))
        return kernel, bias


def dense(features: jax.Array, *heads: tuple[jax.Array, jax.Array]) -> jax.Array:
    """Wᵀx + b of one or more dense layers in a single matrix product, features leading: ``[I, ...] -> [Σ sizes, ...]``.

    With the batch as the last axis, narrow heads and narrow observations still fill the processor's vector units.
    """
    kernel = jnp.concatenate([kernel for kernel, _ in heads], axis=1)
    bias = jnp.concatenate([bias for _, bias in heads])
    product = jnp.tensordot(kernel, features, axes=(0, 0))
    return product + bias.reshape(-1, *(1 for _ in features.shape[1:]))


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
