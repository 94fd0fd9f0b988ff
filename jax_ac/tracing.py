"""Tracing: what an algorithm computes for one lane, known without computing it."""

import functools
from typing import Any, NamedTuple

import jax
import numpy as np

from jax_ac.batching import traced_once
from jax_ac.protocols import Algorithm


class Traced(NamedTuple):
    """One lane and one update of it.

    Attributes:
      state: the shapes and types of its `TrainState`.
      metrics: those of the metrics of an update.
      program: the update, as a jaxpr.
    """

    state: Any
    metrics: Any
    program: Any


@functools.lru_cache(maxsize=16)
def traced(algorithm: Algorithm) -> Traced:
    """Traces `init` and `step` once, for all who ask."""
    numbers = jax.tree.map(lambda _: jax.ShapeDtypeStruct((), np.float32), algorithm.hyperparams)
    key = jax.eval_shape(lambda: jax.random.key(0))
    state = jax.eval_shape(traced_once(algorithm.init), key, numbers)
    program, (_, metrics) = jax.make_jaxpr(traced_once(algorithm.step), return_shape=True)(key, state, numbers)
    return Traced(state, metrics, program.jaxpr)
