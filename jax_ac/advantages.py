"""Advantages: from a trajectory to what the critic should have said and how much better each action was than expected.

Each function is an `Advantage`: ``(trajectory, hyperparams) -> Estimate``, leaves ``[T, N]``.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jax_ac import returns
from jax_ac.hyperparams import KerasHyperparams
from jax_ac.types import Estimate, Transition


def normalized_returns(trajectory: Transition, hyperparams: KerasHyperparams) -> Estimate:
    """Monte-Carlo returns of whole episodes, each normalized to mean 0 and standard deviation 1; reads `gamma`."""
    discount = jnp.where(trajectory.mask, hyperparams.gamma, 0.0)
    target = returns.discounted_returns(trajectory.reward, discount)
    target = returns.normalize(target, trajectory.mask, float(np.finfo(np.float32).eps))
    return Estimate(value_target=target, advantage=target - trajectory.value)


def monte_carlo(trajectory: Transition, hyperparams: Any) -> Estimate:
    """Gₜ - v(sₜ), with Monte-Carlo returns that bootstrap where truncated; reads `gamma`."""
    target = returns.monte_carlo_returns(steps_of(trajectory), hyperparams.gamma)
    return Estimate(value_target=target, advantage=target - trajectory.value)


def plain_returns(trajectory: Transition, hyperparams: Any) -> Estimate:
    """Gₜ itself, the rewards that were seen and no others, for whole episodes: no critic is needed; reads `gamma`."""
    target = returns.discounted_returns(trajectory.reward, jnp.where(trajectory.mask, hyperparams.gamma, 0.0))
    return Estimate(value_target=target, advantage=target)


def td_error(trajectory: Transition, hyperparams: Any) -> Estimate:
    """δₜ = rₜ₊₁ + γ v(sₜ₊₁) - v(sₜ); reads `gamma`. Sutton & Barto (2018), eq. 6.5."""
    target = steps_of(trajectory).td_target(hyperparams.gamma)
    return Estimate(value_target=target, advantage=target - trajectory.value)


def n_step(trajectory: Transition, hyperparams: Any, *, n: int) -> Estimate:
    """n-step returns and their differences from the values; reads `gamma`. Sutton & Barto (2018), eq. 7.1.

    Raises ValueError or TypeError unless `n` is a whole number of at least 1.
    """
    target = returns.n_step_returns(steps_of(trajectory), hyperparams.gamma, n)
    return Estimate(value_target=target, advantage=target - trajectory.value)


def gae(trajectory: Transition, hyperparams: Any) -> Estimate:
    """Generalized advantage estimates and the λ-returns they belong to; reads `gamma` and `gae_lambda`."""
    advantage = returns.gae(steps_of(trajectory), hyperparams.gamma, hyperparams.gae_lambda)
    return Estimate(value_target=advantage + trajectory.value, advantage=advantage)


def steps_of(trajectory: Transition) -> returns.Steps:
    """What the estimators of `returns` look back on."""
    return returns.Steps(
        reward=trajectory.reward,
        value=trajectory.value,
        next_value=trajectory.next_value,
        terminated=trajectory.terminated,
        truncated=trajectory.truncated,
    )
