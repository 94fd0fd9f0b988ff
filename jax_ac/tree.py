"""Pytrees: what `jax.tree` lacks."""

import jax
import jax.numpy as jnp

from jax_ac.types import PyTree


def select(condition: jax.Array, on_true: PyTree, on_false: PyTree) -> PyTree:
    """Leaf by leaf, `on_true` where `condition` holds, else `on_false`.

    Args:
      condition: bool, ``[...]``.
      on_true: leaves ``[..., any trailing axes]``.
      on_false: the same structure.
    """

    def pick(true_leaf: jax.Array, false_leaf: jax.Array) -> jax.Array:
        trailing = (1,) * (jnp.ndim(true_leaf) - condition.ndim)
        return jnp.where(condition.reshape(condition.shape + trailing), true_leaf, false_leaf)

    return jax.tree.map(pick, on_true, on_false)


def blank(tree: PyTree) -> PyTree:
    """What an update reports that did not happen: NaN in every real leaf, 0 in every integer one; the shapes are kept."""

    def fill(leaf: jax.Array) -> jax.Array:
        return jnp.full(leaf.shape, jnp.nan if jnp.issubdtype(leaf.dtype, jnp.floating) else 0, leaf.dtype)

    return jax.tree.map(fill, tree)


def flatten_time(tree: PyTree) -> PyTree:
    """Leaves ``[T, N, ...]`` as ``[T N, ...]``: steps of a trajectory as a batch."""
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), tree)


def swap_time(tree: PyTree) -> PyTree:
    """Leaves ``[T, N, ...]`` as ``[N, T, ...]``, and back."""
    return jax.tree.map(lambda leaf: jnp.swapaxes(leaf, 0, 1), tree)


def scale(factor: jax.Array, leaf: jax.Array) -> jax.Array:
    """`factor` ``[N]`` times `leaf` ``[N, ...]``."""
    return factor.reshape(-1, *(1,) * (leaf.ndim - 1)) * leaf
