"""Orders: what is said between the loop of a run and its workers, before and after a compiled call."""

from typing import Any, NamedTuple

import numpy as np

from jax_ac.marks import Marks
from jax_ac.tiles import Slots
from jax_ac.types import TrainState


class Order(NamedTuple):
    """What a worker is to do in one compiled call.

    Attributes:
      slots: the lane at each place, and how far it goes, leaves ``[W]``.
      places: int ``[m]``, where lanes go on that were somewhere else before.
      rows: their states, leaves ``[m, ...]``.
      all_states: whether the states of all lanes are asked for, and not only of those that are done.
    """

    slots: Slots
    places: np.ndarray
    rows: TrainState
    all_states: bool = False


class Report(NamedTuple):
    """What a worker did in one compiled call, on the host.

    Attributes:
      marks: leaves ``[W]``.
      metrics: leaves ``[W, K]``; K is the most updates that a lane did.
      places: int ``[n]``, of the lanes whose states are handed over: those that are done, or all.
      states: leaves ``[n, ...]``.
      seconds: that it took.
      evaluating: those of them that went to evaluations.
    """

    marks: Marks
    metrics: Any
    places: np.ndarray
    states: TrainState
    seconds: float
    evaluating: float


class Lost(Exception):
    """A worker is gone, and with it what it had not reported. It may come back."""


class NotReady(Exception):
    """A worker was begun anew, and has to be asked whether it is ready before it is given an order."""


class Failed(Lost):
    """A worker could not do what it was told, and has lost the states of its lanes; the message is its error in one line."""
