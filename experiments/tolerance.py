"""How far is a lane from itself in another program: at other tile widths, and under a plain `jit` of `train`?

    python experiments/tolerance.py    # a minute on 2 cores

At one tile width a lane has the same bits wherever it runs. Another width, or `jit(train)`, is the same computation, which
XLA fuses differently: float32 is rounded at other places, and learning amplifies that. For 16 seeds of the Keras preset on
CartPole-v0 and of PPO on CartPole-v1: the largest difference of any finite metric from that at width 16, relative to the
metric's own size (its largest magnitude in that update's lanes), over the first 1, 5, 10 and 20 updates. Writes
`results/tolerance.csv`.
"""

import csv
from pathlib import Path

import jax
import numpy as np

import jax_ac

RESULTS = Path(__file__).parent / "results"
SEEDS, UPDATES = 16, (1, 5, 10, 20)


def metrics_of(algorithm, width: int | None) -> np.ndarray:
    """Float64 ``[metrics, S, U]``; `width` None: plain jit, one seed at a time."""
    if width is not None:
        _, metrics = jax_ac.train_many(algorithm, SEEDS, UPDATES[-1], tile_width=width)
    else:
        train = jax.jit(lambda key: jax_ac.train(algorithm, key, UPDATES[-1])[1])
        each = [train(jax.random.key(seed)) for seed in range(SEEDS)]
        metrics = jax.tree.map(lambda *rows: np.stack(rows), *each)
    return np.stack([np.asarray(rows, float) for rows in metrics])


def differences(ours: np.ndarray, theirs: np.ndarray) -> list[float]:
    """The largest relative difference over the first updates, for each of `UPDATES`."""
    size = np.nanmax(np.abs(np.where(np.isfinite(theirs), theirs, np.nan)), axis=1, keepdims=True, initial=1e-30)
    relative = np.nan_to_num(np.abs(ours - theirs) / size).max(axis=(0, 1))
    return [relative[:count].max() for count in UPDATES]


def main() -> None:
    keras = jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0"))
    ppo = jax_ac.ppo(jax_ac.make_env("CartPole-v1"), 8, 128)
    header = ["preset", "program", *(f"{count} updates" for count in UPDATES)]
    rows = []
    for name, algorithm in {"keras": keras, "ppo": ppo}.items():
        reference = metrics_of(algorithm, 16)
        for width in (1, 4, 64, None):
            program = "jit(train)" if width is None else f"width {width}"
            rows.append([name, program, *(f"{x:.1e}" for x in differences(metrics_of(algorithm, width), reference))])
    for row in (header, ["---"] * len(header), *rows):
        print("|", " | ".join(row), "|")
    with (RESULTS / "tolerance.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


if __name__ == "__main__":
    main()
