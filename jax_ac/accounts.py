"""Accounts: what a lane has done so far, kept in its state: episodes, environment steps, running return, solved or not."""

import jax
import jax.numpy as jnp

from jax_ac.returns import reverse_recurrence
from jax_ac.types import Ends, Experience, LossParts, Metrics, TrainState

RUNNING_RETURN_RATE = 0.05
"""Weight of the newest episode in `running_return`, as in the Keras example."""


def running_returns(start: jax.Array, ends: Ends) -> jax.Array:
    """The running return after each end: x ← 0.05 R + 0.95 x; where x is NaN, that is before any episode, x ← R. ``[E]``."""
    first = jnp.where(jnp.any(ends.ended), jnp.argmax(ends.ended), len(ends.ended))
    time = jnp.arange(len(ends.ended))
    weight = jnp.where(jnp.isnan(start) & (time == first), 1.0, RUNNING_RETURN_RATE) * ends.ended
    increment = jnp.where(ends.ended, weight * ends.episode_return, 0.0)
    increment = increment.at[0].add(jnp.where(jnp.isnan(start), 0.0, (1 - weight[0]) * start))
    values = reverse_recurrence(1 - weight[::-1], increment[::-1])[::-1]
    return jnp.where(jnp.isnan(start) & (time < first), jnp.nan, values)


def finish_episodes(state: TrainState, experience: Experience, solved_at: float | None) -> TrainState:
    """The state's accounts after an experience."""
    ends = experience.ends
    running = running_returns(state.running_return, ends)
    solves = ends.ended & (running > (jnp.inf if solved_at is None else solved_at))
    newly_solved = jnp.any(solves) & (state.solved_update < 0)
    first = jnp.argmax(solves)
    before = jnp.sum(ends.ended & (jnp.arange(len(solves)) < first), dtype=jnp.int32)
    return state._replace(
        num_episodes=state.num_episodes + jnp.sum(ends.ended, dtype=jnp.int32),
        env_steps=state.env_steps + jnp.sum(experience.trajectory.mask, dtype=jnp.int32),
        running_return=running[-1],
        solved_update=jnp.where(newly_solved, state.num_updates, state.solved_update),
        solved_episode=jnp.where(newly_solved, state.num_episodes + before, state.solved_episode),
        solved_step=jnp.where(newly_solved, state.env_steps + ends.env_step[first] - 1, state.solved_step),
    )


def report(experience: Experience, parts: LossParts, grad_norm: jax.Array, running_return: jax.Array) -> Metrics:
    """The update in scalars."""
    ends = experience.ends
    num_episodes = jnp.sum(ends.ended, dtype=jnp.int32)
    count = jnp.where(num_episodes > 0, num_episodes, jnp.nan).astype(jnp.float32)
    return Metrics(
        episode_return=jnp.sum(ends.episode_return, where=ends.ended) / count,
        episode_length=jnp.sum(ends.episode_length, where=ends.ended).astype(jnp.float32) / count,
        num_episodes=num_episodes,
        running_return=running_return,
        env_steps=jnp.sum(experience.trajectory.mask, dtype=jnp.float32),
        grad_norm=grad_norm,
        **parts._asdict(),
    )
