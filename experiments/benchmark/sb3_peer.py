"""A worker of the benchmark: A2C or PPO of Stable-Baselines3 on gymnasium's CartPole-v1, one seed, in one process.

    sb3-env/bin/python experiments/benchmark/sb3_peer.py --algorithm ppo --steps 20480

A ``go`` makes a new agent with the next seed and trains it for so many environment steps (rounded up to whole updates),
without log. `mean_episode_length` is that of its last 100 episodes. The first call is one update. PyTorch computes on the
CPU with one thread (--threads for another number): with two, on a busy machine of two cores, both algorithms took more than
three times as long.

The settings are those of `jax_ac.a2c` and `jax_ac.ppo`'s defaults: 8 environments and 16 steps, or 4 environments, 128
steps, 4 epochs of 4 minibatches; two hidden layers of 64 tanh units for the actor and two for the critic; a constant
learning rate; RMSProp or Adam with ε = 1e-5; orthogonal initialization; the gradient's global norm clipped. A time limit
bootstraps from the last observation, as ours does. (`vf_coef` is 0.25 since there is no ½ in their squared error.) What
differs in the work done:

- environments are Python objects, stepped one after the other (`DummyVecEnv`), physics in double precision, each in the
  wrapper that records its episodes (`Monitor`), as `make_vec_env` makes them;
- PPO's clipped value loss takes the error of the clipped value, where ours takes the larger of the two errors;
- what is recorded of an update (losses, KL, explained variance) is computed, but not written anywhere.
"""

import argparse
import importlib
import itertools

from serving import Once, serve, timed, versions

SETTINGS = {
    "a2c": {"n_steps": 16, "gae_lambda": 0.95, "learning_rate": 4e-3, "ent_coef": 0.0, "rms_prop_eps": 1e-5},
    "ppo": {
        "n_steps": 128,
        "n_epochs": 4,
        "batch_size": 128,  # 4 minibatches
        "gae_lambda": 0.95,
        "learning_rate": 2.5e-4,
        "ent_coef": 0.01,
        "clip_range": 0.2,
        "clip_range_vf": 0.2,
    },
}
SHARED = {"gamma": 0.99, "vf_coef": 0.25, "max_grad_norm": 0.5}
NUM_ENVS = {"a2c": 8, "ppo": 4}


def start(arguments: list[str]) -> tuple[dict, Once]:
    """Imports and makes one update. Returns the start-up figures and what a ``go`` does."""
    options = parse(arguments)
    _, import_seconds = timed(importlib.import_module, "stable_baselines3")
    import torch

    torch.set_num_threads(options.threads)
    seeds = itertools.count(options.first)
    steps_per_update = NUM_ENVS[options.algorithm] * SETTINGS[options.algorithm]["n_steps"]
    _, first_call_seconds = timed(train, options.algorithm, options.first, steps_per_update)

    def once() -> dict:
        model, seconds = timed(train, options.algorithm, next(seeds), options.steps)
        return {
            "seconds": seconds,
            "env_steps": model.num_timesteps,
            "updates": model.num_timesteps // steps_per_update,
            "mean_episode_length": mean_episode_length(model),
        }

    figures = {
        "import_seconds": import_seconds,
        "compile_seconds": None,
        "first_call_seconds": first_call_seconds,
        "versions": versions("stable-baselines3", "torch", "gymnasium", "numpy"),
    }
    return figures, once


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--algorithm", choices=list(SETTINGS), required=True)
    parser.add_argument("--steps", type=int, default=20_480, help="environment steps per go")
    parser.add_argument("--first", type=int, default=0, help="first seed; each go takes the next one")
    parser.add_argument("--threads", type=int, default=1, help="that PyTorch may use")
    return parser.parse_args(arguments)


def train(algorithm: str, seed: int, steps: int):
    """A new agent, trained."""
    import stable_baselines3
    from stable_baselines3.common.env_util import make_vec_env

    kind = getattr(stable_baselines3, algorithm.upper())
    env = make_vec_env("CartPole-v1", NUM_ENVS[algorithm], seed=seed)
    model = kind("MlpPolicy", env, seed=seed, device="cpu", **SETTINGS[algorithm], **SHARED)
    return model.learn(steps, log_interval=None)


def mean_episode_length(model) -> float | None:
    """Of the last 100 episodes; None before the first one ends."""
    lengths = [episode["l"] for episode in model.ep_info_buffer]
    return sum(lengths) / len(lengths) if lengths else None


if __name__ == "__main__":
    serve(start)
