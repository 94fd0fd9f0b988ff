"""``jax-ac sweep``: settings in one program where they can be, one compilation for each combination of shapes."""

import csv
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jax_ac import files, tracker_names, tuning
from jax_ac.commands import Plan, Sweep, checking
from jax_ac.trainer import INTERRUPTED, assemble, find_env, is_tuned, limits_of, say, updates_of

if TYPE_CHECKING:
    from jax_ac.plans import Plan as RunPlan
    from jax_ac.protocols import Algorithm
    from jax_ac.results import Result
    from jax_ac.summaries import Outcome
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
        env = find_env(command)
        programs = _programs(command, plan)
        out = command.out or files.first_free(Path("runs") / f"{env.name}-{command.algorithm}-sweep")
        made = files.claim_folder(out)
    try:
        return _sweep(command, plan, programs, out)
    except KeyboardInterrupt:
        from jax_ac import run_folder

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
    from jax_ac.runs import Host, execute

    num_settings = len(programs) * len(programs[0].hyperparams[0])
    title = f"{command.env}, {command.algorithm}, {num_settings} settings x {command.seeds} seeds"
    say(f"{title}{is_tuned(command)}")
    if plan.shapes:
        say(f"{', '.join(plan.shapes)} fix shapes: {len(programs)} programs, one after another")
    with checking():
        plans = []
        for program in programs:
            folder = out / ",".join(f"{name}={_shown(value)}" for name, value in program.shapes.items())
            limits = limits_of(command, program.updates, until_solved=False)
            prepared = prepare(folder, program.algorithm, command.seeds, program.hyperparams, limits)
            plans.append((prepared, Host(trackers=tracker_names.make(command.tracker, folder))))
    return finish_sweep((execute(announced(plan), host) for plan, host in plans), out, title)


def announced(plan: "RunPlan") -> "RunPlan":
    """The plan, after a line that it is being compiled."""
    say(f"{plan.folder}: compiling ...")
    return plan


def finish_sweep(results: Iterable["Result"], out: Path, title: str) -> int:
    """Trains, as the results are asked for, and shows all settings, best first. Returns the exit status."""
    from rich.console import Console

    from jax_ac import summaries

    outcomes: list[Outcome] = []
    interrupted = False
    solved_at = None
    for result in results:
        outcomes += outcomes_of(result, out)
        solved_at, interrupted = result.config.solved_at, result.interrupted
        if interrupted:
            break
    outcomes.sort(key=lambda outcome: outcome.score, reverse=True)
    files.write_whole(out / "sweep.csv", lambda path: _write(outcomes, path))
    picture = summaries.draw_sweep(outcomes, out / "sweep.png", solved_at, title)
    settings = summaries.draw_settings(outcomes, out / "settings.png", title)
    Console().print(summaries.sweep_table(outcomes, title=title))
    if interrupted:
        say(f"to go on with it: jax-ac resume {out}")
    else:
        say(summaries.chosen(outcomes))
    if settings is not None:
        say(f"settings:        {settings}")
    say(f"learning curves: {picture}\nseed by seed:    {out / 'sweep.csv'}")
    say(f"to look at it:   jax-ac report {out}")
    return INTERRUPTED if interrupted else 0


def outcomes_of(result: "Result", out: Path) -> "list[Outcome]":
    """What each setting of a run came to; the shapes of its program are the name of its folder below `out`."""
    from jax_ac.summaries import Outcome

    below = result.folder.relative_to(out).name if result.folder else ""
    shapes: dict[str, Any] = {name: value for name, _, value in (part.partition("=") for part in below.split(",") if part)}
    columns = {name: values for name, values in result.config.hyperparams.items() if isinstance(values, list)}
    num_seeds = len(result.lanes.seeds)
    outcomes = []
    for setting in range(len(result.lanes.seed) // num_seeds):
        lanes = slice(setting * num_seeds, (setting + 1) * num_seeds)
        swept = {name: values[setting] for name, values in columns.items() if len(set(values)) > 1}
        outcomes.append(
            Outcome(
                values={**shapes, **{name: f"{value:g}" for name, value in swept.items()}},
                seeds=result.lanes.seed[lanes],
                returns=result.marks.running_return[lanes],
                solved_step=result.marks.solved_step[lanes],
                diverged=result.marks.diverged_update[lanes] >= 0,
                env_steps=np.cumsum(np.nan_to_num(result.metrics.env_steps[lanes]), axis=1).mean(axis=0),
                curves=np.asarray(result.metrics.running_return[lanes]),
            )
        )
    return outcomes


def _write(outcomes: "list[Outcome]", path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*outcomes[0].values, "seed", "running_return", "solved_step", "diverged"])
        for outcome in outcomes:
            columns = (outcome.seeds, outcome.returns, outcome.solved_step, outcome.diverged.astype(int))
            rows = zip(*(column.tolist() for column in columns), strict=True)
            writer.writerows([*outcome.values.values(), *row] for row in rows)
