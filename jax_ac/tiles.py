"""Tiles: a fixed number of lanes compiled into one program, one tile per device at a time.

A lane's bits depend on the tile's width, not on what else is in the tile, on its place, or on the number of devices: every
device runs the same single-device program, and its loop has a traced trip count, so that XLA cannot specialize it to the
number of updates. (One program over several devices is compiled differently for one device and for two: seen with
optax.adam, whose bits then differed.)
"""

import functools
import hashlib
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jax_ac import memory, programs, tree
from jax_ac.batching import traced_once
from jax_ac.checks import check_positive
from jax_ac.protocols import Algorithm
from jax_ac.tracing import traced
from jax_ac.types import PyTree, TrainState

MOST_LANES = {"cpu": (16, 16)}
"""Lanes per tile: the fewest and the most. On a CPU core few enough that an update's activations stay in its cache."""

ELSEWHERE = (256, 4096)
"""On other devices as many as there are: a GPU takes little longer for 4,096 than for 256 (docs, devices)."""

COMPILER_OPTIONS: dict[str, dict[str, Any]] = {
    "cpu": {"xla_backend_optimization_level": 1, "xla_cpu_prefer_vector_width": 512},
}
"""LLVM compiles a third faster at this level than at the one that XLA asks for, and the programs are as fast. XLA asks for
vectors of 256 bits; where the processor has AVX-512, programs with 512 take 0.89 to 0.93 of the time, elsewhere the same."""


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
    """One tile of `width` lanes on each of D devices, advanced by up to `num_updates` updates a call.

    States and metrics are tuples of D; their leaves have a leading axis of `width`.
    """

    algorithm: Algorithm
    devices: tuple[Any, ...]
    width: int
    num_updates: int

    @property
    def num_slots(self) -> int:
        """Places for lanes, over all devices: L."""
        return self.width * len(self.devices)

    def states(self) -> tuple[TrainState, ...]:
        """States for all places, to be filled by the first call."""
        idle = self._split(self._idle())[0]
        shapes = jax.eval_shape(functools.partial(_init_lanes, self.algorithm.init), idle.seed, idle.hyperparams)
        zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
        return tuple(jax.device_put(zeros, device) for device in self.devices)

    def compile(self) -> tuple[tuple[TrainState, ...], tuple[PyTree, ...]]:
        """Compiles the program, for all devices, by advancing idle places. Gives what `advance` gives."""
        states, slots = self.states(), self._split(self._idle())
        with ThreadPoolExecutor(len(self.devices)) as pool:
            first = self._advance(states[0], slots[0], self.devices[0])
            results = [first, *pool.map(self._advance, states[1:], slots[1:], self.devices[1:])]
        return _unzip(jax.block_until_ready(results))

    def advance(self, states: Sequence[TrainState], slots: Slots) -> tuple[tuple[TrainState, ...], tuple[PyTree, ...]]:
        """Up to `num_updates` updates of every lane. Gives the states and the metrics, leaves ``[width, num_updates]``.

        `states` is consumed. Rows of updates that a lane did not do are blank (NaN, and 0 for counts).
        """
        return _unzip([self._advance(*tile) for tile in zip(states, self._split(slots), self.devices, strict=True)])

    def program(self, states: TrainState, slots: Slots, device: Any) -> Callable[..., tuple[TrainState, PyTree]]:
        """``(states, slots) -> states, metrics``, leaves ``[width, ...]``, as `advance` for the tile on this device.

        The arguments are those of its first call; all must be on the device. It consumes the states. Keep it: to look it up
        takes a millisecond.
        """
        return programs.on_device(self._traced(states, slots), device)

    def insert(self, tile: int, states: TrainState, places: np.ndarray, rows: TrainState) -> TrainState:
        """The tile's states with `rows`, leaves ``[m, ...]`` on the host, at `places`, ``[m]``."""

        def put(leaf: jax.Array, row: np.ndarray) -> np.ndarray:
            whole = np.array(leaf)
            whole[places] = row
            return whole

        return jax.device_put(jax.tree.map(put, states, rows), self.devices[tile])

    def fingerprint(self) -> str:
        """A digest of what is computed: the SHA-256 of the program in StableHLO, constants included, and XLA's options."""
        options = COMPILER_OPTIONS.get(self.devices[0].platform)
        return hashlib.sha256(f"{self.lowered().as_text()}{options}".encode()).hexdigest()

    def lowered(self) -> jax.stages.Lowered:
        """The program for the first device, traced and not yet compiled; `compile` does not lower it again."""
        states, slots = self.states()[0], jax.device_put(self._split(self._idle())[0], self.devices[0])
        return self._traced(states, slots).lower()

    def _advance(self, states: TrainState, slots: Slots, device: Any) -> tuple[TrainState, PyTree]:
        slots = jax.device_put(slots, device)
        return self.program(states, slots, device)(states, slots)

    def _traced(self, states: TrainState, slots: Slots) -> jax.stages.Traced:
        leaves, structure = jax.tree.flatten(traced(self.algorithm).metrics)  # not traced again in each program
        return _program_for(self.devices[0].platform).trace(
            states,
            slots,
            init=self.algorithm.init,
            step=self.algorithm.step,
            metrics=(tuple(leaves), structure),
            num_updates=self.num_updates,
        )

    def _split(self, slots: Slots) -> list[Slots]:
        starts = range(0, self.num_slots, self.width)
        return [jax.tree.map(lambda leaf, i=start: leaf[i : i + self.width], slots) for start in starts]

    def _idle(self) -> Slots:
        zeros = np.zeros(self.num_slots, np.int32)
        hyperparams = jax.tree.map(lambda default: np.full(self.num_slots, default, np.float32), self.algorithm.hyperparams)
        return Slots(zeros.astype(np.uint32), hyperparams, zeros.astype(bool), zeros)


def make_tiles(
    algorithm: Algorithm,
    num_lanes: int,
    num_updates: int,
    *,
    width: int | None = None,
    devices: Any = None,
    num_devices: int | None = None,
) -> Tiles:
    """Tiles over as many devices as the lanes can fill, of all local ones where None; the width defaults to the device's.

    `num_devices` are those that the lanes are for, where others work on them beside these.

    Raises:
      TypeError: if `width` is not a whole number.
      ValueError: if `width` is below 1 or more than a device has memory for, or there is no device.
    """
    devices = tuple(jax.local_devices() if devices is None else devices)
    if not devices:
        raise ValueError("devices must hold at least one device, got none.")
    if width is None:
        width = default_width(algorithm, devices[0], num_updates, -(-num_lanes // (num_devices or len(devices))))
    width = check_positive("tile_width", width)
    memory.check_width(algorithm, width, num_updates, devices[0])
    return Tiles(algorithm, devices[: -(-num_lanes // width)], width, num_updates)


def default_width(algorithm: Algorithm, device: Any, num_updates: int, num_lanes: int) -> int:
    """Lanes per tile: a power of 2, as many as the device computes well at once and has room for in half of its memory.

    `num_lanes` are those of the device: beyond the fewest that it is given at once, it is given all of them, up to the most.
    """
    fewest, most = MOST_LANES.get(device.platform, ELSEWHERE)
    suited = min(most, max(fewest, 2 ** math.ceil(math.log2(num_lanes))))
    room = memory.of_device(device) / 2 / memory.tile_bytes(algorithm, 1, num_updates)
    return suited if room >= suited else 2 ** max(0, math.floor(math.log2(max(room, 1))))


def gather(tiles: Sequence[PyTree]) -> PyTree:
    """The tiles' trees as one on the host: leaves ``[L, ...]``."""
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *jax.device_get(list(tiles)))


def _unzip(results: list[tuple[TrainState, PyTree]]) -> tuple[tuple[TrainState, ...], tuple[PyTree, ...]]:
    return tuple(states for states, _ in results), tuple(metrics for _, metrics in results)


@functools.cache
def _program_for(platform: str) -> Any:
    """`_advance_tile`, to be compiled for devices of a platform."""
    static = ("init", "step", "metrics", "num_updates")
    options = COMPILER_OPTIONS.get(platform)
    return jax.jit(_advance_tile, static_argnames=static, donate_argnames="states", compiler_options=options)


def _advance_tile(states: TrainState, slots: Any, *, init: Callable, step: Callable, metrics: tuple, num_updates: int):
    keys = jax.vmap(jax.random.key)(slots.seed)
    states = tree.select(slots.fresh, _init_lanes(init, slots.seed, slots.hyperparams), states)
    step_lanes = jax.vmap(functools.partial(_step_lane, step))
    rows = [jax.ShapeDtypeStruct((num_updates, *slots.seed.shape, *leaf.shape), leaf.dtype) for leaf in metrics[0]]
    buffer = tree.blank(jax.tree.unflatten(metrics[1], rows))

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
    return jax.vmap(traced_once(init))(jax.vmap(jax.random.key)(seeds), hyperparams)


def _step_lane(step: Callable, key: jax.Array, state: TrainState, hyperparams: Any, limit: jax.Array):
    """One update of a lane, if it has any left; a lane at its limit stands still, but is not marked as frozen by that."""
    at_limit = state.num_updates >= limit
    held = state._replace(frozen=state.frozen | at_limit)
    stepped, metrics = traced_once(step)(jax.random.fold_in(key, state.num_updates), held, hyperparams)
    return stepped._replace(frozen=jnp.where(at_limit, state.frozen, stepped.frozen)), metrics
