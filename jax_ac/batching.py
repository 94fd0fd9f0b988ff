"""Batching: how a function of one lane is run for many."""

import functools
from collections.abc import Callable
from typing import Any

import jax


def traced_once(function: Callable) -> Callable:
    """`function`, of which JAX keeps the trace: whoever vmaps, lowers or measures it next takes that.

    JAX keeps a trace for the context that it was made in, and tells "no mesh is set" from "an empty one is", as `vmap` does.
    Here one always is: the one in force, or the empty one.
    """
    kept = jax.jit(function, inline=True)

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        with jax.sharding.use_abstract_mesh(jax.sharding.get_abstract_mesh()):
            return kept(*args)

    return call


def lane_by_lane(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, which under `vmap` on a CPU runs for one lane after another instead of for all at once.

    One lane's activations stay in a core's cache where those of a whole tile do not. Values and derivatives are those of
    `function`; on other devices it is vmapped as usual. All arrays that may carry a lane axis must be arguments: a
    closed-over one cannot be batched.
    """
    function = traced_once(function)
    sequential = jax.custom_batching.sequential_vmap(function)

    @jax.custom_jvp
    def dispatched(*args: Any) -> Any:
        return jax.lax.platform_dependent(*args, cpu=sequential, default=function)

    @dispatched.defjvp
    def derivative(primals: tuple, tangents: tuple) -> Any:
        return jax.jvp(function, primals, tangents)

    return dispatched
