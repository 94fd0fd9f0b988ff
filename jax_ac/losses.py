"""Losses: named pieces, element by element, and the assembled losses."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jax_ac.hyperparams import KerasHyperparams, OneStepHyperparams, PPOHyperparams
from jax_ac.protocols import Distribution
from jax_ac.returns import normalize
from jax_ac.types import Estimate, LossParts, Transition

ValueLoss = Callable[[jax.Array, jax.Array, jax.Array, Any], jax.Array]
"""``(value, target, value at the time of acting, ε) -> loss``, all ``[B]`` but ε."""


def policy_gradient(log_prob: jax.Array, advantage: jax.Array) -> jax.Array:
    """-log π(aₜ|sₜ) Âₜ, whose gradient is that of the policy gradient theorem.

    Sutton & Barto (2018), section 13.4. Both arguments and the result are ``[...]``.
    """
    return -log_prob * advantage


def clipped_surrogate(ratio: jax.Array, advantage: jax.Array, clip_eps: Any) -> jax.Array:
    """-min(rₜ Âₜ, clip(rₜ, 1-ε, 1+ε) Âₜ), with rₜ = π(aₜ|sₜ) / π_old(aₜ|sₜ). Schulman et al. (2017), eq. 7. ``[...]``.

    The bound that counts is the upper one where Âₜ ≥ 0, else the lower one.
    """
    bound = jnp.where(advantage < 0, 1 - clip_eps, 1 + clip_eps)
    return -jnp.minimum(ratio * advantage, bound * advantage)


def squared_error(value: jax.Array, target: jax.Array, old_value: jax.Array, clip_eps: Any) -> jax.Array:
    """½ (v(sₜ) - Gₜ)², ``[...]``: a `ValueLoss` that does not clip."""
    del old_value, clip_eps
    return 0.5 * jnp.square(value - target)


def clipped_squared_error(value: jax.Array, target: jax.Array, old_value: jax.Array, clip_eps: Any) -> jax.Array:
    """½ max((v - G)², (v_old + clip(v - v_old, -ε, ε) - G)²), ``[...]``. Huang et al. (2022), detail 9."""
    change = value - old_value
    clipped = jnp.where(jnp.abs(change) <= clip_eps, value, old_value + jnp.sign(change) * clip_eps)
    return 0.5 * jnp.maximum(jnp.square(value - target), jnp.square(clipped - target))


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


def policy_gradient_loss(
    distribution: Distribution, value: jax.Array, batch: Transition, estimate: Estimate, hyperparams: Any
) -> tuple[jax.Array, LossParts]:
    """Mean over steps of -log π(aₜ|sₜ) Âₜ + c ½ (v(sₜ) - Gₜ)² - β H(π(·|sₜ)). Mnih et al. (2016), section 4.

    Args:
      distribution: π(·|sₜ), ``[B]``.
      value: v(sₜ), ``[B]``.
      batch: steps, ``[B, ...]``.
      estimate: Gₜ and Âₜ, ``[B]``.
      hyperparams: reads `vf_coef` (c) and `ent_coef` (β).

    Returns:
      The scalar loss and its parts, means over steps.
    """
    policy_loss, value_loss, entropy = _means(
        batch.mask,
        (
            policy_gradient(distribution.log_prob(batch.action), estimate.advantage),
            0.5 * jnp.square(value - estimate.value_target),
            distribution.entropy(),
        ),
    )
    loss = policy_loss + hyperparams.vf_coef * value_loss - hyperparams.ent_coef * entropy
    return loss, LossParts(policy_loss, value_loss, entropy)


def actor_loss(
    distribution: Distribution, value: jax.Array, batch: Transition, estimate: Estimate, hyperparams: Any
) -> tuple[jax.Array, LossParts]:
    """Mean over steps of -log π(aₜ|sₜ) Âₜ - β H(π(·|sₜ)): no critic learns. Williams (1992).

    Arguments and returns as in `policy_gradient_loss`; reads `ent_coef` (β), and has no value loss.
    """
    del value
    policy_loss = jnp.mean(policy_gradient(distribution.log_prob(batch.action), estimate.advantage), where=batch.mask)
    entropy = jnp.mean(distribution.entropy(), where=batch.mask)
    return policy_loss - hyperparams.ent_coef * entropy, LossParts(policy_loss, math.nan, entropy)


def eligibility(
    distribution: Distribution, value: jax.Array, batch: Transition, estimate: Estimate, hyperparams: OneStepHyperparams
) -> tuple[jax.Array, LossParts]:
    """-(log π(aₜ|sₜ) + c v(sₜ)), mean over steps: the negative of what eligibility traces add up the gradients of.

    Sutton & Barto (2018), section 13.6. Arguments as in `policy_gradient_loss`; reads `vf_coef` (c). What is reported is
    -log π(aₜ|sₜ) δₜ and ½ δₜ².
    """
    log_prob = distribution.log_prob(batch.action)
    parts = LossParts(
        policy_loss=jnp.mean(policy_gradient(log_prob, estimate.advantage)),
        value_loss=jnp.mean(0.5 * jnp.square(value - estimate.value_target)),
        entropy=jnp.mean(distribution.entropy()),
    )
    return -jnp.mean(log_prob + hyperparams.vf_coef * value), parts


def ppo_loss(
    distribution: Distribution,
    value: jax.Array,
    batch: Transition,
    estimate: Estimate,
    hyperparams: PPOHyperparams,
    *,
    value_loss: ValueLoss = clipped_squared_error,
) -> tuple[jax.Array, LossParts]:
    """Proximal policy optimization: mean of clipped surrogate + c value loss - β H. Schulman et al. (2017), eq. 9.

    Advantages are normalized over the minibatch (Huang et al. 2022, detail 7). `approx_kl` is the mean of (r - 1) - log r
    (Schulman 2020, "Approximating KL divergence", k₃), `clip_fraction` that of |r - 1| > ε.

    Args:
      distribution: π(·|sₜ), ``[B]``.
      value: v(sₜ), ``[B]``.
      batch: steps, ``[B, ...]``; `log_prob` and `value` are those at the time of acting.
      estimate: Gₜ and Âₜ, ``[B]``.
      hyperparams: reads `clip_eps` (ε), `vf_coef` (c) and `ent_coef` (β).
      value_loss: `clipped_squared_error` or `squared_error`.

    Returns:
      The scalar loss and its parts, means over steps.
    """
    log_ratio = distribution.log_prob(batch.action) - batch.log_prob
    ratio = jnp.exp(log_ratio)
    advantage = normalize(estimate.advantage, batch.mask, epsilon=1e-8)
    parts = LossParts(
        policy_loss=clipped_surrogate(ratio, advantage, hyperparams.clip_eps),
        value_loss=value_loss(value, estimate.value_target, batch.value, hyperparams.clip_eps),
        entropy=distribution.entropy(),
        approx_kl=(ratio - 1) - log_ratio,
        clip_fraction=(jnp.abs(ratio - 1) > hyperparams.clip_eps).astype(jnp.float32),
    )
    parts = LossParts(*_means(batch.mask, parts))
    return parts.policy_loss + hyperparams.vf_coef * parts.value_loss - hyperparams.ent_coef * parts.entropy, parts


def _means(mask: jax.Array, values: Sequence[jax.Array]) -> jax.Array:
    """The mean of each, all ``[B]``, over the steps where `mask` is True: ``[number of values]``, by one product."""
    weights = mask / jnp.sum(mask, dtype=jnp.float32)
    return jnp.dot(jnp.where(mask, jnp.stack(values), 0.0), weights, precision="highest")
