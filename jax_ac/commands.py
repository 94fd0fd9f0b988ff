"""Commands: what can be typed after ``jax-ac``, and all checks of it that need no JAX."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tyro

from jax_ac import remote, tracker_names, tuning
from jax_ac.checks import ACTION_BOUNDS, FINITE, check_hyperparams, check_number, check_positive
from jax_ac.errors import unknown_name
from jax_ac.placing import Placed, check_placed


class BadInput(Exception):
    """What the user typed cannot be done; the message is the sentence for the user."""


@contextlib.contextmanager
def checking() -> Iterator[None]:
    """Turns the errors of the library's doors into `BadInput`. Errors elsewhere are ours, and keep their traceback."""
    try:
        with remote.told():
            yield
    except (ValueError, TypeError) as error:
        raise BadInput(error) from error


def _optional(kind: type, defaults: dict[str, dict[str, Any]]) -> list[tuple]:
    """Dataclass fields that default to None, with a help text that says which algorithms have them."""

    def described(owners: dict[str, Any]) -> Any:
        return tyro.conf.arg(help=", ".join(f"{preset} {value:g}" for preset, value in owners.items()) + ".")

    return [
        (name, Annotated[kind | None, described(owners)], dataclasses.field(default=None))
        for name, owners in defaults.items()
    ]


def _by_name(values_of: Any) -> dict[str, dict[str, Any]]:
    """``{name: {preset: default}}``."""
    result: dict[str, dict[str, Any]] = {}
    for preset, setting in tuning.DEFAULTS.items():
        for name, value in values_of(setting).items():
            result.setdefault(name, {})[preset] = value
    return result


_NUMBERS = _optional(float, _by_name(lambda setting: setting.hyperparams._asdict()))
Numbers: Any = dataclasses.make_dataclass("Numbers", _NUMBERS, frozen=True)
"""Hyperparameters, each None where not given."""

Shapes: Any = dataclasses.make_dataclass("Shapes", _optional(int, _by_name(lambda setting: setting.shapes)), frozen=True)
"""Arguments that fix shapes, each None where not given."""

NO_NUMBERS, NO_SHAPES = Numbers(), Shapes()


@dataclasses.dataclass(frozen=True)
class Common(Placed):
    """What all commands take."""

    env: tyro.conf.Positional[str] = "CartPole-v0"
    """Environment: CartPole-v0, CartPole-v1, or any other id of gymnax that the algorithm can take."""
    algorithm: str = "keras"
    """keras (the actor-critic of the Keras example, faithful in every constant), reinforce, one_step, a2c or ppo."""
    seeds: int = 64
    """How many seeds: 0, 1, ... The result of a seed does not depend on how many there are."""
    max_updates: int | None = None
    """Stop a seed after so many updates; 1000 if neither this nor --total-steps is given (one episode each with keras)."""
    total_steps: int | None = None
    """Stop a seed after so many environment steps; a multiple of an update's (a2c and ppo anneal their learning rate)."""
    out: Path | None = None
    """Folder for the run, or its URL in an object store (s3://bucket/runs/demo); a new one under runs/ if not given."""
    tile_width: int | None = None
    """Lanes trained at once on each device; chosen for the device if not given. Numbers depend on it in their last bits."""
    eval_every: int | None = None
    """Play episodes with the agents after every so many updates, and where they end; not if not given."""
    eval_episodes: int = 10
    """Episodes of an evaluation: so many with the most probable actions, and so many with drawn ones."""
    tracker: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Also write the metrics, as they come, for jsonl, csv, tensorboard, wandb or mlflow; may be given several times."""
    env_param: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """A number of the environment, such as length=1.0; may be given several times."""
    numbers: Annotated[Any, tyro.conf.arg(name="", constructor=Numbers)] = NO_NUMBERS
    shapes: Annotated[Any, tyro.conf.arg(name="", constructor=Shapes)] = NO_SHAPES


@dataclasses.dataclass(frozen=True)
class Train(Common):
    """Train an algorithm on many seeds at once.

    Ends with a table and a picture of the learning curves. Where the settings for an environment were tuned, those are the
    defaults.
    """

    until_solved: bool | None = None
    """Stop a seed once its running return exceeds the environment's threshold; keras does unless told otherwise."""
    stop_gradient: tyro.conf.FlagCreatePairsOff[bool] = False
    """keras: hold the advantage constant in the actor's loss, as textbooks do and the Keras example does not."""


@dataclasses.dataclass(frozen=True)
class Sweep(Common):
    """Train an algorithm on every combination of some values, on many seeds each.

    Numbers of the algorithm and (as env_<name>) of the environment are an axis of one compiled program; values that fix
    shapes, such as num_envs, are looped over, one compilation each. Ends with a table of the settings, best first.
    """

    grid: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Values to try, such as learning_rate=1e-3,3e-4; may be given several times: every combination is trained."""


class Plan(NamedTuple):
    """A sweep, checked: the setting it departs from, the numbers to try in one program, and what takes one program each.

    `shapes` are shapes of the preset, ``hidden_sizes`` (tuples), and the numbers of an environment that are fixed in a
    program, as ``env_<name>``.
    """

    setting: tuning.Setting
    numbers: dict[str, list[float]]
    shapes: dict[str, list[Any]]


def _whole(name: str, text: str) -> int:
    return check_positive(name, _parsed(int, name, text))


def _real(name: str, text: str) -> float:
    return check_number(name, _parsed(float, name, text), FINITE)


def _sizes(name: str, text: str) -> tuple[int, ...]:
    return tuple(_whole(name, size) for size in text.split("x"))


STATIC = {
    "hidden_sizes": _sizes,
    "env_max_steps_in_episode": _whole,
    **dict.fromkeys(map("env_{}".format, ACTION_BOUNDS), _real),
}
"""What no preset has as a number, but can be looped over by ``sweep``; how each is read."""


def checked_train(command: Train) -> tuning.Setting:
    """The settings that the command asks for. Raises BadInput where it cannot be done."""
    with checking():
        setting = _checked(command)
        if command.stop_gradient and command.algorithm != "keras":
            raise ValueError(f"--stop-gradient is for keras, not {command.algorithm}.")
        return setting


def checked_sweep(command: Sweep) -> Plan:
    """The plan of a sweep. Raises BadInput where it cannot be done."""
    with checking():
        setting = _checked(command)
        if not command.grid:
            raise ValueError("sweep needs --grid, such as --grid learning_rate=1e-3,3e-4.")
        numbers: dict[str, list[float]] = {}
        shapes: dict[str, list[Any]] = {}
        for text in command.grid:
            name, values = _assignment("--grid", text)
            if name in numbers or name in shapes:
                raise ValueError(f"--grid was given {name} twice.")
            items = [item.strip() for item in values.split(",")]
            if name in setting.shapes or name in STATIC:
                shapes[name] = list(dict.fromkeys(STATIC.get(name, _whole)(name, item) for item in items))
                continue
            if not name.startswith("env_") and name not in setting.hyperparams._fields:
                valid = (*setting.hyperparams._fields, *setting.shapes, *STATIC, "env_<number of the environment>")
                raise ValueError(unknown_name(f"number of {command.algorithm} to sweep", name, valid))
            numbers[name] = [check_number(name, _parsed(float, name, item)) for item in items]
        if not {"num_envs", "num_steps"}.isdisjoint(shapes) and command.total_steps is None:
            raise ValueError("a sweep over num_envs or num_steps needs --total-steps: updates differ in their steps.")
        return Plan(setting, numbers, shapes)


def env_params(command: Common) -> dict[str, float]:
    """The numbers given with ``--env-param``."""
    pairs = (_assignment("--env-param", text) for text in command.env_param)
    numbers: dict[str, float] = {}
    for name, value in pairs:
        if name in numbers:
            raise ValueError(f"--env-param was given {name} twice.")
        numbers[name] = check_number(name, _parsed(float, name, value), FINITE)
    return numbers


def _checked(command: Common) -> tuning.Setting:
    setting = tuning.setting(command.algorithm, command.env)
    check_placed(command)
    check_positive("--seeds", command.seeds)
    if command.max_updates is not None and command.total_steps is not None:
        raise ValueError("give --max-updates or --total-steps, not both.")
    if command.max_updates is not None:
        check_positive("--max-updates", command.max_updates)
    if command.total_steps is not None:
        check_positive("--total-steps", command.total_steps)
    for name in ("tile_width", "eval_every", "eval_episodes"):
        if getattr(command, name) is not None:
            check_positive(f"--{name.replace('_', '-')}", getattr(command, name))
    tracker_names.check(command.tracker, alone=not command.distributed)
    given = [
        {name: value for name, value in dataclasses.asdict(part).items() if value is not None}
        for part in (command.numbers, command.shapes)
    ]
    env_params(command)
    setting = tuning.change(setting, command.algorithm, *given)
    check_hyperparams(setting.hyperparams)
    return setting


def _assignment(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise ValueError(f"{option} takes name=value, got {text!r}.")
    return name.strip().replace("-", "_"), value


def _parsed(kind: type, name: str, text: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{name} must be a {'whole ' * (kind is int)}number, got {text!r}.") from None
