"""Algorithms: `actor_critic` assembles the parts into `Algorithm(init, step, hyperparams)`; a preset names the parts."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jax_ac import losses, returns, rollout, tree
from jax_ac.hyperparams import KerasHyperparams, check_hyperparams
from jax_ac.networks import SharedActorCritic
from jax_ac.numerics import all_finite
from jax_ac.types import (
    Advantage,
    Algorithm,
    Box,
    Discrete,
    Env,
    Estimate,
    Loss,
    LossParts,
    Metrics,
    Network,
    Optimizer,
    Rollout,
    TrainState,
    Transition,
)
from jax_ac.update import GradientStep, gradient_step, keras_adam

RUNNING_RETURN_RATE = 0.05
"""Weight of the newest episode in `running_return`, as in the Keras example."""


class Parts(NamedTuple):
    """What an actor-critic is assembled from."""

    env: Env
    network: Network
    rollout: Rollout
    advantage: Advantage
    loss: Loss
    optimizer: Optimizer
    stop_when_solved: bool


def actor_critic(
    env: Env,
    network: Network,
    *,
    rollout: Rollout,
    advantage: Advantage,
    loss: Loss,
    optimizer: Optimizer,
    hyperparams: Any,
    stop_when_solved: bool = False,
) -> Algorithm:
    """Assembles an actor-critic that learns from whole episodes: act, estimate, improve, report.

    Args:
      env: from `make_env`.
      network: ``init(key, obs)`` and ``apply(params, obs) -> (distribution, value)``.
      rollout: ``(key, env, policy) -> trajectory``; acts, N whole episodes at a time (`rollout.episodes`).
      advantage: ``(trajectory, hyperparams) -> Estimate``; looks back once. To the gradient it is data.
      loss: ``(distribution, value, batch, estimate, hyperparams) -> (scalar, LossParts)``, all flattened to one axis of
        T N steps; differentiated with respect to the parameters behind `distribution` and `value`. It must not close over
        traced arrays (an outer `grad` or `vmap` reaches it through `hyperparams`).
      optimizer: ``(hyperparams) -> optax.GradientTransformation``.
      hyperparams: the defaults, a NamedTuple of floats.
      stop_when_solved: whether a lane freezes once its running return exceeds ``env.solved_at``.

    Returns:
      The algorithm.

    Raises:
      ValueError, TypeError: if a default hyperparameter is not a number in its range.
    """
    if not isinstance(env, Env):
        raise TypeError(f"actor_critic takes an environment from make_env, got {type(env).__name__}.")
    hyperparams = check_hyperparams(hyperparams)
    parts = Parts(env, network, rollout, advantage, loss, optimizer, stop_when_solved)
    return Algorithm(partial(_init, parts), partial(_step, parts), hyperparams)


def keras_actor_critic(
    env: Env,
    *,
    stop_gradient: bool = False,
    stop_when_solved: bool = True,
    network: Network | None = None,
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
    num_actions = _check_env("keras_actor_critic", env)
    return actor_critic(
        env,
        network or SharedActorCritic(num_actions),
        rollout=rollout.episodes,
        advantage=normalized_returns,
        loss=partial(losses.keras_actor_critic_loss, stop_gradient=stop_gradient),
        optimizer=lambda h: keras_adam(h.learning_rate, h.adam_b1, h.adam_b2, h.adam_eps),
        hyperparams=hyperparams or KerasHyperparams(),
        stop_when_solved=stop_when_solved,
    )


def normalized_returns(trajectory: Transition, hyperparams: KerasHyperparams) -> Estimate:
    """Monte-Carlo returns of whole episodes, each normalized to mean 0 and standard deviation 1; reads `gamma`."""
    discount = jnp.where(trajectory.mask, hyperparams.gamma, 0.0)
    target = returns.discounted_returns(trajectory.reward, discount)
    target = returns.normalize(target, trajectory.mask, float(np.finfo(np.float32).eps))
    return Estimate(value_target=target, advantage=target - trajectory.value)


def _init(parts: Parts, key: jax.Array, hyperparams: Any) -> TrainState:
    """The state before the first update. Update u uses fold_in(key, u); flax folds in hashes of the layers' names."""
    space = parts.env.observation_space
    obs = jnp.zeros(space.shape if isinstance(space, Box) else (), jnp.float32)
    params = parts.network.init(key, obs)
    zero, never = jnp.zeros((), jnp.int32), jnp.full((), -1, jnp.int32)
    return TrainState(
        params=params,
        opt_state=parts.optimizer(hyperparams).init(params),
        num_updates=zero,
        num_episodes=zero,
        env_steps=zero,
        running_return=jnp.zeros((), jnp.float32),
        solved_update=never,
        solved_episode=never,
        solved_step=never,
        diverged_update=never,
        frozen=jnp.zeros((), bool),
    )


def _step(parts: Parts, key: jax.Array, state: TrainState, hyperparams: Any) -> tuple[TrainState, Metrics]:
    """One update: act, estimate, improve, report; a frozen lane is left as it is."""
    policy = partial(parts.network.apply, state.params)
    trajectory = parts.rollout(key, parts.env, policy)
    estimate = parts.advantage(trajectory, hyperparams)
    batch, targets = tree.flatten_time((trajectory, estimate))
    improved = gradient_step(
        partial(_loss, parts),
        state.params,
        state.opt_state,
        parts.optimizer(hyperparams),
        batch,
        targets,
        hyperparams,
    )
    finished = _finish_episodes(parts, state, trajectory)
    advanced = finished._replace(params=improved.params, opt_state=improved.opt_state, num_updates=state.num_updates + 1)
    metrics = _report(trajectory, improved, finished.running_return)
    diverged = ~all_finite((improved.loss, improved.grad_norm, improved.params))
    next_state = tree.select(state.frozen | diverged, state, advanced)
    newly_diverged = diverged & ~state.frozen
    next_state = next_state._replace(
        diverged_update=jnp.where(newly_diverged, state.num_updates, state.diverged_update),
        frozen=next_state.frozen | newly_diverged,
    )
    return next_state, tree.select(state.frozen, tree.blank(metrics), metrics)


def _loss(parts: Parts, params: Any, batch: Transition, estimate: Estimate, hyperparams: Any) -> tuple[jax.Array, LossParts]:
    distribution, value = parts.network.apply(params, batch.obs)
    return parts.loss(distribution, value, batch, estimate, hyperparams)


def _finish_episodes(parts: Parts, state: TrainState, trajectory: Transition) -> TrainState:
    """The state's accounts after the N whole episodes of a trajectory, taken in order."""
    episode_returns = jnp.sum(trajectory.reward, axis=0)  # [N]
    lengths = jnp.sum(trajectory.mask, axis=0, dtype=jnp.int32)  # [N]

    def average(running: jax.Array, episode_return: jax.Array) -> tuple[jax.Array, jax.Array]:
        running = RUNNING_RETURN_RATE * episode_return + (1 - RUNNING_RETURN_RATE) * running
        return running, running

    running_return, running_returns = jax.lax.scan(average, state.running_return, episode_returns)
    solves = running_returns > (jnp.inf if parts.env.solved_at is None else parts.env.solved_at)  # [N]
    newly_solved = jnp.any(solves) & (state.solved_update < 0)
    first = jnp.argmax(solves).astype(jnp.int32)
    solved_step = state.env_steps + jnp.cumsum(lengths, dtype=jnp.int32)[first] - 1
    return state._replace(
        num_episodes=state.num_episodes + len(episode_returns),
        env_steps=state.env_steps + jnp.sum(lengths, dtype=jnp.int32),
        running_return=running_return,
        solved_update=jnp.where(newly_solved, state.num_updates, state.solved_update),
        solved_episode=jnp.where(newly_solved, state.num_episodes + first, state.solved_episode),
        solved_step=jnp.where(newly_solved, solved_step, state.solved_step),
        frozen=state.frozen | (newly_solved & parts.stop_when_solved),
    )


def _report(trajectory: Transition, improved: GradientStep, running_return: jax.Array) -> Metrics:
    num_episodes = trajectory.mask.shape[1]
    env_steps = jnp.sum(trajectory.mask, dtype=jnp.float32)
    return Metrics(
        episode_return=jnp.sum(trajectory.reward) / num_episodes,
        episode_length=env_steps / num_episodes,
        num_episodes=jnp.full((), num_episodes, jnp.int32),
        running_return=running_return,
        env_steps=env_steps,
        policy_loss=improved.parts.policy_loss,
        value_loss=improved.parts.value_loss,
        entropy=improved.parts.entropy,
        grad_norm=improved.grad_norm,
    )


def _check_env(preset: str, env: Any) -> int:
    """The number of actions, if a preset of whole episodes and a softmax policy can take the environment."""
    if not isinstance(env, Env):
        raise TypeError(f"{preset} takes an environment from make_env, got {type(env).__name__}.")
    if not isinstance(env.action_space, Discrete):
        raise ValueError(f"{preset} takes discrete actions; those of {env.name} are real, shape {env.action_space.shape}.")
    shape = env.observation_space.shape if isinstance(env.observation_space, Box) else ()
    if len(shape) != 1:
        raise ValueError(f"{preset} takes observations that are vectors; those of {env.name} have the shape {shape}.")
    if env.max_steps is None:
        raise ValueError(f"{preset} plays whole episodes, which need a time limit; {env.name} has none.")
    return env.action_space.n
