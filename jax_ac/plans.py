"""Plans: what a run will train, checked before anything is compiled or written: a new run, or one that a folder holds."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jax_ac import hosts, remote, restoring, run_folder, spending
from jax_ac.budget import choose_updates
from jax_ac.checks import check_positive
from jax_ac.circumstances import circumstances
from jax_ac.devices import check_devices
from jax_ac.evaluator import check_every
from jax_ac.hosts import Hosts
from jax_ac.hyperparams import or_defaults
from jax_ac.lanes import Lanes, lay_out
from jax_ac.memory import check_memory
from jax_ac.protocols import Algorithm, check_algorithm
from jax_ac.run_folder import Config, Records
from jax_ac.spending import Spent
from jax_ac.tiles import Tiles, make_tiles

SEGMENT_UPDATES = {True: 50, False: 200}
"""Updates of a segment, until solved or not: at its end the places of finished lanes are given to others."""

EVAL_EPISODES = 10
"""Episodes of an evaluation while training, greedy and sampled each."""


class Limits(NamedTuple):
    """How far and in what pieces lanes are trained: as `run` takes them."""

    max_updates: int | None = None
    total_steps: int | None = None
    until_solved: bool = True
    segment_updates: int | None = None
    tile_width: int | None = None
    eval_every: int | None = None
    eval_episodes: int = EVAL_EPISODES
    num_devices: int | None = None
    """On which the lanes will be, where they are not those of this process."""


class Plan(NamedTuple):
    """What is trained, where it is kept, if anywhere, and what is there already: lanes, and what they cost."""

    tiles: Tiles
    lanes: Lanes
    config: Config
    folder: Path | None = None
    records: Sequence[Records] = ()
    spent: Sequence[Spent] = ()


def prepare(
    out: str | Path, algorithm: Algorithm, seeds: int | Iterable[int], hyperparams: Any, limits: Limits, devices: Any = None
) -> Plan:
    """Makes the folder of a run without training: `resume` can begin it. Raises as `run`."""
    folder = remote.at(out)
    plan = new_plan(algorithm, seeds, hyperparams, limits, devices)
    plan = plan._replace(folder=folder, config=plan.config._replace(algorithm=plan.tiles.fingerprint()))
    if others := hosts.here():
        return plan._replace(config=_agreed(others, folder, plan.config))
    run_folder.create(folder, plan.config)
    return plan


def take_up(
    path: str | Path,
    algorithm: Algorithm | None = None,
    *,
    seeds: int | Iterable[int] | None = None,
    max_updates: int | None = None,
    total_steps: int | None = None,
    devices: Any = None,
) -> Plan:
    """What `resume` trains, checked; what it adds is written into ``run.json``. Raises as `resume`."""
    if hosts.here():
        _check_shared(remote.at(path))
    path = remote.fetched(path)
    config = run_folder.read_config(path)
    algorithm = restoring.algorithm_of(path, config, algorithm)
    check_algorithm(algorithm)
    config = _extended(path, config, algorithm, seeds, max_updates, total_steps)
    lanes = restoring.lanes_of(path, config, algorithm)
    check_memory(algorithm, len(lanes.seed), config.max_updates, scored=config.eval_every is not None)
    check_devices(devices)
    per_segment, width = config.segment_updates, config.tile_width
    tiles = make_tiles(algorithm, len(lanes.seed), per_segment, width=width, devices=devices)
    if tiles.fingerprint() != config.algorithm:
        _refuse_other_algorithm(path, config)
    plan = Plan(tiles, lanes, config, path)
    found: list[Plan] = []

    def take() -> None:
        with run_folder.locked(path):
            found.append(_with_records(plan))
            run_folder.write_config(path, config)

    others = hosts.here()
    others.lead(take) if others else take()
    return found[0] if found else _with_records(plan)


def check_current(plan: Plan) -> None:
    """Raises `InUse` if another process has changed the run since the plan was made; none may be at work in its folder."""
    folder = plan.folder or Path()
    if run_folder.read_config(folder) != plan.config or spending.read(folder) != list(plan.spent):
        raise run_folder.InUse(f"another process has changed {folder} meanwhile; resume it again.")


def new_plan(algorithm: Algorithm, seeds: Any, hyperparams: Any, limits: Limits, devices: Any = None) -> Plan:
    """What is to be trained, checked."""
    check_algorithm(algorithm)
    max_updates = choose_updates(algorithm, limits.max_updates, limits.total_steps, name="max_updates")
    suited = SEGMENT_UPDATES[bool(limits.until_solved)]
    segment_updates = suited if limits.segment_updates is None else check_positive("segment_updates", limits.segment_updates)
    check_every(algorithm, limits.eval_every, limits.eval_episodes)
    check_devices(devices)
    lanes = lay_out(seeds, or_defaults(hyperparams, algorithm.hyperparams))
    check_memory(algorithm, len(lanes.seed), max_updates, scored=limits.eval_every is not None)
    others, width = hosts.here(), limits.tile_width
    num_devices = others.count * len(devices or jax.local_devices()) if others else limits.num_devices
    tiles = make_tiles(algorithm, len(lanes.seed), segment_updates, width=width, devices=devices, num_devices=num_devices)
    env = algorithm.env(algorithm.hyperparams) if algorithm.env else None
    config = Config(
        recipe=algorithm.recipe,
        algorithm="",
        env=env.name if env else "custom",
        solved_at=env.solved_at if env else None,
        hyperparams={name: values.tolist() for name, values in lanes.settings()._asdict().items()},
        seeds=lanes.seeds.tolist(),
        max_updates=max_updates,
        until_solved=limits.until_solved,
        tile_width=tiles.width,
        segment_updates=segment_updates,
        eval_every=limits.eval_every,
        eval_episodes=limits.eval_episodes,
        made=circumstances(),
    )
    return Plan(tiles, lanes, config)


def _with_records(plan: Plan) -> Plan:
    path, algorithm = plan.folder or Path(), plan.tiles.algorithm
    records = restoring.records_of(path, restoring.shapes_of(algorithm, plan.config))
    return plan._replace(records=records, spent=spending.read(path))


def _check_shared(folder: Path) -> None:
    if remote.is_remote(folder):
        raise ValueError("several processes need a folder on a file system that all of them share, not a URL.")


def _agreed(others: Hosts, folder: Path, config: Config) -> Config:
    """That of process 0, which makes the folder. Raises ValueError if this process was asked for another run."""
    _check_shared(folder)
    others.lead(lambda: run_folder.create(folder, config))
    leading = run_folder.read_config(folder)
    pairs = zip(Config._fields, config, leading, strict=True)
    differ = [name for name, ours, theirs in pairs if ours != theirs and name != "made"]
    if differ:
        raise ValueError(f"process {others.index} was asked for another run than process 0: {', '.join(differ)} differ.")
    return leading


def _extended(
    path: Path,
    config: Config,
    algorithm: Algorithm,
    seeds: int | Iterable[int] | None,
    max_updates: int | None,
    total_steps: int | None,
) -> Config:
    """The configuration with more seeds or updates."""
    if max_updates is not None or total_steps is not None:
        limit = choose_updates(algorithm, max_updates, total_steps, name="max_updates")
        if limit < config.max_updates:
            raise ValueError(f"max_updates can only grow: {path} has {config.max_updates:,}, got {limit:,}.")
        config = config._replace(max_updates=limit)
    if seeds is not None:
        chosen = lay_out(seeds, algorithm.hyperparams).seed.tolist()
        missing = sorted(set(config.seeds) - set(chosen))
        if missing:
            raise ValueError(f"seeds can only be added: {path} has seed {missing[0]}, which is not among those given.")
        config = config._replace(seeds=chosen)
    return config


def _refuse_other_algorithm(folder: Path, config: Config) -> None:
    then, now = config.made.get("packages"), circumstances()["packages"]
    changed = [name for name in now if not isinstance(then, dict) or then.get(name) != now[name]]
    reason = f"; since then {', '.join(changed)} changed" if changed else ""
    raise ValueError(
        f"{folder} is of another algorithm: its program is not the one that this makes{reason}; "
        f"if parts of it are your own, pass algorithm=."
    )
