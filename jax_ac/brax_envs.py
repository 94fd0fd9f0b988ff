"""brax: its environments, and all others with its protocol, as an `Env`. The only file that knows brax."""

import importlib
import sys
from typing import Any

import jax
import jax.numpy as jnp

from jax_ac.envs import make_env
from jax_ac.errors import unknown_name
from jax_ac.recipes import recorded
from jax_ac.transforms import time_limit
from jax_ac.types import Box, Env, Functions, PyTree

BACKENDS = ("generalized", "spring", "positional", "mjx")
"""brax's physics engines."""

TRAINING_WRAPPERS = ("VmapWrapper", "EpisodeWrapper", "AutoResetWrapper")
"""How the names end of the wrappers in which brax trains: batches, time limits and resets are the caller's here."""


@recorded
def from_brax(env: Any, *, max_steps: int = 1000, backend: str | None = None) -> Env:
    """A brax environment as plain functions. Its `done` terminates; only `max_steps` truncates.

    Actions are a box from -1 to 1, as brax's own agents act. The state is brax's ``State``, so that ``state.inner`` after a
    step is what brax renders. Randomness beyond the reset is brax's own: what `step` draws it draws from that state.

    Args:
      env: an id that brax registers, such as ``"inverted_pendulum"``; or an object with brax's protocol: ``reset(key) ->
        State``, ``step(State, action) -> State`` and ``action_size``, the State with `obs`, one array, `reward` and `done`.
        It must be bare: without brax's wrappers for batches, time limits and automatic resets.
      max_steps: the time limit in steps per episode.
      backend: the physics engine of an id: ``"generalized"``, ``"spring"``, ``"positional"`` or ``"mjx"``. Where None the
        environment's own: ``"generalized"`` in all that brax brings. It and ``"mjx"`` keep to MuJoCo's trajectories. Its
        single steps compile in two thirds of the time; ``"mjx"`` keeps closer, steps faster, and has up to three times the
        state. ``"spring"`` and ``"positional"`` are other physics, where an inverted pendulum falls later.

    Returns:
      The environment; rewards and observations are float32.

    Raises:
      ImportError: if brax is not installed and `env` is an id.
      ValueError: if the id or backend is not known, the environment is wrapped, or its states change in structure.
      TypeError: if `env` is of another type, its observations are not one array, or `max_steps` is not a whole number.
    """
    name, found = _find(env, backend)
    _check_bare(found)
    jitted_reset, jitted_step = jax.jit(found.reset), jax.jit(found.step)  # brax changes dicts in place: now those of a copy

    def reset(key: jax.Array) -> tuple[jax.Array, PyTree]:
        state = jitted_reset(jax.random.key_data(key))  # brax's keys are bare numbers, and it may keep them in its state
        if not isinstance(state.obs, jax.Array):
            raise TypeError(f"the observations of {name} must be one array, got {type(state.obs).__name__}.")
        return state.obs, state

    def step(key: jax.Array, state: PyTree, action: jax.Array):
        state = jitted_step(state, action)
        return state.obs, state, state.reward, jnp.asarray(state.done, bool), jnp.zeros((), bool)

    action_space = Box((int(found.action_size),), -1.0, 1.0)
    unlimited = make_env(Functions(reset, step, action_space, name=name))
    return time_limit(unlimited._replace(truncation_gap=sys.maxsize), max_steps)  # of its own it never truncates


def _find(env: Any, backend: str | None) -> tuple[str, Any]:
    """The name and the environment, from an id or an environment."""
    if not isinstance(env, str):
        if not all(hasattr(env, name) for name in ("reset", "step", "action_size")):
            raise TypeError(f"env must be an id of brax or have reset, step and action_size, got {type(env).__name__}.")
        if backend is not None:
            raise ValueError(f"backend chooses the physics of an id; {type(env).__name__} brings its own, got {backend!r}.")
        return type(env).__name__, env
    try:
        envs = importlib.import_module("brax.envs")
    except ImportError as error:
        raise ImportError(f"the environment {env!r} needs brax: pip install 'jax_ac[brax]'.") from error
    if env not in envs._envs:
        raise ValueError(unknown_name("brax environment", env, envs._envs))
    if backend is None:
        return env, envs.get_environment(env)
    if backend not in BACKENDS:
        raise ValueError(unknown_name("brax backend", backend, BACKENDS))
    return env, envs.get_environment(env, backend=backend)


def _check_bare(env: Any) -> None:
    """Raises ValueError where brax's training wrappers are around the environment: they would hide how episodes end."""
    while env is not None:
        if type(env).__name__.endswith(TRAINING_WRAPPERS):
            raise ValueError(
                f"env must be bare, got brax's {type(env).__name__}: pass what brax.envs.get_environment makes."
            )
        env = getattr(env, "env", None)
