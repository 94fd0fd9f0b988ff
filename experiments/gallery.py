"""What do the pictures look like? Every one of `jax_ac.plots`, of two small runs and a small sweep, light and dark.

    python experiments/gallery.py [FOLDER]

writes `results/gallery-light.png` and `results/gallery-dark.png`, and into FOLDER, where given, each picture on its own.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

import jax_ac
from jax_ac import intervals, plots, solving, studies, summaries
from jax_ac.types import Env

RESULTS = Path(__file__).parent / "results"
SEEDS, EPISODES = 64, 400
RATES, GAMMAS = [1e-3, 3e-3, 1e-2, 3e-2, 1e-1], [0.9, 0.95, 0.98, 0.99]
SWEEP_SEEDS, SWEEP_EPISODES = 16, 200


def pictures() -> dict[str, Callable[..., Axes]]:
    """Functions of ``axes``, by title."""
    env = jax_ac.make_env("CartPole-v0")
    names = {"Keras example": False, "textbook": True}
    runs = {
        name: jax_ac.run(jax_ac.keras_actor_critic(env, stop_gradient=stop), SEEDS, max_updates=EPISODES)
        for name, stop in names.items()
    }
    sweep, scores = sweep_of(env)
    example, agent = runs["Keras example"].data, runs["textbook"].best()
    states = plots.visited_states(agent)
    needed = {name: result.episodes_to_solve for name, result in runs.items()}
    survivals = {name: solving.kaplan_meier(*times) for name, times in needed.items()}
    at_end = {name: result.data.final_running_return.to_numpy() for name, result in runs.items()}
    base = RATES.index(1e-2)
    rivals = {f"learning rate {rate:g}": scores[-1, i] for i, rate in enumerate(RATES) if i != base}
    improvements = {name: intervals.probability_of_improvement(row, scores[-1, base]) for name, row in rivals.items()}
    return {
        "Learning curves": partial(plots.metric_curves, example),
        "Two algorithms along env steps": partial(two_curves, {name: result.data for name, result in runs.items()}),
        "Fraction solved": partial(plots.solved_curves, survivals),
        "Episodes to solve": partial(plots.episodes_to_solve, needed),
        "Settings of a sweep": partial(plots.sweep_curves, sweep, solved_at=env.solved_at),
        "Heat map": partial(
            plots.heat_map,
            intervals.iqm(scores),
            GAMMAS,
            RATES,
            y_label="gamma",
            x_label="learning rate",
            label="running return, IQM",
        ),
        "Sensitivity": partial(plots.sensitivity, RATES, scores[-1], x_label="learning rate", y_label="running return"),
        "Performance profiles": partial(plots.performance_profiles, at_end, x_label="running return at the end"),
        "Forest": partial(
            plots.forest, improvements, reference=0.5, x_label="probability of improvement over learning rate 0.01"
        ),
        "Entropy along episodes": partial(plots.metric_curves, example, "entropy", along="episodes"),
        "Value": partial(plots.value_map, agent, "position", "angle", states=states),
        "Policy": partial(plots.policy_map, agent, "angle", "angular velocity", states=states),
    }


def sweep_of(env: Env) -> tuple[dict, np.ndarray]:
    """The curves of all settings, best first, and the running returns at the end, ``[gamma, learning rate, seed]``."""
    algorithm = jax_ac.keras_actor_critic(env, stop_when_solved=False)
    settings = jax_ac.grid(algorithm.hyperparams, gamma=GAMMAS, learning_rate=RATES)
    result = jax_ac.run(algorithm, SWEEP_SEEDS, max_updates=SWEEP_EPISODES, hyperparams=settings, until_solved=False)
    scores = result.data.final_running_return.to_numpy().reshape(len(GAMMAS), len(RATES), SWEEP_SEEDS)
    return summaries.curves_of(studies.of({"": result}, "sweep")), scores


def two_curves(runs: dict, axes: Axes | None = None) -> Axes:
    for color, (name, data) in zip(plots.palette(), runs.items(), strict=False):
        options = {"statistic": intervals.iqm, "band": plots.confidence(), "label": name, "color": color, "solved_at": None}
        axes = plots.metric_curves(data, along="env_steps", axes=axes, **options)
    assert axes is not None
    return axes


def main(folder: Path | None) -> None:
    drawn = pictures()
    for theme in plots.THEMES:
        with plots.theme(theme):
            figure = Figure(figsize=(21, 17), layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.15))
            for part, (title, draw) in zip(figure.subfigures(4, 3).flat, drawn.items(), strict=True):
                draw(axes=part.add_subplot()).set_title(title)
                if folder is not None:
                    alone = draw(axes=None)
                    alone.set_title(title)
                    plots.save(alone, folder / f"{title.lower().replace(' ', '-')}-{theme}.png")
            path = RESULTS / f"gallery-{theme}.png"
            figure.savefig(path, dpi=70)
        Image.open(path).convert("RGB").quantize(256, kmeans=3).save(path, optimize=True)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
