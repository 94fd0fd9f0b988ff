"""A worker of the benchmark: jax_ac, S seeds by `jax_ac.run`, on all cores.

    python experiments/benchmark/ours.py ppo --seeds 16 --updates 100

A ``go`` trains S new seeds from scratch: for U updates, or until solved. `seconds` are those that `run` spent on training,
its host's work included (handing out lanes, metrics, Ctrl-C); `updates` and `env_steps` are those of all seeds together.
Presets are at their defaults: a2c 8 environments x 16 steps; ppo 4 x 128, 4 epochs of 4 minibatches; two towers of two
layers of 64 tanh units; keras as the example has it. The environment is CartPole-v1, for keras CartPole-v0.
"""

import argparse
import itertools
from typing import Any

from serving import Once, serve, timed, versions


def start(arguments: list[str]) -> tuple[dict, Once]:
    """Imports, compiles and trains a first time. Returns the start-up figures and what a ``go`` does."""
    options = parse(arguments)
    jax_ac, import_seconds = timed(imported, options)
    algorithm = make(jax_ac, options)
    firsts = itertools.count(options.first, options.seeds)

    def once() -> dict:
        first = next(firsts)
        result = jax_ac.run(
            algorithm,
            range(first, first + options.seeds),
            max_updates=options.updates,
            until_solved=options.until_solved,
            tile_width=options.width,
            progress=False,
        )
        spent = result.spent
        figures = {"seconds": spent.run_seconds, "env_steps": spent.env_steps, "updates": spent.updates}
        solved = int((result.marks.solved_update >= 0).sum())
        return figures | {"solved": solved, "compile_seconds": spent.compile_seconds, "utilisation": spent.utilisation}

    first, _ = timed(once)
    figures = {
        "import_seconds": import_seconds,
        "compile_seconds": first["compile_seconds"],
        "first_call_seconds": first["seconds"],
        "versions": versions("jax_ac", "jax", "jaxlib", "flax", "optax", "gymnax"),
    }
    return figures, once


def imported(options: argparse.Namespace) -> Any:
    """jax_ac with what a run needs; where tiles have a given width on as many cores, as the command line has it."""
    import jax_ac
    from jax_ac.devices import cores_for

    jax_ac.use_all_cores(cores_for(options.seeds, options.width))
    _ = jax_ac.run, jax_ac.ppo, jax_ac.make_env
    return jax_ac


def make(jax_ac: Any, options: argparse.Namespace) -> Any:
    env = jax_ac.make_env("CartPole-v0" if options.preset == "keras" else "CartPole-v1")
    if options.preset == "keras":
        return jax_ac.keras_actor_critic(env, stop_when_solved=options.until_solved)
    return getattr(jax_ac, options.preset)(env)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", choices=["keras", "a2c", "ppo"])
    parser.add_argument("--seeds", type=int, default=64, help="trained side by side")
    parser.add_argument("--updates", type=int, default=100, help="of each seed; the most where until solved")
    parser.add_argument("--until-solved", action="store_true", help="a solved seed is done")
    parser.add_argument("--first", type=int, default=0, help="first seed; each go takes the next ones")
    parser.add_argument("--width", type=int, help="lanes per tile; jax_ac's own choice if not given")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    serve(start)
