"""Placing: where a command trains, as it is typed: in this process, in all those of a job, or on a Ray cluster."""

import dataclasses

import tyro

from jax_ac.checks import check_positive
from jax_ac.errors import unknown_name

EXECUTORS = ("local", "ray")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Placed:
    """What all commands take that train."""

    executor: str = "local"
    """local: in this process. ray: workers of a Ray cluster, one per core or GPU; the numbers are the same bits."""
    address: str | None = None
    """Of the Ray cluster: auto, host:port or ray://host:port; if not given one is started, for this machine alone."""
    workers: int | None = None
    """How many workers on the Ray cluster; one per GPU, or else per core, if not given."""
    distributed: tyro.conf.FlagCreatePairsOff[bool] = False
    """Train together with the other processes of this job, each of which runs this command: those of SLURM, Open MPI, a
    TPU pod, a Kubernetes job, or of the variables JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID."""


def check_placed(command: Placed) -> None:
    """Raises ValueError if this is no place to train at."""
    if command.executor not in EXECUTORS:
        raise ValueError(unknown_name("executor", command.executor, EXECUTORS))
    for option in ("address", "workers"):
        if command.executor != "ray" and getattr(command, option) is not None:
            raise ValueError(f"--{option} is for --executor ray.")
    if command.distributed and command.executor != "local":
        raise ValueError("--distributed is not for --executor ray, where one process finds the workers.")
    if command.workers is not None:
        check_positive("--workers", command.workers)
