"""Devices: every core of a CPU as a device of its own."""

import os
from typing import Any


def use_all_cores() -> None:
    """Makes JAX see each CPU core as one device, each computing on a single thread.

    Tiles then run on all cores at once, and a lane's bits do not depend on how many cores there are. It must be called
    before JAX first computes something; GPUs are not affected. It sets the environment variable ``NPROC`` to 1, from which
    XLA sizes its thread pool (unless it is set), and JAX's option ``jax_num_cpu_devices`` (unless that is set).

    Raises:
      RuntimeError: if JAX has started already.
    """
    os.environ.setdefault("NPROC", "1")
    import jax

    if jax.config.values["jax_num_cpu_devices"] == -1:
        try:
            jax.config.update("jax_num_cpu_devices", num_cores())
        except RuntimeError:
            raise RuntimeError("use_all_cores must be called before JAX first computes something.") from None


def num_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_devices(devices: Any) -> None:
    """Raises TypeError unless they are None or a list of JAX's devices."""
    import jax

    if devices is None:
        return
    if not isinstance(devices, list | tuple):
        raise TypeError(f"devices must be a list of devices, such as jax.local_devices(), got {devices!r}.")
    for device in devices:
        if not isinstance(device, jax.Device):
            raise TypeError(f"devices must hold devices, such as jax.local_devices()[0], got {device!r}.")
