"""A worker of the benchmark: PPO of SBX (Stable-Baselines3 in JAX) on gymnasium's CartPole-v1, one seed, in one process.

    sbx-env/bin/python experiments/benchmark/sbx_peer.py --steps 20480

A ``go`` trains for so many environment steps (rounded up to whole updates) from the first weights, without log.
`mean_episode_length` is that of its last 100 episodes. SBX compiles again for every new agent; so that a ``go`` times the
training alone, there is one agent, whose weights and optimizer state are put back, while its environments and random
numbers go on. `compile_seconds` is what the first update takes longer than the second: SBX compiles as it goes.

The settings are those of `jax_ac.ppo`'s defaults: 4 environments, 128 steps, 4 epochs of 4 minibatches, two hidden layers
of 64 tanh units for the actor and two for the critic, a constant learning rate, Adam with ε = 1e-5. A time limit bootstraps
from the last observation, as ours does. (`vf_coef` is 0.25 since there is no ½ in its squared error.) What differs in the
work done:

- compiled are the choice of actions and a gradient step, one call each; the rest is Python and NumPy: the loop, the
  environments, stepped one after the other (`DummyVecEnv`, with `Monitor`), the advantages, the shuffling;
- the actor and the critic have an Adam each, and the norm of each one's gradient is clipped by itself;
- the value loss is not clipped: SBX has no such option;
- kernels begin with LeCun's normal initialization, where ours are orthogonal.
"""

import argparse
import importlib

from serving import Once, serve, timed, versions

NUM_ENVS, NUM_STEPS = 4, 128


def start(arguments: list[str]) -> tuple[dict, Once]:
    """Imports, and makes two updates. Returns the start-up figures and what a ``go`` does."""
    options = parse(arguments)
    _, import_seconds = timed(importlib.import_module, "sbx")
    import jax
    import torch

    torch.set_num_threads(1)  # it keeps the rollouts, no more
    agent = make_agent(options.first)
    policy = agent.policy
    initial = policy.actor_state, policy.vf_state

    def train(steps: int) -> None:
        policy.actor_state, policy.vf_state = jax.tree.map(lambda leaf: leaf, initial)  # a copy: SBX writes into it
        agent.learn(steps, log_interval=None)

    def first() -> None:
        train(NUM_ENVS * NUM_STEPS)
        bootstrap_value(agent)

    _, with_compilation = timed(first)
    _, first_call_seconds = timed(first)

    def once() -> dict:
        _, seconds = timed(train, options.steps)
        return {
            "seconds": seconds,
            "env_steps": agent.num_timesteps,
            "updates": agent.num_timesteps // (NUM_ENVS * NUM_STEPS),
            "mean_episode_length": mean_episode_length(agent),
        }

    figures = {
        "import_seconds": import_seconds,
        "compile_seconds": with_compilation - first_call_seconds,
        "first_call_seconds": first_call_seconds,
        "versions": versions("sbx-rl", "stable-baselines3", "jax", "jaxlib", "flax", "torch", "gymnasium"),
    }
    return figures, once


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20_480, help="environment steps per go")
    parser.add_argument("--first", type=int, default=0, help="the seed")
    return parser.parse_args(arguments)


def make_agent(seed: int):
    from sbx import PPO
    from stable_baselines3.common.env_util import make_vec_env

    return PPO(
        "MlpPolicy",
        make_vec_env("CartPole-v1", NUM_ENVS, seed=seed),
        n_steps=NUM_STEPS,
        n_epochs=4,
        batch_size=128,  # 4 minibatches
        learning_rate=2.5e-4,
        gamma=0.99,
        gae_lambda=0.95,
        clip_range=0.2,
        ent_coef=0.01,
        vf_coef=0.25,
        max_grad_norm=0.5,
        seed=seed,
    )


def bootstrap_value(agent) -> None:
    """The value of one observation, as at a time limit, which the first update does not reach: compiles it."""
    observation = agent.observation_space.sample() * 0
    agent.vf.apply(agent.policy.vf_state.params, agent.policy.prepare_obs(observation)[0]).block_until_ready()


def mean_episode_length(agent) -> float | None:
    """Of the last 100 episodes; None before the first one ends."""
    lengths = [episode["l"] for episode in agent.ep_info_buffer]
    return sum(lengths) / len(lengths) if lengths else None


if __name__ == "__main__":
    serve(start)
