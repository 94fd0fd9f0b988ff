"""The command ``jax-ac bench``: what can be typed, and all checks of it that need no JAX."""

import dataclasses
import math
from pathlib import Path
from typing import NamedTuple

import tyro

from jax_ac import files, tuning
from jax_ac.checks import Range, check_number, check_positive
from jax_ac.commands import checking

EXAMPLE = {"keras": "CartPole-v0"}
"""What an algorithm is measured on where no environment is given, if not on `USUAL`."""

USUAL = "CartPole-v1"


@dataclasses.dataclass(frozen=True)
class Bench:
    """Measure how fast this machine trains: compiling, updates and environment steps per second, memory.

    Repetitions take turns over all points; medians and ranges over them are shown. Takes about a minute.
    """

    env: tyro.conf.Positional[str | None] = None
    """Environment; CartPole-v1 if not given, for keras CartPole-v0."""
    algorithm: str = "a2c,ppo,keras"
    """Algorithms, with commas between them."""
    lanes: str = "1,16,64"
    """Numbers of lanes, that is of runs at once, with commas between them."""
    seconds: float = 3.0
    """How long each algorithm with each number of lanes is trained."""
    out: Path | None = None
    """A file ending in .json that keeps what was measured."""


class Measured(NamedTuple):
    """What is to be measured: algorithms with their environments and settings, each with these numbers of lanes."""

    algorithms: dict[str, tuple[str, tuning.Setting]]
    lanes: list[int]


def checked_bench(command: Bench) -> Measured:
    """What the command asks for. Raises BadInput where it cannot be done."""
    with checking():
        names, texts = _listed("--algorithm", command.algorithm), _listed("--lanes", command.lanes)
        chosen = {name: command.env or EXAMPLE.get(name, USUAL) for name in names}
        algorithms = {name: (env, tuning.setting(name, env)) for name, env in chosen.items()}
        if not all(text.isdecimal() for text in texts):
            raise ValueError(f"--lanes takes whole numbers with commas between them, such as 1,16, got {command.lanes!r}.")
        lanes = [check_positive("--lanes", int(text)) for text in texts]
        check_number("--seconds", command.seconds, Range(0, math.inf, open_low=True))
        if command.out is not None:
            files.check_file(command.out, (".json",))
    return Measured(algorithms, lanes)


def _listed(option: str, text: str) -> list[str]:
    items = [item.strip() for item in text.split(",")]
    for item in items:
        if items.count(item) > 1:
            raise ValueError(f"{option} was given {item!r} twice.")
    return items
