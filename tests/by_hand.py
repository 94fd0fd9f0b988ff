"""An environment in which everything happens, and losses' gradients derived by hand, in NumPy and float64."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from jax_ac import Discrete, Functions, make_env
from jax_ac.networks import KERAS, SeparateActorCritic
from jax_ac.policies import make_policy

KEY = jax.random.key(3)
close = partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)


def ragged(action_space=None, longest=5):
    """Episodes of 1 to `longest` steps that terminate (kind 0), are truncated (1) or both (2); all of the state is seen."""

    def reset(key):
        keys = jax.random.split(key, 3)
        length, kind = jax.random.randint(keys[1], (), 1, longest + 1), jax.random.randint(keys[2], (), 0, 3)
        state = jnp.stack([jax.random.normal(keys[0]), 0.0, length, kind])
        return state, state

    def step(key, state, action):
        x, time, length, kind = state
        x, ended = 0.8 * x + jnp.sum(action), time + 1 >= length
        state = jnp.stack([x, time + 1, length, kind])
        return state, state, x - 0.3, ended & (kind != 1), ended & (kind != 0)

    return make_env(Functions(reset, step, action_space or Discrete(2)))


def float64(tree):
    return jax.tree.map(
        lambda leaf: np.asarray(leaf, np.float64 if leaf.dtype == np.float32 else None), jax.device_get(tree)
    )


def small(env):
    return SeparateActorCritic(env.observation_space, env.action_space, hidden_sizes=(6,), initialization=KERAS)


class Case:
    """An algorithm with its state before the first update, and what it will act out in an update."""

    def __init__(self, preset, unrolled, **settings):
        self.env = settings.pop("env", None) or ragged()
        self.network = small(self.env)
        self.algorithm = preset(self.env, network=self.network, **settings)
        self.state = jax.jit(self.algorithm.init)(jax.random.key(1), self.algorithm.hyperparams)
        self.step = jax.jit(self.algorithm.step)
        self._act = jax.jit(
            lambda key, params, acting: unrolled.act(key, self.env, make_policy(self.network, params), acting)
        )

    def acted(self, state, key=KEY):
        """The trajectory of the update from `state` with `key`, float64, ``[T, N, ...]``."""
        return float64(self._act(jax.random.split(key)[0], state.params, state.acting)[1].trajectory)


def forward(params, obs):
    """log π(·|s) ``[B, A]`` and v(s) ``[B]``."""
    p = params["params"]
    logits, value = (
        np.tanh(obs @ p[f"{head}_hidden_0"]["kernel"] + p[f"{head}_hidden_0"]["bias"]) @ p[head]["kernel"] + p[head]["bias"]
        for head in ("actor", "critic")
    )
    return logits - np.log(np.sum(np.exp(logits), axis=1, keepdims=True)), value[:, 0]


def entropies(params, obs):
    log_probs, _ = forward(params, obs)
    return -np.sum(np.exp(log_probs) * log_probs, axis=1)


def backward(params, obs, action, d_log_prob, d_value, d_entropy=0.0):
    """∇θ of a function of log π(a|s), v(s) and H(π(·|s)) with these derivatives, ``[B]`` each."""
    p, (log_probs, _) = params["params"], forward(params, obs)
    policy, entropy = np.exp(log_probs), entropies(params, obs)
    d_logits = d_log_prob[:, None] * (np.eye(policy.shape[1])[action] - policy)  # ∂ log πₐ / ∂ logit = 1[a] - π
    d_logits -= d_entropy * policy * (log_probs + entropy[:, None])  # ∂H / ∂ logit = -π (log π + H)
    gradient = {}
    for head, d_output in (("actor", d_logits), ("critic", d_value[:, None])):
        hidden = np.tanh(obs @ p[f"{head}_hidden_0"]["kernel"] + p[f"{head}_hidden_0"]["bias"])
        d_hidden = (d_output @ p[head]["kernel"].T) * (1 - hidden**2)
        gradient[head] = {"kernel": hidden.T @ d_output, "bias": d_output.sum(axis=0)}
        gradient[f"{head}_hidden_0"] = {"kernel": obs.T @ d_hidden, "bias": d_hidden.sum(axis=0)}
    return {"params": gradient}


def norm(gradient):
    return np.sqrt(sum(np.sum(leaf**2) for leaf in jax.tree.leaves(gradient)))


def clipped(gradient, most):
    factor = min(1.0, most / norm(gradient))
    return jax.tree.map(lambda leaf: leaf * factor, gradient)


def targets(steps, gamma, lambda_):
    """λ-returns and advantages ``[T, N]``, step by step from the last."""
    advantage = np.zeros_like(steps.reward)
    for n in range(advantage.shape[1]):
        for t in reversed(range(len(advantage))):
            ahead = 0.0 if steps.terminated[t, n] else steps.next_value[t, n]
            advantage[t, n] = steps.reward[t, n] + gamma * ahead - steps.value[t, n]
            if t + 1 < len(advantage) and not (steps.terminated[t, n] or steps.truncated[t, n]):
                advantage[t, n] += gamma * lambda_ * advantage[t + 1, n]
    return advantage + steps.value, advantage


def flat(tree):
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), tree)


def policy_gradient(params, steps, target, advantage, vf_coef, ent_coef):
    """∇ of the mean of -log π Â + c ½ (v - G)² - β H."""
    _, value = forward(params, steps.obs)
    size = len(value)
    d_value = vf_coef * (value - target) / size
    return backward(params, steps.obs, steps.action, -advantage / size, d_value, -ent_coef / size)


def as_tree(vector, params):
    """A vector of one number per parameter, as optimizers keep them, in the form of the parameters."""
    return ravel_pytree(params)[1](jnp.asarray(vector))
