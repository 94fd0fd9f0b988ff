"""What the workers of JAX libraries share: S seeds vmapped in one compiled program, PPO at the benchmark's settings."""

import argparse
import importlib
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import serving

NUM_ENVS, NUM_STEPS = 4, 128
STEPS_PER_UPDATE = NUM_ENVS * NUM_STEPS


class Training(NamedTuple):
    """`train` trains one seed, key -> result; `mean_return` tells from the results of all seeds how well they do."""

    train: Callable[[Any], Any]
    mean_return: Callable[[Any], float]


def serve(library: str, packages: tuple[str, ...], make: Callable[[int], Training]) -> None:
    """Serves ``go`` after ``go`` with new seeds.

    Args:
      library: the module whose import is timed.
      packages: those whose versions are told.
      make: from the number of updates to what is trained.
    """
    serving.serve(lambda arguments: start(parse(arguments), library, packages, make))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=64, help="trained side by side")
    parser.add_argument("--updates", type=int, default=100, help=f"of each seed, {STEPS_PER_UPDATE} environment steps each")
    parser.add_argument("--first", type=int, default=0, help="first seed; each go takes the next ones")
    parser.add_argument("--evaluate", action="store_true", help="report `mean_return` too, outside of the time")
    return parser.parse_args(arguments)


def start(options: argparse.Namespace, library: str, packages: tuple[str, ...], make: Callable) -> tuple[dict, serving.Once]:
    """Imports, compiles and trains a first time. Returns the start-up figures and what a ``go`` does."""
    _, import_seconds = serving.timed(importlib.import_module, library)
    import jax
    import numpy as np

    training = make(options.updates)
    batches = (np.arange(first, first + options.seeds) for first in itertools.count(options.first, options.seeds))

    def compiled() -> Callable:
        of_seed = lambda seed: training.train(jax.random.PRNGKey(seed))
        return jax.jit(jax.vmap(of_seed)).lower(np.arange(options.seeds)).compile()

    program, compile_seconds = serving.timed(compiled)
    first = np.arange(options.first, options.first + options.seeds)
    _, first_call_seconds = serving.timed(lambda: jax.block_until_ready(program(first)))

    def once() -> dict:
        seeds = next(batches)
        results, seconds = serving.timed(lambda: jax.block_until_ready(program(seeds)))
        updates = options.seeds * options.updates
        figures = {"seconds": seconds, "env_steps": updates * STEPS_PER_UPDATE, "updates": updates}
        return figures | ({"mean_return": training.mean_return(results)} if options.evaluate else {})

    figures = {
        "import_seconds": import_seconds,
        "compile_seconds": compile_seconds,
        "first_call_seconds": first_call_seconds,
        "versions": serving.versions(*packages),
    }
    return figures, once
