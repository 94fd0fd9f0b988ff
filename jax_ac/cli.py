"""The command line, ``jax-ac``. Nothing heavy is imported before the arguments are known to be good."""

import contextlib
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from jax_ac import files
from jax_ac.checks import check_hyperparams, check_positive
from jax_ac.errors import unknown_name
from jax_ac.hyperparams import KerasHyperparams

if TYPE_CHECKING:
    from jax_ac.protocols import Algorithm
    from jax_ac.types import Env

ALGORITHMS = ("keras",)

DEFAULTS = KerasHyperparams()

INTERRUPTED = 130
"""Exit status after Ctrl-C, by the shell's convention: 128 + SIGINT."""


@dataclasses.dataclass(frozen=True)
class Train:
    """Train an algorithm on many seeds at once, until every one is solved.

    Ends with a table and a picture of the learning curves.
    """

    env: tyro.conf.Positional[str] = "CartPole-v0"
    """Environment: CartPole-v0, CartPole-v1, or any other id of gymnax that the algorithm can take."""
    algorithm: str = "keras"
    """keras: the actor-critic of the Keras example, faithful in every constant."""
    seeds: int = 64
    """How many seeds: 0, 1, ... The result of a seed does not depend on how many there are."""
    max_updates: int = 1000
    """Stop a seed after so many updates (one episode each), solved or not."""
    out: Path | None = None
    """Folder for the picture and the table; a new one under runs/ if not given."""
    stop_gradient: tyro.conf.FlagCreatePairsOff[bool] = False
    """Hold the advantage constant in the actor's loss, as textbooks do and the Keras example does not."""
    hyperparams: Annotated[KerasHyperparams, tyro.conf.arg(name="")] = DEFAULTS


COMMANDS: Any = Annotated[Train, tyro.conf.subcommand("train")] | Annotated[None, tyro.conf.Suppress]
"""What tyro parses; it needs a union of two to make subcommands."""


def main(args: list[str] | None = None) -> None:
    """The entry point of ``jax-ac``. Exit status 2 and one sentence on bad input, 130 after Ctrl-C."""
    description = "Actor-critic agents as pure JAX functions: hundreds of seeds in one compiled program."
    command, unknown = tyro.cli(COMMANDS, args=args, prog="jax-ac", description=description, return_unknown_args=True)
    try:
        if unknown:
            raise BadInput(unknown_name("option", unknown[0], _options(command)))
        sys.exit(train(command))
    except BadInput as error:
        print(f"jax-ac: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("jax-ac: interrupted before the first results; nothing was saved.", file=sys.stderr)
        sys.exit(INTERRUPTED)


class BadInput(Exception):
    """What the user typed cannot be done; the message is the sentence for the user."""


@contextlib.contextmanager
def _checking() -> Iterator[None]:
    """Turns the errors of the library's doors into `BadInput`. Errors elsewhere are ours, and keep their traceback."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise BadInput(error) from error


def _options(command: Train) -> list[str]:
    fields = (*(field.name for field in dataclasses.fields(command)), *command.hyperparams._fields)
    return [f"--{name.replace('_', '-')}" for name in fields if name not in ("env", "hyperparams")]


def train(command: Train) -> int:
    """Runs ``jax-ac train``. Returns the exit status."""
    with _checking():
        _check(command)
    from jax_ac.devices import use_all_cores

    use_all_cores()
    with _checking():
        env, algorithm = _assemble(command)
        out = command.out or files.first_free(Path("runs") / f"{env.name}-{command.algorithm}")
        made = files.claim_folder(out)
    try:
        return _train(command, env, algorithm, out)
    finally:
        files.release_folder(made)


def _check(command: Train) -> None:
    """All that can be checked without JAX."""
    if command.algorithm not in ALGORITHMS:
        raise ValueError(unknown_name("algorithm", command.algorithm, ALGORITHMS))
    check_positive("--seeds", command.seeds)
    check_positive("--max-updates", command.max_updates)
    check_hyperparams(command.hyperparams)


def _assemble(command: Train) -> "tuple[Env, Algorithm]":
    """The environment and the algorithm; by then JAX has found its devices, or has been found to have none."""
    import jax

    from jax_ac.presets import keras_actor_critic
    from jax_ac.envs import make_env

    try:
        jax.local_devices()
    except (RuntimeError, AssertionError) as error:
        platforms = jax.config.values["jax_platforms"]
        raise ValueError(f"JAX found no device of the platforms {platforms!r} that it was told to use: {error}") from error
    env = make_env(command.env)
    return env, keras_actor_critic(env, stop_gradient=command.stop_gradient, hyperparams=command.hyperparams)


def _train(command: Train, env: "Env", algorithm: "Algorithm", out: Path) -> int:
    from rich.console import Console

    from jax_ac import report
    from jax_ac.progress import ProgressLine
    from jax_ac.runs import check_memory, run

    with _checking():
        check_memory(command.seeds, command.max_updates)
    console = Console()
    title = f"{env.name}, {command.algorithm}, {command.seeds} seeds"
    console.print(f"{title}: compiling ...", highlight=False)
    with ProgressLine(console) as line:
        result = run(algorithm, command.seeds, max_updates=command.max_updates, on_segment=line)
    report.write_lanes(result, out / "lanes.csv")
    picture = report.draw(result, env, out / "learning_curves.png")
    console.print(report.table(result, title=title))
    console.print(f"learning curves: {picture}\nseed by seed:    {out / 'lanes.csv'}", highlight=False, soft_wrap=True)
    return INTERRUPTED if result.interrupted else 0


if __name__ == "__main__":
    main()
