"""Devices: every core of a CPU as a device of its own."""

import operator
import os
import platform
import sys
from typing import Any

EXTRA_OPTIONS = "--xla_backend_extra_options"

SMALL_LOOP = 500_000
"""Bytes that a step of a loop reads and writes at most for XLA to make one function of the loop, as it does up to 1,024 by
itself. An update of the Keras preset then takes 0.75 of the time; XLA leaves out loops with products that YNNPACK
multiplies. It has this option for a process only, not for a program."""


def use_all_cores(at_most: int | None = None) -> None:
    """Makes JAX see each CPU core as one device, each computing on a single thread.

    There are no more than `at_most` of them, for where there are fewer tiles than cores: XLA would spread the kernels of one
    tile over the threads of all. Where memory is short the default width of a tile may then be another.

    Tiles then run on all of them at once, and a lane's bits do not depend on how many there are, at the same width. It must
    be called before JAX first computes something; GPUs are not affected. It sets the variables of `xla_environment`, and
    JAX's option ``jax_num_cpu_devices`` (where that is set, `at_most` changes nothing).

    Raises:
      TypeError, ValueError: unless `at_most` is a whole number of at least 1.
      RuntimeError: if JAX has started already.
    """
    cores = num_cores() if at_most is None else min(num_cores(), operator.index(at_most))
    if cores < 1:
        raise ValueError(f"at_most must be at least 1, got {at_most}.")
    import jax

    if jax.config.values["jax_num_cpu_devices"] == -1:
        try:
            jax.config.update("jax_num_cpu_devices", cores)
        except RuntimeError:
            raise RuntimeError("use_all_cores must be called before JAX first computes something.") from None
    os.environ.update(xla_environment())


def cores_for(num_lanes: int, tile_width: int | None) -> int | None:
    """As many CPU cores as lanes fill with tiles of this width; None, for all, where the width is yet to be chosen."""
    return -(-num_lanes // tile_width) if tile_width else None


def xla_environment() -> dict[str, str]:
    """Environment variables that tell XLA what bits and speed depend on: as they are, or else as they should be.

    ``NPROC``, which sizes its thread pool, is 1. ``XLA_FLAGS`` has loops of up to `SMALL_LOOP` bytes a step made into
    functions where XLA multiplies by YNNPACK, which is known of Linux on x86, unless it holds that kind of option already
    or is the name of a file.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    has_ynnpack = sys.platform == "linux" and platform.machine() == "x86_64"
    is_a_file = bool(flags) and not flags.lstrip().startswith("--")
    if has_ynnpack and not is_a_file and EXTRA_OPTIONS not in flags:
        flags = f"{flags} {EXTRA_OPTIONS}=xla_cpu_small_while_loop_byte_threshold={SMALL_LOOP}".lstrip()
    return {"NPROC": os.environ.get("NPROC", "1")} | ({"XLA_FLAGS": flags} if flags else {})


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
