"""Rollouts: a policy acts in environments under `lax.scan` and leaves a trajectory.

Inside the scan is only what the next step needs; log π(a|s), of the distributions that the actions came from, and v(s) are
computed afterwards, for all steps at once.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jax_ac import tree
from jax_ac.checks import check_positive
from jax_ac.policies import log_prob_along, repeat_memory, value_along
from jax_ac.protocols import Policy, Rollout
from jax_ac.types import Ends, Env, Experience, PyTree, Transition

AHEAD_BYTES = 256
"""Up to this size of an observation with its state, the resets of a rollout are drawn at once, one per step and environment.

Few are used, but a random number is far cheaper to draw among many than alone (`experiments/benchmark`).
"""


def episodes(num_episodes: int = 1) -> Rollout:
    """N whole episodes, padded to the environment's time limit T.

    Leaves of the trajectory are ``[T, N, ...]``; `mask` is False after each episode's last step, where the state stands
    still and the reward is 0. Acting raises ValueError if the environment has no time limit.
    """
    num_episodes = check_positive("num_episodes", num_episodes)
    return Rollout(lambda key, env, policy: (), partial(_play, num_episodes), None)


def unroll(num_envs: int, num_steps: int) -> Rollout:
    """T steps of N environments, each reset as soon as its episode ends; the next rollout goes on where this one ends.

    Leaves of the trajectory are ``[T, N, ...]``. Where an episode was truncated, `next_value` is the value of its final
    observation. Of those, as many are kept as there can be truncations, not one per step
    (`experiments/bootstrap_storage.py`).
    """
    num_envs, num_steps = check_positive("num_envs", num_envs), check_positive("num_steps", num_steps)
    return Rollout(partial(_start, num_envs), partial(_continue, num_steps), num_envs * num_steps)


def _play(num_episodes: int, key: jax.Array, env: Env, policy: Policy, acting: tuple) -> tuple[tuple, Experience]:
    if env.max_steps is None:
        raise ValueError(f"whole episodes need a time limit; {env.name} has none.")
    key_reset, key_action, key_env = jax.random.split(key, 3)
    obs, state = jax.vmap(env.reset)(jax.random.split(key_reset, num_episodes))
    memory = repeat_memory(policy, num_episodes)
    alive = jnp.ones(num_episodes, bool)
    noise = jax.eval_shape(policy.act, obs, memory, alive)[0].noise(key_action, (env.max_steps,))

    def step(carry, inputs):
        obs, state, memory, alive, first = carry
        noise, key_env = inputs
        distribution, _, next_memory = policy.act(obs, memory, first)
        action = distribution.sample_from(noise)
        stepped = jax.vmap(env.transition)(jax.random.split(key_env, num_episodes), state, action)
        next_obs, next_state, reward, terminated, truncated = stepped
        goes_on = (next_obs, next_state, next_memory)
        kept = tree.select(alive, goes_on, (obs, state, memory))
        return (*kept, alive & ~(terminated | truncated), jnp.zeros_like(first)), (
            obs, action, distribution, reward, terminated, truncated, alive,
        )  # fmt: skip

    start = (obs, state, memory, alive, alive)
    end, played = jax.lax.scan(step, start, (noise, jax.random.split(key_env, env.max_steps)))
    obs, action, distribution, reward, terminated, truncated, mask = played
    first = jnp.zeros_like(mask).at[0].set(True)
    value = value_along(policy, obs, memory, first)
    _, last_value, _ = policy.act(end[0], end[2], end[4])
    trajectory = Transition(
        obs=obs,
        action=action,
        log_prob=log_prob_along(distribution, action),
        value=value,
        next_value=jnp.concatenate([value[1:], last_value[None]]),
        reward=jnp.where(mask, reward, 0.0),
        terminated=terminated & mask,
        truncated=truncated & mask,
        first=first,
        mask=mask,
    )
    return acting, Experience(trajectory, memory, _whole_episodes(trajectory))


def _whole_episodes(trajectory: Transition) -> Ends:
    lengths = jnp.sum(trajectory.mask, axis=0, dtype=jnp.int32)  # [N]
    returns = jnp.sum(trajectory.reward, axis=0)
    return Ends(jnp.ones(lengths.shape, bool), returns, lengths, jnp.cumsum(lengths, dtype=jnp.int32))


class Acting(NamedTuple):
    """Where `unroll` stands between two rollouts, leaves ``[N, ...]``.

    Attributes:
      env_state, obs: of each environment.
      memory: the policy's, before it has seen `obs`.
      first: whether `obs` begins an episode.
      episode_return, episode_length: of the unfinished episodes, float32 and int32.
    """

    env_state: PyTree
    obs: jax.Array
    memory: PyTree
    first: jax.Array
    episode_return: jax.Array
    episode_length: jax.Array


class Finals(NamedTuple):
    """Final observations of truncated episodes, and the policy's memory there, ``[K, N, ...]``; how many, ``[N]``.

    Each environment can be truncated at most K times in T steps.
    """

    obs: jax.Array
    memory: PyTree
    num_finals: jax.Array

    def add(self, truncated: jax.Array, obs: jax.Array, memory: PyTree) -> "Finals":
        """With those of the environments that were `truncated`, ``[N]``."""
        here = truncated[None] & (jnp.arange(len(self.obs))[:, None] == self.num_finals[None])  # [K, N]

        def put(slots: jax.Array, final: jax.Array) -> jax.Array:
            return tree.select(here, jnp.broadcast_to(final, slots.shape), slots)

        memory = jax.tree.map(put, self.memory, memory)
        return Finals(put(self.obs, obs), memory, self.num_finals + truncated)


def _start(num_envs: int, key: jax.Array, env: Env, policy: Policy) -> Acting:
    obs, state = jax.vmap(env.reset)(jax.random.split(key, num_envs))
    none = jnp.zeros(num_envs, jnp.int32)
    return Acting(state, obs, repeat_memory(policy, num_envs), jnp.ones(num_envs, bool), none.astype(jnp.float32), none)


def _continue(num_steps: int, key: jax.Array, env: Env, policy: Policy, acting: Acting) -> tuple[Acting, Experience]:
    num_envs = len(acting.first)
    key_action, key_env = jax.random.split(key)
    noise = jax.eval_shape(policy.act, acting.obs, acting.memory, acting.first)[0].noise(key_action, (num_steps,))
    step_keys, reset_keys = _two_each(jax.random.split(key_env, (num_steps, num_envs)))
    begin = jax.vmap(env.reset)
    if _is_small(env.reset):
        resets, begin = jax.vmap(begin)(reset_keys), lambda drawn: drawn
    else:
        resets = reset_keys
    num_slots = 1 + (num_steps - 1) // env.truncation_gap
    slots = jax.tree.map(lambda leaf: jnp.zeros((num_slots, *leaf.shape), leaf.dtype), (acting.obs, acting.memory))
    finals = Finals(slots[0], slots[1], jnp.zeros(num_envs, jnp.int32))
    step = partial(_step, env, policy, begin)
    (end, finals), (played, ends) = jax.lax.scan(step, (acting, finals), (noise, step_keys, resets))
    trajectory = _judged(policy, played, (acting, end, finals), ends)
    ends = jax.tree.map(lambda leaf: leaf.reshape(-1), ends)  # [T N], in order of time
    ends = ends._replace(env_step=jnp.arange(1, num_steps * num_envs + 1, dtype=jnp.int32))
    return end, Experience(trajectory, acting.memory, ends)


def _two_each(keys: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Two keys from each, both ``[T, N]``."""
    pairs = jax.vmap(jax.vmap(jax.random.split))(keys)
    return pairs[:, :, 0], pairs[:, :, 1]


def _is_small(reset: Callable) -> bool:
    """Whether what an episode begins with takes at most `AHEAD_BYTES`."""
    begun = jax.eval_shape(reset, jax.eval_shape(lambda: jax.random.key(0)))
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(begun)) <= AHEAD_BYTES


class Played(NamedTuple):
    """What happened in a step: fields of `Transition`, and the distribution that the action came from."""

    obs: jax.Array
    action: jax.Array
    distribution: Any
    reward: jax.Array
    terminated: jax.Array
    truncated: jax.Array


def _step(env: Env, policy: Policy, begin: Callable, carry: tuple[Acting, Finals], inputs: tuple[Any, jax.Array, Any]):
    """One step of all environments: ``carry, (noise, keys, resets) -> carry, (played, ends)``."""
    acting, finals = carry
    noise, keys, resets = inputs
    distribution, _, memory = policy.act(acting.obs, acting.memory, acting.first)
    action = distribution.sample_from(noise)
    stepped = jax.vmap(env.transition)(keys, acting.env_state, action)
    final_obs, env_state, reward, terminated, truncated = stepped
    truncated = truncated & ~terminated
    ended = terminated | truncated
    obs, env_state = tree.select(ended, begin(resets), (final_obs, env_state))
    episode_return, episode_length = acting.episode_return + reward, acting.episode_length + 1
    played = Played(acting.obs, action, distribution, reward, terminated, truncated)
    ends = Ends(ended, episode_return, episode_length, episode_length)
    acting = Acting(
        env_state=env_state,
        obs=obs,
        memory=memory,
        first=ended,
        episode_return=jnp.where(ended, 0.0, episode_return),
        episode_length=jnp.where(ended, 0, episode_length),
    )
    return (acting, finals.add(truncated, final_obs, memory)), (played, ends)


def _judged(policy: Policy, played: Played, around: tuple[Acting, Acting, Finals], ends: Ends) -> Transition:
    """The trajectory, with log-probabilities and values of all its steps at once.

    `around`: where the rollout began and ended, and the final observations.
    """
    start, end, finals = around
    first = jnp.concatenate([start.first[None], ends.ended[:-1]])
    value = value_along(policy, played.obs, start.memory, first)
    _, last_value, _ = policy.act(end.obs, end.memory, end.first)
    following = jnp.concatenate([value[1:], last_value[None]])
    return Transition(
        obs=played.obs,
        action=played.action,
        log_prob=log_prob_along(played.distribution, played.action),
        value=value,
        next_value=_next_values(policy, following, played.truncated, finals),
        reward=played.reward,
        terminated=played.terminated,
        truncated=played.truncated,
        first=first,
        mask=jnp.ones_like(first),
    )


def _next_values(policy: Policy, following: jax.Array, truncated: jax.Array, finals: Finals) -> jax.Array:
    """v(sₜ₊₁), ``[T, N]``: the value `following` at the next step, but that of the final observation where truncated."""
    num_slots, num_envs = finals.obs.shape[:2]
    flat_obs, flat_memory = tree.flatten_time((finals.obs, finals.memory))
    _, values, _ = policy.act(flat_obs, flat_memory, jnp.zeros(num_slots * num_envs, bool))
    slot = jnp.maximum(jnp.cumsum(truncated, axis=0) - 1, 0)  # [T, N]
    at_truncation = jnp.take_along_axis(values.reshape(num_slots, num_envs), slot, axis=0)
    return jnp.where(truncated, at_truncation, following)
