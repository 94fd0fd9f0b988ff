"""How well do the presets learn, with the settings they ship with? Many fresh seeds each, the whole budget.

    python experiments/learning.py                        # everything: hours on 2 cores, most of it MinAtar
    python experiments/learning.py ppo:CartPole-v1 ...    # only these

The score of a seed is the mean return of its last 100 training episodes. The table gives the interquartile mean over seeds
with a 95 % bootstrap interval over seeds (Agarwal et al. 2021). Writes `results/learning.csv`,
`results/learning_curves.csv` and `results/learning_family.png`, where dashed lines are what others report; the rows of what
was not trained now are kept. Settings were chosen on seeds from 10,000 on (`tuning.TUNED`); the seeds here are 0, 1, ...
"""

import csv
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

RESULTS = Path(__file__).parent / "results"
NUM_POINTS = 100


class Task(NamedTuple):
    """What is trained, and what others report for it (`return at steps, who`)."""

    seeds: int
    steps: int
    theirs: str


TASKS = {
    "ppo:CartPole-v1": Task(100, 499_712, "490 ± 6 (CleanRL, 3 seeds)"),
    "a2c:CartPole-v1": Task(100, 499_968, "500 ± 0 (SB3 zoo, 1 run)"),
    "reinforce:CartPole-v1": Task(30, 500_000, ""),
    "one_step:CartPole-v1": Task(30, 500_000, ""),
    "ppo:Acrobot-v1": Task(30, 499_712, "-86.4 ± 1.3 (CleanRL, 3 seeds)"),
    "a2c:Acrobot-v1": Task(30, 499_712, "-83.4 ± 17 (SB3 zoo, 1 run)"),
    "ppo:Pendulum-v1": Task(30, 499_712, "-130 (gymnax-blines, 1 run)"),
    "ppo:MountainCarContinuous-v0": Task(30, 249_856, "92 (gymnax-blines, 1 run)"),
    "ppo:Breakout-MinAtar": Task(2, 4_997_120, "28 at 1e7 steps (gymnax-blines, 1 run)"),
}


def last_100(episode_return: np.ndarray, num_episodes: np.ndarray) -> np.ndarray:
    """Mean return of each seed's last 100 episodes, or of a few more to complete an update: ``[S, U] -> [S]``."""
    returns = np.nan_to_num(episode_return.astype(float)) * num_episodes
    episodes, total = (np.cumsum(x[:, ::-1], axis=1) for x in (num_episodes, returns))
    enough = np.where(episodes[:, -1] >= 100, np.argmax(episodes >= 100, axis=1), episodes.shape[1] - 1)
    seeds = np.arange(len(episodes))
    return total[seeds, enough] / np.maximum(episodes[seeds, enough], 1)


def interquartile_mean(scores: np.ndarray, axis: int = 0) -> np.ndarray:
    return stats.trim_mean(scores, 0.25, axis=axis)


def train(name: str, task: Task):
    """The run."""
    import jax

    import jax_ac

    preset, env = name.split(":")
    annealed = preset in ("a2c", "ppo")
    algorithm = jax_ac.tuned(preset, env, **({"total_steps": task.steps} if annealed else {}))
    per_update = algorithm.steps_per_update or 8 * 250  # whole episodes: as many updates as at half the time limit
    return jax_ac.run(
        algorithm,
        task.seeds,
        max_updates=task.steps // per_update,
        until_solved=False,
        tile_width=min(16, -(-task.seeds // jax.local_device_count())),
    )


def report(name: str, task: Task, result) -> tuple[dict, list[list]]:
    """A row for the table and the points of the curve."""
    preset, env = name.split(":")
    metrics = result.metrics
    scores = last_100(metrics.episode_return, metrics.num_episodes)
    interval = stats.bootstrap(
        (scores,), interquartile_mean, rng=0, method="percentile", vectorized=True
    ).confidence_interval
    row = {
        "preset": preset,
        "env": env,
        "seeds": task.seeds,
        "steps": int(np.median(result.marks.env_steps)),
        "iqm": round(float(interquartile_mean(scores)), 2),
        "low": round(float(interval.low), 2),
        "high": round(float(interval.high), 2),
        "min": round(float(scores.min()), 2),
        "median": round(float(np.median(scores)), 2),
        "max": round(float(scores.max()), 2),
        "diverged": int((result.marks.diverged_update >= 0).sum()),
        "run_seconds": round(result.spent.run_seconds, 1),
        "steps_per_second": round(float(result.marks.env_steps.sum(dtype=float)) / result.spent.run_seconds),
        "theirs": task.theirs,
    }
    updates = np.unique(np.linspace(0, metrics.running_return.shape[1] - 1, NUM_POINTS).astype(int))
    steps = np.cumsum(np.nan_to_num(metrics.env_steps), axis=1).mean(axis=0)
    curves = metrics.running_return[:, updates]
    lower, middle, upper = np.nanquantile(curves, 0.25, 0), interquartile_mean(curves), np.nanquantile(curves, 0.75, 0)
    points = zip(steps[updates], lower, middle, upper, strict=True)
    return row, [[preset, env, int(step), *(round(float(value), 3) for value in rest)] for step, *rest in points]


def read(path: Path) -> list[list[str]]:
    if not path.exists():
        return []
    with path.open() as file:
        return list(csv.reader(file))[1:]


def keep_and_write(path: Path, header: list[str], name: str, new: list[list]) -> list[list]:
    """Replaces the rows of one task in a file; the order is that of `TASKS`."""
    rows = [row for row in read(path) if f"{row[0]}:{row[1]}" != name] + [[str(value) for value in row] for row in new]
    rows.sort(key=lambda row: list(TASKS).index(f"{row[0]}:{row[1]}"))
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return rows


def draw(points: list[list]) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    names = list(dict.fromkeys(f"{row[0]}:{row[1]}" for row in points))
    columns = min(3, len(names))
    figure = Figure(figsize=(4 * columns, 3 * -(-len(names) // columns)), layout="constrained")
    for panel, name in enumerate(names):
        axes = figure.add_subplot(-(-len(names) // columns), columns, panel + 1)
        steps, lower, middle, upper = np.array([row[2:] for row in points if f"{row[0]}:{row[1]}" == name], float).T
        axes.fill_between(steps, lower, upper, color="#0072B2", alpha=0.25, linewidth=0)
        axes.plot(steps, middle, color="#0072B2")
        if TASKS[name].theirs:
            axes.axhline(float(TASKS[name].theirs.split()[0]), color="#D55E00", linewidth=1, linestyle="--")
        axes.set_title(f"{name.replace(':', ', ')}: {TASKS[name].seeds} seeds", fontsize=9)
        axes.set(xlabel="environment steps", ylabel="running return")
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(RESULTS / "learning_family.png", dpi=110)


def keep(name: str, result) -> None:
    """Puts a run into the table, the curves and the picture."""
    row, points = report(name, TASKS[name], result)
    keep_and_write(RESULTS / "learning.csv", list(row), name, [list(row.values())])
    header = ["preset", "env", "steps", "lower_quartile", "interquartile_mean", "upper_quartile"]
    draw(keep_and_write(RESULTS / "learning_curves.csv", header, name, points))


def table(rows: list[list[str]]) -> str:
    """The rows of `results/learning.csv` as the README shows them."""
    lines = ["| | seeds | steps | return, IQM [95 %] | min to max | others, same steps unless said |", "|---" * 6 + "|"]
    for preset, env, seeds, steps, iqm, low, high, least, _, most, *_, theirs in rows:
        spread = f"{float(least):.1f} to {float(most):.1f}"
        score = f"{float(iqm):.1f} [{float(low):.1f}, {float(high):.1f}]"
        lines.append(f"| {preset}, {env} | {seeds} | {int(steps):,} | {score} | {spread} | {theirs} |")
    return "\n".join(lines)


def main() -> None:
    import jax_ac

    jax_ac.use_all_cores()
    for name in sys.argv[1:] or TASKS:
        start = time.perf_counter()
        keep(name, train(name, TASKS[name]))
        print(f"{name}: {time.perf_counter() - start:.0f} s with compilation", flush=True)
    print(table(read(RESULTS / "learning.csv")))


if __name__ == "__main__":
    main()
