"""Remote workers: what runs in a process of a cluster, on one device of its own: the worker that a local run has."""

import platform
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jax_ac import recipes, restoring
from jax_ac.circumstances import circumstances
from jax_ac.orders import NotReady, Order, Report
from jax_ac.run_folder import Config
from jax_ac.tiles import make_tiles
from jax_ac.types import TrainState
from jax_ac.workers import Worker, hire

INSTRUCTIONS = ("fma", "avx", "avx2", "avx512f", "avx512_bf16", "amx_tile", "sve", "asimd")
"""Sets of instructions of a processor that change what XLA compiles, and so the last bits."""


class Job(NamedTuple):
    """What a remote worker is to train.

    Attributes:
      algorithm: where parts of it are the user's own; else None, and it is made by the recipe in `config`.
      config: of the run; its `tile_width` and `segment_updates` are those of the tile.
      packages: the versions that the process of the run has.
      caching: whether compiled programs are kept on the worker's disk, in the user's folder there.
    """

    algorithm: Any
    config: Config
    packages: dict[str, str | None]
    caching: bool


class RemoteWorker:
    """Does what `Worker` does, and is made anew where that was lost."""

    def __init__(self, job: Job):
        self.job = job
        self._worker: Worker | None = None

    def ready(self) -> str:
        """Compiles, where that has not been done. Returns the kind of processor.

        Raises:
          ValueError: if this is not the program of the run, or the packages have other versions than those of its process.
        """
        if self._worker is None:
            self._worker = self._hired()
        return _processor()

    def advance(self, order: Order) -> Report:
        """A compiled call; hyperparameters come as a plain tuple. After an error the worker must be asked if it is ready."""
        worker, self._worker = self._worker, None
        if worker is None:
            raise NotReady("the worker was begun anew.")
        named = type(worker.tiles.algorithm.hyperparams)(*order.slots.hyperparams)
        order = order._replace(slots=order.slots._replace(hyperparams=named))
        report = jax.tree.map(jax.device_get, worker.advance(order))
        self._worker = worker
        return report

    def states(self) -> TrainState:
        """Of all places, leaves ``[W, ...]``."""
        if self._worker is None:
            raise NotReady("the worker was begun anew.")
        return self._worker.states()

    def _hired(self) -> Worker:
        config = self.job.config
        _check_packages(self.job.packages)
        if self.job.caching:
            from jax_ac import program_cache

            program_cache.use()
        algorithm = restoring.algorithm_of(Path(), config, self.job.algorithm)
        devices = jax.local_devices()[:1]
        tiles = make_tiles(algorithm, 1, config.segment_updates, width=config.tile_width, devices=devices)
        if config.algorithm and tiles.fingerprint() != config.algorithm:
            raise ValueError("what it makes of the algorithm is another program than that of the run.")
        return hire(tiles, config, restoring.ends_of(config))[0]


def job_of(algorithm: Any, config: Config, caching: bool) -> Job:
    """What a remote worker is told; the algorithm itself only travels where it cannot be made by its recipe."""
    own = config.recipe is None or recipes.make(config.recipe) != algorithm
    return Job(algorithm if own else None, config, circumstances()["packages"], caching)


def _check_packages(theirs: dict[str, str | None]) -> None:
    ours = circumstances()["packages"]
    other = [f"{name} {ours.get(name)} and not {version}" for name, version in theirs.items() if ours.get(name) != version]
    if other:
        raise ValueError(f"it has other packages than the process of the run: {', '.join(other)}.")


def _processor() -> str:
    device = jax.local_devices()[0]
    if device.platform != "cpu":
        return device.device_kind
    path = Path("/proc/cpuinfo")
    words = set(path.read_text().split()) if path.exists() else set()
    return " ".join([platform.machine(), *(name for name in INSTRUCTIONS if name in words)])
