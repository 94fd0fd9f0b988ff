"""Workers: each owns a device and a tile on it, whose lanes it takes through one compiled call after another."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jax_ac.evaluator import Evaluator
from jax_ac.marks import marks_of
from jax_ac.orders import Order, Report
from jax_ac.run_folder import Config
from jax_ac.schedule import Ends
from jax_ac.tiles import Slots, Tiles
from jax_ac.types import TrainState


class Worker:
    """Owns one of the tiles of this process."""

    def __init__(self, tiles: Tiles, tile: int, states: TrainState, ends: Ends, evaluator: Evaluator | None):
        self.tiles, self.tile, self.ends, self.evaluator, self._states = tiles, tile, ends, evaluator, states
        self._updates = np.zeros(tiles.width, np.int32)
        self._program: Callable[[TrainState, Slots], tuple[TrainState, Any]] | None = None
        self._told: tuple[Slots, Slots] | None = None

    def advance(self, order: Order) -> Report:
        """A compiled call, and the evaluations that are due after it."""
        start, slots = time.perf_counter(), order.slots
        if len(order.places):
            self._states = self.tiles.insert(self.tile, self._states, order.places, order.rows)
            self._updates[order.places] = order.rows.num_updates
        before = np.where(slots.fresh, 0, self._updates)
        self._states, metrics = self._train(slots)
        marks = marks_of(self._states)
        self._updates = marks.num_updates.copy()
        working = slots.limit > 0
        metrics = _columns(metrics, int((marks.num_updates - before)[working].max()))
        evaluating = 0.0
        if self.evaluator:
            trained = time.perf_counter()
            metrics = self.evaluator(self.tile, self._states, metrics, slots, before)
            evaluating = time.perf_counter() - trained
        places = np.flatnonzero(working & (order.all_states | self.ends.reached(marks)))
        rows, end = _rows(self._states, places), time.perf_counter()
        return Report(marks, metrics, places, rows, end - start, evaluating)

    def _train(self, slots: Slots) -> tuple[TrainState, Any]:
        device = self.tiles.devices[self.tile]
        there = put(slots, self._told, device)
        self._told = slots, there
        if self._program is None:
            self._program = self.tiles.program(self._states, there, device)
        return jax.block_until_ready(self._program(self._states, there))

    def states(self) -> TrainState:
        """Of all places."""
        return jax.device_get(self._states)


def hire(tiles: Tiles, config: Config, ends: Ends) -> Sequence[Worker]:
    """A worker for each tile, with its program compiled."""
    states, _ = tiles.compile()
    evaluator = None
    if config.eval_every is not None:
        evaluator = Evaluator(tiles, config.eval_every, config.eval_episodes, ends)
        evaluator.compile(states)
    return [Worker(tiles, tile, state, ends, evaluator) for tile, state in enumerate(states)]


def put(slots: Slots, before: tuple[Slots, Slots] | None, device: Any) -> Slots:
    """The slots on a device; a leaf that was the same in those `before`, on the host and there, is not sent again."""
    if before is None:
        return jax.device_put(slots, device)
    leaves, was, there = (jax.tree.leaves(each) for each in (slots, *before))
    changed = [i for i, leaf in enumerate(leaves) if leaf.tobytes() != was[i].tobytes()]
    for i, leaf in zip(changed, jax.device_put([leaves[i] for i in changed], device), strict=True):
        there[i] = leaf
    return jax.tree.unflatten(jax.tree.structure(slots), there)


def _columns(metrics: Any, count: int) -> Any:
    return jax.tree.map(lambda leaf: np.asarray(leaf)[:, :count], metrics)


def _rows(states: TrainState, places: np.ndarray) -> TrainState:
    if not len(places):
        return jax.tree.map(lambda leaf: np.zeros((0, *leaf.shape[1:]), leaf.dtype), states)
    return jax.tree.map(lambda leaf: np.asarray(leaf)[places], states)
