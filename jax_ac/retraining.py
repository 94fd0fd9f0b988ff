"""Retraining: a lane as it was on its way. Nothing is kept for that: it is trained again up to there."""

from typing import Any

import jax
import numpy as np

from jax_ac import interruption
from jax_ac.protocols import Algorithm
from jax_ac.tiles import Slots, make_tiles
from jax_ac.types import TrainState


def state_after(
    algorithm: Algorithm, seed: int, hyperparams: Any, num_updates: int, *, width: int, per_call: int
) -> TrainState:
    """The state of a lane after so many updates, on the host; 0: before the first.

    On CPU it has the bits that the lane had in its run, where the width and the versions of the packages are that run's: a
    lane is a pure function of its setting and seed, wherever it is and however its updates are cut into calls (`tiles`).
    It takes as long as one tile took to get there.

    Args:
      algorithm: that trained the lane.
      seed: the lane's.
      hyperparams: its setting, scalar leaves.
      num_updates: at most those that the lane has done.
      width: lanes per tile of the run; all but one are idle.
      per_call: updates of a compiled call.
    """
    tiles = make_tiles(algorithm, 1, per_call, width=width, devices=jax.local_devices()[:1])
    states = tiles.states()
    slots = Slots(
        seed=np.full(width, seed, np.uint32),
        hyperparams=jax.tree.map(lambda number: np.full(width, number, np.float32), hyperparams),
        fresh=np.ones(width, bool),
        limit=np.zeros(width, np.int32),
    )
    only_first = np.arange(width) == 0
    for limit in (*range(per_call, num_updates, per_call), num_updates):
        interruption.check()
        states, _ = jax.block_until_ready(tiles.advance(states, slots._replace(limit=np.int32(limit * only_first))))
        slots = slots._replace(fresh=np.zeros(width, bool))
    return jax.tree.map(lambda leaf: leaf[0], jax.device_get(states[0]))
