"""The data of jax_ac: what flows between the pure functions.

Legend of shapes, used in every docstring: T steps, N environments or episodes, B = T N in a batch, O observation dims,
A actions, U updates, L lanes, S seeds, H hyperparameter settings. Time is the leading axis of a trajectory: leaves are
``[T, N, ...]``.

A lane is one training run: one (hyperparameter setting, seed) pair. A tile is a fixed number of lanes that are compiled
into one program and run on one device.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax

PyTree = Any


class Discrete(NamedTuple):
    """The actions or observations 0, 1, ..., n - 1."""

    n: int


class Box(NamedTuple):
    """Real arrays of one shape, each component between `low` and `high` (floats, or arrays of that shape)."""

    shape: tuple[int, ...]
    low: Any
    high: Any


class Env(NamedTuple):
    """An environment with its parameters bound: plain functions of one environment, to be vmapped by the caller.

    Attributes:
      name: the id, such as ``"CartPole-v0"``.
      reset: ``(key) -> (obs, state)``: starts an episode.
      transition: ``(key, state, action) -> (obs, state, reward, terminated, truncated)``: one step of the episode, never
        beyond its end. `terminated`: the task ended, nothing of value follows. `truncated`: the clock ended it; where
        both hold, `terminated` counts.
      step: ``(key, state, action) -> (obs, state, reward, terminated, truncated, final_obs)``: `transition` followed by
        an automatic reset. Where the episode ended, `obs` and `state` begin the next one; `final_obs` is always the
        observation that the action led to.
      observation_space: `Box` or `Discrete`.
      action_space: `Box` or `Discrete`; `transition` takes real actions in any shape of that size, as a vector too, and
        clips them to the box.
      max_steps: the time limit in steps per episode, or None.
      solved_at: the running return above which the task counts as solved, or None.
      truncation_gap: at least so many steps lie between two truncations: a time limit that is known to hold, else 1.
      params: its numbers that can be set and swept, by name.
      bind: ``(numbers) -> Env``: the same environment with these numbers, arrays or floats, in place of its own.
      reward_scale: what the learner multiplies rewards with (`transforms.scale_rewards`); reports show them unscaled.
      normalized: whether the learner normalizes observations by their running moments (`transforms.normalize_observations`).
      recipe: how it was made, for run folders (`recipes`); None where that cannot be written down.
    """

    name: str
    reset: Callable[[jax.Array], tuple[jax.Array, PyTree]]
    transition: Callable[..., tuple[jax.Array, PyTree, jax.Array, jax.Array, jax.Array]]
    step: Callable[..., tuple[jax.Array, PyTree, jax.Array, jax.Array, jax.Array, jax.Array]]
    observation_space: Box | Discrete
    action_space: Box | Discrete
    max_steps: int | None
    solved_at: float | None
    truncation_gap: int
    params: Mapping[str, float]
    bind: Callable[[Mapping[str, Any]], "Env"]
    reward_scale: Any = 1.0
    normalized: bool = False
    recipe: str | None = None


class Functions(NamedTuple):
    """An environment as two bare functions; `make_env` checks that they keep this contract.

    Attributes:
      reset: ``(key) -> (obs, state)``: starts an episode. `obs` is one array; `state` is a pytree of number arrays.
      step: ``(key, state, action) -> (obs, state, reward, terminated, truncated)``: one step of an episode, without any
        reset; never called beyond an episode's end. `obs` and `state` have the structure and shapes that `reset` gives
        them; `reward` is a real scalar, `terminated` and `truncated` are bool scalars (see `Env`).
      action_space: `Discrete`, actions int32 ``[]``, or `Box`, actions float32 of its shape, already clipped to it.
      observation_space: an unbounded `Box` of the shape of `obs` where None.
      max_steps: the time limit in steps: an episode ends at this step at the latest; None: whenever it likes.
      solved_at: the running return above which the task counts as solved.
      name: for the reports.
      params: the functions' numbers that can be set and swept: keyword arguments that both accept, with their defaults.
    """

    reset: Callable[..., tuple[jax.Array, PyTree]]
    step: Callable[..., tuple[jax.Array, PyTree, jax.Array, jax.Array, jax.Array]]
    action_space: Box | Discrete
    observation_space: Box | Discrete | None = None
    max_steps: int | None = None
    solved_at: float | None = None
    name: str = "custom"
    params: Mapping[str, float] = {}


class Transition(NamedTuple):
    """A trajectory, every leaf ``[T, N, ...]``.

    Attributes:
      obs, action, reward: sₜ, aₜ, rₜ₊₁.
      log_prob, value: log π(aₜ|sₜ) and v(sₜ) of the behaviour policy, at the time of acting.
      next_value: v(sₜ₊₁) of the same policy, where sₜ₊₁ is what the action led to, before any reset.
      terminated, truncated: how the episode ended at this step, if it did.
      first: whether an episode began at this step.
      mask: True on real steps; the padding after an episode's end repeats its final state and carries zero reward.
    """

    obs: jax.Array
    action: jax.Array
    log_prob: jax.Array
    value: jax.Array
    next_value: jax.Array
    reward: jax.Array
    terminated: jax.Array
    truncated: jax.Array
    first: jax.Array
    mask: jax.Array


class Ends(NamedTuple):
    """Where episodes ended in a trajectory, in their order, ``[E]``.

    Attributes:
      ended: bool; the other fields hold only where True.
      episode_return: undiscounted, from the episode's start, float32.
      episode_length: int32.
      env_step: environment steps of the trajectory up to this end, this one included, int32.
    """

    ended: jax.Array
    episode_return: jax.Array
    episode_length: jax.Array
    env_step: jax.Array


class Experience(NamedTuple):
    """What a rollout brings back: a trajectory, the policy's memory at its first step (``[N, ...]``), and its ends."""

    trajectory: Transition
    memory: PyTree
    ends: Ends


class Estimate(NamedTuple):
    """What the critic should have said and how much better the action was than expected, both ``[T, N]``."""

    value_target: jax.Array
    advantage: jax.Array


class Examples(NamedTuple):
    """What a loss is computed from; the leading axis of every leaf is that of the examples.

    Steps ``[B, ...]`` with memory ``()``, or for a network with memory sequences ``[N, T, ...]`` and the memory ``[N, ...]``
    at their first step. Observations are as the network sees them.
    """

    steps: Transition
    estimate: Estimate
    memory: PyTree


class LossParts(NamedTuple):
    """The parts of a loss, scalars, for the report; NaN where a loss has no such part."""

    policy_loss: Any
    value_loss: Any
    entropy: Any
    approx_kl: Any = math.nan
    clip_fraction: Any = math.nan


class TrainState(NamedTuple):
    """All that persists between two updates of a lane: arrays only.

    Attributes:
      params: the network's parameters.
      opt_state: the optimizer's state.
      acting: what the rollout carries on: environments, observations, memory, unfinished episodes' accounts.
      moments: of the observations, where they are normalized; else ``()``.
      num_updates: updates done, int32.
      num_episodes: episodes finished, int32.
      env_steps: environment steps taken, int32.
      running_return: exponential moving average of episode returns (`accounts.RUNNING_RETURN_RATE`); NaN before the first.
      solved_update, solved_episode, solved_step: the update, episode and environment step, each counted from 0, at which
        the running return first exceeded `Env.solved_at`; -1 where that has not happened.
      diverged_update: the update, counted from 0, whose loss, gradient or new parameters were not finite; -1 where that
        has not happened. The state is the last finite one.
      frozen: True once the lane has stopped; further steps change nothing.
    """

    params: PyTree
    opt_state: PyTree
    acting: PyTree
    moments: PyTree
    num_updates: jax.Array
    num_episodes: jax.Array
    env_steps: jax.Array
    running_return: jax.Array
    solved_update: jax.Array
    solved_episode: jax.Array
    solved_step: jax.Array
    diverged_update: jax.Array
    frozen: jax.Array


class Metrics(NamedTuple):
    """One update in scalars; over a run ``[U]`` per lane.

    All float32 but `num_episodes` (int32). A frozen lane reports NaN everywhere and `num_episodes` 0; an update in which
    no episode ended reports `num_episodes` 0 and NaN for `episode_return` and `episode_length`.

    Attributes:
      episode_return: mean undiscounted return of the episodes that ended in this update.
      episode_length: their mean length in steps.
      num_episodes: how many episodes ended in this update.
      running_return: the moving average after this update.
      env_steps: environment steps taken in this update.
      policy_loss, value_loss: the parts of the loss, as the algorithm sums or averages them.
      entropy: mean entropy of the policy over the update's steps, in nats.
      grad_norm: global norm of the gradient, before any clipping.
      approx_kl: estimate of KL(behaviour policy, policy), in nats; NaN where the loss does not report it.
      clip_fraction: fraction of the probability ratios that were clipped; NaN where the loss does not report it.

    Where an update takes several gradient steps, the last six are means over them.
    """

    episode_return: jax.Array
    episode_length: jax.Array
    num_episodes: jax.Array
    running_return: jax.Array
    env_steps: jax.Array
    policy_loss: jax.Array
    value_loss: jax.Array
    entropy: jax.Array
    grad_norm: jax.Array
    approx_kl: jax.Array
    clip_fraction: jax.Array
