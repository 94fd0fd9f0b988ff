"""What should a rollout keep in order to bootstrap from the final observations of truncated episodes?

    python experiments/bootstrap_storage.py

Rollouts of 128 steps, a tile of 16 lanes on one CPU device, four ways: not at all (which is wrong); the value of the next
observation computed at every step; the final observation stored at every step and valued at the end; stored only where there
can be one, K = 1 + (T - 1) // (time limit) per environment, and valued at the end. Prints time and memory, and writes
`results/bootstrap_storage.csv`. Time: medians of 7, interleaved. Memory: XLA's temporary buffers of the compiled rollout.
"""

import csv
import os
import time
from pathlib import Path

os.environ["NPROC"] = "1"

import jax
import jax.numpy as jnp
import numpy as np

import jax_ac
from jax_ac.networks import default_network
from jax_ac.policies import init_params, make_policy
from jax_ac.rollout import unroll

RESULTS = Path(__file__).parent / "results"
LANES, STEPS, REPETITIONS = 16, 128, 7
CASES = {"CartPole-v1": 8, "Breakout-MinAtar": 8}  # environments per lane


def valued_at_every_step(env, policy):
    """An environment whose state carries v(sₜ₊₁), computed at each step; the rollout then has nothing to keep."""

    def step(key, state, action):
        obs, inner, reward, terminated, truncated, final_obs = env.step(key, state[0], action)
        _, value, _ = policy.act(final_obs[None], (), jnp.zeros(1, bool))
        return obs, (inner, value[0]), reward, terminated, truncated, final_obs

    def reset(key):
        obs, state = env.reset(key)
        return obs, (state, jnp.zeros(()))

    return env._replace(reset=reset, step=step)


def rollout(env, num_envs: int, way: str):
    """``key -> what an update needs of a rollout``, of one lane."""
    network = default_network(env)
    acting = unroll(num_envs, STEPS)

    def run(key):
        policy = make_policy(network, init_params(network, key, env))
        played = valued_at_every_step(env, policy) if way == "valued at every step" else env
        if way == "not at all":
            played = env._replace(step=lambda *args: (*env.step(*args)[:5], jnp.zeros(env.observation_space.shape)))
        if way == "stored at every step":
            played = env._replace(truncation_gap=1)
        state, experience = acting.act(key, played, policy, acting.init(key, played, policy))
        kept = experience.trajectory
        return (state.env_state, kept.obs, kept.reward, kept.value, kept.next_value, kept.terminated, kept.truncated)

    return run


def main() -> None:
    ways = ["not at all", "valued at every step", "stored at every step", "stored where there can be one"]
    rows = []
    for name, num_envs in CASES.items():
        env = jax_ac.make_env(name)
        keys = jax.random.split(jax.random.key(0), LANES)
        programs = {way: jax.jit(jax.vmap(rollout(env, num_envs, way))).lower(keys).compile() for way in ways}
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(REPETITIONS + 1):
            for way, program in programs.items():
                start = time.perf_counter()
                jax.block_until_ready(program(keys))
                seconds[way].append(time.perf_counter() - start)
        base = np.median(seconds["not at all"][1:])
        for way, program in programs.items():
            memory = program.memory_analysis().temp_size_in_bytes / 2**20
            median = float(np.median(seconds[way][1:]))
            rows.append([name, way, round(1000 * median, 2), round(median / base, 3), round(memory, 2)])
    header = ["environment", "final observations", "ms per rollout", "against not at all", "temporary MiB"]
    print("| " + " | ".join(header) + " |\n|" + "---|" * len(header))
    print("\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows))
    with (RESULTS / "bootstrap_storage.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


if __name__ == "__main__":
    main()
