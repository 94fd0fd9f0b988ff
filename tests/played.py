"""Rollouts that play what they are given, and the Keras preset on them."""

from functools import partial

import jax.numpy as jnp
import numpy as np

import jax_ac
from jax_ac import advantages, losses
from jax_ac.networks import SharedActorCritic
from jax_ac.protocols import Rollout
from jax_ac.types import Ends, Experience, Transition
from jax_ac.update import keras_adam


def playing(obs, action, mask):
    """A rollout that plays episodes in turn, ``[U, T, N, ...]``: those of index u are its u-th. Every reward is 1."""
    obs, action, mask = map(jnp.asarray, (obs, action, mask))

    def act(key, env, policy, turn):
        del key, env
        nowhere = jnp.zeros_like(mask[turn])
        first = nowhere.at[0].set(True)
        distribution, value, _ = policy.act(obs[turn], (), first)
        log_prob, reward = distribution.log_prob(action[turn]), mask[turn].astype(jnp.float32)
        steps = Transition(obs[turn], action[turn], log_prob, value, value, reward, nowhere, nowhere, first, mask[turn])
        lengths = jnp.sum(mask[turn], axis=0, dtype=jnp.int32)
        ends = Ends(lengths > 0, lengths.astype(jnp.float32), lengths, jnp.cumsum(lengths, dtype=jnp.int32))
        return turn + 1, Experience(steps, (), ends)

    return Rollout(lambda key, env, policy: jnp.zeros((), jnp.int32), act, None)


def of_lengths(lengths):
    """A rollout of episodes of the given lengths, ``[U, N]``."""
    mask = np.arange(200)[:, None] < np.asarray(lengths)[:, None, :]
    return playing(jnp.ones((*mask.shape, 4)), jnp.zeros(mask.shape, jnp.int32), mask)


def keras_with(env, play, **arguments):
    """The Keras preset, assembled by hand, with another rollout in its place."""
    return jax_ac.actor_critic(
        env,
        SharedActorCritic(env.observation_space, env.action_space),
        rollout=play,
        advantage=advantages.normalized_returns,
        loss=partial(losses.keras_actor_critic_loss, stop_gradient=False),
        optimizer=lambda h: keras_adam(h.learning_rate, h.adam_b1, h.adam_b2, h.adam_eps),
        hyperparams=jax_ac.KerasHyperparams(),
        **arguments,
    )
