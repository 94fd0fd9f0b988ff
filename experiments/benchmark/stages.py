"""Where the time of an update goes: its stages, each compiled and timed by itself, on one device.

    python experiments/benchmark/stages.py keras a2c ppo --width 16

A stage is timed as the tile runs it: for all lanes of a tile, so many times in a loop inside one compiled program. The
stages do not add up to the whole: compiled together they share work and memory, compiled alone each writes what it makes.
"""

import argparse
import functools
import os
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from jax_ac.devices import xla_environment

os.environ.update(xla_environment())

import jax
import jax.numpy as jnp

import jax_ac
from jax_ac import algorithms
from jax_ac.accounts import finish_episodes
from jax_ac.protocols import Algorithm, Policy

ENVS = {"keras": "CartPole-v0"}
LOOP = 10
"""Times that a stage runs inside one compiled call."""


class Stage(NamedTuple):
    """A part of an update: ``run(key, state, hyperparams)`` gives arrays that need all of its work."""

    name: str
    run: Callable[[jax.Array, Any, Any], Any]


def algorithm_of(preset: str) -> Algorithm:
    """The preset at its defaults; the Keras preset goes on when solved, so that every update costs the same."""
    env = jax_ac.make_env(ENVS.get(preset, "CartPole-v1"))
    if preset == "keras":
        return jax_ac.keras_actor_critic(env, stop_when_solved=False)
    return getattr(jax_ac, preset)(env)


def stages_of(algorithm: Algorithm) -> list[Stage]:
    """The parts of an update of an assembled actor-critic, and the whole."""
    parts: algorithms.Parts = algorithm.step.args[0]  # type: ignore[attr-defined]

    def experience(key: jax.Array, state: Any, hyperparams: Any, policy: Policy | None = None):
        env = algorithms._env(parts, hyperparams)
        policy = policy or algorithms._policy(parts, state.params, state.moments)
        return parts.rollout.act(key, env, policy, state.acting)

    def acted(key: jax.Array, state: Any, hyperparams: Any) -> Any:
        acting, seen = experience(key, state, hyperparams)
        kept = (seen.trajectory.obs, seen.trajectory.action, seen.trajectory.reward, seen.trajectory.mask)
        return acting, kept, seen.ends

    def at_random(key: jax.Array, state: Any, hyperparams: Any) -> Any:
        """A policy that looks at nothing: what remains is the environment and the noise of the actions."""
        act = algorithms._policy(parts, state.params, state.moments).act
        shapes = lambda obs, memory, first: jax.eval_shape(act, obs, memory, first)
        blind = Policy((), lambda *seen: jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes(*seen)))
        acting, seen = experience(key, state, hyperparams, blind)
        return acting, seen.trajectory.obs, seen.ends

    def estimated(key: jax.Array, state: Any, hyperparams: Any) -> Any:
        return parts.advantage(_fixed(key, experience, state, hyperparams).trajectory, hyperparams)

    def improved(key: jax.Array, state: Any, hyperparams: Any) -> Any:
        seen = _fixed(key, experience, state, hyperparams)
        estimate = jax.tree.map(lambda _: seen.trajectory.reward, parts_estimate(parts, seen, hyperparams))
        examples = algorithms._examples(parts, seen, estimate, state.moments)
        loss, optimizer = functools.partial(algorithms._loss, parts), parts.optimizer(hyperparams)
        return parts.improve.step(key, loss, optimizer, state.params, state.opt_state, examples, hyperparams)

    def optimized(key: jax.Array, state: Any, hyperparams: Any) -> Any:
        return parts.optimizer(hyperparams).update(state.params, state.opt_state, state.params)

    def accounted(key: jax.Array, state: Any, hyperparams: Any) -> Any:
        return finish_episodes(state, _fixed(key, experience, state, hyperparams), parts.env.solved_at)._replace(params=())

    return [
        Stage("environment, random actions", at_random),
        Stage("act: environment and policy", acted),
        Stage("estimate", estimated),
        Stage("improve: all gradient steps", improved),
        Stage("one step of the optimizer", optimized),
        Stage("episodes' accounts", accounted),
        Stage("the whole update", algorithm.step),
    ]


def parts_estimate(parts: algorithms.Parts, seen: Any, hyperparams: Any) -> Any:
    """The shapes of an estimate."""
    return jax.eval_shape(lambda: parts.advantage(seen.trajectory, hyperparams))


def _fixed(key: jax.Array, experience: Callable, state: Any, hyperparams: Any) -> Any:
    """An experience whose numbers hang on the key, but cost nothing to make: the same in every place."""
    shapes = jax.eval_shape(experience, key, state, hyperparams)[1]
    number = jax.random.key_data(key)[0]
    fill = lambda leaf: jnp.full(leaf.shape, number % 2).astype(leaf.dtype)
    return jax.tree.map(fill, shapes)


def timed(stage: Stage, algorithm: Algorithm, width: int, repetitions: int) -> list[float]:
    """Seconds per lane and update, once per repetition."""
    keys = jax.vmap(jax.random.key)(jnp.arange(width))
    numbers = jax.tree.map(lambda number: jnp.full(width, number, jnp.float32), algorithm.hyperparams)

    @jax.jit
    def many(states: Any, start: jax.Array) -> Any:
        def once(index: jax.Array, total: jax.Array) -> jax.Array:
            results = jax.vmap(stage.run)(jax.vmap(jax.random.fold_in, (0, None))(keys, start + index), states, numbers)
            return total + sum(jnp.sum(leaf) for leaf in jax.tree.leaves(results) if jnp.issubdtype(leaf.dtype, jnp.number))

        return jax.lax.fori_loop(0, LOOP, once, jnp.zeros(()))

    states = jax.vmap(algorithm.init)(keys, numbers)
    seconds = []
    for repetition in range(repetitions + 1):
        start = time.perf_counter()
        jax.block_until_ready(many(states, jnp.int32(repetition * LOOP)))
        seconds.append((time.perf_counter() - start) / LOOP / width)
    return seconds[1:]


def table(preset: str, width: int, repetitions: int) -> str:
    """A Markdown table of a preset's stages."""
    algorithm = algorithm_of(preset)
    rows = [(stage.name, timed(stage, algorithm, width, repetitions)) for stage in stages_of(algorithm)]
    lines = [f"| {preset}, {width} lanes | µs per lane-update | range |", "|---|---|---|"]
    for name, seconds in rows:
        low, middle, high = (1e6 * x for x in (min(seconds), statistics.median(seconds), max(seconds)))
        lines.append(f"| {name} | {middle:,.1f} | {low:,.1f} to {high:,.1f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presets", nargs="*", default=["keras", "a2c", "ppo"])
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--repetitions", type=int, default=9)
    arguments = parser.parse_args()
    for preset in arguments.presets:
        print(table(preset, arguments.width, arguments.repetitions), flush=True)


if __name__ == "__main__":
    main()
