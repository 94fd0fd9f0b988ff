"""Presets: the algorithms of the field, each a short assembly of the same parts."""

from functools import partial

import jax.numpy as jnp

from jax_ac import advantages, losses, rollout
from jax_ac.algorithms import CONSTANT, actor_critic, linear_annealing
from jax_ac.budget import updates_in
from jax_ac.doors import check_env, check_minibatches, check_time_limit, numbers_of
from jax_ac.hyperparams import A2CHyperparams, KerasHyperparams, OneStepHyperparams, PPOHyperparams, ReinforceHyperparams
from jax_ac.networks import SharedActorCritic, default_network
from jax_ac.protocols import Advantage, Algorithm, Annealing, Network, Optimizer, RecurrentNetwork
from jax_ac.recipes import recorded
from jax_ac.types import Box, Discrete, Env
from jax_ac.update import clipped_adam, clipped_rmsprop, eligibility_traces, gradient_steps, keras_adam

AnyNetwork = Network | RecurrentNetwork


@recorded
def keras_actor_critic(
    env: Env,
    *,
    stop_gradient: bool = False,
    stop_when_solved: bool = True,
    network: AnyNetwork | None = None,
    hyperparams: KerasHyperparams | None = None,
) -> Algorithm:
    """The Keras example "Actor Critic Method": one update per episode, on normalized Monte-Carlo returns.

    Gₜ = rₜ₊₁ + γ Gₜ₊₁, normalized over the episode, is the critic's target; the loss is the sum over steps of
    -log π(aₜ|sₜ) (Gₜ - v(sₜ)) + Huber(v(sₜ), Gₜ); Adam. Every constant is the example's.

    Args:
      env: discrete actions, observations that are vectors, a time limit.
      stop_gradient: False, the example: the actor's loss trains the critic as well. True, the textbook: Gₜ - v(sₜ) is
        held constant there (Sutton & Barto 2018, section 13.4).
      stop_when_solved: whether a lane freezes once solved, as the example stops.
      network: the example's (one shared layer of 128 relu units) where None.
      hyperparams: the example's where None.

    Raises:
      TypeError: if `env` is not from `make_env`.
      ValueError: if the preset cannot take the environment, or a hyperparameter is out of its range.
    """
    check_env("keras_actor_critic", env)
    if not isinstance(env.action_space, Discrete):
        raise ValueError(f"keras_actor_critic takes discrete actions; those of {env.name} are real.")
    shape = env.observation_space.shape if isinstance(env.observation_space, Box) else ()
    if len(shape) != 1:
        raise ValueError(f"keras_actor_critic takes observations that are vectors; those of {env.name} have shape {shape}.")
    check_time_limit("keras_actor_critic", env)
    return actor_critic(
        env,
        SharedActorCritic(env.observation_space, env.action_space) if network is None else network,
        rollout=rollout.episodes(),
        advantage=advantages.normalized_returns,
        loss=partial(losses.keras_actor_critic_loss, stop_gradient=stop_gradient),
        optimizer=lambda h: keras_adam(h.learning_rate, h.adam_b1, h.adam_b2, h.adam_eps),
        hyperparams=numbers_of("keras_actor_critic", hyperparams, KerasHyperparams),
        stop_when_solved=stop_when_solved,
        initial_running_return=jnp.nan if env.solved_at is not None and env.solved_at <= 0 else 0.0,
    )


@recorded
def reinforce(
    env: Env,
    num_episodes: int = 8,
    *,
    baseline: bool = True,
    network: AnyNetwork | None = None,
    hyperparams: ReinforceHyperparams | None = None,
) -> Algorithm:
    """REINFORCE: one gradient step per `num_episodes` whole episodes, with a learned baseline or without.

    θ ← θ + α Σₜ (Gₜ - b(sₜ)) ∇ log π(aₜ|sₜ). Williams (1992); Sutton & Barto (2018), section 13.3, and 13.4 with the
    baseline v(sₜ). The factor γᵗ in front is left out, as nearly always in practice, and the sum over steps is a mean.
    With the baseline, returns bootstrap from it where the time limit cut an episode; without it there is nothing to
    bootstrap from.

    Args:
      env: with a time limit.
      num_episodes: N, per update.
      baseline: whether a learned value is subtracted from the return; without one no critic is trained.
      network: where None, chosen by the environment: a CNN for images, else separate MLPs.
      hyperparams: `ReinforceHyperparams` where None.

    Raises:
      TypeError, ValueError: if the preset cannot take the environment, or an argument or number is out of its range.
    """
    check_env("reinforce", env)
    check_time_limit("reinforce", env)
    return actor_critic(
        env,
        _network_for(env, network),
        rollout=rollout.episodes(num_episodes),
        advantage=advantages.monte_carlo if baseline else advantages.plain_returns,
        loss=losses.policy_gradient_loss if baseline else losses.actor_loss,
        optimizer=clipped_adam,
        hyperparams=numbers_of("reinforce", hyperparams, ReinforceHyperparams),
    )


@recorded
def one_step(
    env: Env,
    num_envs: int = 16,
    *,
    optimizer: Optimizer = clipped_adam,
    network: AnyNetwork | None = None,
    hyperparams: OneStepHyperparams | None = None,
) -> Algorithm:
    """The one-step actor-critic, and with λ > 0 the actor-critic with eligibility traces: an update at every step.

    δ = rₜ₊₁ + γ v(sₜ₊₁) - v(sₜ);  z ← γ λ z + ∇ [log π(aₜ|sₜ) + c v(sₜ)];  θ ← θ + α δ z. Sutton & Barto (2018), sections
    13.5 (λ = 0) and 13.6, episodic, with one λ for both traces and without the factor γᵗ, as nearly always in practice. N
    environments step together, each with a trace of its own, and the optimizer takes the mean of their -δ z as its gradient.

    Args:
      env: any.
      num_envs: N; 1 is the textbook's online algorithm.
      optimizer: ``lambda h: optax.sgd(h.learning_rate)`` is the textbook's.
      network: where None, chosen by the environment: a CNN for images, else separate MLPs. Without memory.
      hyperparams: `OneStepHyperparams` where None; `trace_lambda` is λ.

    Raises:
      TypeError, ValueError: if the preset cannot take the environment or network, or an argument or number is out of its
        range.
    """
    check_env("one_step", env)
    if isinstance(network, RecurrentNetwork):
        raise ValueError("one_step takes a network without memory: its updates are one step long.")
    return actor_critic(
        env,
        _network_for(env, network),
        rollout=rollout.unroll(num_envs, 1),
        advantage=advantages.td_error,
        loss=losses.eligibility,
        optimizer=optimizer,
        improve=eligibility_traces(num_envs),
        hyperparams=numbers_of("one_step", hyperparams, OneStepHyperparams),
    )


@recorded
def a2c(
    env: Env,
    num_envs: int = 8,
    num_steps: int = 16,
    *,
    total_steps: int | None = None,
    advantage: Advantage = advantages.gae,
    optimizer: Optimizer = clipped_rmsprop,
    network: AnyNetwork | None = None,
    hyperparams: A2CHyperparams | None = None,
) -> Algorithm:
    """Synchronous advantage actor-critic: one gradient step per T steps of N environments.

    Mnih et al. (2016), algorithm S3 without the asynchrony: ∇ log π(aₜ|sₜ) Âₜ, a squared error for the value, an entropy
    bonus, RMSProp, clipping of the global norm. Âₜ is GAE; with λ = 1 it is the paper's return to the rollout's end.

    Args:
      env: any.
      num_envs: N.
      num_steps: T.
      total_steps: environment steps over which the learning rate falls linearly to 0; constant where None.
      advantage: such as ``partial(advantages.n_step, n=5)``.
      optimizer: such as `update.clipped_adam`.
      network: where None, chosen by the environment: a CNN for images, else separate MLPs.
      hyperparams: `A2CHyperparams` where None.

    Raises:
      TypeError, ValueError: if `env` is not from `make_env`, an argument or number is out of its range, or `total_steps` is
        not a multiple of N T (the sentence names the two nearest that are).
    """
    check_env("a2c", env)
    unrolled = rollout.unroll(num_envs, num_steps)
    return actor_critic(
        env,
        _network_for(env, network),
        rollout=unrolled,
        advantage=advantage,
        loss=losses.policy_gradient_loss,
        optimizer=optimizer,
        annealing=_annealed(total_steps, num_envs * num_steps),
        hyperparams=numbers_of("a2c", hyperparams, A2CHyperparams),
    )


@recorded
def ppo(
    env: Env,
    num_envs: int = 4,
    num_steps: int = 128,
    num_epochs: int = 4,
    num_minibatches: int = 4,
    *,
    total_steps: int | None = None,
    value_loss: losses.ValueLoss = losses.clipped_squared_error,
    network: AnyNetwork | None = None,
    hyperparams: PPOHyperparams | None = None,
) -> Algorithm:
    """Proximal policy optimization (Schulman et al. 2017, algorithm 1) with the details that matter (Huang et al. 2022).

    By their numbers there: vectorized environments (1), orthogonal initialization (2), Adam's ε = 1e-5 (3), annealed
    learning rate (4), GAE (5), shuffled minibatches (6), advantages normalized per minibatch (7), clipped surrogate (8),
    clipped value loss (9), entropy bonus (10), clipped global norm (11), approximate KL and clip fraction reported (12),
    separate networks (13). Unlike there, a time limit bootstraps. A network with memory keeps whole sequences in its
    minibatches.

    Args:
      env: any.
      num_envs: N.
      num_steps: T.
      num_epochs: passes over each rollout.
      num_minibatches: per pass; must divide T N (N for a network with memory), and leave at least 2 steps each.
      total_steps: environment steps over which the learning rate falls linearly to 0; constant where None.
      value_loss: `losses.clipped_squared_error`, or `losses.squared_error`, which does not clip.
      network: where None, chosen by the environment: a CNN for images, else separate MLPs.
      hyperparams: `PPOHyperparams` where None.

    Raises:
      TypeError, ValueError: if `env` is not from `make_env`, an argument or number is out of its range, the minibatches do
        not divide, or `total_steps` is not a multiple of N T (the sentence names the two nearest that are).
    """
    check_env("ppo", env)
    unrolled = rollout.unroll(num_envs, num_steps)
    num_minibatches = check_minibatches(num_minibatches, num_envs, num_steps, network)
    return actor_critic(
        env,
        _network_for(env, network),
        rollout=unrolled,
        advantage=advantages.gae,
        loss=partial(losses.ppo_loss, value_loss=value_loss),
        optimizer=lambda h: clipped_adam(h, h.adam_eps),
        improve=gradient_steps(num_epochs, num_minibatches),
        annealing=_annealed(total_steps, num_envs * num_steps),
        hyperparams=numbers_of("ppo", hyperparams, PPOHyperparams),
    )


def _network_for(env: Env, network: AnyNetwork | None) -> AnyNetwork:
    return default_network(env) if network is None else network


def _annealed(total_steps: int | None, steps_per_update: int) -> Annealing:
    return CONSTANT if total_steps is None else linear_annealing(updates_in(total_steps, steps_per_update))
