"""A worker of the benchmark: the Keras example "Actor Critic Method" on CartPole-v0, one seed until solved per ``go``.

    keras-env/bin/python experiments/benchmark/keras_peer.py --first 100

The work is `train_until_solved` of `experiments/keras_example.py`: the example's own lines, ported from gym to gymnasium.
Nothing is compiled, and no first call is made, since the least that can be called takes minutes; the first ``go`` therefore
bears what TensorFlow prepares at its first operations, little beside those minutes. An update is an episode.

What differs from `jax_ac.keras_actor_critic` in the work done: nothing in the algorithm (see `experiments/fidelity.py`);
here the environment is gymnasium's (physics in double precision), and the example computes the gradient through a tape of
all steps of the episode, where ours evaluates the network on the whole episode at once.
"""

import argparse
import importlib
import itertools
import sys
from pathlib import Path

from serving import Once, serve, timed, versions

sys.path.append(str(Path(__file__).parents[1]))  # for keras_example


def start(arguments: list[str]) -> tuple[dict, Once]:
    """Imports. Returns the start-up figures and what a ``go`` does."""
    options = parse(arguments)
    example, import_seconds = timed(importlib.import_module, "keras_example")
    seeds = itertools.count(options.first)

    def once() -> dict:
        (episodes, steps), seconds = timed(example.train_until_solved, next(seeds))
        return {"seconds": seconds, "env_steps": steps, "updates": episodes}

    figures = {
        "import_seconds": import_seconds,
        "compile_seconds": None,
        "first_call_seconds": None,
        "versions": versions("tensorflow-cpu", "keras", "gymnasium", "numpy"),
    }
    return figures, once


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0, help="first seed; each go takes the next one")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    serve(start)
