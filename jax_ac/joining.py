"""Joining: how a process becomes one of a job's, under `jax.distributed`, where the command line is asked to."""

import os
from typing import Any

from jax_ac.errors import first_line

NUMBERS = {"num_processes": "JAX_NUM_PROCESSES", "process_id": "JAX_PROCESS_ID"}
"""What JAX itself does not read from the environment."""

LOOPBACK = ("127.", "localhost:", "[::1]:")
"""How addresses begin that nobody else can reach."""


def join() -> None:
    """Makes this process one of its job's, before JAX starts: as its environment says, or the cluster's that JAX knows.

    Raises:
      ValueError: if neither says anything, or the others are not found.
    """
    import jax

    if jax.distributed.is_initialized():
        return
    jax.config.update("jax_enable_preemption_service", False)  # it would keep SIGTERM to itself
    said: dict[str, Any] = {}
    for argument, variable in NUMBERS.items():
        if variable in os.environ:
            if not os.environ[variable].isdecimal():
                raise ValueError(f"{variable} must be a whole number, got {os.environ[variable]!r}.")
            said[argument] = int(os.environ[variable])
    address = os.environ.get("JAX_COORDINATOR_ADDRESS", "")
    if address.startswith(LOOPBACK) and "JAX_COORDINATOR_BIND_ADDRESS" not in os.environ:
        said["coordinator_bind_address"] = address  # else on all interfaces
    try:
        jax.distributed.initialize(**said)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"--distributed found no cluster ({error}): start it with srun or mpirun, or set JAX_COORDINATOR_ADDRESS, "
            f"{' and '.join(NUMBERS.values())}."
        ) from None
    except RuntimeError as error:
        raise ValueError(f"the other processes were not found: {first_line(error)}.") from None
