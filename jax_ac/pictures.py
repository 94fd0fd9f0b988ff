"""Pictures of environments: states of classic control as gymnasium draws them, those of MinAtar as gymnax does."""

import dataclasses
import importlib
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jax_ac.gymnax_envs import board
from jax_ac.types import PyTree

Draw = Callable[[PyTree], np.ndarray]
"""``(state of the environment) -> uint8 [height, width, 3]``."""


class Artist(NamedTuple):
    """How an environment is drawn, and how many of its steps make a second of its time."""

    draw: Draw
    speed: float


class Scene(NamedTuple):
    """Which gymnasium environment draws a state, and what it is told.

    Attributes:
      home: the name of its class.
      fields: of our state, in the order of gymnasium's.
      numbers: of our environment that it draws, and its names for them.
      beside: fields of our state that it keeps beside its own, by the same name.
    """

    home: str
    fields: tuple[str, ...]
    numbers: Mapping[str, str]
    beside: tuple[str, ...] = ()


_CARTPOLE = Scene("CartPoleEnv", ("x", "x_dot", "theta", "theta_dot"), {"length": "length", "x_threshold": "x_threshold"})
_HILL = {name: name for name in ("min_position", "max_position", "goal_position")}

SCENES = {
    "CartPole-v0": _CARTPOLE,
    "CartPole-v1": _CARTPOLE,
    "Acrobot-v1": Scene(
        "AcrobotEnv",
        ("joint_angle1", "joint_angle2", "velocity_1", "velocity_2"),
        {"link_length_1": "LINK_LENGTH_1", "link_length_2": "LINK_LENGTH_2"},
    ),
    "Pendulum-v1": Scene("PendulumEnv", ("theta", "theta_dot"), {}, ("last_u",)),
    "MountainCar-v0": Scene("MountainCarEnv", ("position", "velocity"), _HILL),
    "MountainCarContinuous-v0": Scene("Continuous_MountainCarEnv", ("position", "velocity"), _HILL),
}
"""By the names of environments."""

BOARD_SPEED = 15.0
"""Steps of a MinAtar game in a second."""


def artist(name: str, numbers: Mapping[str, Any], state: PyTree) -> Artist | None:
    """Who draws an environment; None where nobody does.

    Args:
      name: its id.
      numbers: its own, by their names: what gymnasium draws of them, such as the length of a pole, is drawn so.
      state: one of its states, or the shapes of one.

    Raises:
      ImportError: if gymnasium or pygame is missing, and it is an environment of classic control.
    """
    given = {field.name for field in dataclasses.fields(state)} if dataclasses.is_dataclass(state) else set()
    if name in SCENES:
        scene = SCENES[name]
        return _classic(scene, numbers) if given >= {*scene.fields, *scene.beside} else None
    return Artist(_game(board(name, numbers)), BOARD_SPEED) if name.endswith("-MinAtar") and given else None


def needed(module: str) -> Any:
    """Imports a module of the extra `render`. Raises ImportError with a sentence that names the extra."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.split(".")[0].replace("PIL", "pillow")
        raise ImportError(f"rendering needs the package {package}: pip install 'jax_ac[render]'.") from error


def _hush() -> None:
    """Keeps pygame from looking for a sound card, and for a screen where there is none."""
    os.environ["SDL_AUDIODRIVER"] = "dummy"
    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")


def _classic(scene: Scene, numbers: Mapping[str, Any]) -> Artist:
    env = getattr(needed("gymnasium.envs.classic_control"), scene.home)(render_mode="rgb_array")
    _hush()
    needed("pygame")
    for ours, theirs in scene.numbers.items():
        setattr(env, theirs, float(numbers.get(ours, getattr(env, theirs))))

    def draw(state: PyTree) -> np.ndarray:
        env.state = np.array([getattr(state, field) for field in scene.fields], float)
        for field in scene.beside:
            setattr(env, field, float(getattr(state, field)))
        return env.render()

    return Artist(draw, env.metadata["render_fps"])


def _game(observe: Callable[[PyTree], Any]) -> Draw:
    """Draws what a game shows, ``[rows, columns, channels]``: each channel in its colour, the last above the others."""
    colours = needed("matplotlib").colormaps["cubehelix"]

    def draw(state: PyTree) -> np.ndarray:
        shown = np.asarray(observe(state)) > 0
        num_channels = shown.shape[-1]
        hues = colours(np.linspace(0, 1, num_channels + 2)[1:-1])[:, :3]
        palette = np.concatenate([np.zeros((1, 3)), hues])
        return (255 * palette[np.max(shown * np.arange(1, num_channels + 1), axis=-1)]).astype(np.uint8)

    return draw
