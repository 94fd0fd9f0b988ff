"""Trackers by name, as the command line has them: what they write goes into the run's folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from jax_ac.errors import unknown_name

if TYPE_CHECKING:
    from jax_ac.trackers import Tracker

NAMES = ("jsonl", "csv", "tensorboard", "wandb", "mlflow")


def check(names: tuple[str, ...]) -> None:
    """Raises ValueError unless there are such trackers, each once."""
    for name in names:
        if name not in NAMES:
            raise ValueError(unknown_name("tracker", name, NAMES))
        if names.count(name) > 1:
            raise ValueError(f"--tracker was given {name} twice.")


def make(names: tuple[str, ...], folder: Path) -> "list[Tracker]":
    """The trackers of a run in that folder; ValueError if the package of one is missing."""
    from jax_ac import tracker_files, tracker_services

    makers = {
        "jsonl": lambda: tracker_files.jsonl(folder / "metrics.jsonl"),
        "csv": lambda: tracker_files.csv(folder / "metrics.csv"),
        "tensorboard": lambda: tracker_services.tensorboard(folder / "tensorboard"),
        "wandb": lambda: tracker_services.wandb("jax_ac", folder=folder),
        "mlflow": lambda: tracker_services.mlflow(f"sqlite:///{folder / 'mlflow.db'}"),
    }
    try:
        return [makers[name]() for name in names]
    except ImportError as error:
        raise ValueError(error) from error
