"""The data of jax_ac: what flows between the pure functions, and the shape of those functions.

Legend of shapes, used in every docstring: T steps, N environments or episodes, B = T N in a batch, O observation dims,
A actions, U updates, L lanes, S seeds, H hyperparameter settings. Time is the leading axis of a trajectory: leaves are
``[T, N, ...]``.

A lane is one training run: one (hyperparameter setting, seed) pair. A tile is a fixed number of lanes that are compiled
into one program and run on one device.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import optax

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
      action_space: `Box` or `Discrete`.
      max_steps: the time limit in steps per episode, or None.
      solved_at: the running return above which the task counts as solved, or None.
    """

    name: str
    reset: Callable[[jax.Array], tuple[jax.Array, PyTree]]
    transition: Callable[..., tuple[jax.Array, PyTree, jax.Array, jax.Array, jax.Array]]
    step: Callable[..., tuple[jax.Array, PyTree, jax.Array, jax.Array, jax.Array, jax.Array]]
    observation_space: Box | Discrete
    action_space: Box | Discrete
    max_steps: int | None
    solved_at: float | None


class Distribution(Protocol):
    """A distribution over actions; batch axes lead.

    `noise` must read no more than the shapes of the distribution's fields: rollouts draw it before there is an observation.
    """

    def sample(self, key: jax.Array) -> jax.Array: ...
    def noise(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array: ...
    def sample_from(self, noise: jax.Array) -> jax.Array: ...
    def log_prob(self, action: jax.Array) -> jax.Array: ...
    def entropy(self) -> jax.Array: ...
    def mode(self) -> jax.Array: ...


class Network(Protocol):
    """What an actor-critic network must offer; every flax.linen module with this call does."""

    def init(self, rngs: Any, *args: Any) -> PyTree:
        """Parameters from a key and an observation ``[..., O]``."""
        ...

    def apply(self, variables: Any, *args: Any) -> Any:
        """``(distribution over actions [...], value [...])`` from parameters and observations ``[..., O]``."""
        ...


class Transition(NamedTuple):
    """A trajectory, every leaf ``[T, N, ...]``.

    `mask` is True on real steps; the padding after an episode's end repeats its final state and carries zero reward.
    `log_prob` and `value` are the behaviour policy's, at the time of acting.
    """

    obs: jax.Array
    action: jax.Array
    log_prob: jax.Array
    value: jax.Array
    reward: jax.Array
    terminated: jax.Array
    truncated: jax.Array
    mask: jax.Array


class Estimate(NamedTuple):
    """What the critic should have said and how much better the action was than expected, both ``[T, N]``."""

    value_target: jax.Array
    advantage: jax.Array


class LossParts(NamedTuple):
    """The parts of a loss, scalars, for the report."""

    policy_loss: jax.Array
    value_loss: jax.Array
    entropy: jax.Array


class TrainState(NamedTuple):
    """All that persists between two updates of a lane: arrays only.

    Attributes:
      params: the network's parameters.
      opt_state: the optimizer's state.
      num_updates: updates done, int32.
      num_episodes: episodes finished, int32.
      env_steps: environment steps taken, int32.
      running_return: exponential moving average of episode returns, from 0 (`algorithms.RUNNING_RETURN_RATE`).
      solved_update, solved_episode, solved_step: the update, episode and environment step, each counted from 0, at which
        the running return first exceeded `Env.solved_at`; -1 where that has not happened.
      diverged_update: the update, counted from 0, whose loss, gradient or new parameters were not finite; -1 where that
        has not happened. The state is the last finite one.
      frozen: True once the lane has stopped; further steps change nothing.
    """

    params: PyTree
    opt_state: PyTree
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


Policy = Callable[[jax.Array], tuple[Distribution, jax.Array]]
"""``obs [..., O] -> (distribution, value [...])``."""

Rollout = Callable[[jax.Array, Env, Policy], Transition]
"""``(key, env, policy) -> trajectory [T, N, ...]``."""

Advantage = Callable[[Transition, Any], Estimate]
"""``(trajectory, hyperparams) -> estimate [T, N]``."""

Loss = Callable[[Distribution, jax.Array, Transition, Estimate, Any], tuple[jax.Array, LossParts]]
"""``(distribution, value [B], batch, estimate, hyperparams) -> (scalar loss, its parts)``; B = T N, flattened."""

Optimizer = Callable[[Any], optax.GradientTransformation]
"""``(hyperparams) -> optimizer``; it is rebuilt inside the trace, so that changing a number never recompiles."""


class Algorithm(NamedTuple):
    """A training algorithm as two pure functions and its default numbers; hashable.

    Attributes:
      init: ``(key, hyperparams) -> TrainState``.
      step: ``(key, state, hyperparams) -> (TrainState, Metrics)``: one update.
      hyperparams: the defaults, a NamedTuple of floats; pass arrays in the same shape to train with others.
    """

    init: Callable[[jax.Array, Any], TrainState]
    step: Callable[[jax.Array, TrainState, Any], tuple[TrainState, Metrics]]
    hyperparams: Any


def check_algorithm(algorithm: Any) -> None:
    """Raises TypeError unless it is an `Algorithm`."""
    if not isinstance(algorithm, Algorithm):
        raise TypeError(f"algorithm must come from a preset or actor_critic, got {type(algorithm).__name__}.")
