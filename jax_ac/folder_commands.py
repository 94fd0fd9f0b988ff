"""Commands on the folder of a run: what can be typed after ``jax-ac`` once something was trained."""

import dataclasses
from pathlib import Path

import tyro


@dataclasses.dataclass(frozen=True)
class Resume:
    """Go on with a run that was interrupted or killed, or extend a finished one.

    What is in its folder is not trained again; the numbers are those of a run that was never interrupted.
    """

    path: tyro.conf.Positional[Path]
    """The run's folder."""
    seeds: int | None = None
    """More seeds than before: 0, 1, ..."""
    max_updates: int | None = None
    """A higher limit of updates per seed."""
    total_steps: int | None = None
    """The same, in environment steps."""
    tracker: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Also write the metrics, as they come, for jsonl, csv, tensorboard, wandb or mlflow; may be given several times."""
