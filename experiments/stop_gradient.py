"""Does holding the advantage constant, as textbooks do and the Keras example does not, change how fast it learns?

256 seeds each, the same seeds, until solved.

    python experiments/stop_gradient.py

prints a table and writes `results/stop_gradient.csv` and `results/stop_gradient.png`.
"""

import csv
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results"
NUM_SEEDS = 256
MAX_EPISODES = 3000


def main() -> None:
    from matplotlib.figure import Figure
    from scipy import stats

    import jax_ac
    from jax_ac import plots
    from jax_ac.runs import run

    jax_ac.use_all_cores()
    env = jax_ac.make_env("CartPole-v0")
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    rows, episodes = [], {}
    for axes, (name, stop_gradient) in zip(
        figure.subplots(1, 2, sharey=True, sharex=True), [("Keras example", False), ("textbook", True)], strict=True
    ):
        result = run(jax_ac.keras_actor_critic(env, stop_gradient=stop_gradient), NUM_SEEDS, max_updates=MAX_EPISODES)
        solved = result.marks.solved_episode
        episodes[name] = np.where(solved >= 0, solved + 1, np.inf)
        rows += [(name, seed, int(count) + 1) for seed, count in enumerate(solved)]
        plots.learning_curves(result.metrics.running_return, solved_at=env.solved_at, axes=axes)
        axes.set(title=name, xlim=(0, 1000))
    figure.savefig(RESULTS / "stop_gradient.png", dpi=110)

    print(f"| | solved within {MAX_EPISODES} | median episodes [95 % interval] | quartiles |")
    print("|---|---|---|---|")
    rng = np.random.default_rng(0)
    resample = rng.integers(0, NUM_SEEDS, (10_000, NUM_SEEDS))
    medians = {name: np.median(values[resample], axis=1) for name, values in episodes.items()}
    for name, values in episodes.items():
        low, high = np.quantile(medians[name], [0.025, 0.975])
        lower, upper = np.quantile(values, [0.25, 0.75], method="inverted_cdf")
        solved = f"{np.isfinite(values).sum()} of {NUM_SEEDS}"
        print(f"| {name} | {solved} | {np.median(values):.0f} [{low:.0f}, {high:.0f}] | {lower:.0f} to {upper:.0f} |")
    ratio = medians["textbook"] / medians["Keras example"]
    test = stats.ks_2samp(episodes["textbook"], episodes["Keras example"])
    point = np.median(episodes["textbook"]) / np.median(episodes["Keras example"])
    low, high = np.quantile(ratio, [0.025, 0.975])
    print(
        f"\nThe textbook version needs {point:.2f} [{low:.2f}, {high:.2f}] of the episodes (ratio of medians, bootstrap over"
    )
    print(f"whole runs); the distributions differ with p = {test.pvalue:.1e} (Kolmogorov-Smirnov).")

    with (RESULTS / "stop_gradient.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["version", "seed", "episodes (0: not solved)"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
