"""Hyperparameters: one NamedTuple of numbers per algorithm, to which those of the environment are added.

Importing this file costs nothing: it needs no JAX, so that the command line can check its arguments at once.
"""

import functools
from collections import namedtuple
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from jax_ac.errors import unknown_name

if TYPE_CHECKING:
    import jax

    Number = float | jax.Array
else:
    Number = float


class KerasHyperparams(NamedTuple):
    """The numbers of the Keras example "Actor Critic Method"; each may be a float or a float array.

    Attributes:
      learning_rate: Adam's step size.
      gamma: the discount factor per step.
      vf_coef: the weight of the critic's loss against the actor's.
      huber_delta: where the critic's Huber loss turns from quadratic to linear.
      adam_b1: decay of Adam's first moment.
      adam_b2: decay of Adam's second moment.
      adam_eps: Keras's ε, added to √v before the bias correction.
    """

    learning_rate: Number = 0.01
    gamma: Number = 0.99
    vf_coef: Number = 1.0
    huber_delta: Number = 1.0
    adam_b1: Number = 0.9
    adam_b2: Number = 0.999
    adam_eps: Number = 1e-7


class ReinforceHyperparams(NamedTuple):
    """The numbers of `reinforce`; each may be a float or a float array.

    Attributes:
      learning_rate: Adam's step size.
      gamma: the discount factor per step.
      vf_coef: the weight of the baseline's loss; without a baseline it is not read.
      ent_coef: the weight of the entropy bonus.
      max_grad_norm: the gradient's global norm is clipped to this.
    """

    learning_rate: Number = 3e-3
    gamma: Number = 0.99
    vf_coef: Number = 0.5
    ent_coef: Number = 0.0
    max_grad_norm: Number = 0.5


class OneStepHyperparams(NamedTuple):
    """The numbers of `one_step`; each may be a float or a float array.

    Attributes:
      learning_rate: the optimizer's step size.
      gamma: the discount factor per step.
      trace_lambda: λ, the decay of eligibility traces; 0 is the one-step actor-critic.
      vf_coef: the weight of the value's gradient in the trace. With plain SGD it is the critic's step size relative to the
        actor's; with Adam and separate networks it cancels, but for the clipping.
      max_grad_norm: the gradient's global norm is clipped to this.
    """

    learning_rate: Number = 3e-4
    gamma: Number = 0.99
    trace_lambda: Number = 0.0
    vf_coef: Number = 0.5
    max_grad_norm: Number = 0.5


class A2CHyperparams(NamedTuple):
    """The numbers of `a2c`; each may be a float or a float array.

    Attributes:
      learning_rate: the optimizer's step size; annealed linearly to 0 where `total_steps` is given.
      gamma: the discount factor per step.
      gae_lambda: λ of the advantage estimate; 1 is the return to the end of the rollout, as in the paper.
      vf_coef: the weight of the critic's loss.
      ent_coef: the weight of the entropy bonus.
      max_grad_norm: the gradient's global norm is clipped to this.
      second_moment_decay: of RMSProp's second moment; `update.clipped_adam` does not read it.
      eps: what RMSProp adds to the root of its second moment; `update.clipped_adam` does not read it.
    """

    learning_rate: Number = 4e-3
    gamma: Number = 0.99
    gae_lambda: Number = 0.95
    vf_coef: Number = 0.5
    ent_coef: Number = 0.0
    max_grad_norm: Number = 0.5
    second_moment_decay: Number = 0.99
    eps: Number = 1e-5


class PPOHyperparams(NamedTuple):
    """The numbers of `ppo`; each may be a float or a float array.

    Attributes:
      learning_rate: Adam's step size; annealed linearly to 0 where `total_steps` is given.
      gamma: the discount factor per step.
      gae_lambda: λ of the advantage estimate.
      clip_eps: ε, how far the probability ratio, and with value clipping the value, may move.
      vf_coef: the weight of the critic's loss.
      ent_coef: the weight of the entropy bonus.
      max_grad_norm: the gradient's global norm is clipped to this.
      adam_eps: Adam's ε.
    """

    learning_rate: Number = 2.5e-4
    gamma: Number = 0.99
    gae_lambda: Number = 0.95
    clip_eps: Number = 0.2
    vf_coef: Number = 0.5
    ent_coef: Number = 0.01
    max_grad_norm: Number = 0.5
    adam_eps: Number = 1e-5


ENV_PREFIX = "env_"
"""What the names of an environment's numbers begin with among an algorithm's hyperparameters."""


@functools.cache
def _kind(name: str, fields: tuple[str, ...]) -> type:
    return namedtuple(name, fields)  # pyright: ignore


def with_env(hyperparams: Any, env_params: Mapping[str, Any]) -> Any:
    """The NamedTuple `hyperparams` with the environment's numbers as further fields, ``env_<name>``.

    Those that it has already keep their values; ValueError if one is not a number of the environment.
    """
    own = {name: value for name, value in hyperparams._asdict().items() if not name.startswith(ENV_PREFIX)}
    numbers = {ENV_PREFIX + name: value for name, value in env_params.items()}
    for name, value in env_numbers(hyperparams).items():
        if name not in env_params:
            raise ValueError(unknown_name("hyperparameter", ENV_PREFIX + name, [*own, *numbers]))
        numbers[ENV_PREFIX + name] = value
    kind = _kind(type(hyperparams).__name__, (*own, *numbers))
    return kind(*own.values(), *numbers.values())


def env_numbers(hyperparams: Any) -> dict[str, Any]:
    """The environment's numbers among the hyperparameters, by their own names."""
    numbers = hyperparams._asdict().items()
    return {name.removeprefix(ENV_PREFIX): value for name, value in numbers if name.startswith(ENV_PREFIX)}


def or_defaults(hyperparams: Any, defaults: Any) -> Any:
    """`hyperparams`, or `defaults` where None; numbers of the environment that they lack are the defaults'.

    Raises TypeError unless both are of the same algorithm.
    """
    if hyperparams is None:
        return defaults
    if not hasattr(hyperparams, "_fields") or hyperparams._fields != defaults._fields[: len(hyperparams._fields)]:
        wanted, given = type(defaults).__name__, type(hyperparams).__name__
        raise TypeError(f"hyperparams must be a {wanted}, as alg.hyperparams is, got {given}.")
    return type(defaults)(*hyperparams, *defaults[len(hyperparams) :])
