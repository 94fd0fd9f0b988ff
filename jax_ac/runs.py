"""Runs: the host's side of a training run. It hands lanes to the places of the tiles, a segment of updates at a time."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from jax_ac import dataset, hosts, interruption, memory, remote, restoring, run_folder, shared_runs
from jax_ac.clusters import RayCluster, cluster_of, connected, num_workers
from jax_ac.crews import LocalCrew
from jax_ac.loop import Loop
from jax_ac.plans import EVAL_EPISODES, Limits, Plan, check_current, new_plan, prepare, take_up
from jax_ac.progress import Progress, show
from jax_ac.protocols import Algorithm
from jax_ac.ray_crew import RayCrew
from jax_ac.results import Result
from jax_ac.saving import Saver
from jax_ac.schedule import Schedule
from jax_ac.shared_runs import Line, Share
from jax_ac.trackers import Tracker
from jax_ac.tracking import Feed

Executor = Literal["ray"] | RayCluster | None

SAVE_SECONDS = 30.0
"""Seconds between two checkpoints."""


class Host(NamedTuple):
    """How the host goes about a run: what it says to whom, how often it saves, and where its workers are if not here."""

    progress: Callable[[Progress], None] | bool = True
    trackers: Sequence[Tracker] = ()
    save_seconds: float = SAVE_SECONDS
    cluster: RayCluster | None = None


DEFAULT_HOST = Host()


def run(
    algorithm: Algorithm,
    seeds: int | Iterable[int],
    *,
    max_updates: int | None = None,
    total_steps: int | None = None,
    hyperparams: Any = None,
    until_solved: bool = True,
    eval_every: int | None = None,
    eval_episodes: int = EVAL_EPISODES,
    out: str | Path | None = None,
    progress: Callable[[Progress], None] | bool = True,
    trackers: Sequence[Tracker] = (),
    segment_updates: int | None = None,
    save_seconds: float = SAVE_SECONDS,
    tile_width: int | None = None,
    devices: Any = None,
    executor: Executor = None,
) -> Result:
    """Trains every lane until it is solved, has diverged, or has done `max_updates`.

    A lane that is done gives up its place at the end of the segment, and the next pending one begins there. Each lane's
    numbers are those of `train_many` at the same tile width, bit for bit on CPU. Ctrl-C ends the run after the compiled
    calls that are at work, in about a second; nothing is lost.

    In several processes, after `jax.distributed.initialize`, all call it alike, share the work, and get the whole result;
    the first of them reports, and each has its trackers told of its own lanes.

    Args:
      algorithm: from a preset or `actor_critic`.
      seeds: a number of seeds, or the seeds themselves.
      max_updates: the limit per lane; where None, that of `total_steps`, or else what the algorithm anneals over.
      total_steps: the limit per lane in environment steps: a multiple of those of an update.
      hyperparams: the algorithm's NamedTuple, scalar or ``[H]`` leaves; its defaults where None.
      until_solved: whether a solved lane is done, also where the algorithm itself would go on.
      eval_every: after how many updates a lane is evaluated, and where it ends without diverging; None: not at all.
        The metrics then have `greedy_return` and `sampled_return` (`evaluator.Scores`), NaN where nothing was evaluated.
      eval_episodes: episodes of an evaluation, greedy and sampled each; all agents have the same chances.
      out: a folder for the run (`run_folder`), or its URL in an object store (`remote`), from which `resume` goes on if it
        is interrupted or killed.
      progress: True shows a line while it works; a function is called with `Progress` after each compiled call instead.
      trackers: told of what each compiled call did (`trackers`).
      segment_updates: after how many updates the places of solved lanes are given to others; 50 until solved, else 200,
        where None. A compiled call is a segment, or as much of it as takes about a second.
      save_seconds: between two checkpoints.
      tile_width: lanes per tile; chosen for the device where None.
      devices: all local devices where None.
      executor: None: this process; ``"ray"`` or a `RayCluster`: the workers of a Ray cluster, with the same bits.

    Raises:
      ValueError, TypeError: as `train_many`; if the results would not fit in memory; if `out` is not empty or cannot be
        written to.
      OSError: if the run cannot be saved any more, or another process is gone (`hosts.Gone`); what was saved is whole.
    """
    host = Host(progress, trackers, save_seconds, cluster_of(executor))
    limits = Limits(max_updates, total_steps, until_solved, segment_updates, tile_width, eval_every, eval_episodes)
    with interruption.remembered(), remote.told(), connected(host.cluster):
        limits = limits._replace(num_devices=host.cluster and num_workers(host.cluster))
        if out is not None:
            return execute(prepare(out, algorithm, seeds, hyperparams, limits, devices), host)
        return execute(new_plan(algorithm, seeds, hyperparams, limits, devices), host)


def resume(
    path: str | Path,
    algorithm: Algorithm | None = None,
    *,
    seeds: int | Iterable[int] | None = None,
    max_updates: int | None = None,
    total_steps: int | None = None,
    progress: Callable[[Progress], None] | bool = True,
    trackers: Sequence[Tracker] = (),
    save_seconds: float = SAVE_SECONDS,
    devices: Any = None,
    executor: Executor = None,
) -> Result:
    """Goes on with a run from its folder, or extends a finished one; what is there is not trained again.

    On CPU the numbers are bit for bit those of a run that was never interrupted, on any number of devices.

    Args:
      path: the folder that `run` wrote, or its URL.
      algorithm: the one that trained, where it cannot be made from ``run.json``: where parts of it are the user's own.
      seeds: other seeds than before, the old ones among them, to extend the run.
      max_updates: a higher limit per lane than before, to extend the run; or `total_steps`. A lane that was solved, in a run
        until solved, stays as it is, or goes on to the end of its segment if the old limit cut that. An evaluation at the
        old limit stays.

    The other arguments are those of `run`.

    Raises:
      ValueError: if the folder is not that of a run, is damaged, is of another algorithm, is in use, or what is asked for
        does not extend it.
      OSError: as `run`.
    """
    host = Host(progress, trackers, save_seconds, cluster_of(executor))
    with interruption.remembered(), remote.told(), connected(host.cluster):
        plan = take_up(path, algorithm, seeds=seeds, max_updates=max_updates, total_steps=total_steps, devices=devices)
        return execute(plan, host)


def execute(plan: Plan, host: Host = DEFAULT_HOST) -> Result:
    """Trains what is left of a run, and saves it where there is a folder. Raises OSError as `run`."""
    if others := hosts.here():
        if host.cluster:
            raise ValueError("executor='ray' is for one process, which finds the workers itself.")
        return shared_runs.execute(plan, others, lambda own, share: _train_share(own, host, share), _publish)
    if plan.folder is None:
        return _train(plan, host)
    with run_folder.locked(plan.folder):
        check_current(plan)
        result = _train(plan, host)
        _publish(result)
    return result


def _publish(result: Result) -> None:
    """Writes the labelled results."""
    folder = result.folder or Path()
    try:
        dataset.write(result.data, folder / run_folder.RESULTS)
        remote.push(folder, all_files=True)
    except OSError as error:
        path = folder / run_folder.RESULTS
        raise OSError(f"{path} cannot be written ({error.strerror or error}); the lanes are saved.") from error


def _train_share(plan: Plan, host: Host, share: Share) -> Line:
    """What one of several processes does."""
    tiles, lanes, config, folder, records, spent = plan
    ends, processes = restoring.ends_of(config), share.hosts
    progress = host.progress if processes.index == 0 else False
    with LocalCrew(tiles, config, ends) as crew:
        schedule = Schedule(lanes, (len(crew), tiles.width), ends, restoring.shapes_of(tiles.algorithm, config))
        restoring.restore(schedule, records)
        schedule.share(share.draw)
        saver = Saver(folder or Path(), schedule, host.save_seconds, spent, share.process)
        loop = Loop(crew, schedule, saver, host.save_seconds)
        headline = _headline(plan, f"{crew.where} of each of {processes.count} processes")
        with Feed(host.trackers, lanes, config) as feed, show(progress, headline) as shown:
            line = Line(processes, schedule, shown)
            loop.run(feed, line, processes.stop)
    return line


def _train(plan: Plan, host: Host) -> Result:
    tiles, lanes, config, folder, records, spent = plan
    ends = restoring.ends_of(config)
    schedule = Schedule(lanes, (0, tiles.width), ends, restoring.shapes_of(tiles.algorithm, config))
    restoring.restore(schedule, records)
    left = int((~schedule.done).sum())
    with RayCrew(plan, host.cluster, left) if host.cluster and left else LocalCrew(tiles, config, ends) as crew:
        saver = Saver(folder, schedule, host.save_seconds, spent) if folder else None
        loop = Loop(crew, schedule, saver, host.save_seconds)
        with Feed(host.trackers, lanes, config) as feed, show(host.progress, _headline(plan, crew.where)) as line:
            interrupted = loop.run(feed, line)
    kept = (schedule.marks, schedule.metrics, schedule.states)
    return Result(tiles.algorithm, config, lanes, *kept, loop.spent(), interrupted, folder)


def _headline(plan: Plan, where: str) -> str:
    """What is about to be trained, where, and the memory that it will take."""
    tiles, config, num_lanes = plan.tiles, plan.config, len(plan.lanes.seed)
    scored = config.eval_every is not None
    results = memory.mebibytes(memory.result_bytes(tiles.algorithm, num_lanes, config.max_updates, scored))
    each = memory.mebibytes(memory.tile_bytes(tiles.algorithm, tiles.width, tiles.num_updates))
    return (
        f"{num_lanes:,} lanes x {config.max_updates:,} updates, {tiles.width} lanes at once on {where}; "
        f"memory: results {results}, each up to {each}"
    )
