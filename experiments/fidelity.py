"""Does the preset learn as the Keras example does? Episodes until solved, three ways, as distributions.

Ours: 256 seeds. Plain NumPy: 256 seeds (about a minute on 2 cores). The real Keras script: the rows of
`results/keras_example.csv`, recorded with `keras_example.py`, which takes minutes per seed.

    python experiments/fidelity.py

prints a table with two-sample Kolmogorov-Smirnov tests and writes `results/fidelity.csv` and `results/fidelity.png`.
"""

import csv
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import numpy_actor_critic

RESULTS = Path(__file__).parent / "results"
NUM_SEEDS = 256
MAX_EPISODES = 5000


def ours() -> np.ndarray:
    """Episodes until solved, ``[256]``."""
    import jax_ac
    from jax_ac.runs import run

    jax_ac.use_all_cores()
    algorithm = jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0"))
    marks = run(algorithm, NUM_SEEDS, max_updates=MAX_EPISODES).marks
    assert (marks.solved_episode >= 0).all()
    return marks.solved_episode + 1


def plain_numpy() -> np.ndarray:
    """Episodes until solved, ``[256]``, one process per core."""
    with ProcessPoolExecutor() as pool:
        return np.array([episodes for episodes, _ in pool.map(numpy_actor_critic.train_until_solved, range(NUM_SEEDS))])


def real_keras() -> np.ndarray:
    """Episodes until solved of the recorded seeds."""
    with (RESULTS / "keras_example.csv").open() as file:
        return np.array([int(row["episodes"]) for row in csv.DictReader(file)])


def main() -> None:
    from matplotlib.figure import Figure
    from scipy import stats

    samples = {"plain NumPy": plain_numpy(), "Keras script": real_keras(), "jax_ac": ours()}
    print("| | seeds | median | quartiles | min | max | KS statistic against jax_ac | p |")
    print("|---|---|---|---|---|---|---|---|")
    for name, episodes in samples.items():
        lower, median, upper = np.quantile(episodes, [0.25, 0.5, 0.75], method="inverted_cdf")
        test = stats.ks_2samp(episodes, samples["jax_ac"])
        compared = "| |" if name == "jax_ac" else f"| {test.statistic:.3f} | {test.pvalue:.2f} |"
        spread = f"{lower} to {upper} | {episodes.min()} | {episodes.max()}"
        print(f"| {name} | {len(episodes)} | {median} | {spread} {compared}")

    with (RESULTS / "fidelity.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["implementation", "episodes"])
        writer.writerows((name, int(count)) for name, episodes in samples.items() for count in sorted(episodes))

    axes = Figure(figsize=(7, 4.2), layout="constrained").add_subplot()
    for (name, episodes), color in zip(samples.items(), ["#E69F00", "#D55E00", "#0072B2"], strict=True):
        axes.ecdf(episodes, color=color, label=f"{name}, {len(episodes)} seeds")
    axes.set(xlabel="episodes until solved", ylabel="fraction of seeds solved", xlim=(0, 1500), title="CartPole-v0")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.figure.savefig(RESULTS / "fidelity.png", dpi=110)


if __name__ == "__main__":
    main()
