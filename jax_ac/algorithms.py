"""Algorithms: `actor_critic` assembles the parts into `Algorithm(init, step, hyperparams)`."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jax_ac import moments, tree
from jax_ac.accounts import finish_episodes, report
from jax_ac.batching import lane_by_lane, traced_once
from jax_ac.checks import check_hyperparams, check_positive
from jax_ac.doors import check_env, check_function, check_network, check_part
from jax_ac.hyperparams import env_numbers, with_env
from jax_ac.numerics import all_finite
from jax_ac.policies import init_params, make_policy, replay
from jax_ac.protocols import Advantage, Algorithm, Annealing, Loss, Network, Optimizer, Policy, RecurrentNetwork, Rollout
from jax_ac.types import Box, Env, Estimate, Examples, Experience, LossParts, Metrics, PyTree, TrainState
from jax_ac.update import Improve, Improved, gradient_steps

ACTING_STREAM = 2**32 - 1
"""What is folded into a lane's key to begin acting: no update has this index."""


class Parts(NamedTuple):
    """What an actor-critic is assembled from."""

    env: Env
    network: Network | RecurrentNetwork
    rollout: Rollout
    advantage: Advantage
    loss: Loss
    optimizer: Optimizer
    improve: Improve
    annealing: Annealing
    stop_when_solved: bool
    initial_running_return: float


CONSTANT = Annealing(lambda hyperparams, update: hyperparams)
"""The same hyperparameters in all updates."""


def linear_annealing(num_updates: int) -> Annealing:
    """The learning rate falls linearly, from itself in the first update to 0 in the last of `num_updates`.

    Raises ValueError or TypeError unless that is a whole number of at least 1.
    """
    num_updates = check_positive("num_updates", num_updates)
    last = max(num_updates - 1, 1)

    def at(hyperparams: Any, update: jax.Array) -> Any:
        remaining = jnp.clip((last - update).astype(jnp.float32) / last, 0.0, 1.0)
        return hyperparams._replace(learning_rate=hyperparams.learning_rate * remaining)

    return Annealing(at, num_updates)


def actor_critic(
    env: Env,
    network: Network | RecurrentNetwork,
    *,
    rollout: Rollout,
    advantage: Advantage,
    loss: Loss,
    optimizer: Optimizer,
    hyperparams: Any,
    improve: Improve | None = None,
    annealing: Annealing = CONSTANT,
    stop_when_solved: bool = False,
    initial_running_return: float = jnp.nan,
) -> Algorithm:
    """Assembles an actor-critic: act, estimate, improve, report.

    Args:
      env: from `make_env`.
      network: ``init(key, obs)`` and ``apply(params, obs) -> (distribution, value)``; or a `RecurrentNetwork`. On several
        CPU devices one of your own must not draw its parameters with QR, as orthogonal initializers of other libraries do
        (flax's GRU and LSTM among them): it can wait for ever. `networks.orthogonal` takes their place.
      rollout: how it acts: `rollout.unroll` or `rollout.episodes`.
      advantage: ``(trajectory, hyperparams) -> Estimate``; looks back once. To the gradient it is data.
      loss: ``(distribution, value, batch, estimate, hyperparams) -> (scalar, LossParts)``, all flattened to one axis of
        steps; differentiated with respect to the parameters behind `distribution` and `value`. Like `optimizer`
        and `improve` it must not close over traced arrays (an outer `grad` or `vmap` reaches them through `hyperparams`).
      optimizer: ``(hyperparams) -> optax.GradientTransformation``.
      hyperparams: the defaults, a NamedTuple of floats, to which the numbers of the environment are added.
      improve: what is done with the gradient: `update.gradient_steps` (one step on all of the rollout where None) or
        `update.eligibility_traces`.
      annealing: the hyperparameters of each update from the lane's own, such as `linear_annealing` makes.
      stop_when_solved: whether a lane freezes once its running return exceeds ``env.solved_at``.
      initial_running_return: where the moving average of returns begins; at the first episode's return where NaN.

    Returns:
      The algorithm.

    Raises:
      TypeError: if a part is not of its kind, or a default hyperparameter is not a number.
      ValueError: if a default hyperparameter is out of its range, or of another environment.
    """
    improve = gradient_steps() if improve is None else improve
    check_env("actor_critic", env)
    check_network(network)
    check_part("rollout", rollout, Rollout, "unroll and episodes make")
    check_part("improve", improve, Improve, "gradient_steps and eligibility_traces make")
    check_part("annealing", annealing, Annealing, "linear_annealing makes")
    for name, function in (("advantage", advantage), ("loss", loss), ("optimizer", optimizer)):
        check_function(name, function)
    hyperparams = with_env(check_hyperparams(hyperparams), env.params)
    parts = Parts(
        env=env,
        network=network,
        rollout=rollout,
        advantage=advantage,
        loss=loss,
        optimizer=optimizer,
        improve=improve,
        annealing=annealing,
        stop_when_solved=stop_when_solved,
        initial_running_return=initial_running_return,
    )
    return Algorithm(
        init=partial(_init, parts),
        step=partial(_step, parts),
        hyperparams=hyperparams,
        steps_per_update=rollout.num_steps,
        num_updates=annealing.num_updates,
        env=partial(_env, parts),
        policy=partial(_policy, parts),
    )


def _init(parts: Parts, key: jax.Array, hyperparams: Any) -> TrainState:
    """The state before the first update. Update u uses fold_in(key, u)."""
    env = _env(parts, hyperparams)
    params = init_params(parts.network, key, env)
    space = env.observation_space
    observed = moments.no_frames(space.shape) if env.normalized and isinstance(space, Box) else ()
    acting = parts.rollout.init(jax.random.fold_in(key, ACTING_STREAM), env, _policy(parts, params, observed))
    zero, never = jnp.zeros((), jnp.int32), jnp.full((), -1, jnp.int32)
    return TrainState(
        params=params,
        opt_state=parts.improve.init(parts.optimizer(hyperparams), params),
        acting=acting,
        moments=observed,
        num_updates=zero,
        num_episodes=zero,
        env_steps=zero,
        running_return=jnp.full((), parts.initial_running_return, jnp.float32),
        solved_update=never,
        solved_episode=never,
        solved_step=never,
        diverged_update=never,
        frozen=jnp.zeros((), bool),
    )


def _step(parts: Parts, key: jax.Array, state: TrainState, hyperparams: Any) -> tuple[TrainState, Metrics]:
    """One update: act, estimate, improve, report; a frozen lane is left as it is."""
    hyperparams = parts.annealing.at(hyperparams, state.num_updates)
    env = _env(parts, hyperparams)
    key_acting, key_improving = jax.random.split(key)
    policy = _policy(parts, state.params, state.moments)
    acting, experience = parts.rollout.act(key_acting, env, policy, state.acting)
    trajectory = experience.trajectory._replace(reward=experience.trajectory.reward * env.reward_scale)
    estimate = parts.advantage(trajectory, hyperparams)
    examples = _examples(parts, experience._replace(trajectory=trajectory), estimate, state.moments)
    improve = lane_by_lane(partial(_improve, parts))
    improved = improve(state.frozen, key_improving, state.params, state.opt_state, examples, hyperparams)
    advanced = finish_episodes(state, experience, parts.env.solved_at)
    advanced = advanced._replace(
        params=improved.params,
        opt_state=improved.opt_state,
        acting=acting,
        moments=_observe(state.moments, experience),
        num_updates=state.num_updates + 1,
    )
    newly_solved = (advanced.solved_update >= 0) & (state.solved_update < 0)
    advanced = advanced._replace(frozen=state.frozen | (newly_solved & parts.stop_when_solved))
    metrics = report(experience, improved.parts, improved.grad_norm, advanced.running_return)
    diverged = ~all_finite((improved.loss, improved.grad_norm, improved.params))
    next_state = tree.select(state.frozen | diverged, state, advanced)
    newly_diverged = diverged & ~state.frozen
    next_state = next_state._replace(
        diverged_update=jnp.where(newly_diverged, state.num_updates, state.diverged_update),
        frozen=next_state.frozen | newly_diverged,
    )
    return next_state, tree.select(state.frozen, tree.blank(metrics), metrics)


def _improve(
    parts: Parts, frozen: jax.Array, key: jax.Array, params: PyTree, opt_state: PyTree, examples: Examples, hyperparams: Any
) -> Improved:
    """Gradient steps; none where `frozen`, which saves their time where lanes are computed one after another."""

    @traced_once
    def step(key: jax.Array, params: PyTree, opt_state: PyTree, examples: Examples, hyperparams: Any) -> Improved:
        optimizer = parts.optimizer(hyperparams)
        return parts.improve.step(key, partial(_loss, parts), optimizer, params, opt_state, examples, hyperparams)

    def stand_still(key: jax.Array, params: PyTree, opt_state: PyTree, examples: Examples, hyperparams: Any) -> Improved:
        improved = jax.eval_shape(step, key, params, opt_state, examples, hyperparams)
        return tree.blank(improved)._replace(params=params, opt_state=opt_state)

    return jax.lax.cond(frozen, stand_still, step, key, params, opt_state, examples, hyperparams)


def _env(parts: Parts, hyperparams: Any) -> Env:
    env = parts.env
    return env.bind(env_numbers(hyperparams))._replace(name=env.name, solved_at=env.solved_at)


def _policy(parts: Parts, params: PyTree, observed: PyTree) -> Policy:
    """The policy on raw observations: it normalizes them first, where the environment asks for that."""
    policy = make_policy(parts.network, params)
    return policy._replace(act=lambda obs, memory, first: policy.act(_as_seen(observed, obs), memory, first))


def _as_seen(observed: PyTree, obs: jax.Array) -> jax.Array:
    return moments.normalize(observed, obs) if isinstance(observed, moments.Moments) else obs


def _observe(observed: PyTree, experience: Experience) -> PyTree:
    if not isinstance(observed, moments.Moments):
        return observed
    obs, mask = tree.flatten_time((experience.trajectory.obs, experience.trajectory.mask))
    return moments.observe(observed, obs, mask)


def _examples(parts: Parts, experience: Experience, estimate: Estimate, observed: PyTree) -> Examples:
    """A rollout as examples: its steps, or its sequences for a network with a memory."""
    steps = experience.trajectory._replace(obs=_as_seen(observed, experience.trajectory.obs))
    rearrange = tree.swap_time if isinstance(parts.network, RecurrentNetwork) else tree.flatten_time
    steps, estimate = rearrange((steps, estimate))
    return Examples(steps, estimate, experience.memory)


def _loss(parts: Parts, params: PyTree, examples: Examples, hyperparams: Any) -> tuple[jax.Array, LossParts]:
    steps, estimate = examples.steps, examples.estimate
    if isinstance(parts.network, RecurrentNetwork):
        steps, estimate = tree.swap_time((steps, estimate))
    distribution, value = replay(make_policy(parts.network, params), steps.obs, examples.memory, steps.first)
    if isinstance(parts.network, RecurrentNetwork):
        distribution, value, steps, estimate = tree.flatten_time((distribution, value, steps, estimate))
    loss, loss_parts = parts.loss(distribution, value, steps, estimate, hyperparams)
    return loss, jax.tree.map(jnp.float32, loss_parts)
