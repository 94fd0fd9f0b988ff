"""Updates: one gradient step, and the optimizers that optax lacks."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jax_ac.batching import lane_by_lane
from jax_ac.numerics import safe_sqrt
from jax_ac.types import PyTree


class GradientStep(NamedTuple):
    """The new parameters and optimizer state, the loss, what it reports, and the global norm of its gradient."""

    params: PyTree
    opt_state: PyTree
    loss: jax.Array
    parts: Any
    grad_norm: jax.Array


def gradient_step(
    loss: Callable[..., tuple[jax.Array, Any]],
    params: PyTree,
    opt_state: PyTree,
    optimizer: optax.GradientTransformation,
    *data: PyTree,
) -> GradientStep:
    """θ' = θ + optimizer(∇ loss(θ, *data)), for a loss that returns (scalar, what to report).

    `loss` must not close over arrays; whatever it reads comes in `data`.
    """
    (value, parts), grads = lane_by_lane(jax.value_and_grad(loss, has_aux=True))(params, *data)
    updates, opt_state = optimizer.update(grads, opt_state, params)
    return GradientStep(optax.apply_updates(params, updates), opt_state, value, parts, optax.tree.norm(grads))


def keras_adam(learning_rate: Any, b1: Any, b2: Any, eps: Any) -> optax.GradientTransformation:
    """Adam as Keras computes it, ε outside the bias correction ("epsilon hat", Kingma & Ba 2015, end of section 2).

    mₜ = β₁ mₜ₋₁ + (1-β₁) gₜ,  vₜ = β₂ vₜ₋₁ + (1-β₂) gₜ²,  θₜ = θₜ₋₁ - α √(1-β₂ᵗ) / (1-β₁ᵗ) · mₜ / (√vₜ + ε)

    optax.adam adds ε to the corrected √v̂ₜ instead; with the same ε the first steps of small gradients differ.
    """

    def init(params: PyTree) -> optax.ScaleByAdamState:
        zeros = jax.tree.map(jnp.zeros_like, params)
        return optax.ScaleByAdamState(count=jnp.zeros((), jnp.int32), mu=zeros, nu=zeros)

    def update(updates: PyTree, state: Any, params: PyTree | None = None) -> tuple[PyTree, optax.ScaleByAdamState]:
        del params
        grads = updates
        count = state.count + 1
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, grads)
        nu = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, state.nu, grads)
        step_size = learning_rate * jnp.sqrt(1 - b2**count) / (1 - b1**count)
        updates = jax.tree.map(lambda m, v: -step_size * m / (safe_sqrt(v) + eps), mu, nu)
        return updates, optax.ScaleByAdamState(count=count, mu=mu, nu=nu)

    return optax.GradientTransformation(init, update)
