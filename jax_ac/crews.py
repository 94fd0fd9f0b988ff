"""Crews: the workers of a run, each with one tile: here those of this process, one per device."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from jax_ac import interruption
from jax_ac.orders import Order, Report
from jax_ac.run_folder import Config
from jax_ac.schedule import Ends
from jax_ac.tiles import Tiles
from jax_ac.types import TrainState
from jax_ac.workers import hire


class Crew(Protocol):
    """What the loop of a run asks of its workers, which have numbers: those of their tiles.

    A future raises `Lost` if its worker is gone. Workers may join at any time: `len` grows.

    Attributes:
      start_seconds: from when the crew was asked for until the first worker was ready: compiling.
      look_seconds: after so many seconds the loop looks for workers that have joined; None: none will.
    """

    start_seconds: float

    @property
    def look_seconds(self) -> float | None: ...

    @property
    def where(self) -> str:
        """Each worker, in words."""
        ...

    def __len__(self) -> int: ...

    def look(self) -> None:
        """Takes in workers that have joined."""
        ...

    def ready(self, tile: int) -> "Future[None]":
        """Done when the worker can work."""
        ...

    def advance(self, tile: int, order: Order) -> "Future[Report]":
        """A compiled call."""
        ...

    def states(self, tile: int) -> "Future[TrainState]":
        """Of all places, leaves ``[W, ...]``."""
        ...


class LocalCrew:
    """A worker for each device of this process; a context manager, which compiles."""

    look_seconds = None

    def __init__(self, tiles: Tiles, config: Config, ends: Ends):
        self._hire: Callable = lambda: hire(tiles, config, ends)
        self._pool = ThreadPoolExecutor(len(tiles.devices))

    def __enter__(self) -> "LocalCrew":
        start = time.perf_counter()
        self._workers = self._hire()
        interruption.check()
        self.start_seconds = time.perf_counter() - start
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()

    def __len__(self) -> int:
        return len(self._workers)

    @property
    def where(self) -> str:
        """Each worker, in words."""
        return "1 device" if len(self) == 1 else f"each of {len(self)} devices"

    def look(self) -> None:
        """None will."""

    def ready(self, tile: int) -> "Future[None]":
        """It is."""
        return self._pool.submit(lambda: None)

    def advance(self, tile: int, order: Order) -> "Future[Report]":
        """A compiled call, in a thread of its own."""
        return self._pool.submit(self._workers[tile].advance, order)

    def states(self, tile: int) -> "Future[TrainState]":
        """Of all places."""
        return self._pool.submit(self._workers[tile].states)
