"""Updates: gradient steps from an experience, and the optimizers.

The data of an update are examples, along the leading axis of every leaf: steps ``[B, ...]``, or for a network with memory
whole sequences ``[N, T, ...]``.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from jax_ac import tree
from jax_ac.checks import check_positive
from jax_ac.numerics import safe_sqrt
from jax_ac.types import Examples, LossParts, PyTree

SHORT = 1024
"""Up to so many examples are shuffled by one sort of single words (`shuffled`)."""


class Improved(NamedTuple):
    """The new parameters and optimizer state, the loss, what it reports, and the global norm of its gradient."""

    params: PyTree
    opt_state: PyTree
    loss: jax.Array
    parts: Any
    grad_norm: jax.Array


class Improve(NamedTuple):
    """How parameters are improved from examples.

    Attributes:
      init: ``(optimizer, params) -> opt_state``.
      step: ``(key, loss, optimizer, params, opt_state, examples, hyperparams) -> Improved``, where
        ``loss(params, examples, hyperparams) -> (scalar, LossParts)``.
    """

    init: Callable[[optax.GradientTransformation, PyTree], PyTree]
    step: Callable[..., Improved]


def gradient_step(
    loss: Callable[..., tuple[jax.Array, Any]],
    params: PyTree,
    opt_state: PyTree,
    optimizer: optax.GradientTransformation,
    *data: PyTree,
) -> Improved:
    """θ' = θ + optimizer(∇ loss(θ, data)), for a loss that returns (scalar, what to report)."""
    (value, parts), grads = jax.value_and_grad(loss, has_aux=True)(params, *data)
    updates, opt_state = optimizer.update(grads, opt_state, params)
    return Improved(optax.apply_updates(params, updates), opt_state, value, parts, _norm(grads))


def gradient_steps(num_epochs: int = 1, num_minibatches: int = 1) -> Improve:
    """E epochs over the examples, each shuffled and cut into M minibatches, one gradient step per minibatch.

    With one of each it is one step on all examples. What is reported are means over the steps.

    Raises ValueError or TypeError unless both are whole numbers of at least 1.
    """
    num_epochs = check_positive("num_epochs", num_epochs)
    num_minibatches = check_positive("num_minibatches", num_minibatches)
    return Improve(lambda optimizer, params: optimizer.init(params), partial(_epochs, num_epochs, num_minibatches))


def _epochs(
    num_epochs: int,
    num_minibatches: int,
    key: jax.Array,
    loss: Callable,
    optimizer: optax.GradientTransformation,
    params: PyTree,
    opt_state: PyTree,
    examples: Examples,
    hyperparams: Any,
) -> Improved:
    if num_epochs == num_minibatches == 1:
        return gradient_step(loss, params, opt_state, optimizer, examples, hyperparams)
    num_examples = len(jax.tree.leaves(examples)[0])
    orders = jax.vmap(partial(shuffled, num=num_examples))(jax.random.split(key, num_epochs))
    order = orders.reshape(num_epochs * num_minibatches, -1)  # [E M, B / M]

    def step(carry: tuple[PyTree, PyTree], index: jax.Array):
        minibatch = jax.tree.map(lambda leaf: leaf[index], examples)
        improved = gradient_step(loss, *carry, optimizer, minibatch, hyperparams)
        report = jnp.stack([improved.loss, *improved.parts, improved.grad_norm])  # one kernel to keep it, not seven
        return (improved.params, improved.opt_state), report

    (params, opt_state), reports = jax.lax.scan(step, (params, opt_state), order)
    mean_loss, *parts, grad_norm = jnp.mean(reports, axis=0)
    return Improved(params, opt_state, mean_loss, LossParts(*parts), grad_norm)


def shuffled(key: jax.Array, num: int) -> jax.Array:
    """The numbers 0 ... num - 1 in a random order, int32 ``[num]``.

    Up to `SHORT` of them are the low bits of random 32-bit words that are sorted, a quarter of the work of sorting pairs as
    `jax.random.permutation` does. Two whose random bits are alike keep their order: an eighth of a pair of 1,024 numbers.
    """
    if num > SHORT:
        return jax.random.permutation(key, num)
    low = jnp.uint32(2 ** (num - 1).bit_length() - 1)
    words = jax.random.bits(key, (num,), jnp.uint32) & ~low | jnp.arange(num, dtype=jnp.uint32)
    return (jnp.sort(words) & low).astype(jnp.int32)


def _norm(grads: PyTree) -> jax.Array:
    """The global norm, of all gradients as one vector: the same numbers that a flattened optimizer clips by."""
    return optax.tree.norm(ravel_pytree(grads)[0])


class Traced(NamedTuple):
    """The optimizer's state, and the eligibility trace of each environment, leaves ``[N, ...]``."""

    opt_state: PyTree
    trace: PyTree


def eligibility_traces(num_envs: int) -> Improve:
    """zₜ = γ λ zₜ₋₁ + ∇e(θ),  θ' = θ + optimizer(-mean over N of δₜ zₜ), one trace per environment.

    Sutton & Barto (2018), section 13.6, where e is log π(aₜ|sₜ) plus the weighted value (the negative of the loss), and δ
    the TD error (`Estimate.advantage`). An episode begins with z = 0. Reads `gamma` and `trace_lambda`.
    """

    def init(optimizer: optax.GradientTransformation, params: PyTree) -> Traced:
        trace = jax.tree.map(lambda leaf: jnp.zeros((num_envs, *leaf.shape), leaf.dtype), params)
        return Traced(optimizer.init(params), trace)

    return Improve(init, _trace_step)


def _trace_step(
    key: Any, loss: Any, optimizer: Any, params: Any, opt_state: Traced, examples: Examples, hyperparams: Any
) -> Improved:
    del key

    def traced_gradient(params, trace, examples, hyperparams):
        one_each = jax.tree.map(lambda leaf: leaf[:, None], examples)  # N batches of one example
        gradient = jax.vmap(jax.value_and_grad(loss, has_aux=True), in_axes=(None, 0, None))
        (values, parts), grads = gradient(params, one_each, hyperparams)
        decay = jnp.where(examples.steps.first, 0.0, hyperparams.gamma * hyperparams.trace_lambda)  # [N]
        td_error = examples.estimate.advantage  # [N]
        trace = jax.tree.map(lambda z, g: tree.scale(decay, z) + g, trace, grads)
        direction = jax.tree.map(lambda z: jnp.mean(tree.scale(td_error, z), axis=0), trace)
        return trace, direction, jax.tree.map(jnp.mean, (values, parts))

    trace, direction, (value, parts) = traced_gradient(params, opt_state.trace, examples, hyperparams)
    updates, inner = optimizer.update(direction, opt_state.opt_state, params)
    params = optax.apply_updates(params, updates)
    return Improved(params, Traced(inner, trace), value, parts, _norm(direction))


def clip_by_norm(most: Any) -> optax.GradientTransformation:
    """g min(1, c / ‖g‖), with c = `most`, the greatest global norm. Pascanu et al. (2013), algorithm 1.

    As optax.clip_by_global_norm, but with one factor for all, one pass less: 0.98 of a gradient step of PPO on a CPU.
    """

    def update(updates: PyTree, state: PyTree, params: PyTree | None = None) -> tuple[PyTree, PyTree]:
        del params
        norm = optax.tree.norm(updates)
        factor = jnp.where(norm < most, 1.0, most / norm)
        return jax.tree.map(lambda gradient: factor * gradient, updates), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def clipped_adam(hyperparams: Any, eps: Any = 1e-8) -> optax.GradientTransformation:
    """Adam (Kingma & Ba 2015) after clipping the gradient's global norm; reads `learning_rate` and `max_grad_norm`."""
    adam = optax.adam(hyperparams.learning_rate, eps=eps)
    return optax.flatten(optax.chain(clip_by_norm(hyperparams.max_grad_norm), adam))


def clipped_rmsprop(hyperparams: Any) -> optax.GradientTransformation:
    """RMSProp after clipping the gradient's global norm, as Mnih et al. (2016) use it (they share its second moment).

    Reads `learning_rate`, `max_grad_norm`, `second_moment_decay` and `eps`, which is added to the root, as in PyTorch.
    """
    h = hyperparams
    rmsprop = optax.rmsprop(h.learning_rate, decay=h.second_moment_decay, eps=h.eps, eps_in_sqrt=False)
    return optax.flatten(optax.chain(clip_by_norm(h.max_grad_norm), rmsprop))


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

    return optax.flatten(optax.GradientTransformation(init, update))
