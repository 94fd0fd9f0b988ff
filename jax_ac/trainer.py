"""``jax-ac train``: from a checked command to a table, a picture and a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jax_ac import files, tuning
from jax_ac.commands import Common, Train, checking, env_params

if TYPE_CHECKING:
    from jax_ac.protocols import Algorithm
    from jax_ac.types import Env

DEFAULT_UPDATES = 1000
INTERRUPTED = 130


def train(command: Train, setting: tuning.Setting) -> int:
    """Runs the command. Returns the exit status."""
    with checking():
        env = find_env(command)
        arguments = {"stop_gradient": command.stop_gradient} if command.algorithm == "keras" else {}
        algorithm = assemble(command, env, setting, **arguments)
        out = command.out or files.first_free(Path("runs") / f"{env.name}-{command.algorithm}")
        made = files.claim_folder(out)
    try:
        return _train(command, env, algorithm, out)
    finally:
        files.release_folder(made)


def find_env(command: Common) -> "Env":
    """The environment, after JAX has found its devices, or has been found to have none."""
    from jax_ac.devices import use_all_cores

    use_all_cores()
    import jax

    from jax_ac.envs import make_env

    try:
        jax.local_devices()
    except (RuntimeError, AssertionError) as error:
        platforms = jax.config.values["jax_platforms"]
        raise ValueError(f"JAX found no device of the platforms {platforms!r} that it was told to use: {error}") from error
    return make_env(command.env, **env_params(command))


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
    per_update, most = algorithm.steps_per_update, algorithm.num_updates
    return choose_updates(given, command.total_steps, steps_per_update=per_update, most=most, name="max_updates")


def is_tuned(command: Common) -> str:
    """A remark for the title."""
    return ", settings tuned for it" if (command.algorithm, command.env) in tuning.TUNED else ""


def _train(command: Train, env: "Env", algorithm: "Algorithm", out: Path) -> int:
    from rich.console import Console

    from jax_ac import report
    from jax_ac.progress import ProgressLine
    from jax_ac.runs import check_memory, run

    with checking():
        updates = updates_of(command, algorithm)
        check_memory(command.seeds, updates)
    console = Console()
    title = f"{env.name}, {command.algorithm}, {command.seeds} seeds"
    console.print(f"{title}{is_tuned(command)}: compiling ...", highlight=False)
    until_solved = command.algorithm == "keras" if command.until_solved is None else command.until_solved
    with ProgressLine(console) as line:
        result = run(algorithm, command.seeds, max_updates=updates, until_solved=until_solved, on_segment=line)
    report.write_lanes(result, out / "lanes.csv")
    picture = report.draw(result, env, out / "learning_curves.png")
    console.print(report.table(result, env, title=title))
    console.print(f"learning curves: {picture}\nseed by seed:    {out / 'lanes.csv'}", highlight=False, soft_wrap=True)
    return INTERRUPTED if result.interrupted else 0
