"""Which settings learn best? A grid per task, on seeds that `learning.py` does not use: what `jax_ac.tuning.TUNED` ships.

    python experiments/tuning.py                       # every task
    python experiments/tuning.py a2c:Acrobot-v1 ...    # only these

Numbers are an axis of one compiled program; transformers and shapes are looped over. A setting's score is the interquartile
mean over seeds of the mean return of the last 100 training episodes, as in `learning.py`. The best score is that of the
luckiest of many and flatters its setting: `learning.py` trains the chosen one again on fresh seeds. Prints every setting,
best first, and writes `results/tuning.csv`.
"""

import csv
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from learning import interquartile_mean, last_100

RESULTS = Path(__file__).parent / "results"
FIRST_SEED = 10_000
NORMALIZED = (("normalize_observations", {}),)


class Search(NamedTuple):
    """What is tried for a task: every combination of `numbers`, with every one of `structures` (shapes, transforms)."""

    seeds: int
    steps: int
    structures: list[tuple[dict[str, int], tuple]]
    numbers: dict[str, list[float]]


SEARCHES = {
    "a2c:Acrobot-v1": Search(
        8,
        499_712,
        [({"num_envs": 8, "num_steps": 16}, NORMALIZED), ({"num_envs": 16, "num_steps": 8}, NORMALIZED)],
        {"learning_rate": [1e-3, 2e-3, 4e-3], "ent_coef": [0.0, 0.01, 0.03], "gae_lambda": [0.95, 1.0]},
    ),
    "ppo:Pendulum-v1": Search(
        8,
        499_712,
        [
            ({"num_envs": 8, "num_steps": 128, "num_epochs": 10, "num_minibatches": 8}, (scaled, *NORMALIZED))
            for scaled in [("scale_rewards", {"scale": 0.1})]
        ],
        {"learning_rate": [2.5e-4, 5e-4, 1e-3, 2e-3], "gamma": [0.9, 0.95, 0.98, 0.99]},
    ),
}


def train(name: str, search: Search, structure: tuple[dict[str, int], tuple]) -> list[tuple[dict[str, Any], np.ndarray]]:
    """Each setting of one structure with its seeds' scores."""
    import jax_ac
    from jax_ac import tuning

    preset, env = name.split(":")
    shapes, transforms = structure
    setting = tuning.setting(preset, env)._replace(shapes=shapes, transforms=transforms)
    algorithm = tuning.build(preset, jax_ac.make_env(env), setting, total_steps=search.steps)
    hyperparams = jax_ac.grid(algorithm.hyperparams, **search.numbers)
    seeds = range(FIRST_SEED, FIRST_SEED + search.seeds)
    result = jax_ac.run(algorithm, seeds, hyperparams=hyperparams, until_solved=False)
    scores = last_100(result.metrics.episode_return, result.metrics.num_episodes).reshape(-1, search.seeds)
    described = {**shapes, "transforms": " ".join(name for name, _ in transforms)}
    numbers = [{name: f"{getattr(hyperparams, name)[h]:g}" for name in search.numbers} for h in range(len(scores))]
    return [({**described, **values}, row) for values, row in zip(numbers, scores, strict=True)]


def main() -> None:
    import jax_ac

    jax_ac.use_all_cores()
    rows = []
    path = RESULTS / "tuning.csv"
    chosen = sys.argv[1:] or list(SEARCHES)
    if path.exists():
        with path.open() as file:
            rows = [row for row in list(csv.reader(file))[1:] if row[0] not in chosen]
    for name in chosen:
        search = SEARCHES[name]
        results = [result for structure in search.structures for result in train(name, search, structure)]
        results.sort(key=lambda result: interquartile_mean(result[1]), reverse=True)
        for values, scores in results:
            setting = ", ".join(f"{key}={value}" for key, value in values.items())
            numbers = [f"{number:.2f}" for number in (interquartile_mean(scores), scores.min(), scores.max())]
            rows.append([name, setting, str(len(scores)), *numbers])
            print(" | ".join(rows[-1]), flush=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["task", "setting", "seeds", "iqm", "min", "max"], *rows])


if __name__ == "__main__":
    main()
