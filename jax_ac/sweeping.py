"""``jax-ac sweep``: settings in one program where they can be, one compilation for each combination of shapes."""

import csv
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jax_ac import files, tuning
from jax_ac.commands import Plan, Sweep, checking
from jax_ac.trainer import INTERRUPTED, assemble, find_env, is_tuned, updates_of

if TYPE_CHECKING:
    from jax_ac.protocols import Algorithm
    from jax_ac.report import Outcome
    from jax_ac.runs import Run
    from jax_ac.types import Env


class Program(NamedTuple):
    """One compiled program of a sweep: its shapes, the algorithm, its hyperparameters (``[H]``), and how many updates."""

    shapes: dict[str, int]
    algorithm: "Algorithm"
    hyperparams: tuple
    updates: int


def sweep(command: Sweep, plan: Plan) -> int:
    """Runs the command. Returns the exit status."""
    with checking():
        env = find_env(command)
        programs = _programs(command, plan, env)
        out = command.out or files.first_free(Path("runs") / f"{env.name}-{command.algorithm}-sweep")
        made = files.claim_folder(out)
    try:
        return _sweep(command, plan, env, programs, out)
    finally:
        files.release_folder(made)


def _programs(command: Sweep, plan: Plan, env: "Env") -> list[Program]:
    """All programs of the sweep, so that what cannot be built is said before anything is trained."""
    from jax_ac.runs import check_memory
    from jax_ac.settings import grid

    programs = []
    for values in itertools.product(*plan.shapes.values()):
        shapes = dict(zip(plan.shapes, values, strict=True))
        algorithm = assemble(command, env, tuning.change(plan.setting, command.algorithm, {}, shapes))
        hyperparams = grid(algorithm.hyperparams, **plan.numbers)
        updates = updates_of(command, algorithm)
        check_memory(command.seeds * len(hyperparams[0]), updates)
        programs.append(Program(shapes, algorithm, hyperparams, updates))
    return programs


def _sweep(command: Sweep, plan: Plan, env: "Env", programs: list[Program], out: Path) -> int:
    from rich.console import Console

    from jax_ac import plots, report
    from jax_ac.progress import ProgressLine
    from jax_ac.runs import run

    console = Console()
    num_settings = len(programs) * len(programs[0].hyperparams[0])
    title = f"{env.name}, {command.algorithm}, {num_settings} settings x {command.seeds} seeds"
    console.print(f"{title}{is_tuned(command)}", highlight=False)
    if plan.shapes:
        console.print(f"{', '.join(plan.shapes)} fix shapes: {len(programs)} programs, one after another", highlight=False)
    outcomes: list[report.Outcome] = []
    interrupted = False
    for program in programs:
        described = ", ".join(f"{name}={value}" for name, value in program.shapes.items())
        console.print(f"{described + ': ' if described else ''}compiling ...", highlight=False)
        with ProgressLine(console) as line:
            result = run(
                program.algorithm,
                command.seeds,
                max_updates=program.updates,
                hyperparams=program.hyperparams,
                until_solved=False,
                on_segment=line,
            )
        outcomes += _outcomes(program, plan, result)
        interrupted |= result.interrupted
        if interrupted:
            break
    outcomes.sort(key=lambda outcome: outcome.score, reverse=True)
    files.write_whole(out / "sweep.csv", lambda path: _write(outcomes, path))
    picture = plots.save(plots.sweep_curves(outcomes, solved_at=env.solved_at), out / "sweep.png")
    console.print(report.sweep_table(outcomes, title=title))
    console.print(f"learning curves: {picture}\nseed by seed:    {out / 'sweep.csv'}", highlight=False, soft_wrap=True)
    return INTERRUPTED if interrupted else 0


def _outcomes(program: Program, plan: Plan, result: "Run") -> "list[Outcome]":
    from jax_ac.report import Outcome

    num_seeds = result.lanes.shape[-1]
    outcomes = []
    for start in range(0, len(result.lanes.seed), num_seeds):
        lanes = slice(start, start + num_seeds)
        swept = {name: float(getattr(result.lanes.hyperparams, name)[start]) for name in plan.numbers}
        outcomes.append(
            Outcome(
                values={**program.shapes, **swept},
                seeds=result.lanes.seed[lanes],
                returns=result.marks.running_return[lanes],
                solved_step=result.marks.solved_step[lanes],
                diverged=result.marks.diverged_update[lanes] >= 0,
                env_steps=np.cumsum(np.nan_to_num(result.metrics.env_steps[lanes]), axis=1).mean(axis=0),
                curves=result.metrics.running_return[lanes],
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
