"""Doors: what presets, `actor_critic` and `train` are given, checked before anything is built from it."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jax_ac import hyperparams as kinds
from jax_ac.checks import check_positive
from jax_ac.protocols import Network, RecurrentNetwork
from jax_ac.types import Env

PRESETS_OWN = (
    kinds.KerasHyperparams,
    kinds.ReinforceHyperparams,
    kinds.OneStepHyperparams,
    kinds.A2CHyperparams,
    kinds.PPOHyperparams,
)
"""The numbers of the presets."""

FUNCTIONS = {
    "advantage": "(trajectory, hyperparams) -> Estimate",
    "loss": "(distribution, value, batch, estimate, hyperparams) -> (scalar, LossParts)",
    "optimizer": "(hyperparams) -> optax optimizer",
}
"""The parts of an actor-critic that are functions."""


def check_env(taker: str, env: Any) -> None:
    """Raises TypeError unless it is an `Env`."""
    if not isinstance(env, Env):
        raise TypeError(f"{taker} takes an environment from make_env, got {type(env).__name__}.")


def check_time_limit(preset: str, env: Env) -> None:
    """Raises ValueError unless the environment has a time limit."""
    if env.max_steps is None:
        raise ValueError(f"{preset} plays whole episodes, which need a time limit; {env.name} has none.")


def check_network(network: Any) -> None:
    """Raises TypeError unless it is a network, not the class of one."""
    if isinstance(network, type):
        name = network.__name__
        raise TypeError(f"network must be an instance, such as {name}(env.observation_space, ...), got the class {name}.")
    if not isinstance(network, Network):
        raise TypeError(f"network must have init(key, obs) and apply(params, obs), got {type(network).__name__}.")


def check_function(name: str, function: Any) -> None:
    """Raises TypeError unless it is a function, as one of `FUNCTIONS` must be."""
    if isinstance(function, optax.GradientTransformation):
        raise TypeError(
            f"{name} must be a function {FUNCTIONS[name]}, so that its numbers can be swept, got an optimizer itself: "
            "pass lambda h: optax.adam(h.learning_rate), or its like."
        )
    if not callable(function):
        raise TypeError(f"{name} must be a function {FUNCTIONS[name]}, got {type(function).__name__}.")


def check_part(name: str, part: Any, kind: type, makers: str) -> None:
    """Raises TypeError unless the part is of its kind, which `makers` make."""
    if not isinstance(part, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise TypeError(f"{name} must be {article} {kind.__name__}, as {makers}, got {type(part).__name__}.")


def numbers_of(preset: str, hyperparams: Any, own: type) -> Any:
    """`hyperparams`, or the preset's `own` where None; TypeError if they are another preset's."""
    if hyperparams is None:
        return own()
    given = type(hyperparams).__name__
    if given != own.__name__ and given in {kind.__name__ for kind in PRESETS_OWN}:
        raise TypeError(f"hyperparams of {preset} must be {own.__name__}, got {given}.")
    return hyperparams


def check_minibatches(num_minibatches: Any, num_envs: int, num_steps: int, network: Any) -> int:
    """`num_minibatches` as an int, if it divides a rollout into minibatches over which advantages can be normalized.

    Raises:
      TypeError: if it is not a whole number.
      ValueError: if it does not divide the N T steps (the N environments, for a network with memory), or leaves one step.
    """
    num_minibatches = check_positive("num_minibatches", num_minibatches)
    steps = num_envs * num_steps
    examples, unit = (num_envs, "environments") if isinstance(network, RecurrentNetwork) else (steps, "steps")
    if examples % num_minibatches:
        raise ValueError(f"num_minibatches must divide the {examples:,} {unit} of a rollout, got {num_minibatches}.")
    if steps < 2 * num_minibatches:
        raise ValueError(
            "num_minibatches must leave at least 2 steps in each minibatch, over which advantages are normalized, "
            f"got {num_minibatches} for the {steps:,} of a rollout."
        )
    return num_minibatches


def check_key(key: Any) -> None:
    """Raises TypeError unless it is one typed PRNG key."""
    if not isinstance(key, jax.Array):
        raise TypeError(f"key must be one PRNG key, as jax.random.key(0) makes, got {type(key).__name__}.")
    if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key) or key.shape:
        raise TypeError(
            f"key must be one PRNG key, as jax.random.key(0) makes, got an array of {key.dtype} of the shape {key.shape}."
        )
