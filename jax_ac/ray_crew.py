"""The crew of a Ray cluster: the workers of a run as actors, each with one device of its own, on this machine or on many.

Ray finds the places, starts the workers, starts them anew where a process or a node died, and brings orders and reports.
Which lanes a worker has is the loop's business; it loses at most what the worker had not reported since it was last saved.
"""

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from jax_ac.clusters import RayCluster, kind_of_device
from jax_ac.devices import xla_environment
from jax_ac.errors import CannotTrain, first_line
from jax_ac.orders import Failed, Lost, NotReady, Order, Report
from jax_ac.plans import Plan
from jax_ac.remote_workers import RemoteWorker, job_of
from jax_ac.types import TrainState

MOST_LOSSES = 3
"""So often each worker may be lost before one has begun."""

LOOK_SECONDS = 2.0
"""Between two looks at what the cluster has: workers are added where nodes have joined."""

PASSED = ("JAX_ENABLE_X64", "JAX_COMPILATION_CACHE_DIR", "JAX_DEFAULT_MATMUL_PRECISION")
"""Environment variables that workers get from the process of the run, beside those that tell XLA something: they change
bits, or where programs are kept."""


class RayCrew:
    """A worker for each GPU of a cluster, or else each core; a context manager, which starts them."""

    look_seconds = LOOK_SECONDS

    def __init__(self, plan: Plan, cluster: RayCluster, num_lanes: int):
        """`num_lanes`: those that are still to be trained."""
        self.cluster, self._needed = cluster, math.ceil(num_lanes / plan.tiles.width)
        self._plan, self._kind = plan, kind_of_device()
        self._actors: list[Any] = []
        self._processors: set[str] = set()
        self._looked = -LOOK_SECONDS

    def __enter__(self) -> "RayCrew":
        from jax import config

        start = time.perf_counter()
        with contextlib.ExitStack() as undo:
            undo.callback(self._dismiss)
            caching = bool(config.values["jax_compilation_cache_dir"])
            self._job = job_of(self._plan.tiles.algorithm, self._plan.config, caching)
            self.look()
            self._wait()
            self._undo = undo.pop_all()
        self.start_seconds = time.perf_counter() - start
        return self

    def _wait(self) -> None:
        """Until a worker can work; those that are lost meanwhile are asked again, some times."""
        import ray

        lost: Lost | None = None
        asked = {actor.ready.remote(): actor for actor in self._actors}
        for _ in range(MOST_LOSSES * len(asked) + 1):
            (first, *_), _ = ray.wait(list(asked))
            actor = asked.pop(first)
            try:
                _outcome(first).result()
                return
            except Failed as error:
                raise CannotTrain(f"the workers cannot begin: {error}") from error
            except Lost as error:
                lost = error
                asked[actor.ready.remote()] = actor
        raise CannotTrain(f"the workers cannot begin: {lost}")

    def __exit__(self, *error: object) -> None:
        self._undo.close()

    def __len__(self) -> int:
        return len(self._actors)

    @property
    def where(self) -> str:
        """Each worker, in words."""
        return f"each of {len(self)} workers of the Ray cluster"

    def look(self) -> None:
        """Asks for as many workers as the cluster has devices now, but not more than the lanes can fill."""
        import ray

        if time.monotonic() < self._looked + LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        there = int(ray.cluster_resources().get(self._kind, 0))
        wanted = min(self._needed, self.cluster.workers or max(there, 1))
        for _ in range(len(self._actors), wanted):
            self._actors.append(self._hired())

    def ready(self, tile: int) -> "Future[None]":
        """Done when the worker has compiled, once Ray has found a place for it."""
        return _outcome(self._actors[tile].ready.remote(), self._is_ready)

    def advance(self, tile: int, order: Order) -> "Future[Report]":
        """A compiled call; without the class of the hyperparameters: it cannot be imported, so Ray would send it along."""
        bare = order._replace(slots=order.slots._replace(hyperparams=tuple(order.slots.hyperparams)))
        return _outcome(self._actors[tile].advance.remote(bare))

    def states(self, tile: int) -> "Future[TrainState]":
        """Of all places."""
        return _outcome(self._actors[tile].states.remote())

    def _hired(self) -> Any:
        import ray

        variables = xla_environment() | {name: os.environ[name] for name in PASSED if name in os.environ}
        if self._kind == "CPU":
            variables["JAX_PLATFORMS"] = "cpu"
        options = {"num_cpus": 1, "num_gpus": int(self._kind == "GPU"), "max_restarts": -1, "max_task_retries": 0}
        return ray.remote(RemoteWorker).options(**options, runtime_env={"env_vars": variables}).remote(self._job)

    def _is_ready(self, processor: str) -> None:
        self._processors.add(processor)
        if len(self._processors) == 2:
            kinds = " and ".join(f"({kind})" for kind in sorted(self._processors))
            print(f"jax-ac: workers have different processors, {kinds}: the last bits depend on which.", file=sys.stderr)

    def _dismiss(self) -> None:
        import ray

        for actor in self._actors:
            with contextlib.suppress(Exception):
                ray.kill(actor)


def _outcome(ref: Any, then: Callable[[Any], None] = lambda result: None) -> Future:
    """A future of what a worker was asked for; where that cannot be had it raises `Lost` or `Failed`."""
    outer: Future = Future()

    def settle(inner: Future) -> None:
        try:
            result = inner.result()
            then(result)
            outer.set_result(result)
        except BaseException as error:
            outer.set_exception(_translated(error))

    ref.future().add_done_callback(settle)
    return outer


def _translated(error: BaseException) -> BaseException:
    from ray import exceptions

    if isinstance(error, exceptions.RayTaskError):
        cause = getattr(error, "cause", error)
        kind = Lost if isinstance(cause, NotReady) else Failed
        return kind(f"{type(cause).__name__}: {first_line(cause)}")
    if isinstance(error, exceptions.RayActorError) and "creation task" in str(error):
        return Failed(f"a worker cannot be started: {str(error).strip().splitlines()[-1]}")
    if isinstance(error, exceptions.RayError):
        return Lost(first_line(error))
    return error
