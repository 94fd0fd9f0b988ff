"""Tiles: a fixed number of lanes compiled into one program, one tile per device at a time.

A lane's bits depend on the tile's width, not on what else is in the tile, on its place, or on the number of devices: the
program is the same, and its loop has a traced trip count, so that XLA cannot specialize it to the number of updates.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jax_ac import tree
from jax_ac.types import Algorithm, PyTree, TrainState

DEFAULT_WIDTH = {"cpu": 16}
"""Lanes per tile: on a CPU core few enough that an update's activations stay in its cache."""


class Slots(NamedTuple):
    """Which lane each place of the tiles holds; leaves ``[L]``.

    Attributes:
      seed: uint32.
      hyperparams: the algorithm's NamedTuple, float32.
      fresh: bool; True where the lane begins now, and its state must be initialized.
      limit: int32; the lane stands still once it has done so many updates. 0 makes a place idle.
    """

    seed: np.ndarray
    hyperparams: Any
    fresh: np.ndarray
    limit: np.ndarray


class Tiles(NamedTuple):
    """One compiled program: `width` lanes on each of the devices, advanced by up to `num_updates` updates a call."""

    algorithm: Algorithm
    mesh: Mesh
    width: int
    num_updates: int

    @property
    def num_slots(self) -> int:
        """Places for lanes, over all devices."""
        return self.width * self.mesh.size

    def states(self) -> TrainState:
        """States for all places, to be filled by the first call: leaves ``[L, ...]``, on the devices."""
        init = functools.partial(_init_lanes, self.algorithm.init)
        shapes = jax.eval_shape(init, *self._idle()[:2])
        return jax.device_put(jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes), self._sharding)

    def compile(self) -> tuple[TrainState, PyTree]:
        """Compiles the program by advancing idle places. Gives what `advance` gives, and waits for it."""
        return jax.block_until_ready(self.advance(self.states(), self._idle()))

    def advance(self, states: TrainState, slots: Slots) -> tuple[TrainState, PyTree]:
        """Up to `num_updates` updates of every lane. Gives the states and the metrics ``[L, num_updates]``.

        `states` is consumed. Rows of updates that a lane did not do are blank (NaN, and 0 for counts).
        """
        return _advance(
            states,
            jax.device_put(slots, self._sharding),
            init=self.algorithm.init,
            step=self.algorithm.step,
            mesh=self.mesh,
            num_updates=self.num_updates,
        )

    @property
    def _sharding(self) -> NamedSharding:
        return NamedSharding(self.mesh, P("lanes"))

    def _idle(self) -> Slots:
        zeros = np.zeros(self.num_slots, np.int32)
        hyperparams = jax.tree.map(lambda default: np.full(self.num_slots, default, np.float32), self.algorithm.hyperparams)
        return Slots(zeros.astype(np.uint32), hyperparams, zeros.astype(bool), zeros)


def make_tiles(algorithm: Algorithm, num_updates: int, *, width: int | None = None, devices: Any = None) -> Tiles:
    """Tiles over the devices, all local ones where None; the width defaults to what suits the device."""
    devices = jax.local_devices() if devices is None else list(devices)
    width = DEFAULT_WIDTH.get(devices[0].platform, 256) if width is None else width
    if width < 1:
        raise ValueError(f"tile_width must be at least 1, got {width}.")
    return Tiles(algorithm, Mesh(np.asarray(devices), ("lanes",)), width, num_updates)


@functools.partial(jax.jit, static_argnames=("init", "step", "mesh", "num_updates"), donate_argnames="states")
def _advance(states: TrainState, slots: Slots, *, init: Callable, step: Callable, mesh: Mesh, num_updates: int):
    tile = functools.partial(_advance_tile, init=init, step=step, num_updates=num_updates)
    return jax.shard_map(tile, mesh=mesh, in_specs=P("lanes"), out_specs=P("lanes"), check_vma=False)(states, slots)


def _advance_tile(states: TrainState, slots: Any, *, init: Callable, step: Callable, num_updates: int):
    keys = jax.vmap(jax.random.key)(slots.seed)
    states = tree.select(slots.fresh, _init_lanes(init, slots.seed, slots.hyperparams), states)
    step_lanes = jax.vmap(functools.partial(_step_lane, step))
    _, metrics = jax.eval_shape(step_lanes, keys, states, slots.hyperparams, slots.limit)
    buffer = tree.blank(jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((num_updates, *leaf.shape), leaf.dtype), metrics))

    def busy(carry):
        index, states, _ = carry
        return (index < num_updates) & jnp.any(~states.frozen & (states.num_updates < slots.limit))

    def update(carry):
        index, states, buffer = carry
        states, metrics = step_lanes(keys, states, slots.hyperparams, slots.limit)
        buffer = jax.tree.map(lambda rows, row: rows.at[index].set(row), buffer, metrics)
        return index + 1, states, buffer

    _, states, buffer = jax.lax.while_loop(busy, update, (jnp.zeros((), jnp.int32), states, buffer))
    return states, jax.tree.map(lambda rows: jnp.moveaxis(rows, 0, 1), buffer)


def _init_lanes(init: Callable, seeds: jax.Array, hyperparams: Any) -> TrainState:
    return jax.vmap(init)(jax.vmap(jax.random.key)(seeds), hyperparams)


def _step_lane(step: Callable, key: jax.Array, state: TrainState, hyperparams: Any, limit: jax.Array):
    """One update of a lane, if it has any left; a lane at its limit stands still, but is not marked as frozen by that."""
    at_limit = state.num_updates >= limit
    held = state._replace(frozen=state.frozen | at_limit)
    stepped, metrics = step(jax.random.fold_in(key, state.num_updates), held, hyperparams)
    return stepped._replace(frozen=jnp.where(at_limit, state.frozen, stepped.frozen)), metrics
