"""Circumstances: when, with what and by whom a run was made."""

import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import jax

PACKAGES = ("jax_ac", "jax", "jaxlib", "flax", "optax", "gymnax", "numpy", "xarray", "orbax-checkpoint")


def circumstances() -> dict[str, Any]:
    """When, with which versions, on what device, at which git commit, by which command."""
    device = jax.local_devices()[0]
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(sys.argv),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "device": f"{jax.local_device_count()} x {device.platform}: {device.device_kind}",
        "git_commit": _git_commit(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    try:
        command = ["git", "rev-parse", "HEAD"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True, cwd=os.getcwd())
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
