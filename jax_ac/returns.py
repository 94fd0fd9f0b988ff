"""Returns: one reverse linear recurrence and its short uses. Time-major, any trailing axes.

Every estimator that bootstraps takes `value` vₜ = v(sₜ) and `next_value` v'ₜ = v(sₜ₊₁), where sₜ₊₁ is the state that the
action led to, before any reset; within an episode v'ₜ = vₜ₊₁. The step t ends in one of three ways. `terminated`: nothing
of value follows, γₜ = 0. `truncated`, or the last of the trajectory: the value goes on, but the trajectory does not, so
that the estimate bootstraps from v'ₜ and looks no further. Else it looks at step t + 1.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from jax_ac.checks import check_positive
from jax_ac.numerics import safe_sqrt


@jax.jit
def reverse_recurrence(decay: jax.Array, increment: jax.Array) -> jax.Array:
    """xₜ = bₜ + aₜ xₜ₊₁ with x_T = 0, for all t at once.

    Args:
      decay: a, ``[T, ...]``.
      increment: b, ``[T, ...]``.

    Returns:
      x, ``[T, ...]``.
    """

    chex.assert_equal_shape((decay, increment))
    return jax.lax.platform_dependent(decay, increment, cpu=_step_by_step, default=_in_parallel)


def _step_by_step(decay: jax.Array, increment: jax.Array) -> jax.Array:
    """On a CPU core, which does one thing after another anyway, the plain loop: less to compute and far less to compile."""

    def step(later: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        x = now[1] + now[0] * later
        return x, x

    return jax.lax.scan(step, jnp.zeros_like(increment[0]), (decay, increment), reverse=True)[1]


def _in_parallel(decay: jax.Array, increment: jax.Array) -> jax.Array:
    """In about 2 log₂ T parallel steps."""

    def compose(later, earlier):  # affine maps x -> b + a x; the later step is applied first
        later_decay, later_increment = later
        earlier_decay, earlier_increment = earlier
        return earlier_decay * later_decay, earlier_increment + earlier_decay * later_increment

    _, x = jax.lax.associative_scan(compose, (decay, increment), reverse=True)
    return x


def discounted_returns(reward: jax.Array, discount: jax.Array) -> jax.Array:
    """Gₜ = rₜ₊₁ + γₜ₊₁ Gₜ₊₁, and G is 0 after the last step. Sutton & Barto (2018), eq. 3.9.

    Args:
      reward: rₜ₊₁, the reward for the action at step t, ``[T, ...]``.
      discount: γₜ₊₁, zero where the episode ended at step t, ``[T, ...]``.

    Returns:
      G, ``[T, ...]``.

    >>> discounted_returns(jnp.array([1.0, 1.0, 1.0]), jnp.array([0.5, 0.5, 0.0])).tolist()
    [1.75, 1.5, 1.0]
    """
    return reverse_recurrence(discount, reward)


class Steps(NamedTuple):
    """What the bootstrapping estimators look back on, ``[T, ...]`` each; see the module's docstring."""

    reward: jax.Array
    value: jax.Array
    next_value: jax.Array
    terminated: jax.Array
    truncated: jax.Array

    def goes_on(self) -> jax.Array:
        """Whether step t + 1 belongs to the same episode and is in the trajectory, bool ``[T, ...]``."""
        not_last = (jnp.arange(len(self.reward)) < len(self.reward) - 1).reshape(-1, *(1,) * (self.reward.ndim - 1))
        return ~self.terminated & ~self.truncated & not_last

    def td_target(self, gamma: jax.Array) -> jax.Array:
        """rₜ₊₁ + γₜ v'ₜ with γₜ = 0 where terminated, ``[T, ...]``. Sutton & Barto (2018), eq. 6.2."""
        return self.reward + gamma * jnp.where(self.terminated, 0.0, self.next_value)


def lambda_returns(steps: Steps, gamma: jax.Array, lambda_: jax.Array) -> jax.Array:
    """Gₜ = rₜ₊₁ + γₜ [(1-λ) v'ₜ + λ Gₜ₊₁], the λ-return of TD(λ). Sutton & Barto (2018), eq. 12.2 and exercise 12.1.

    λ = 0 is the one-step target, λ = 1 the Monte-Carlo return, which bootstraps only where the trajectory is cut.

    Args:
      steps: leaves ``[T, ...]``.
      gamma: the discount factor, scalar.
      lambda_: λ, scalar.

    Returns:
      G, ``[T, ...]``.
    """
    return steps.value + gae(steps, gamma, lambda_)


def monte_carlo_returns(steps: Steps, gamma: jax.Array) -> jax.Array:
    """Gₜ = rₜ₊₁ + γₜ Gₜ₊₁, bootstrapping from v' where truncated and at the end. Sutton & Barto (2018), eq. 3.9.

    Args and returns as `lambda_returns`, which it is with λ = 1, but without the values' rounding.
    """
    goes_on = steps.goes_on()
    return reverse_recurrence(jnp.where(goes_on, gamma, 0.0), jnp.where(goes_on, steps.reward, steps.td_target(gamma)))


def n_step_returns(steps: Steps, gamma: jax.Array, n: int) -> jax.Array:
    """Gₜ = rₜ₊₁ + ... + γⁿ⁻¹ rₜ₊ₙ + γⁿ v(sₜ₊ₙ); fewer steps where the trajectory ends. Sutton & Barto (2018), eq. 7.1.

    Args:
      steps: leaves ``[T, ...]``.
      gamma: the discount factor, scalar.
      n: at least 1, a Python integer.

    Returns:
      G, ``[T, ...]``.

    Raises:
      TypeError, ValueError: unless n is a whole number of at least 1.
    """
    n, goes_on = check_positive("n", n), steps.goes_on()
    returns = steps.td_target(gamma)
    for _ in range(min(n, len(steps.reward)) - 1):  # Gⁿₜ = rₜ₊₁ + γ Gⁿ⁻¹ₜ₊₁
        returns = jnp.where(goes_on, steps.reward + gamma * jnp.roll(returns, -1, axis=0), returns)
    return returns


def gae(steps: Steps, gamma: jax.Array, lambda_: jax.Array) -> jax.Array:
    """Âₜ = δₜ + γₜ λ Âₜ₊₁ with δₜ = rₜ₊₁ + γₜ v'ₜ - vₜ: generalized advantage estimation.

    Schulman et al. (2016), eq. 16. λ = 0 gives the TD error δ.

    Args:
      steps: leaves ``[T, ...]``.
      gamma: the discount factor, scalar.
      lambda_: λ, scalar.

    Returns:
      Â, ``[T, ...]``.

    The clock stops the second of two steps, whose state would have been worth 8:

    >>> steps = Steps(*map(jnp.array, ([1.0, 1.0], [2.0, 4.0], [4.0, 8.0], [False, False], [False, True])))
    >>> gae(steps, gamma=0.5, lambda_=0.5).tolist()  # δ = 1 + 4/2 - 2, 1 + 8/2 - 4
    [1.25, 1.0]
    """
    return reverse_recurrence(jnp.where(steps.goes_on(), gamma * lambda_, 0.0), steps.td_target(gamma) - steps.value)


class VTrace(NamedTuple):
    """`value_target` vs and the `advantage` for the policy gradient, ``[T, ...]``."""

    value_target: jax.Array
    advantage: jax.Array


def vtrace(
    steps: Steps, log_ratio: jax.Array, gamma: jax.Array, lambda_: jax.Array, rho_bar: float = 1.0, c_bar: float = 1.0
) -> VTrace:
    """V-trace, for trajectories of another policy μ than π. Espeholt et al. (2018), eq. 1 and section 4.2.

    vsₜ = vₜ + δₜ + γₜ cₜ (vsₜ₊₁ - v'ₜ),  δₜ = ρₜ (rₜ₊₁ + γₜ v'ₜ - vₜ),  ρₜ = min(ρ̄, π/μ),  cₜ = λ min(c̄, π/μ); the
    advantage is ρₜ (rₜ₊₁ + γₜ vsₜ₊₁ - vₜ), where v'ₜ stands for vsₜ₊₁ at the end of what was seen.

    Args:
      steps: leaves ``[T, ...]``; values are those of π.
      log_ratio: log π(aₜ|sₜ) - log μ(aₜ|sₜ), ``[T, ...]``.
      gamma: the discount factor, scalar.
      lambda_: λ, scalar (remark 2 of the paper).
      rho_bar: ρ̄, which decides what value function is learned.
      c_bar: c̄, which decides how fast.

    Returns:
      Both ``[T, ...]``.
    """
    goes_on = steps.goes_on()
    ratio = jnp.exp(log_ratio)
    rho = jnp.minimum(rho_bar, ratio)
    trace = jnp.where(goes_on, gamma * lambda_ * jnp.minimum(c_bar, ratio), 0.0)
    correction = reverse_recurrence(trace, rho * (steps.td_target(gamma) - steps.value))
    targets = steps.value + correction
    next_target = jnp.where(goes_on, jnp.roll(targets, -1, axis=0), steps.next_value)
    advantage = rho * (steps._replace(next_value=next_target).td_target(gamma) - steps.value)
    return VTrace(targets, advantage)


def normalize(x: jax.Array, mask: jax.Array, epsilon: float) -> jax.Array:
    """(x - mean) / (std + ε) along the first axis, over the steps where `mask` is True; zero elsewhere.

    The standard deviation is that of the population (divided by the number of steps), as NumPy's default.

    Args:
      x: ``[T, ...]``.
      mask: ``[T, ...]``, bool, with at least one True along T.
      epsilon: added to the standard deviation.

    Returns:
      ``[T, ...]``.
    """
    count = jnp.sum(mask, axis=0, keepdims=True, dtype=jnp.float32)  # [1, ...]
    mean = jnp.sum(x, axis=0, keepdims=True, where=mask) / count
    centred = jnp.where(mask, x - mean, 0.0)
    std = safe_sqrt(jnp.sum(jnp.square(centred), axis=0, keepdims=True) / count)
    return centred / (std + epsilon)
