"""What this machine can do at most, on one core: matrix products, elementwise passes, tanh, and CartPole by itself.

python experiments/benchmark/limits.py
"""

import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from jax_ac.devices import xla_environment

os.environ.update(xla_environment())

import gymnax
import jax
import jax.numpy as jnp

import jax_ac

LANES = 64
TIMES, REPETITIONS = 200, 7


def rate(function: Callable, argument: Any, work: float) -> tuple[float, float, float]:
    """Work per second of ``x -> function(x)``, repeated in one compiled loop: the median, the lowest, the highest."""
    many = jax.jit(lambda x: jax.lax.fori_loop(0, TIMES, lambda _, x: function(x), x))
    jax.block_until_ready(many(argument))
    rates = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        jax.block_until_ready(many(argument))
        rates.append(work * TIMES / (time.perf_counter() - start))
    return median(rates), min(rates), max(rates)


def products(rows: int, size: int) -> tuple[float, float, float]:
    """Floating-point operations per second of ``[rows, size] x [size, size]``."""
    kernel = jnp.eye(size) + 1e-6
    return rate(lambda x: x @ kernel, jnp.ones((rows, size)), 2.0 * rows * size * size)


def cartpole(step: Callable, state: Any) -> tuple[float, float, float]:
    """Environment steps per second of `LANES` environments; `step`: ``(key, state) -> state``."""

    def all_steps(carry: Any) -> Any:
        key, states = carry
        key, now = jax.random.split(key)
        return key, jax.vmap(step)(jax.random.split(now, LANES), states)

    states = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (LANES, *jnp.shape(leaf))), state)
    return rate(all_steps, (jax.random.key(0), states), LANES)


def environments() -> dict[str, tuple[float, float, float]]:
    """CartPole-v1 with random actions: gymnax's own step, ours with its reset, and the physics alone."""
    theirs, params = gymnax.make("CartPole-v1")
    ours = jax_ac.make_env("CartPole-v1")
    _, state = ours.reset(jax.random.key(0))
    action = lambda key: jax.random.randint(key, (), 0, 2)
    still = lambda key, state: ours.transition(key, state, state.time % 2)[1]
    return {
        "gymnax's step, which resets at every step": cartpole(lambda k, s: theirs.step(k, s, action(k), params)[1], state),
        "ours, reset drawn in the step": cartpole(lambda k, s: ours.step(k, s, action(k))[1], state),
        "the physics alone": cartpole(still, state),
    }


def table() -> str:
    """All limits as a Markdown table."""
    size = 128 * 64
    rows = [
        ("matrix product [1024, 1024] x [1024, 1024], GFLOP/s", products(1024, 1024), 1e9),
        ("matrix product [512, 64] x [64, 64], GFLOP/s", products(512, 64), 1e9),
        ("matrix product [128, 64] x [64, 64], GFLOP/s", products(128, 64), 1e9),
        ("elementwise pass over [128, 64], G/s", rate(lambda x: x * 0.999 + 0.001, jnp.ones((128, 64)), size), 1e9),
        ("tanh of [128, 64], G/s", rate(jnp.tanh, jnp.ones((128, 64)), size), 1e9),
        *((f"CartPole, M steps/s: {name}", figures, 1e6) for name, figures in environments().items()),
    ]
    lines = ["| one core | median | range |", "|---|---|---|"]
    for name, figures, unit in rows:
        middle, low, high = (x / unit for x in figures)
        lines.append(f"| {name} | {middle:.3g} | {low:.3g} to {high:.3g} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
