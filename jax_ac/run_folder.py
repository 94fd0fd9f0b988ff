"""Run folders: all that a run leaves on disk, and from which it can go on::

    run.json        what is trained, and with which versions: enough to repeat it
    lanes/          lanes that have ended, in sealed folders that are written once (`store`)
    checkpoint/     lanes that have not; the last complete one of each process, and those being written
    lock            held by the process that is at work here
    spent.json      what it cost (`spending`)
    results.nc      the labelled results (`dataset`), for whoever reads them; rewritten whenever the run stops

Each lane is on disk with its whole state and its metrics. Where it is there more than once, the copy with more updates
counts: a lane's numbers do not depend on when they were saved.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jax_ac import files, locks, remote
from jax_ac.checks import check_positive
from jax_ac.lease import InUse as InUse
from jax_ac.locks import LOCK
from jax_ac.store import ALONE, clear, next_folder, read_sealed, remove, sealed_folders, settled, write_sealed
from jax_ac.types import Metrics, TrainState

SCHEMA = 1
CONFIG, LANES, CHECKPOINT, RESULTS = "run.json", "lanes", "checkpoint", "results.nc"

MADE: set[Path] = set()
"""Folders of runs that this process has begun."""


class Config(NamedTuple):
    """What is trained, in JSON's types.

    Attributes:
      recipe: how the algorithm was made (`recipes`), or None.
      algorithm: a digest of what it computes (`fingerprint`).
      env: the environment's name.
      solved_at: its threshold, or None.
      hyperparams: a number each, or a list of them, one per setting.
      seeds: in order.
      max_updates, until_solved, tile_width, segment_updates, eval_every, eval_episodes: as `run` takes them.
      made: when, with which versions, on what device, at which git commit, by which command.
    """

    recipe: str | None
    algorithm: str
    env: str
    solved_at: float | None
    hyperparams: dict[str, Any]
    seeds: list[int]
    max_updates: int
    until_solved: bool
    tile_width: int
    segment_updates: int
    eval_every: int | None
    eval_episodes: int
    made: dict[str, Any]


class Records(NamedTuple):
    """Lanes with all that is known of them, leaves ``[n, ...]``.

    Attributes:
      setting: index of the hyperparameter setting, int32; 0 where there is one.
      seed: uint32.
      states: `TrainState`.
      metrics: `Metrics`, ``[n, U]``; what is beyond a lane's `num_updates` does not count.
    """

    setting: np.ndarray
    seed: np.ndarray
    states: TrainState
    metrics: Metrics


def create(path: Path, config: Config) -> None:
    """Makes the folder of a new run.

    Raises:
      ValueError: if there is something already, or it cannot be written to.
    """
    made = claim(path)
    try:
        write_config(path, config)
    except OSError as error:
        files.release_folder(made)
        raise ValueError(f"cannot write to the folder {path}: {error.strerror or error}.") from None
    MADE.add(path)


def claim(path: Path) -> list[Path]:
    """As `files.claim_folder`, also for a folder that stands for a URL."""
    remote.check_free(path)
    return files.claim_folder(path)


def write_config(path: Path, config: Config) -> None:
    """Writes ``run.json``, whole or not at all."""
    text = json.dumps({"schema": SCHEMA, **config._asdict()}, indent=1, allow_nan=False)
    files.write_whole(path / CONFIG, lambda temporary: temporary.write_text(text))
    remote.push(path / CONFIG)


def read_config(path: Path) -> Config:
    """What ``run.json`` says.

    Raises:
      ValueError: if the folder is not that of a run, or of another schema, or the file is not what a run writes.
    """
    if not path.is_dir():
        raise ValueError(f"there is no run folder {path}.")
    try:
        said = json.loads((path / CONFIG).read_text())
    except FileNotFoundError:
        raise ValueError(f"{path} is not the folder of a run: it has no {CONFIG}.") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path / CONFIG} cannot be read: {error}.") from None
    if not isinstance(said, dict) or "schema" not in said:
        raise ValueError(f"{path / CONFIG} is not what a run writes: it names no schema.")
    if said.pop("schema") != SCHEMA:
        raise ValueError(f"{path} was written with another schema than {SCHEMA}, that of this version of jax_ac.")
    if set(said) != set(Config._fields):
        wrong = sorted(set(said) ^ set(Config._fields))
        raise ValueError(f"{path / CONFIG} is not what a run writes: {', '.join(wrong)} missing or unknown.")
    for name, kinds in KINDS.items():
        if not isinstance(said[name], kinds) or (isinstance(said[name], bool) and kinds is not bool):
            raise ValueError(f"{path / CONFIG} is not what a run writes: {name} is {said[name]!r:.60}.")
    config = Config(**said)
    for name in ("max_updates", "tile_width", "segment_updates", "eval_every", "eval_episodes"):
        try:
            if said[name] is not None:
                check_positive(name, said[name])
        except ValueError as error:
            raise ValueError(f"{path / CONFIG} is not what a run writes: {error}") from None
    return config


KINDS: dict[str, Any] = {
    "recipe": str | None, "algorithm": str, "env": str, "solved_at": float | int | None, "hyperparams": dict, "seeds": list,
    "max_updates": int, "until_solved": bool, "tile_width": int, "segment_updates": int, "eval_every": int | None,
    "eval_episodes": int, "made": dict,
}  # fmt: skip


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keeps others from running in the same folder, where nothing is left half written. Raises `InUse` if one does."""
    with locks.held(path), remote.held(path):
        for name in (LANES, CHECKPOINT):
            clear(path / name)
        yield


def at_work(path: Path) -> bool:
    """Whether a process holds the lock of the folder."""
    return remote.is_held(path) if remote.is_remote(path) else locks.is_held(path)


def runs_in(path: Path) -> list[Path]:
    """The folder of a run itself; of a sweep of several programs, such as ``num_envs=8``, those of its programs."""
    programs = sorted(folder.parent for folder in path.glob(f"*=*/{CONFIG}"))
    return programs if programs and not (path / CONFIG).exists() else [path]


def discard(path: Path) -> None:
    """Takes the ``run.json`` that this process has made away again from a folder, and from those in it, if no lane has been
    saved in any of them. Another's run that began there at the same time is left alone."""
    folders = {path, *runs_in(path)}
    if any((folder / name).exists() for folder in folders for name in (LANES, CHECKPOINT)):
        return
    for folder in folders & MADE:
        with contextlib.suppress(InUse, FileNotFoundError), locks.held(folder):
            for name in (LOCK, CONFIG):
                (folder / name).unlink(missing_ok=True)
                remote.remove(folder / name)
            MADE.discard(folder)
        if folder != path:
            files.release_folder([folder])


def save(
    path: Path,
    ended: Records | None,
    unfinished: Records | None,
    process: tuple[int, int] = ALONE,
    replaced: Sequence[Path] | None = None,
) -> list[Path]:
    """Adds lanes that have ended, and puts the unfinished in the place of those of the last checkpoint.

    Args:
      path: the run folder.
      ended, unfinished: the lanes.
      process: which of how many that write there.
      replaced: the last checkpoint; whatever there is where None.

    Returns the new checkpoint, if there is one. Raises OSError if that cannot be written; what was there before is then
    still there.
    """
    for name in (LANES, CHECKPOINT):
        (path / name).mkdir(exist_ok=True)
    apart = remote.is_remote(path)
    if ended is not None:
        write_sealed(next_folder(path / LANES, apart=apart, process=process), ended)
    before = sealed_folders(path / CHECKPOINT) if replaced is None else replaced
    written = [] if unfinished is None else [next_folder(path / CHECKPOINT, apart=apart, process=process)]
    for folder in written:
        write_sealed(folder, unfinished)
    for folder in before:
        remove(folder)
    return written


def read_records(path: Path, like: Records) -> list[Records]:
    """All lanes on disk.

    Args:
      path: the run folder.
      like: for the structure, shapes and types; the first axis may have any length.

    Raises:
      ValueError: if a part is damaged, or of another algorithm.
    """
    with parts(path) as folders:
        return [read_sealed(folder, like) for folder in folders]


def parts(path: Path) -> AbstractContextManager[list[Path]]:
    """The sealed folders that count, to be read: checkpoints, and all lanes that have ended; see `store.settled`."""
    return settled(path / CHECKPOINT, path / LANES)
