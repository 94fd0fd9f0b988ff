"""Recordings: one episode of an agent, state by state."""

from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import numpy as np

from jax_ac.evaluation import Playing, advance, begin, check_limits, choose, env_and_policy
from jax_ac.protocols import Algorithm
from jax_ac.transforms import innermost
from jax_ac.types import PyTree


@runtime_checkable
class Player(Protocol):
    """What plays an episode: an `agent.Agent`."""

    @property
    def algorithm(self) -> Algorithm: ...
    @property
    def params(self) -> PyTree: ...
    @property
    def moments(self) -> PyTree: ...
    @property
    def hyperparams(self) -> Any: ...


class Recording(NamedTuple):
    """An episode of T steps, on the host.

    Attributes:
      states: T + 1, of the environment under all transformers; the first is its start, the last what it ended in.
      returns: the sum of the rewards up to each state, undiscounted and unscaled, float32 ``[T + 1]``.
      ended: whether the environment ended it; where False it was left at `max_steps`.
    """

    states: list[PyTree]
    returns: np.ndarray
    ended: bool


def record(player: Player, key: jax.Array, *, greedy: bool = False, max_steps: int | None = None) -> Recording:
    """One episode: the one that ``evaluate(key, num_episodes=1)`` of the agent plays.

    Args:
      player: the agent; one with a memory, or whose observations are normalized, plays as it was trained.
      key: of the reset, the actions and the environment.
      greedy: whether it takes its most probable action, instead of drawing one.
      max_steps: where the episode is left; the environment's time limit where None.

    Raises:
      ValueError: if there is neither a time limit nor `max_steps`, or it is less than 1.
      TypeError: if the algorithm has no environment and policy, or `max_steps` is not a whole number.
    """
    _, limit = check_limits(player.algorithm, 1, max_steps)
    parts = (player.params, player.moments, player.hyperparams)
    playing, keys = _begin(player.algorithm, parts, key)
    states, returns = [playing.state], [playing.episode_return]
    while playing.alive.all() and len(states) <= limit:
        playing, state = _advance(player.algorithm, greedy, parts, keys, playing)
        states.append(state)
        returns.append(playing.episode_return)
    one = [innermost(jax.tree.map(lambda leaf: leaf[0], state)) for state in jax.device_get(states)]
    return Recording(one, np.concatenate(jax.device_get(returns)), not playing.alive.all())


@partial(jax.jit, static_argnums=0)
def _begin(algorithm: Algorithm, parts: tuple[Any, ...], key: jax.Array) -> tuple[Playing, tuple[jax.Array, jax.Array]]:
    return begin(*env_and_policy(algorithm, *parts), key, 1)


@partial(jax.jit, static_argnums=(0, 1))
def _advance(algorithm: Algorithm, greedy: bool, parts: tuple[Any, ...], keys: Any, playing: Playing):
    return advance(*env_and_policy(algorithm, *parts), partial(choose, greedy), keys, playing)
