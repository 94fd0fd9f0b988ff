"""``jax-ac sweep``: settings in one program where they can be, one compilation for each combination of shapes."""

import itertools
import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jax_ac import files, hosts, remote, tuning
from jax_ac.commands import Plan, Sweep, checking
from jax_ac.devices import cores_for
from jax_ac.errors import CannotTrain
from jax_ac.trainer import INTERRUPTED, assemble, claim, find_env, host_of, is_tuned, limits_of, reach, say, updates_of

if TYPE_CHECKING:
    from jax_ac.plans import Plan as RunPlan
    from jax_ac.protocols import Algorithm
    from jax_ac.results import Result
    from jax_ac.types import Env


class Program(NamedTuple):
    """One compiled program of a sweep: its shapes, the algorithm, its hyperparameters (``[H]``), and how many updates."""

    shapes: dict[str, Any]
    algorithm: "Algorithm"
    hyperparams: tuple
    updates: int


def sweep(command: Sweep, plan: Plan) -> int:
    """Runs the command. Returns the exit status."""
    with checking():
        out = command.out and remote.at(command.out)
        num_lanes = command.seeds * math.prod(len(values) for values in plan.numbers.values())
        env = find_env(command, most_cores=cores_for(num_lanes, command.tile_width))
        programs = _programs(command, plan)
        from jax_ac import run_folder

        out, made = claim(out, Path("runs") / f"{env.name}-{command.algorithm}-sweep")
    try:
        return _sweep(command, plan, programs, out)
    except (KeyboardInterrupt, CannotTrain):
        if hosts.leads():
            run_folder.discard(out)
        raise
    finally:
        files.release_folder(made)


def _programs(command: Sweep, plan: Plan) -> list[Program]:
    """All programs of the sweep, so that what cannot be built is said before anything is trained."""
    from jax_ac.memory import check_memory
    from jax_ac.settings import grid

    programs = []
    for values in itertools.product(*plan.shapes.values()):
        shapes = dict(zip(plan.shapes, values, strict=True))
        own = {name: value for name, value in shapes.items() if name in plan.setting.shapes}
        env = find_env(command, {name.removeprefix("env_"): shapes[name] for name in shapes if name.startswith("env_")})
        arguments: dict[str, Any] = {"stop_when_solved": False} if command.algorithm == "keras" else {}
        if "hidden_sizes" in shapes:
            arguments["network"] = _network(command.algorithm, env).clone(hidden_sizes=shapes["hidden_sizes"])
        algorithm = assemble(command, env, tuning.change(plan.setting, command.algorithm, {}, own), **arguments)
        hyperparams = grid(algorithm.hyperparams, **plan.numbers)
        updates = updates_of(command, algorithm)
        check_memory(algorithm, command.seeds * len(hyperparams[0]), updates)
        programs.append(Program(shapes, algorithm, hyperparams, updates))
    return programs


def _network(algorithm: str, env: "Env") -> Any:
    """The preset's own."""
    from jax_ac.networks import SharedActorCritic, default_network

    return SharedActorCritic(env.observation_space, env.action_space) if algorithm == "keras" else default_network(env)


def _shown(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _sweep(command: Sweep, plan: Plan, programs: list[Program], out: Path) -> int:
    from jax_ac.plans import prepare
    from jax_ac.runs import execute

    num_settings = len(programs) * len(programs[0].hyperparams[0])
    title = f"{command.env}, {command.algorithm}, {num_settings} settings x {command.seeds} seeds"
    say(f"{title}{is_tuned(command)}")
    if plan.shapes:
        say(f"{', '.join(plan.shapes)} fix shapes: {len(programs)} programs, one after another")
    with checking():
        reach(command)
        plans = []
        for program in programs:
            folder = out / ",".join(f"{name}={_shown(value)}" for name, value in program.shapes.items())
            limits = limits_of(command, program.updates, until_solved=False)
            prepared = prepare(folder, program.algorithm, command.seeds, program.hyperparams, limits)
            plans.append((prepared, host_of(command, folder)))
    return finish_sweep((execute(announced(plan), host) for plan, host in plans), out, title)


def announced(plan: "RunPlan") -> "RunPlan":
    """The plan, after a line that it is being compiled."""
    say(f"{plan.folder}: compiling ...")
    return plan


def finish_sweep(results: Iterable["Result"], out: Path, title: str) -> int:
    """Trains, as the results are asked for, and shows all settings, best first. Returns the exit status."""
    from rich.console import Console

    from jax_ac import findings, studies, summaries

    runs: dict[str, Result] = {}
    interrupted = False
    for result in results:
        runs["" if result.folder in (None, out) else result.folder.name] = result
        interrupted = result.interrupted
        if interrupted:
            break
    if not hosts.leads():
        return INTERRUPTED if interrupted else 0
    study = studies.of(runs, out.name)
    summaries.write_sweep(study, out / "sweep.csv")
    picture = summaries.draw_sweep(study, out / "sweep.png", title)
    settings = summaries.draw_settings(study, out / "settings.png", title)
    remote.push(out, all_files=True)
    Console().print(summaries.sweep_table(study, title))
    if interrupted:
        say(f"to go on with it: jax-ac resume {out}")
    else:
        say("\n".join(findings.honest(study)))
    if settings is not None:
        say(f"settings:        {settings}")
    say(f"learning curves: {picture}\nseed by seed:    {out / 'sweep.csv'}")
    say(f"to look at it:   jax-ac report {out}")
    return INTERRUPTED if interrupted else 0
