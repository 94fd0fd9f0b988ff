"""Studies: what is reported under one name: a run, or all programs of a sweep; seen as cohorts, the seeds of one setting."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from jax_ac import readings, restoring, run_folder
from jax_ac.lanes import Lanes
from jax_ac.marks import Marks, episodes_to_solve
from jax_ac.run_folder import Config
from jax_ac.spending import Spent


class Trained(Protocol):
    """What a report takes of a run: of a `Result`, or of a `Reading`."""

    @property
    def config(self) -> Config: ...
    @property
    def lanes(self) -> Lanes: ...
    @property
    def marks(self) -> Marks: ...
    @property
    def metrics(self) -> Any: ...
    @property
    def spent(self) -> Spent: ...
    @property
    def folder(self) -> Path | None: ...


class Cohort(NamedTuple):
    """The lanes of one setting: S seeds that differ in nothing else.

    Attributes:
      study: the name of the study.
      values: what the study sweeps, and its value here, by name.
      setting: its index in its run.
      seeds: ``[S]``.
      marks: leaves ``[S]``.
      metrics: leaves ``[S, U]``.
      ended: bool ``[S]``, the lanes that go no further.
      halts: whether a solved lane stops: its return at the end then says only that it was solved.
      config: of its run.
    """

    study: str
    values: dict[str, str]
    setting: int
    seeds: np.ndarray
    marks: Marks
    metrics: Any
    ended: np.ndarray
    halts: bool
    config: Config

    @property
    def setting_in_words(self) -> str:
        """What was swept; empty where nothing is."""
        return ", ".join(f"{name} {value}" for name, value in self.values.items())

    @property
    def name(self) -> str:
        """The study's name and the setting."""
        return ", ".join(filter(None, (self.study, self.setting_in_words)))

    @property
    def diverged(self) -> np.ndarray:
        """Bool ``[S]``."""
        return self.marks.diverged_update >= 0

    @property
    def solved(self) -> np.ndarray:
        """Bool ``[S]``."""
        return self.marks.solved_update >= 0

    @property
    def times(self) -> tuple[np.ndarray, np.ndarray]:
        """`episodes_to_solve`, ``[S]`` each."""
        return episodes_to_solve(self.marks)

    @property
    def complete(self) -> bool:
        """Whether all its lanes have ended: they are a sample then."""
        return bool(self.ended.all())


class Study(NamedTuple):
    """A run, or all programs of a sweep.

    Attributes:
      name: for the reader.
      runs: one, or one per program.
      programs: what tells the programs apart, such as ``"num_envs=8"``; ``""`` for a single run.
      cohorts: of all runs, C in their order.
    """

    name: str
    runs: tuple[Trained, ...]
    programs: tuple[str, ...]
    cohorts: tuple[Cohort, ...]

    @property
    def config(self) -> Config:
        """Of its first run."""
        return self.runs[0].config

    @property
    def complete(self) -> bool:
        """Whether all lanes have ended."""
        return all(cohort.complete for cohort in self.cohorts)

    @property
    def begun(self) -> bool:
        """Whether anything is known of any lane."""
        return any((cohort.marks.num_updates > 0).any() or cohort.diverged.any() for cohort in self.cohorts)

    @property
    def swept(self) -> tuple[str, ...]:
        """The names of what differs between cohorts."""
        return tuple(self.cohorts[0].values)

    def scores(self) -> list[np.ndarray]:
        """`returns_at_the_end` of its cohorts."""
        return returns_at_the_end(self.cohorts)


def returns_at_the_end(cohorts: Sequence[Cohort]) -> list[np.ndarray]:
    """The running returns of each cohort, ``[S]``; a lane that diverged, or has none, counts as the worst of all."""
    returns = [np.asarray(cohort.marks.running_return, float) for cohort in cohorts]
    known = [values[~np.isnan(values)] for values in returns]
    worst = min((values.min() for values in known if len(values)), default=np.nan)
    failed = [cohort.diverged | np.isnan(values) for cohort, values in zip(cohorts, returns, strict=True)]
    return [np.where(lost, worst, values) for lost, values in zip(failed, returns, strict=True)]


def of(runs: Mapping[str, Trained], name: str) -> Study:
    """A study of runs.

    Args:
      runs: by what tells them apart, such as ``"num_envs=8"``: the shapes of a sweep's programs; ``""`` for a single run.
      name: for the reader.
    """
    shapes = [dict(part.split("=", 1) for part in key.split(",") if "=" in part) for key in runs]
    cohorts = [
        _cohort(run, name, shape, setting)
        for run, shape in zip(runs.values(), shapes, strict=True)
        for setting in range(len(run.lanes.seed) // run.lanes.shape[-1])
    ]
    return Study(name, tuple(runs.values()), tuple(runs), tuple(cohorts))


def read(path: Path) -> Study:
    """The study in a folder: that of a run, or that of a sweep of several programs. Raises as `readings.read`."""
    name = path.resolve().name
    return of({"" if folder == path else folder.name: readings.read(folder) for folder in run_folder.runs_in(path)}, name)


def read_all(paths: Sequence[Path]) -> list[Study]:
    """The studies in these folders, told apart by name. Raises as `read`."""
    found = [read(path) for path in paths]
    return [renamed(study, name) for study, name in zip(found, distinct([study.name for study in found]), strict=True)]


def shown(number: float) -> str:
    """A hyperparameter as it was written: float32, which is all that it is."""
    return f"{np.float32(number):.6g}"


def _cohort(run: Trained, study: str, shape: dict[str, str], setting: int) -> Cohort:
    columns = {name: values for name, values in run.config.hyperparams.items() if isinstance(values, list)}
    swept = {name: shown(values[setting]) for name, values in columns.items() if len(set(values)) > 1}
    num_seeds = run.lanes.shape[-1]
    lanes = slice(setting * num_seeds, (setting + 1) * num_seeds)
    marks = Marks(*(mark[lanes] for mark in run.marks))
    solved_only = run.marks.frozen & (run.marks.diverged_update < 0)
    return Cohort(
        study=study,
        values={**shape, **swept},
        setting=setting,
        seeds=run.lanes.seed[lanes],
        marks=marks,
        metrics=jax.tree.map(lambda leaf: leaf[lanes], run.metrics),
        ended=restoring.ends_of(run.config).reached(marks),
        halts=run.config.solved_at is not None and (run.config.until_solved or bool(solved_only.any())),
        config=run.config,
    )


def renamed(study: Study, name: str) -> Study:
    """The study under another name."""
    return study._replace(name=name, cohorts=tuple(cohort._replace(study=name) for cohort in study.cohorts))


def distinct(names: Sequence[str]) -> list[str]:
    """The names, told apart by numbers where two are the same."""
    return [f"{name} ({names[: i + 1].count(name)})" if names.count(name) > 1 else name for i, name in enumerate(names)]
