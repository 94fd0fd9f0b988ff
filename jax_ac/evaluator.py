"""Evaluating while training: what the lanes of a tile are worth, at borders between compiled calls."""

from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jax_ac.checks import check_positive
from jax_ac.evaluation import check_limits, evaluate, evaluation_key
from jax_ac.marks import marks_of
from jax_ac.protocols import Algorithm
from jax_ac.schedule import Ends
from jax_ac.tiles import Slots, Tiles
from jax_ac.types import Metrics, TrainState


class Scores(NamedTuple):
    """Mean undiscounted return of some evaluation episodes; of lanes ``[W]``, over a run ``[L, U]``.

    Attributes:
      greedy_return: of the policy's most probable actions.
      sampled_return: of actions that are drawn.
    """

    greedy_return: Any
    sampled_return: Any


EvaluatedMetrics = namedtuple("EvaluatedMetrics", (*Metrics._fields, *Scores._fields))
"""`Metrics` and `Scores`; NaN after updates that were not evaluated."""


def with_scores(metrics: Metrics, scores: Scores) -> Any:
    """Both as one."""
    return EvaluatedMetrics(*metrics, *scores)


def check_every(algorithm: Algorithm, every: int | None, num_episodes: int) -> None:
    """Raises ValueError or TypeError unless a run can be evaluated so; `every` None: not at all."""
    check_positive("eval_episodes", num_episodes)
    if every is None:
        return
    check_positive("eval_every", every)
    check_limits(algorithm, num_episodes, None)


class Evaluator:
    """Plays N episodes of each lane, greedy and sampled, after every so many updates and where it ends without diverging.

    All agents have the same key, and so the same chances.
    """

    def __init__(self, tiles: Tiles, every: int, num_episodes: int, ends: Ends):
        self.tiles, self.every, self.num_episodes, self.ends = tiles, every, num_episodes, ends
        self._programs: list[Any] = []

    def compile(self, states: tuple[TrainState, ...]) -> None:
        """Compiles for all devices at once."""

        def compiled(tile: int) -> Any:
            defaults = jax.tree.map(lambda number: np.full(self.tiles.width, number), self.tiles.algorithm.hyperparams)
            algorithm, num_episodes = self.tiles.algorithm, self.num_episodes
            lowered = _score.lower(*self._arguments(tile, states[tile], defaults), algorithm, num_episodes)
            return lowered.compile()

        with ThreadPoolExecutor(len(states)) as pool:
            self._programs = list(pool.map(compiled, range(len(states))))

    def __call__(self, tile: int, states: TrainState, metrics: Metrics, slots: Slots, before: np.ndarray) -> Any:
        """`metrics` with scores at the last update of each lane whose turn it is; `before`: updates before the call."""
        marks = marks_of(states)
        ended = self.ends.reached(marks) & (marks.diverged_update < 0)
        due = (marks.num_updates // self.every > before // self.every) | ended
        due &= (slots.limit > 0) & (marks.num_updates > before)
        rows = Scores(*(np.full(metrics.running_return.shape, np.nan, np.float32) for _ in Scores._fields))
        if due.any():
            scores = jax.device_get(self._programs[tile](*self._arguments(tile, states, slots.hyperparams)))
            for row, score in zip(rows, scores, strict=True):
                row[due, (marks.num_updates - before - 1)[due]] = score[due]
        return with_scores(metrics, rows)

    def _arguments(self, tile: int, states: TrainState, hyperparams: Any) -> tuple[Any, ...]:
        hyperparams = jax.tree.map(np.float32, hyperparams)
        return states.params, states.moments, *jax.device_put((hyperparams, evaluation_key(0)), self.tiles.devices[tile])


@partial(jax.jit, static_argnums=(4, 5))
def _score(params: Any, moments: Any, hyperparams: Any, key: jax.Array, algorithm: Algorithm, num_episodes: int) -> Scores:
    def mean_return(greedy: bool, params: Any, moments: Any, hyperparams: Any) -> jax.Array:
        return jnp.mean(evaluate(algorithm, params, moments, hyperparams, key, num_episodes, greedy).episode_return)

    lanes = (params, moments, hyperparams)
    return Scores(*(jax.vmap(partial(mean_return, greedy))(*lanes) for greedy in (True, False)))
