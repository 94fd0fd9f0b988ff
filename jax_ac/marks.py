"""Marks: where each lane stands."""

from typing import NamedTuple

import numpy as np

from jax_ac.types import TrainState


class Marks(NamedTuple):
    """Where each lane stands: the scalar fields of `TrainState`, by the same names, leaves ``[L]``."""

    num_updates: np.ndarray
    num_episodes: np.ndarray
    env_steps: np.ndarray
    running_return: np.ndarray
    solved_update: np.ndarray
    solved_episode: np.ndarray
    solved_step: np.ndarray
    diverged_update: np.ndarray
    frozen: np.ndarray


def marks_of(states: TrainState) -> Marks:
    """The marks of states, leaves ``[L]``."""
    return Marks(*(np.asarray(getattr(states, name)) for name in Marks._fields))


def episodes_to_solve(marks: Marks) -> tuple[np.ndarray, np.ndarray]:
    """Per lane, ``[L]``: the episodes it needed, or had when it was last seen, and whether it was solved (`solving`).

    A lane that diverged will not be solved: it counts as seen for as long as the one that was seen longest.
    """
    solved = marks.solved_update >= 0
    episodes = np.where(solved, marks.solved_episode + 1, marks.num_episodes)
    return np.where((marks.diverged_update >= 0) & ~solved, episodes.max(), episodes).astype(float), solved


def no_marks(num_lanes: int) -> Marks:
    """Of lanes that have not begun, leaves ``[L]``."""

    def counts(value: int) -> np.ndarray:
        return np.full(num_lanes, value, np.int32)

    return Marks(
        num_updates=counts(0),
        num_episodes=counts(0),
        env_steps=counts(0),
        running_return=np.full(num_lanes, np.nan, np.float32),
        solved_update=counts(-1),
        solved_episode=counts(-1),
        solved_step=counts(-1),
        diverged_update=counts(-1),
        frozen=np.zeros(num_lanes, bool),
    )
