"""Numerics: elementary functions made safe to differentiate, and checks for finiteness."""

import jax
import jax.numpy as jnp

from jax_ac.types import PyTree


def safe_sqrt(x: jax.Array) -> jax.Array:
    """√x with derivative 0, not infinity, at x = 0, so that gradients pass through units that have never fired."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def all_finite(values: PyTree) -> jax.Array:
    """Whether every number in every leaf is finite: a bool scalar."""
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(values)]))
