"""Numerics: elementary functions made safe to differentiate, and checks for finiteness."""

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from jax_ac.types import PyTree


def safe_sqrt(x: jax.Array) -> jax.Array:
    """√x with derivative 0, not infinity, at x = 0, so that gradients pass through units that have never fired."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def all_finite(values: PyTree) -> jax.Array:
    """Whether every number in every leaf is finite: a bool scalar."""
    return jnp.all(jnp.isfinite(ravel_pytree(values)[0]))


@jax.jit
def orthonormal_rows(matrix: jax.Array) -> jax.Array:
    """The rows of a matrix ``[R, C]``, R ≤ C, made orthonormal one after another by Gram-Schmidt, twice each for accuracy.

    Of a matrix of independent normal numbers this is uniform over all such rows (Haar). LAPACK's QR is not used: two CPU
    devices that call it at the same time can wait for ever (jaxlib 0.10.2, ``NPROC=1``).
    """
    num_rows = len(matrix)

    def orthonormalize(row: jax.Array, rows: jax.Array) -> jax.Array:
        before = jnp.where(jnp.arange(num_rows)[:, None] < row, rows, 0.0)
        rest = rows[row]
        for _ in range(2):
            rest = rest - (before @ rest) @ before
        return rows.at[row].set(rest / jnp.linalg.norm(rest))

    return jax.lax.fori_loop(0, num_rows, orthonormalize, matrix)
