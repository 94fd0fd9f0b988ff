"""Clusters: the workers of a run as actors of Ray, each with one device of its own, on this machine or on many.

Ray finds the places, starts the workers, starts them anew where a process or a node died, and brings orders and reports.
Which lanes a worker has is the loop's business; it loses at most what the worker had not reported since it was last saved.
"""

import contextlib
import logging
import math
import os
import socket
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from jax_ac.checks import check_positive
from jax_ac.devices import num_cores
from jax_ac.orders import Failed, Lost, Order, Report
from jax_ac.plans import Plan
from jax_ac.remote_workers import RemoteWorker, job_of
from jax_ac.types import TrainState

LOOK_SECONDS = 2.0
"""Between two looks at what the cluster has: workers are added where nodes have joined."""

KNOCK_SECONDS = 10.0
"""How long to wait for a cluster to answer at its address."""

STORE_BYTES = 256 * 2**20
"""Of shared memory, of a cluster that is started here."""

PASSED = ("NPROC", "XLA_FLAGS", "JAX_ENABLE_X64", "JAX_COMPILATION_CACHE_DIR", "JAX_DEFAULT_MATMUL_PRECISION")
"""Environment variables that workers get from the process of the run: they change bits, or where programs are kept."""


class RayCluster(NamedTuple):
    """Where the workers of a run are to be.

    A cluster of Ray runs whatever code it is sent by whoever reaches it (docs, clusters).

    Attributes:
      address: ``"auto"``, ``"host:port"`` or ``"ray://host:port"``; None: that of ``RAY_ADDRESS``, or else a cluster is
        started for the run, on all cores or GPUs of this machine, which listens on the loopback interface only.
      workers: how many; as many as the cluster has GPUs, or else cores, where None. More than it has now wait for nodes.
    """

    address: str | None = None
    workers: int | None = None


def cluster_of(executor: Any) -> RayCluster | None:
    """What ``executor=`` means. Raises ValueError if it is nothing that `run` takes, or says what cannot be."""
    cluster = RayCluster() if executor == "ray" else executor
    if cluster is None:
        return None
    if not isinstance(cluster, RayCluster):
        raise ValueError(f"executor must be None, 'ray' or a RayCluster, got {executor!r}.")
    if cluster.workers is not None:
        check_positive("workers", cluster.workers)
    return cluster


class RayCrew:
    """A worker for each GPU of a cluster, or else each core; a context manager, which connects, and starts them."""

    look_seconds = LOOK_SECONDS

    def __init__(self, plan: Plan, cluster: RayCluster):
        self.cluster, self._needed = cluster, math.ceil(len(plan.lanes.seed) / plan.tiles.width)
        self._plan = plan
        self._actors: list[Any] = []
        self._processors: set[str] = set()
        self._looked = -LOOK_SECONDS
        self._started = False

    def __enter__(self) -> "RayCrew":
        import ray
        from jax import config

        start = time.perf_counter()
        with contextlib.ExitStack() as undo:
            if not ray.is_initialized():
                self._started = connect(self.cluster)
                undo.callback(ray.shutdown)
            undo.callback(self._dismiss)
            caching = bool(config.values["jax_compilation_cache_dir"])
            self._job = job_of(self._plan.tiles.algorithm, self._plan.config, caching)
            self.look()
            first = ray.wait([actor.ready.remote() for actor in self._actors])[0][0]
            try:
                _outcome(first).result()
            except Lost as error:
                raise RuntimeError(f"the workers cannot begin: {error}") from error
            self._undo = undo.pop_all()
        self.start_seconds = time.perf_counter() - start
        return self

    def __exit__(self, *error: object) -> None:
        self._undo.close()

    def __len__(self) -> int:
        return len(self._actors)

    @property
    def where(self) -> str:
        """Each worker, in words."""
        there = "the Ray cluster here" if self._started else "a Ray cluster"
        return f"each of {len(self)} workers of {there}"

    def look(self) -> None:
        """Asks for as many workers as the cluster has devices now, but not more than the lanes can fill."""
        import ray

        if time.monotonic() < self._looked + LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        there = ray.cluster_resources()
        self._kind = "GPU" if there.get("GPU") else "CPU"
        wanted = min(self._needed, self.cluster.workers or int(there.get(self._kind, 0)))
        if not wanted and not self._actors:
            raise ValueError("the Ray cluster has no CPU and no GPU to work on.")
        for _ in range(len(self._actors), wanted):
            self._actors.append(self._hired())

    def ready(self, tile: int) -> "Future[None]":
        """Done when the worker has compiled, once Ray has found a place for it."""
        return _outcome(self._actors[tile].ready.remote(), self._is_ready)

    def advance(self, tile: int, order: Order) -> "Future[Report]":
        """A compiled call."""
        return _outcome(self._actors[tile].advance.remote(order))

    def states(self, tile: int) -> "Future[TrainState]":
        """Of all places."""
        return _outcome(self._actors[tile].states.remote())

    def _hired(self) -> Any:
        import ray

        variables = {"NPROC": "1"} | {name: os.environ[name] for name in PASSED if name in os.environ}
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


def connect(cluster: RayCluster) -> bool:
    """Connects this process to a cluster, or starts one. Returns whether it was started.

    Raises:
      ValueError: if there is no Ray, or no cluster at the address.
    """
    try:
        import ray
    except ImportError:
        raise ValueError("executor='ray' needs Ray: pip install 'jax_ac[ray]'.") from None
    address = cluster.address or os.environ.get("RAY_ADDRESS")
    own: dict[str, Any] = {}
    if address:
        _knock(address)
    else:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        own = {"num_cpus": num_cores(), "include_dashboard": False, "object_store_memory": STORE_BYTES}
        own |= {"_node_ip_address": "127.0.0.1"}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "os.fork", RuntimeWarning)  # Ray's processes begin other programs at once
            ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        where = f"there is no Ray cluster at {address}" if address else "a Ray cluster cannot be started here"
        raise ValueError(f"{where}: {_line(error)}") from None
    return not address


def _knock(address: str) -> None:
    """Raises ValueError if nobody listens at ``host:port`` or ``ray://host:port``: Ray itself would try for many minutes."""
    place = urlsplit(address if "//" in address else f"//{address}")
    try:
        if place.hostname is not None and place.port is not None:
            socket.create_connection((place.hostname, place.port), KNOCK_SECONDS).close()
    except (OSError, ValueError) as error:
        raise ValueError(f"there is no Ray cluster at {address}: {error}.") from None


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
        return Failed(f"{type(cause).__name__}: {_line(cause)}")
    if isinstance(error, exceptions.RayActorError) and "creation task" in str(error):
        return Failed(f"a worker cannot be started: {str(error).strip().splitlines()[-1]}")
    if isinstance(error, exceptions.RayError):
        return Lost(_line(error))
    return error


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
