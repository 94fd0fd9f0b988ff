"""Pictures of an agent: what it thinks and does over two variables of what it observes, and where it goes."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from jax_ac import canvas, evaluation
from jax_ac.agent import Agent
from jax_ac.checks import check_positive
from jax_ac.errors import unknown_name
from jax_ac.policies import repeat_memory
from jax_ac.protocols import Algorithm
from jax_ac.rollout import episodes
from jax_ac.types import Box, Discrete, Env, PyTree

VARIABLES = {
    "CartPole": {"position": "m", "velocity": "m/s", "angle": "rad", "angular velocity": "rad/s"},
    "MountainCar": {"position": "", "velocity": ""},
    "MountainCarContinuous": {"position": "", "velocity": ""},
    "Pendulum": {"cosine": "", "sine": "", "angular velocity": "rad/s"},
}
"""What the entries of an observation are called, in their order, and their units, by environment but for its version."""

POINTS = 121
"""Of a map, along each side."""

Variable = str | int
"""The name of an entry of the observation, or its index."""


class Plane(NamedTuple):
    """Where a map is drawn.

    Attributes:
      grid: observations in rows of `x` from below, ``[POINTS², O]``.
      states: visited, ``[N, 2]``.
      extent: left, right, bottom, top.
      labels: of both axes.
    """

    grid: np.ndarray
    states: np.ndarray
    extent: tuple[float, float, float, float]
    labels: tuple[str, str]


def value_map(
    agent: Agent, x: Variable = 0, y: Variable = 2, *, states: np.ndarray | None = None, axes: Axes | None = None
) -> Axes:
    """The critic's value over two variables of the observation, the others 0, with contours, and visited states as points.

    Args:
      agent: whose environment has a row of real numbers as observation, ``[O]``.
      x, y: the variables: a name, such as ``"position"`` and ``"angle"`` of CartPole, or an index.
      states: observations ``[N, O]`` that are drawn, and that the map just holds; those of `visited_states` where None.
        Their other variables are not 0, as the map's are.
      axes: drawn on; a new figure's where None.

    Raises:
      ValueError: if there is no such variable, both are one, or `states` is not ``[N, O]`` or has a single value of one.
      TypeError: if the observation is not a row of real numbers.
    """
    plane = _plane(agent, x, y, states)
    value = _think(agent.algorithm, _parts(agent), plane.grid)[1]
    axes = canvas.on(axes, (7.0, 5.0), grid="none")
    image = _paint(axes, plane, np.asarray(value), "cividis", None)
    canvas.color_bar(axes, image, "value")
    return axes


def policy_map(
    agent: Agent,
    x: Variable = 0,
    y: Variable = 2,
    *,
    action: int = 1,
    states: np.ndarray | None = None,
    axes: Axes | None = None,
) -> Axes:
    """The probability that an agent takes an action, over two variables of the observation; as `value_map`.

    Args:
      action: of a discrete action space; in CartPole 0 pushes to the left and 1 to the right.
      The others as in `value_map`.

    Raises:
      ValueError, TypeError: as `value_map`; or if there is no such action, or actions are real numbers.
    """
    space = _env(agent).action_space
    if not isinstance(space, Discrete):
        raise TypeError("policy_map shows the probability of a discrete action; the actions of this agent are real numbers.")
    if action not in range(space.n):
        raise ValueError(f"action must be in [0, {space.n - 1}], got {action!r}.")
    plane = _plane(agent, x, y, states)
    distribution = _think(agent.algorithm, _parts(agent), plane.grid)[0]
    probability = np.exp(distribution.log_prob(np.full(len(plane.grid), action)))
    axes = canvas.on(axes, (7.0, 5.0), grid="none")
    image = _paint(axes, plane, np.asarray(probability), "RdBu_r", (0.0, 1.0))
    canvas.color_bar(axes, image, f"probability of action {action}")
    return axes


def visited_states(agent: Agent, num_episodes: int = 10, *, seed: int = 0) -> np.ndarray:
    """What an agent observes in N episodes, its actions drawn as in training, ``[steps of all, *observation shape]``.

    Args:
      agent: whose environment has a time limit.
      num_episodes: N.
      seed: of the episodes' own randomness, apart from that of training.

    Raises:
      TypeError: if the number of episodes is not a whole one.
      ValueError: if it is less than 1, or the environment has no time limit.
    """
    num_episodes = check_positive("num_episodes", num_episodes)
    obs, mask = _play(agent.algorithm, num_episodes, _parts(agent), evaluation.evaluation_key(seed))
    return np.asarray(obs)[np.asarray(mask)]


@partial(jax.jit, static_argnums=(0, 1))
def _play(algorithm: Algorithm, num_episodes: int, parts: PyTree, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    env, policy = evaluation.env_and_policy(algorithm, *parts)
    trajectory = episodes(num_episodes).act(key, env, policy, ())[1].trajectory
    return trajectory.obs, trajectory.mask


@partial(jax.jit, static_argnums=0)
def _think(algorithm: Algorithm, parts: PyTree, obs: jax.Array) -> tuple[Any, jax.Array]:
    """The distributions and the values at observations ``[N, O]``, each as at the start of an episode."""
    policy = evaluation.env_and_policy(algorithm, *parts)[1]
    distribution, value, _ = policy.act(obs, repeat_memory(policy, len(obs)), jnp.ones(len(obs), bool))
    return distribution, value


def _parts(agent: Agent) -> PyTree:
    return agent.params, agent.moments, agent.hyperparams


def _env(agent: Agent) -> Env:
    return evaluation.env_and_policy(agent.algorithm, *_parts(agent))[0]


def _plane(agent: Agent, x: Variable, y: Variable, states: np.ndarray | None) -> Plane:
    env = _env(agent)
    space = env.observation_space
    if not isinstance(space, Box) or len(space.shape) != 1:
        raise TypeError(f"a map takes an agent that observes a row of real numbers; in {env.name} it observes {space}.")
    units = VARIABLES.get(env.name.partition("-")[0], {})
    names = list(units) if len(units) == space.shape[0] else [f"observation {index}" for index in range(space.shape[0])]
    first, second = (_index(names, variable) for variable in (x, y))
    if first == second:
        raise ValueError(f"x and y must be two variables, got {names[first]!r} for both.")
    states = canvas.numbers("states", visited_states(agent) if states is None else states, "states", "variables")
    shown = states[:, [first, second]]
    if states.shape[1] != len(names) or not np.isfinite(shown).all() or (np.ptp(shown, axis=0) == 0).any():
        raise ValueError(f"states must be finite rows of {len(names)} variables that differ in x and y, got {states.shape}.")
    low, high = shown.min(axis=0), shown.max(axis=0)
    low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
    grid = np.zeros((POINTS, POINTS, len(names)), np.float32)
    grid[..., first], grid[..., second] = np.meshgrid(*np.linspace(low, high, POINTS).T)
    labels = _label(names[first], units), _label(names[second], units)
    return Plane(grid.reshape(-1, len(names)), shown, (low[0], high[0], low[1], high[1]), labels)


def _label(name: str, units: Mapping[str, str]) -> str:
    return f"{name} ({units[name]})" if units.get(name) else name


def _index(names: list[str], variable: Variable) -> int:
    if isinstance(variable, str) and variable in names:
        return names.index(variable)
    if isinstance(variable, int) and 0 <= variable < len(names):
        return variable
    raise ValueError(unknown_name("variable", variable, names))


def _paint(axes: Axes, plane: Plane, heights: np.ndarray, colors: str, limits: tuple[float, float] | None) -> Any:
    """The map with its contours and the visited states; returns the image."""
    low, high = limits or (None, None)
    heights = heights.reshape(POINTS, POINTS)
    x, y = np.linspace(*plane.extent[:2], POINTS), np.linspace(*plane.extent[2:], POINTS)
    image = axes.pcolormesh(x, y, heights, cmap=colors, vmin=low, vmax=high, shading="gouraud", rasterized=True)
    levels = MaxNLocator(8).tick_values(*(limits or (heights.min(), heights.max())))
    axes.contour(x, y, heights, levels, colors="black", alpha=0.5, linewidths=0.7, linestyles="solid")
    axes.scatter(*plane.states.T, s=5, color="white", edgecolor="black", linewidth=0.3, alpha=0.6)
    axes.set(xlabel=plane.labels[0], ylabel=plane.labels[1], xlim=plane.extent[:2], ylim=plane.extent[2:])
    return image
