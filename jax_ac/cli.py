"""The command line, ``jax-ac``. Nothing heavy is imported before the arguments are known to be good."""

import dataclasses
import gc
import sys
from typing import Annotated, Any

import tyro

from jax_ac import interruption, remote
from jax_ac.bench_command import Bench, checked_bench
from jax_ac.commands import BadInput, Common, Sweep, Train, checked_sweep, checked_train
from jax_ac.errors import CannotTrain, unknown_name
from jax_ac.folder_commands import Render, Report, Resume

GARBAGE = 50_000
"""New objects until Python looks for garbage. Tracing makes many that stay; looking took a tenth of a command's time."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, by the shell's convention: 128 + SIGINT."""

POSITIONAL = ("env", "path", "paths", "numbers", "shapes")
"""Fields of commands that are no options."""

COMMANDS: Any = (
    Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Sweep, tyro.conf.subcommand("sweep")]
    | Annotated[Resume, tyro.conf.subcommand("resume")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Render, tyro.conf.subcommand("render")]
    | Annotated[Bench, tyro.conf.subcommand("bench")]
)


def main(args: list[str] | None = None) -> None:
    """The entry point of ``jax-ac``. Exit status 2 and one sentence on bad input, 130 after Ctrl-C."""
    gc.set_threshold(GARBAGE)
    description = "Actor-critic agents as pure JAX functions: hundreds of seeds in one compiled program."
    command, unknown = tyro.cli(COMMANDS, args=args, prog="jax-ac", description=description, return_unknown_args=True)
    try:
        if unknown:
            raise BadInput(unknown_name("option", unknown[0], _options(command)))
        with interruption.remembered(), remote.told():
            sys.exit(_run(command))
    except BadInput as error:
        print(f"jax-ac: {error}", file=sys.stderr)
        sys.exit(2)
    except (OSError, CannotTrain) as error:
        print(f"jax-ac: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("jax-ac: interrupted; a run that has been saved can be resumed.", file=sys.stderr)
        if args is None:  # a process of its own
            interruption.leave(INTERRUPTED)
        sys.exit(INTERRUPTED)


def _run(command: Train | Sweep | Resume | Render | Report | Bench) -> int:
    if isinstance(command, Bench):
        measured = checked_bench(command)
        from jax_ac.benching import bench

        return bench(command, measured)
    if isinstance(command, Report):
        from jax_ac.reporting import report

        return report(command)
    if isinstance(command, Render):
        from jax_ac.filming import film

        return film(command)
    if isinstance(command, Resume):
        from jax_ac.resuming import resume

        return resume(command)
    if isinstance(command, Sweep):
        plan = checked_sweep(command)
        from jax_ac.sweeping import sweep

        return sweep(command, plan)
    chosen = checked_train(command)
    from jax_ac.trainer import train

    return train(command, chosen)


def _options(command: Any) -> list[str]:
    parts = (command, command.numbers, command.shapes) if isinstance(command, Common) else (command,)
    names = [field.name for part in parts for field in dataclasses.fields(part) if field.name not in POSITIONAL]
    return [f"--{name.replace('_', '-')}" for name in names]


if __name__ == "__main__":
    main()
