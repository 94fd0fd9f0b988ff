"""Does a brax environment train through `from_brax`? PPO on inverted_pendulum (1,000 steps of reward 1), 4 seeds.

    pip install '.[brax]' && python experiments/brax_pendulum.py

Prints a table and writes `results/brax_pendulum.csv`; minutes on 2 cores, most of them physics.
"""

import csv
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results"
NUM_SEEDS, TOTAL_STEPS = 4, 399_360


def main() -> None:
    import jax

    import jax_ac
    from jax_ac import transforms

    jax_ac.use_all_cores()
    env = transforms.normalize_observations(jax_ac.from_brax("inverted_pendulum"))
    numbers = jax_ac.PPOHyperparams(learning_rate=1e-3, ent_coef=0.0)
    algorithm = jax_ac.ppo(env, num_envs=16, num_steps=128, total_steps=TOTAL_STEPS, hyperparams=numbers)
    result = jax_ac.run(algorithm, NUM_SEEDS, tile_width=NUM_SEEDS // jax.local_device_count() or 1)
    steps = np.cumsum(np.nan_to_num(result.metrics.env_steps), axis=1)[0]
    points = np.linspace(0, len(steps) - 1, 14).astype(int)[1:]
    with (RESULTS / "brax_pendulum.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["steps", *(f"seed {seed}" for seed in range(NUM_SEEDS))])
        for point in points:
            row = [int(steps[point]), *(round(float(value), 1) for value in result.metrics.running_return[:, point])]
            writer.writerow(row)
            print(row)


if __name__ == "__main__":
    main()
