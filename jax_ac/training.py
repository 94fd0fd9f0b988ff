"""Training: `train` is one lane as a pure function, `train_many` is lanes in tiles over all devices."""

import math
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jax_ac.budget import choose_updates
from jax_ac.checks import check_number
from jax_ac.devices import check_devices
from jax_ac.doors import check_key
from jax_ac.hyperparams import or_defaults
from jax_ac.lanes import Lanes, lay_out
from jax_ac.protocols import Algorithm, check_algorithm
from jax_ac.tiles import Slots, gather, make_tiles
from jax_ac.types import PyTree, TrainState


def train(
    algorithm: Algorithm,
    key: jax.Array,
    num_updates: int | None = None,
    hyperparams: Any = None,
    *,
    total_steps: int | None = None,
) -> tuple[TrainState, PyTree]:
    """One training run: `init`, then `num_updates` steps. Pure: jit it, vmap it, scan it, differentiate it.

    Update u uses the key ``fold_in(key, u)``.

    Args:
      algorithm: from a preset or `actor_critic`.
      key: a PRNG key; ``jax.random.key(i)`` is seed i.
      num_updates: U, a Python integer; where None, that of `total_steps`, or else those that the algorithm anneals over.
      hyperparams: the algorithm's NamedTuple, scalar leaves; its defaults where None.
      total_steps: U, said in environment steps: a multiple of those of an update.

    Returns:
      The final state, and the metrics with leaves ``[U]``.

    Raises:
      TypeError: if `key` is not one typed key, `hyperparams` is another algorithm's, or a number is of another type.
      ValueError: if a hyperparameter carries an axis or is out of its range (a traced one is trusted), `num_updates` is
        below 1 or above what the algorithm anneals over, or `total_steps` does not divide (the sentence names
        the nearest that do).
    """
    check_algorithm(algorithm)
    check_key(key)
    num_updates = choose_updates(algorithm, num_updates, total_steps)
    numbers = _one_setting(or_defaults(hyperparams, algorithm.hyperparams))

    def update(state: TrainState, index: jax.Array) -> tuple[TrainState, PyTree]:
        return algorithm.step(jax.random.fold_in(key, index), state, numbers)

    return jax.lax.scan(update, algorithm.init(key, numbers), jnp.arange(num_updates))


def train_many(
    algorithm: Algorithm,
    seeds: int | Iterable[int],
    num_updates: int | None = None,
    hyperparams: Any = None,
    *,
    total_steps: int | None = None,
    tile_width: int | None = None,
    devices: Any = None,
) -> tuple[TrainState, PyTree]:
    """Many training runs in one compiled program, in tiles of fixed width over all local devices.

    Without `use_all_cores` a CPU is one device.

    On CPU a lane's result is the same bit for bit whichever other lanes run, in whatever order, on however many devices,
    as long as the tile's width is the same.

    Args:
      algorithm: from a preset or `actor_critic`.
      seeds: a number of seeds S, meaning 0 ... S - 1, or the seeds themselves.
      num_updates: U, as `train` takes it; a lane that stops when solved reports blanks after that.
      hyperparams: the algorithm's NamedTuple; a leaf that is ``[H]``, as `grid` makes them, adds a leading axis H.
      total_steps: U, said in environment steps.
      tile_width: lanes per tile; chosen for the device where None.
      devices: all local devices where None.

    Returns:
      The final states, leaves ``[S, ...]``, and the metrics, leaves ``[S, U]``; with H settings ``[H, S, ...]``.

    Raises:
      ValueError, TypeError: see `train`, and `grid` for hyperparameters; seeds must be distinct integers in [0, 2^32), and
        devices those of JAX.
    """
    check_algorithm(algorithm)
    check_devices(devices)
    num_updates = choose_updates(algorithm, num_updates, total_steps)
    lanes = lay_out(seeds, or_defaults(hyperparams, algorithm.hyperparams))
    tiles = make_tiles(algorithm, len(lanes.seed), num_updates, width=tile_width, devices=devices)
    tiles.compile()
    first = range(0, len(lanes.seed), tiles.num_slots)
    waves = [tiles.advance(tiles.states(), _slots(lanes, start, tiles.num_slots, num_updates)) for start in first]
    tile_results = [result for states, metrics in waves for result in zip(states, metrics, strict=True)]
    return jax.tree.map(lambda rows: _unflatten(rows, lanes.shape), gather(tile_results))


def _one_setting(hyperparams: Any) -> Any:
    """The NamedTuple with float32 scalars; each number is checked, but for traced ones, which are not known."""
    for name, value in hyperparams._asdict().items():
        if np.ndim(value):
            raise ValueError("train takes one setting, each hyperparameter a scalar; train_many takes those of grid.")
        if not isinstance(value, Tracer):
            check_number(name, value)
    return jax.tree.map(lambda number: jnp.asarray(number, jnp.float32), hyperparams)


def _slots(lanes: Lanes, start: int, num_slots: int, limit: int) -> Slots:
    """The lanes from `start` on; places beyond the last lane are idle."""
    index = np.arange(start, start + num_slots)
    live = index < len(lanes.seed)
    index = np.where(live, index, start)
    return Slots(
        seed=lanes.seed[index],
        hyperparams=jax.tree.map(lambda column: column[index], lanes.hyperparams),
        fresh=np.ones(num_slots, bool),
        limit=np.where(live, limit, 0).astype(np.int32),
    )


def _unflatten(rows: np.ndarray, shape: tuple[int, ...]) -> jax.Array:
    """``[L, ...]`` as ``[*shape, ...]``, without the idle places at the end."""
    return jnp.asarray(rows[: math.prod(shape)].reshape(*shape, *rows.shape[1:]))
