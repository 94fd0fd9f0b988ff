"""Rollouts: a policy acts in environments under `lax.scan` and leaves a trajectory."""

import jax
import jax.numpy as jnp

from jax_ac import tree
from jax_ac.types import Env, Policy, Transition


def episodes(key: jax.Array, env: Env, policy: Policy, *, num_episodes: int = 1) -> Transition:
    """N whole episodes, padded to the environment's time limit.

    Args:
      key: a PRNG key.
      env: an environment with a time limit T (`max_steps`).
      policy: ``obs [N, O] -> (distribution, value [N])``.
      num_episodes: N.

    Returns:
      The trajectory, leaves ``[T, N, ...]``; `mask` is False after each episode's last step, where the state stands still
      and the reward is 0.

    Raises:
      ValueError: if the environment has no time limit.
    """
    if env.max_steps is None:
        raise ValueError(f"whole episodes need a time limit; {env.name} has none.")
    key_reset, key_action, key_env = jax.random.split(key, 3)
    obs, state = jax.vmap(env.reset)(jax.random.split(key_reset, num_episodes))
    alive = jnp.ones(num_episodes, bool)
    noise = jax.eval_shape(policy, obs)[0].noise(key_action, (env.max_steps,))

    def step(carry, inputs):
        obs, state, alive = carry
        noise, key_env = inputs
        distribution, value = policy(obs)
        action = distribution.sample_from(noise)
        stepped = jax.vmap(env.transition)(jax.random.split(key_env, num_episodes), state, action)
        next_obs, next_state, reward, terminated, truncated = stepped
        transition = Transition(
            obs=obs,
            action=action,
            log_prob=distribution.log_prob(action),
            value=value,
            reward=jnp.where(alive, reward, 0.0),
            terminated=terminated & alive,
            truncated=truncated & alive,
            mask=alive,
        )
        obs, state = tree.select(alive, (next_obs, next_state), (obs, state))
        return (obs, state, alive & ~(terminated | truncated)), transition

    _, trajectory = jax.lax.scan(step, (obs, state, alive), (noise, jax.random.split(key_env, env.max_steps)))
    return trajectory
