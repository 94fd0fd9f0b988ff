"""Actor-critic networks: from an observation to (distribution over actions, value)."""

import flax.linen as nn
import jax

from jax_ac.distributions import Categorical


class SharedActorCritic(nn.Module):
    """Dense layers shared by a softmax head over discrete actions and a scalar value head.

    The defaults are those of the Keras example: one layer of 128 relu units, and Keras's own initialization, Glorot-uniform
    kernels (Glorot & Bengio 2010, eq. 16) and zero biases.

    Attributes:
      num_actions: A.
      hidden_sizes: width of each shared layer.
    """

    num_actions: int
    hidden_sizes: tuple[int, ...] = (128,)

    @nn.compact
    def __call__(self, obs: jax.Array) -> tuple[Categorical, jax.Array]:
        """``obs [..., O] -> (Categorical with logits [..., A], value [...])``."""
        glorot = nn.initializers.glorot_uniform()
        features = obs
        for size in self.hidden_sizes:
            features = nn.relu(nn.Dense(size, kernel_init=glorot)(features))
        logits = nn.Dense(self.num_actions, kernel_init=glorot, name="actor")(features)
        value = nn.Dense(1, kernel_init=glorot, name="critic")(features)
        return Categorical(logits), value[..., 0]
