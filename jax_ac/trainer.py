"""``jax-ac train``: from a checked command to a table, a picture and a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jax_ac import files, hosts, joining, remote, tracker_names, tuning
from jax_ac.commands import Common, Train, checking, env_params
from jax_ac.devices import cores_for, use_all_cores
from jax_ac.errors import CannotTrain
from jax_ac.folder_commands import Resume

if TYPE_CHECKING:
    from jax_ac.clusters import RayCluster
    from jax_ac.plans import Limits
    from jax_ac.protocols import Algorithm
    from jax_ac.results import Result
    from jax_ac.runs import Host
    from jax_ac.types import Env

DEFAULT_UPDATES = 1000
INTERRUPTED = 130


def train(command: Train, setting: tuning.Setting) -> int:
    """Runs the command. Returns the exit status."""
    with checking():
        out = command.out and remote.at(command.out)
        env = find_env(command, most_cores=cores_for(command.seeds, command.tile_width))
        from jax_ac import run_folder
        from jax_ac.memory import check_memory

        keras = command.algorithm == "keras"
        until_solved = keras if command.until_solved is None else command.until_solved
        arguments = {"stop_gradient": command.stop_gradient, "stop_when_solved": until_solved} if keras else {}
        algorithm = assemble(command, env, setting, **arguments)
        updates = updates_of(command, algorithm)
        check_memory(algorithm, command.seeds, updates)
        out, made = claim(out, Path("runs") / f"{env.name}-{command.algorithm}")
    try:
        return _train(command, algorithm, updates, until_solved, out)
    except (KeyboardInterrupt, CannotTrain):
        if hosts.leads():
            run_folder.discard(out)
        raise
    finally:
        files.release_folder(made)


def _train(command: Train, algorithm: "Algorithm", updates: int, until_solved: bool, out: Path) -> int:
    from jax_ac.plans import prepare
    from jax_ac.runs import execute

    title = f"{command.env}, {command.algorithm}, {command.seeds} seeds"
    say(f"{title}{is_tuned(command)}: compiling ...")
    with checking():
        reach(command)
        plan = prepare(out, algorithm, command.seeds, None, limits_of(command, updates, until_solved))
        host = host_of(command, out)
    return finish(execute(plan, host), title)


def claim(out: Path | None, default: Path) -> tuple[Path, list[Path]]:
    """The folder to write to, made, and what to release in the end (`files`). Of several processes the first makes it."""
    from jax_ac import run_folder

    made: list[Path] = []

    def choose() -> str:
        chosen = out or files.first_free(default)
        made.extend(run_folder.claim(chosen))
        return str(chosen)

    others = hosts.here()
    return Path(others.lead(choose) if others else choose()), made


def cluster_named(command: Common | Resume) -> "RayCluster | None":
    """Where the workers are to be, if not in this process."""
    from jax_ac.clusters import RayCluster

    return RayCluster(command.address, command.workers) if command.executor == "ray" else None


def reach(command: Common | Resume) -> None:
    """Connects to the cluster that the command names, if it names one, before anything is written.

    Raises ValueError if there is none, or nothing to work on in it.
    """
    from jax_ac.clusters import connect, num_workers

    cluster = cluster_named(command)
    if cluster is not None:
        connect(cluster)  # to the end of the process
        num_workers(cluster)


def host_of(command: Common | Resume, folder: Path) -> "Host":
    """How the host goes about a run in a folder, which is there: trackers may write to it at once."""
    from jax_ac.runs import Host

    cluster = cluster_named(command)
    return Host(trackers=tracker_names.make(command.tracker, folder), cluster=cluster)


def say(text: str) -> None:
    """A line for the user, whom one of several processes tells."""
    from rich.console import Console

    if hosts.leads():
        Console().print(remote.shown(text), highlight=False, soft_wrap=True)


def finish(result: "Result", title: str) -> int:
    """Shows what a run came to, and leaves a picture and a table in its folder. Returns the exit status."""
    from rich.console import Console

    from jax_ac import summaries

    if not hosts.leads():
        return INTERRUPTED if result.interrupted else 0
    out = result.folder or Path()
    summaries.write_lanes(result, out / "lanes.csv")
    picture = summaries.draw(result, out / "learning_curves.png")
    Console().print(summaries.table(result, title=title))
    for line in result.quarantined():
        say(line)
    if result.config.solved_at is not None:
        say(f"fraction solved: {summaries.draw_solved(result, out / 'solved.png')}")
    remote.push(out, all_files=True)
    say(f"learning curves: {picture}\nseed by seed:    {out / 'lanes.csv'}\nthe run itself:  {out}")
    say(f"to look at it:   jax-ac report {out}")
    if result.interrupted:
        say(f"to go on with it: jax-ac resume {out}")
    return INTERRUPTED if result.interrupted else 0


def use_devices(distributed: bool = False, most_cores: int | None = None) -> None:
    """Makes JAX find its devices, cores among them, and keep what it compiles; and the processes of its job.

    Raises ValueError if there are none.
    """
    from jax_ac import program_cache

    use_all_cores(most_cores)
    program_cache.use()
    if distributed:
        joining.join()
    import jax

    try:
        jax.local_devices()
    except (RuntimeError, AssertionError) as error:
        platforms = jax.config.values["jax_platforms"]
        raise ValueError(f"JAX found no device of the platforms {platforms!r} that it was told to use: {error}") from error


def find_env(command: Common, static: dict[str, Any] | None = None, most_cores: int | None = None) -> "Env":
    """The environment, after JAX has found its devices, with the numbers of the command and others."""
    use_devices(command.distributed, most_cores)
    from jax_ac.envs import make_env

    return make_env(command.env, **{**env_params(command), **(static or {})})


def assemble(command: Common, env: "Env", setting: tuning.Setting, **arguments: Any) -> "Algorithm":
    """The algorithm; where it anneals, over the budget of the command."""
    if command.algorithm in tuning.ANNEALED:
        per_update = setting.shapes["num_envs"] * setting.shapes["num_steps"]
        arguments["total_steps"] = command.total_steps or per_update * (command.max_updates or DEFAULT_UPDATES)
    return tuning.build(command.algorithm, env, setting, **arguments)


def updates_of(command: Common, algorithm: "Algorithm") -> int:
    """The number of updates that the command asks for."""
    from jax_ac.budget import choose_updates

    given = command.max_updates if command.total_steps or command.max_updates else DEFAULT_UPDATES
    return choose_updates(algorithm, given, command.total_steps, name="max_updates")


def limits_of(command: Common, updates: int, until_solved: bool) -> "Limits":
    """How far and in what pieces lanes are trained."""
    from jax_ac.clusters import num_workers
    from jax_ac.plans import Limits

    given = {"tile_width": command.tile_width, "eval_every": command.eval_every, "eval_episodes": command.eval_episodes}
    cluster = cluster_named(command)
    return Limits(updates, until_solved=until_solved, **given, num_devices=cluster and num_workers(cluster))


def is_tuned(command: Common) -> str:
    """A remark for the title."""
    return ", settings tuned for it" if (command.algorithm, command.env) in tuning.TUNED else ""
