"""A worker of the benchmark: the Keras example's algorithm in plain NumPy on CartPole-v0, some seeds per ``go``.

    numpy-env/bin/python experiments/benchmark/numpy_peer.py --first 0 --count 24

A ``go`` trains the next seeds until solved, one after the other, in one thread: `train_until_solved` of
`experiments/numpy_actor_critic.py`. The first call is one episode of the first seed. An update is an episode; `unsolved`
is how many seeds were given up after 5,000 of them.

What differs from `jax_ac.keras_actor_critic` in the work done: nothing in the algorithm; here all is in double precision,
and nothing is measured but the running return, where ours keeps losses and norms of every update too.
"""

import argparse
import importlib
import itertools
import sys
from pathlib import Path

from serving import Once, serve, timed, versions

sys.path.append(str(Path(__file__).parents[1]))  # for numpy_actor_critic
MAX_EPISODES = 5000


def start(arguments: list[str]) -> tuple[dict, Once]:
    """Imports, and plays one episode. Returns the start-up figures and what a ``go`` does."""
    options = parse(arguments)
    example, import_seconds = timed(importlib.import_module, "numpy_actor_critic")  # which asks for one thread
    seeds = itertools.count(options.first)
    _, first_call_seconds = timed(example.train_until_solved, options.first, 1)

    def train() -> list[tuple[int, int]]:
        return [example.train_until_solved(seed, MAX_EPISODES) for seed in itertools.islice(seeds, options.count)]

    def once() -> dict:
        results, seconds = timed(train)
        return {
            "seconds": seconds,
            "env_steps": sum(steps for _, steps in results),
            "updates": sum(episodes if episodes > 0 else MAX_EPISODES for episodes, _ in results),
            "unsolved": sum(episodes < 0 for episodes, _ in results),
        }

    figures = {
        "import_seconds": import_seconds,
        "compile_seconds": None,
        "first_call_seconds": first_call_seconds,
        "versions": versions("numpy"),
    }
    return figures, once


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0, help="first seed; each go takes the next ones")
    parser.add_argument("--count", type=int, default=24, help="seeds per go")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    serve(start)
