"""Why XLA's older emitters of kernels, which compile in half the time, are not used: in place their loops are scalar.

    python experiments/emitters.py

An elementwise function of [2048, 64], compiled with XLA's own emitters and with the older ones. A result that is written
in place of the argument (here by donation; in a training program wherever XLA sees that a value is not needed any more)
takes the older ones several times as long: LLVM makes two loops, a vectorized one and a scalar one, and takes the scalar one
where argument and result overlap (`diff.check` in the code that ``XLA_FLAGS=--xla_dump_to=folder`` writes).
"""

import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("NPROC", "1")

import jax
import jax.numpy as jnp

FUNCTIONS: dict[str, Callable[[jax.Array], jax.Array]] = {"x + 1": lambda x: x + 1.0, "tanh": jnp.tanh}
EMITTERS = {"XLA's own": {}, "older": {"xla_cpu_use_fusion_emitters": False}}
SHAPE = (2048, 64)
CALLS = 50


def microseconds(function: Callable[[jax.Array], jax.Array], options: dict[str, bool], in_place: bool) -> float:
    """The median of a call."""
    argument = jnp.zeros(SHAPE)
    donated = 0 if in_place else ()
    program = jax.jit(function, donate_argnums=donated, compiler_options=options).lower(argument).compile()
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        result = program(argument).block_until_ready()
        times.append(1e6 * (time.perf_counter() - start))
        argument = result if in_place else argument
    return statistics.median(times)


def main() -> None:
    print("| | emitters | elsewhere, µs | in place, µs |\n|---|---|---|---|")
    for name, function in FUNCTIONS.items():
        for emitters, options in EMITTERS.items():
            elsewhere, in_place = (microseconds(function, options, place) for place in (False, True))
            print(f"| {name} | {emitters} | {elsewhere:.0f} | {in_place:.0f} |")


if __name__ == "__main__":
    main()
