"""The parts of an actor-critic: the shape of the functions that it is assembled from, and of what they make together.

For the legend of shapes see `types`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import optax

from jax_ac.types import Env, Estimate, Experience, LossParts, Metrics, PyTree, TrainState, Transition


class Distribution(Protocol):
    """A distribution over actions, a pytree of arrays; batch axes lead.

    Rollouts keep one of each step, so that no field may be a number that Python needs to know, such as a size: it is traced.
    `noise` must read no more than the shapes of the distribution's fields: rollouts draw it before there is an observation.
    """

    def sample(self, key: jax.Array) -> jax.Array: ...
    def noise(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array: ...
    def sample_from(self, noise: jax.Array) -> jax.Array: ...
    def log_prob(self, action: jax.Array) -> jax.Array: ...
    def entropy(self) -> jax.Array: ...
    def mode(self) -> jax.Array: ...


@runtime_checkable
class Network(Protocol):
    """What an actor-critic network must offer; every flax.linen module with this call does."""

    def init(self, rngs: Any, *args: Any) -> PyTree:
        """Parameters from a key and an observation."""
        ...

    def apply(self, variables: Any, *args: Any) -> Any:
        """``(distribution over actions [...], value [...])`` from parameters and observations ``[..., *obs shape]``."""
        ...


@runtime_checkable
class RecurrentNetwork(Protocol):
    """A network with a memory, arrays ``[..., M]`` that it carries from step to step."""

    def init(self, rngs: Any, *args: Any) -> PyTree:
        """Parameters from a key, an observation and a memory."""
        ...

    def apply(self, variables: Any, *args: Any) -> Any:
        """``(distribution [...], value [...], next memory)`` from parameters, observations and the memory before them."""
        ...

    def initial_memory(self) -> PyTree:
        """The memory at an episode's start, without batch axes."""
        ...


class Policy(NamedTuple):
    """A network with its parameters, as a rollout uses it.

    Attributes:
      initial_memory: the memory at an episode's start, without batch axes; ``()`` for a network without one.
      act: ``(obs [N, ...], memory [N, ...], first [N]) -> (distribution [N], value [N], next memory)``. Where `first`, an
        episode begins, and the memory is taken to be the initial one.
    """

    initial_memory: PyTree
    act: Callable[[jax.Array, PyTree, jax.Array], tuple[Distribution, jax.Array, PyTree]]


class Rollout(NamedTuple):
    """How an agent gathers experience.

    Attributes:
      init: ``(key, env, policy) -> acting``: what persists between rollouts, arrays only; ``()`` if nothing does.
      act: ``(key, env, policy, acting) -> (acting, experience)``.
      num_steps: environment steps per rollout, over all environments; None where it varies.
    """

    init: Callable[[jax.Array, Env, Policy], PyTree]
    act: Callable[[jax.Array, Env, Policy, PyTree], tuple[PyTree, Experience]]
    num_steps: int | None


Advantage = Callable[[Transition, Any], Estimate]
"""``(trajectory, hyperparams) -> estimate [T, N]``."""

Loss = Callable[[Distribution, jax.Array, Transition, Estimate, Any], tuple[jax.Array, LossParts]]
"""``(distribution, value [B], batch, estimate, hyperparams) -> (scalar loss, its parts)``; B steps, flattened."""

Optimizer = Callable[[Any], optax.GradientTransformation]
"""``(hyperparams) -> optimizer``; it is rebuilt inside the trace, so that changing a number never recompiles."""


class Annealing(NamedTuple):
    """How hyperparameters change from update to update.

    Attributes:
      at: ``(hyperparams, update) -> hyperparams`` of that update, counted from 0.
      num_updates: those over which it goes, more than which an algorithm does not train; None: any number.
    """

    at: Callable[[Any, jax.Array], Any]
    num_updates: int | None = None


class Algorithm(NamedTuple):
    """A training algorithm as two pure functions and its default numbers; hashable.

    Attributes:
      init: ``(key, hyperparams) -> TrainState``.
      step: ``(key, state, hyperparams) -> (TrainState, Metrics)``: one update.
      hyperparams: the defaults, a NamedTuple of floats; pass arrays in the same shape to train with others. The numbers of
        the environment are among them, as ``env_<name>``.
      steps_per_update: environment steps per update, or None where it varies.
      num_updates: the updates over which it anneals, and more than which it does not train; None: any number.
      env: ``(hyperparams) -> Env``: the environment in which it trains with these numbers.
      policy: ``(params, moments) -> Policy`` of a `TrainState`: how it acts, on observations as the environment gives them.
      recipe: how it was made, for run folders (`recipes`); None where that cannot be written down.
    """

    init: Callable[[jax.Array, Any], TrainState]
    step: Callable[[jax.Array, TrainState, Any], tuple[TrainState, Metrics]]
    hyperparams: Any
    steps_per_update: int | None = None
    num_updates: int | None = None
    env: Callable[[Any], Env] | None = None
    policy: Callable[[PyTree, PyTree], Policy] | None = None
    recipe: str | None = None


def check_algorithm(algorithm: Any) -> None:
    """Raises TypeError unless it is an `Algorithm`."""
    if not isinstance(algorithm, Algorithm):
        raise TypeError(f"algorithm must come from a preset or actor_critic, got {type(algorithm).__name__}.")
