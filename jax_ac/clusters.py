"""Clusters of Ray: where one is, and the connection to it."""

import contextlib
import logging
import os
import socket
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from jax_ac.checks import check_positive
from jax_ac.devices import num_cores
from jax_ac.errors import first_line

KNOCK_SECONDS = 10.0
"""How long to wait for a cluster to answer at its address."""

STORE_BYTES = 256 * 2**20
"""Of shared memory, of a cluster that is started here."""


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


def kind_of_device() -> str:
    """``"GPU"`` where the cluster that this process is connected to has one, or else ``"CPU"``: what workers are to own."""
    import ray

    return "GPU" if ray.cluster_resources().get("GPU") else "CPU"


def num_workers(cluster: RayCluster) -> int:
    """How many workers there are to be: as many as are asked for, or else as the cluster has devices now.

    Raises:
      ValueError: if none are asked for, and it has none.
    """
    import ray

    found = cluster.workers or int(ray.cluster_resources().get(kind_of_device(), 0))
    if not found:
        raise ValueError("the Ray cluster has no CPU and no GPU now; say with workers how many to wait for.")
    return found


@contextlib.contextmanager
def connected(cluster: RayCluster | None) -> Iterator[None]:
    """Within it this process is connected to the cluster, if there is to be one. Raises ValueError as `connect`."""
    if cluster is None or not connect(cluster):
        yield
        return
    import ray

    try:
        yield
    finally:
        ray.shutdown()


def connect(cluster: RayCluster) -> bool:
    """Connects this process to a cluster, or starts one. Returns False where it was connected already.

    Raises:
      ValueError: if there is no Ray, or no cluster at the address.
    """
    try:
        import ray
    except ImportError:
        raise ValueError("executor='ray' needs Ray: pip install 'jax_ac[ray]'.") from None
    if ray.is_initialized():
        return False
    address = cluster.address or os.environ.get("RAY_ADDRESS")
    own: dict[str, Any] = {}
    if address:
        _knock(address)
    else:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        own = {"num_cpus": num_cores(), "include_dashboard": False, "object_store_memory": STORE_BYTES}
    try:
        with warnings.catch_warnings(), contextlib.nullcontext() if address else _on_loopback():
            warnings.filterwarnings("ignore", "os.fork", RuntimeWarning)  # Ray's processes begin other programs at once
            ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        where = f"there is no Ray cluster at {address}" if address else "a Ray cluster cannot be started here"
        raise ValueError(f"{where}: {first_line(error)}.") from None
    return True


def _knock(address: str) -> None:
    """Raises ValueError if nobody listens at ``host:port`` or ``ray://host:port``: Ray itself would try for many minutes."""
    place = urlsplit(address if "//" in address else f"//{address}")
    try:
        if place.hostname is not None and place.port is not None:
            socket.create_connection((place.hostname, place.port), KNOCK_SECONDS).close()
    except (OSError, ValueError) as error:
        raise ValueError(f"there is no Ray cluster at {address}: {error}.") from None


@contextlib.contextmanager
def _on_loopback() -> Iterator[None]:
    """What Ray starts here listens on the loopback interface, as it does by itself on macOS and Windows.

    It takes no address for that: ``_node_ip_address="127.0.0.1"`` is replaced by one that others reach, on all interfaces.
    """
    try:
        from ray._private import ray_constants

        name, before = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR, ray_constants.ENABLE_RAY_CLUSTER
    except (ImportError, AttributeError):
        raise ValueError(
            "this version of Ray cannot be kept to the loopback interface: start a cluster, and name it."
        ) from None
    said = os.environ.get(name)
    ray_constants.ENABLE_RAY_CLUSTER, os.environ[name] = False, "0"
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before
        os.environ.pop(name)
        os.environ |= {} if said is None else {name: said}
