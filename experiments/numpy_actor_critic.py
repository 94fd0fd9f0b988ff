"""The Keras example's algorithm on CartPole-v0 in plain NumPy: an oracle for the tests and a peer for the benchmark.

Written from the example and from Keras's formulas, without JAX: physics in Python floats, one small matrix product per
layer and step, gradients by hand. One process, one core.

    python experiments/numpy_actor_critic.py --first 0 --count 10

prints one CSV row per seed: seed, episodes until solved, environment steps, seconds.
"""

import argparse
import math
import os
import time
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

GAMMA = 0.99
HIDDEN = 128
MAX_STEPS = 200
EPSILON = float(np.finfo(np.float32).eps)


class Weights(NamedTuple):
    """Keras's layout: kernels are ``[in, out]``."""

    hidden_kernel: np.ndarray
    hidden_bias: np.ndarray
    actor_kernel: np.ndarray
    actor_bias: np.ndarray
    critic_kernel: np.ndarray
    critic_bias: np.ndarray


def glorot_uniform(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    limit = math.sqrt(6.0 / (rows + columns))
    return rng.uniform(-limit, limit, (rows, columns))


def initial_weights(rng: np.random.Generator) -> Weights:
    return Weights(
        glorot_uniform(rng, 4, HIDDEN), np.zeros(HIDDEN),
        glorot_uniform(rng, HIDDEN, 2), np.zeros(2),
        glorot_uniform(rng, HIDDEN, 1), np.zeros(1),
    )  # fmt: skip


def cartpole_step(x: float, x_dot: float, theta: float, theta_dot: float, action: int):
    """One Euler step of the cart and pole. Barto, Sutton & Anderson (1983)."""
    force = 10.0 if action == 1 else -10.0
    cos, sin = math.cos(theta), math.sin(theta)
    temp = (force + 0.05 * theta_dot * theta_dot * sin) / 1.1
    theta_acc = (9.8 * sin - cos * temp) / (0.5 * (4.0 / 3.0 - 0.1 * cos * cos / 1.1))
    x_acc = temp - 0.05 * theta_acc * cos / 1.1
    return x + 0.02 * x_dot, x_dot + 0.02 * x_acc, theta + 0.02 * theta_dot, theta_dot + 0.02 * theta_acc


def play_episode(rng: np.random.Generator, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    """One episode under the softmax policy: observations ``[T, 4]`` and actions ``[T]``; every reward is 1."""
    hidden_kernel, hidden_bias, actor_kernel, actor_bias, _, _ = weights
    state = tuple(rng.uniform(-0.05, 0.05, 4).tolist())
    noise = rng.random(MAX_STEPS).tolist()
    observations, actions = [], []
    for uniform in noise:
        hidden = np.maximum(np.array(state) @ hidden_kernel + hidden_bias, 0.0)
        left, right = (hidden @ actor_kernel + actor_bias).tolist()
        action = int(uniform * (1.0 + math.exp(min(left - right, 700.0))) < 1.0)  # P(right) = 1 / (1 + e^(left - right))
        observations.append(state)
        actions.append(action)
        state = cartpole_step(*state, action)
        if not (-2.4 <= state[0] <= 2.4 and abs(state[2]) <= 24 * math.pi / 360):
            break
    return np.array(observations), np.array(actions)


def normalized_returns(num_steps: int) -> np.ndarray:
    """Discounted returns of `num_steps` rewards of 1, normalized over the episode."""
    returns, running = np.empty(num_steps), 0.0
    for t in reversed(range(num_steps)):
        running = 1.0 + GAMMA * running
        returns[t] = running
    return (returns - returns.mean()) / (returns.std() + EPSILON)


def gradient(weights: Weights, observations: np.ndarray, actions: np.ndarray, stop_gradient: bool = False) -> Weights:
    """∇ Σₜ -log π(aₜ|sₜ) (Gₜ - v(sₜ)) + Huber(v(sₜ), Gₜ), by hand."""
    target = normalized_returns(len(actions))
    pre = observations @ weights.hidden_kernel + weights.hidden_bias
    hidden = np.maximum(pre, 0.0)
    logits = hidden @ weights.actor_kernel + weights.actor_bias
    value = (hidden @ weights.critic_kernel + weights.critic_bias)[:, 0]
    logits = logits - logits.max(axis=1, keepdims=True)
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    chosen = log_probs[np.arange(len(actions)), actions]
    advantage = target - value
    d_logits = np.exp(log_probs) * advantage[:, None]  # d(-log π(a) A) / d logits = A (π - onehot(a))
    d_logits[np.arange(len(actions)), actions] -= advantage
    d_value = np.clip(value - target, -1.0, 1.0)  # Huber, delta 1
    if not stop_gradient:
        d_value = d_value + chosen  # d(-log π (G - v)) / dv = log π
    d_hidden = d_logits @ weights.actor_kernel.T + d_value[:, None] * weights.critic_kernel[:, 0]
    d_pre = d_hidden * (pre > 0)
    return Weights(
        observations.T @ d_pre, d_pre.sum(axis=0),
        hidden.T @ d_logits, d_logits.sum(axis=0),
        (hidden.T @ d_value)[:, None], d_value.sum(keepdims=True),
    )  # fmt: skip


class Adam(NamedTuple):
    """Keras's Adam, its state; ε is added before the bias correction."""

    count: int
    first: Weights
    second: Weights

    @classmethod
    def start(cls, weights: Weights) -> "Adam":
        return cls(0, Weights(*map(np.zeros_like, weights)), Weights(*map(np.zeros_like, weights)))

    def step(self, weights: Weights, grads: Weights, learning_rate: float = 0.01) -> tuple[Weights, "Adam"]:
        count = self.count + 1
        first = Weights(*(0.9 * m + 0.1 * g for m, g in zip(self.first, grads, strict=True)))
        second = Weights(*(0.999 * v + 0.001 * g * g for v, g in zip(self.second, grads, strict=True)))
        alpha = learning_rate * math.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        moved = (w - alpha * m / (np.sqrt(v) + 1e-7) for w, m, v in zip(weights, first, second, strict=True))
        return Weights(*moved), Adam(count, first, second)


def train_until_solved(seed: int, max_episodes: int = 5000, stop_gradient: bool = False) -> tuple[int, int]:
    """Returns (episodes until solved, environment steps); (-1, steps) if `max_episodes` did not suffice."""
    rng = np.random.default_rng(seed)
    weights = initial_weights(rng)
    adam = Adam.start(weights)
    running, num_steps = 0.0, 0
    for episode in range(1, max_episodes + 1):
        observations, actions = play_episode(rng, weights)
        num_steps += len(actions)
        running = 0.05 * len(actions) + 0.95 * running
        weights, adam = adam.step(weights, gradient(weights, observations, actions, stop_gradient))
        if running > 195:
            return episode, num_steps
    return -1, num_steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--count", type=int, default=1, help="number of seeds")
    arguments = parser.parse_args()
    print("seed,episodes,env_steps,seconds", flush=True)
    for seed in range(arguments.first, arguments.first + arguments.count):
        start = time.perf_counter()
        episodes, num_steps = train_until_solved(seed)
        print(f"{seed},{episodes},{num_steps},{time.perf_counter() - start:.3f}", flush=True)


if __name__ == "__main__":
    main()
