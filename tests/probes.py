"""The five probe environments of Andy Jones, "Debugging RL, Without the Agonizing Pain" (2021): each isolates one fault.

Observations are ``[1]``: 0, the step t, or ±1 at random. An episode ends after one step, or as many as are said.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jax_ac import Box, Discrete, Functions

TWO_ACTIONS = Discrete(2)
REAL_ACTIONS = Box((1,), -np.inf, np.inf)
TARGET = 0.5  # of real actions, times the observation where it counts


def zero(key, t):
    return jnp.zeros(1)


def step_number(key, t):
    return jnp.full(1, t, jnp.float32)


def random_sign(key, t):
    return jnp.where(jax.random.bernoulli(key), 1.0, -1.0)[None]


def episodes(observe: Callable, reward: Callable, num_steps: int = 1, action_space=TWO_ACTIONS, max_steps: int = 2):
    """Episodes of `num_steps` steps, from ``observe(key, t) -> [1]`` and ``reward(t, observation, action)``, scalars.

    The last step terminates; if it is the step `max_steps` the clock says so as well, which must not count.
    """

    def reset(key):
        obs = observe(key, 0)
        return obs, (obs, jnp.zeros((), jnp.int32))

    def step(key, state, action):
        obs, t = state
        next_obs = observe(key, t + 1)
        payment = jnp.asarray(reward(t, obs[0], action), jnp.float32)
        return next_obs, (next_obs, t + 1), payment, t + 1 >= num_steps, t + 1 >= max_steps

    return Functions(reset, step, action_space, max_steps=max_steps)


def match(t, obs, action):
    """1 for the action 0 at observation -1, and for the action 1 at 0 or 1; else -1."""
    return jnp.where((action == 1) == (obs >= 0), 1.0, -1.0)


def miss(target, action):
    """-(a - target)²."""
    return -jnp.square(action[0] - target)


def of_values(action_space):
    """The three probes of the critic, in which actions do not matter."""
    return {
        "constant": episodes(zero, lambda t, obs, action: 1.0, action_space=action_space),
        "observation": episodes(random_sign, lambda t, obs, action: obs, action_space=action_space),
        "discount": episodes(step_number, lambda t, obs, action: t == 1, num_steps=2, action_space=action_space),
    }


DISCRETE = {
    **of_values(TWO_ACTIONS),
    "action": episodes(zero, match),
    "both": episodes(random_sign, match),
}
REAL = {
    **of_values(REAL_ACTIONS),
    "action": episodes(zero, lambda t, obs, action: miss(TARGET, action), action_space=REAL_ACTIONS),
    "both": episodes(random_sign, lambda t, obs, action: miss(TARGET * obs, action), action_space=REAL_ACTIONS),
}
TEN_STEPS = episodes(random_sign, match, num_steps=10, max_steps=10)


def any_of(probes: dict[str, Functions]) -> Functions:
    """All of the probes in one environment, whose number `probe` says which it is: one compiled program trains on all."""
    resets, steps = zip(*((probe.reset, probe.step) for probe in probes.values()), strict=True)

    def reset(key, *, probe=0.0):
        return jax.lax.switch(jnp.asarray(probe, jnp.int32), resets, key)

    def step(key, state, action, *, probe=0.0):
        return jax.lax.switch(jnp.asarray(probe, jnp.int32), steps, key, state, action)

    first = next(iter(probes.values()))
    return Functions(reset, step, first.action_space, max_steps=first.max_steps, params={"probe": 0.0})
