"""Losses: named pieces, element by element, and the assembled losses."""

import jax
import jax.numpy as jnp
import optax

from jax_ac.hyperparams import KerasHyperparams
from jax_ac.types import Distribution, Estimate, LossParts, Transition


def policy_gradient(log_prob: jax.Array, advantage: jax.Array) -> jax.Array:
    """-log π(aₜ|sₜ) Âₜ, whose gradient is that of the policy gradient theorem.

    Sutton & Barto (2018), section 13.4. Both arguments and the result are ``[...]``.
    """
    return -log_prob * advantage


def keras_actor_critic_loss(
    distribution: Distribution,
    value: jax.Array,
    batch: Transition,
    estimate: Estimate,
    hyperparams: KerasHyperparams,
    *,
    stop_gradient: bool,
) -> tuple[jax.Array, LossParts]:
    """Σₜ -log π(aₜ|sₜ) (Gₜ - v(sₜ)) + c Huber(v(sₜ), Gₜ), summed over the steps of the episodes.

    The loss of the Keras example "Actor Critic Method". There the advantage Gₜ - v(sₜ) is not a constant: the actor's loss
    trains the critic too. With `stop_gradient` it is one, as in the textbook (Sutton & Barto 2018, section 13.4).

    Args:
      distribution: π(·|sₜ), ``[B]``.
      value: v(sₜ), ``[B]``.
      batch: the steps of the episodes, flattened, ``[B, ...]``.
      estimate: ``[B]``; `value_target` is Gₜ; `advantage` is Gₜ minus the value at the time of acting.
      hyperparams: reads `vf_coef` (c) and `huber_delta`.
      stop_gradient: whether the advantage is held constant.

    Returns:
      The scalar loss and its parts; the entropy is a mean over steps and is not part of the loss.
    """
    mask = batch.mask
    advantage = estimate.advantage if stop_gradient else estimate.value_target - value
    actor = policy_gradient(distribution.log_prob(batch.action), advantage)
    critic = optax.huber_loss(value, estimate.value_target, delta=hyperparams.huber_delta)
    policy_loss = jnp.sum(actor, where=mask)
    value_loss = jnp.sum(critic, where=mask)
    entropy = jnp.mean(distribution.entropy(), where=mask)
    return policy_loss + hyperparams.vf_coef * value_loss, LossParts(policy_loss, value_loss, entropy)
