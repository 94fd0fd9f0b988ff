"""Trackers by name, as the command line has them: what they write goes into the run's folder."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from jax_ac.errors import unknown_name

if TYPE_CHECKING:
    from jax_ac.trackers import Tracker

PACKAGES = {"jsonl": None, "csv": None, "tensorboard": "tensorboardX", "wandb": "wandb", "mlflow": "mlflow"}
"""What each tracker needs, if anything."""


def check(names: tuple[str, ...], *, alone: bool = True) -> None:
    """Raises ValueError unless there are such trackers, each given once, what they need is installed, and one writes."""
    if names and not alone:
        raise ValueError("--tracker is not for --distributed: each process would write of its own lanes alone.")
    for name in names:
        if name not in PACKAGES:
            raise ValueError(unknown_name("tracker", name, PACKAGES))
        if names.count(name) > 1:
            raise ValueError(f"--tracker was given {name} twice.")
        package = PACKAGES[name]
        if package and importlib.util.find_spec(package) is None:
            raise ValueError(f"the tracker {name} needs {package}: pip install 'jax_ac[trackers]'.")


def make(names: tuple[str, ...], folder: Path) -> "list[Tracker]":
    """The trackers of the run in that folder, which is there already."""
    from jax_ac import remote, tracker_files, tracker_services

    makers = {
        "jsonl": lambda: tracker_files.jsonl(remote.fetch(folder / "metrics.jsonl")),
        "csv": lambda: tracker_files.csv(remote.fetch(folder / "metrics.csv")),
        "tensorboard": lambda: tracker_services.tensorboard(folder / "tensorboard"),
        "wandb": lambda: tracker_services.wandb("jax_ac", folder=folder),
        "mlflow": lambda: tracker_services.mlflow(f"sqlite:///{remote.fetch(folder / 'mlflow.db')}"),
    }
    try:
        return [makers[name]() for name in names]
    except ImportError as error:
        raise ValueError(error) from error
