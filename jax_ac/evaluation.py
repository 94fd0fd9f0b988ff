"""Evaluation: whole episodes of a policy that no longer learns, with the same chances for all that share a key."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jax_ac import tree
from jax_ac.checks import check_positive
from jax_ac.policies import repeat_memory
from jax_ac.protocols import Algorithm, Distribution, Policy
from jax_ac.types import Env, PyTree


class Evaluation(NamedTuple):
    """N episodes from their start, ``[N]`` each.

    Attributes:
      episode_return: the sum of the rewards as the environment gives them, undiscounted and unscaled, float32.
      episode_length: in steps, int32.
      finished: whether the environment ended the episode, bool; where False it was left at `max_steps`.
    """

    episode_return: jax.Array
    episode_length: jax.Array
    finished: jax.Array


class Playing(NamedTuple):
    """Where N episodes stand after `steps` steps; leaves ``[N, ...]``, those of an ended episode as before its last step."""

    steps: jax.Array
    obs: jax.Array
    state: PyTree
    memory: PyTree
    alive: jax.Array
    episode_return: jax.Array
    episode_length: jax.Array


def evaluate(
    algorithm: Algorithm,
    params: PyTree,
    moments: PyTree,
    hyperparams: Any,
    key: jax.Array,
    num_episodes: int = 100,
    greedy: bool = False,
    max_steps: int | None = None,
) -> Evaluation:
    """Plays N whole episodes in parallel; under `jit` and `vmap` as well.

    The key alone decides what happens by chance: agents that are evaluated with the same one begin from the same states,
    and the same noise is drawn for their actions and in their environments at every step. It stops once all have ended.

    Args:
      algorithm: whose environment and policy they are.
      params, moments: of its `TrainState`.
      hyperparams: one setting, of which the environment's numbers count.
      key: of the resets, the actions and the environment.
      num_episodes: N.
      greedy: whether the policy takes the mode of its distribution, instead of a sample.
      max_steps: where episodes are left; the environment's time limit where None.

    Raises:
      TypeError: if the algorithm has no environment or policy, or a number is not a whole one.
      ValueError: if there is neither a time limit nor `max_steps`, or a number is less than 1.
    """
    num_episodes, limit = check_limits(algorithm, num_episodes, max_steps)
    env, policy = env_and_policy(algorithm, params, moments, hyperparams)
    start, keys = begin(env, policy, key, num_episodes)

    def step(playing: Playing) -> Playing:
        return advance(env, policy, partial(choose, greedy), keys, playing)[0]

    end = jax.lax.while_loop(lambda playing: jnp.any(playing.alive) & (playing.steps < limit), step, start)
    return Evaluation(end.episode_return, end.episode_length, ~end.alive)


def begin(env: Env, policy: Policy, key: jax.Array, num_episodes: int) -> tuple[Playing, tuple[jax.Array, jax.Array]]:
    """N episodes at their start, and the keys for `advance`: of the actions, and of the environment."""
    key_reset, key_action, key_env = jax.random.split(key, 3)
    obs, state = jax.vmap(env.reset)(jax.random.split(key_reset, num_episodes))
    none = jnp.zeros(num_episodes, jnp.int32)
    start = Playing(
        steps=jnp.zeros((), jnp.int32),
        obs=obs,
        state=state,
        memory=repeat_memory(policy, num_episodes),
        alive=jnp.ones(num_episodes, bool),
        episode_return=none.astype(jnp.float32),
        episode_length=none,
    )
    return start, (key_action, key_env)


def advance(
    env: Env, policy: Policy, act: Callable, keys: tuple[jax.Array, jax.Array], playing: Playing
) -> tuple[Playing, PyTree]:
    """One step of the episodes that have not ended, and the states that it led to, ``[N, ...]``, also of those it ended.

    Step t uses fold_in(·, t) of both keys. `act`: ``(distribution, key) -> action``.
    """
    key_action, key_env = (jax.random.fold_in(key, playing.steps) for key in keys)
    alive = playing.alive
    distribution, _, memory = policy.act(playing.obs, playing.memory, jnp.zeros_like(alive))
    stepped = jax.vmap(env.transition)(jax.random.split(key_env, len(alive)), playing.state, act(distribution, key_action))
    obs, state, reward, terminated, truncated = stepped
    going = alive & ~(terminated | truncated)
    kept = tree.select(going, (obs, state, memory), (playing.obs, playing.state, playing.memory))
    next_playing = Playing(
        playing.steps + 1,
        *kept,
        alive=going,
        episode_return=playing.episode_return + jnp.where(alive, reward, 0.0),
        episode_length=playing.episode_length + alive,
    )
    return next_playing, state


def evaluate_lanes(
    algorithm: Algorithm,
    agents: tuple[PyTree, PyTree],
    hyperparams: Any,
    key: jax.Array,
    num_episodes: int = 100,
    greedy: bool = False,
    max_steps: int | None = None,
) -> Evaluation:
    """`evaluate` for L agents of one algorithm, all with the same key, in one compiled program.

    Args:
      agents: their params and moments, leaves ``[L, ...]``.
      hyperparams: their settings, leaves ``[L]``.

    The other arguments are those of `evaluate`.

    Returns:
      The evaluations, ``[L, N]`` each.
    """
    limits = check_limits(algorithm, num_episodes, max_steps)
    return _evaluate_lanes(algorithm, agents, hyperparams, key, limits[0], greedy, limits[1])


@partial(jax.jit, static_argnums=(0, 4, 5, 6))
def _evaluate_lanes(algorithm: Algorithm, agents: PyTree, hyperparams: Any, key: jax.Array, *limits: Any) -> Evaluation:
    def play(agent: tuple[PyTree, PyTree], numbers: Any) -> Evaluation:
        return evaluate(algorithm, *agent, numbers, key, *limits)

    return jax.vmap(play)(agents, hyperparams)


def evaluation_key(seed: int) -> jax.Array:
    """A key for evaluations: not that of a lane, which is ``jax.random.key(seed)``, nor of one of its updates."""
    return jax.random.fold_in(jax.random.key(seed), 2**32 - 1)


def check_limits(algorithm: Algorithm, num_episodes: int, max_steps: int | None) -> tuple[int, int]:
    """The number of episodes, and after how many steps they are left; the errors are those of `evaluate`."""
    num_episodes = check_positive("num_episodes", num_episodes)
    if max_steps is not None:
        return num_episodes, check_positive("max_steps", max_steps)
    env = _playable(algorithm)[0](algorithm.hyperparams)
    if env.max_steps is None:
        raise ValueError(f"max_steps must be given, as a whole number of at least 1: {env.name} has no time limit.")
    return num_episodes, env.max_steps


def choose(greedy: bool, distribution: Distribution, key: jax.Array) -> jax.Array:
    """The mode of the distribution where `greedy`, else a sample."""
    return distribution.mode() if greedy else distribution.sample(key)


def env_and_policy(algorithm: Algorithm, params: PyTree, moments: PyTree, hyperparams: Any) -> tuple[Env, Policy]:
    """The environment and the policy of an algorithm with these numbers; TypeError if it has none."""
    env, policy = _playable(algorithm)
    return env(hyperparams), policy(params, moments)


def _playable(algorithm: Algorithm) -> tuple[Callable[[Any], Env], Callable[[PyTree, PyTree], Policy]]:
    if algorithm.env is None or algorithm.policy is None:
        raise TypeError("algorithm must come from a preset or actor_critic; this one has no environment and policy to play.")
    return algorithm.env, algorithm.policy
