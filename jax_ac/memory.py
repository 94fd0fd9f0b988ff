"""Memory: what the results of a run will take, and whether this machine has it."""

import math
import os

import jax
import numpy as np

from jax_ac.protocols import Algorithm


def result_bytes(algorithm: Algorithm, num_lanes: int, max_updates: int) -> int:
    """Bytes of the metrics and the states of so many lanes."""
    numbers = jax.tree.map(lambda _: jax.ShapeDtypeStruct((), np.float32), algorithm.hyperparams)
    key = jax.eval_shape(lambda: jax.random.key(0))
    state = jax.eval_shape(algorithm.init, key, numbers)
    _, metrics = jax.eval_shape(algorithm.step, key, state, numbers)
    size = lambda tree: sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
    return num_lanes * (size(state) + max_updates * size(metrics))


def check_memory(algorithm: Algorithm, num_lanes: int, max_updates: int) -> None:
    """Raises ValueError if the results of so many lanes and updates would not fit in this machine's memory."""
    needed = result_bytes(algorithm, num_lanes, max_updates)
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else math.inf
    if needed > installed:
        raise ValueError(
            f"the results of {num_lanes:,} lanes x {max_updates:,} updates take {needed / 2**30:,.0f} GiB, more than this "
            f"machine's memory of {installed / 2**30:,.0f} GiB; lower max_updates or the number of seeds."
        )
