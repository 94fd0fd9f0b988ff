"""Commands on the folder of a run: what can be typed after ``jax-ac`` once something was trained."""

import dataclasses
from pathlib import Path

import tyro

from jax_ac.placing import Placed


@dataclasses.dataclass(frozen=True)
class Resume(Placed):
    """Go on with a run that was interrupted or killed, or extend a finished one.

    What is in its folder is not trained again; the numbers are those of a run that was never interrupted.
    """

    path: tyro.conf.Positional[Path]
    """The run's folder, or its URL."""
    seeds: int | None = None
    """More seeds than before: 0, 1, ..."""
    max_updates: int | None = None
    """A higher limit of updates per seed."""
    total_steps: int | None = None
    """The same, in environment steps."""
    tracker: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Also write the metrics, as they come, for jsonl, csv, tensorboard, wandb or mlflow; may be given several times."""


@dataclasses.dataclass(frozen=True)
class Report:
    """Write what a run came to as one page of HTML, which opens offline; of several runs a comparison.

    With --watch the page is served to this machine alone, and renews itself while the run goes on, until Ctrl-C.
    """

    paths: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs, or of sweeps, or their URLs."""
    out: Path | None = None
    """The file; report.html in the run's folder if not given, of several runs in the folder that the first is in."""
    watch: tyro.conf.FlagCreatePairsOff[bool] = False
    """Serve the page instead of writing it."""
    port: int = 0
    """Where it is served on 127.0.0.1; a free one if 0."""


@dataclasses.dataclass(frozen=True)
class Render:
    """Show an agent of a run: episodes early, in the middle and at the end of its training, side by side.

    Early is a tenth of its updates, the middle is half of them. All episodes begin in the same state. What the run did not
    keep is trained again, which takes as long as one tile took up to there.
    """

    path: tyro.conf.Positional[Path]
    """The run's folder, or its URL."""
    seed: int | None = None
    """Whose agent; that of the run's first seed if not given."""
    setting: int | None = None
    """The index of its setting, from 0, where the run has several."""
    updates: str | None = None
    """After how many updates each, such as 0,50; early, middle and late if not given."""
    greedy: tyro.conf.FlagCreatePairsOff[bool] = False
    """Take the most probable action instead of drawing one."""
    max_steps: int | None = None
    """Leave an episode after so many steps; at the environment's time limit if not given."""
    out: Path | None = None
    """The picture, ending in .gif or .mp4; seed-<seed>.gif in the run's folder if not given."""
