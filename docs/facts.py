"""What the pages say of the code, taken from the code: tables of settings, of environments, and of what was measured."""

import csv
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import docstring_parser

from jax_ac import make_env, plots, presets, tuning
from jax_ac.commands import STATIC

RESULTS = Path(__file__).parent.parent / "experiments" / "results"

MAKERS: dict[str, Callable] = {
    "keras": presets.keras_actor_critic,
    "reinforce": presets.reinforce,
    "one_step": presets.one_step,
    "a2c": presets.a2c,
    "ppo": presets.ppo,
}

ENVIRONMENTS = ("CartPole-v1", "Acrobot-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1", "Breakout-MinAtar")


def substitutions() -> dict[str, str]:
    """What stands in the pages as ``{{ name }}``."""
    settings = {f"settings_{preset}": settings_table(preset) for preset in MAKERS}
    return {
        **settings,
        "environments": environments_table(),
        "tolerance": measured_table("tolerance.csv"),
        "run_costs": measured_table("run_costs.csv"),
        "gpu": gpu_table(),
        "coverage": measured_table("coverage.csv"),
        "learning": learning_table(),
        "pictures": pictures(),
    }


def gpu_table() -> str:
    """Lane-updates per second by lanes: on a GPU at the tile width that was fastest, and on its machine's CPU cores."""
    points: dict[tuple[str, int], dict[str, list[tuple[float, int]]]] = {}
    for row in json.loads((RESULTS / "gpu.json").read_text())["rows"]:
        if row.get("kind") == "rate" and row["part"] in ("table", "cpu"):
            at = points.setdefault((row["preset"], row["lanes"]), {"table": [], "cpu": []})
            at[row["part"]].append((median(row["updates_per_second"]), row["width"]))
    rows = []
    for (preset, lanes), at in sorted(points.items()):
        if at["table"]:
            (rate, width), cpu = max(at["table"]), max(at["cpu"], default=(0.0, 0))[0]
            compared = (f"{cpu:,.0f}", f"{rate / cpu:.2g}") if cpu else ("", "")
            rows.append((preset, f"{lanes:,}", f"{rate:,.0f}", f"{width:,}", *compared))
    return table(("preset", "lanes", "GPU, updates/s", "tile width", "16 CPU cores, updates/s", "times"), rows)


def settings_table(preset: str) -> str:
    """Every setting of a preset: its default, what it is, and how `jax-ac sweep` tries several values of it."""
    chosen, maker = tuning.DEFAULTS[preset], MAKERS[preset]
    arguments = {name: parameter.default for name, parameter in inspect.signature(maker).parameters.items() if name != "env"}
    numbers = chosen.hyperparams._asdict()
    rows = [(f"`{name}`", f"{numbers[name]:g}", text, "in one program") for name, text in _described(chosen.hyperparams)]
    for name, text in _described(maker):
        if name in arguments and name != "hyperparams":
            rows.append((f"`{name}`", _shown(arguments[name]), text, _how(name, chosen.shapes)))
    return table(("setting", "default", "what it is", "several values of it"), rows)


def environments_table() -> str:
    """What can be set of some environments: numbers that can be swept, and those that fix a program."""
    rows = []
    for name in ENVIRONMENTS:
        env = make_env(name)
        numbers = ", ".join(f"`{key}` {value:.4g}" for key, value in env.params.items()) or "none"
        threshold = "none" if env.solved_at is None else f"{env.solved_at:g}"
        rows.append((name, numbers, str(env.max_steps), threshold))
    return table(("environment", "numbers, each `env_<name>` in a sweep", "time limit", "solved above"), rows)


def learning_table() -> str:
    """What the presets reach with the settings that ship (`experiments/learning.py`)."""
    rows = []
    for row in _rows("learning.csv"):
        score = f"{float(row['iqm']):.1f} [{float(row['low']):.1f}, {float(row['high']):.1f}]"
        spread = f"{float(row['min']):.1f} to {float(row['max']):.1f}"
        what, steps = f"{row['preset']}, {row['env']}", f"{int(row['steps']):,}"
        rows.append((what, row["seeds"], steps, score, spread, row["theirs"]))
    return table(("", "seeds", "steps", "return, IQM [95 %]", "min to max", "others, same steps unless said"), rows)


def pictures() -> str:
    """The reference of all functions of `plots`, wherever they are written."""
    names = [name for name, value in vars(plots).items() if inspect.isfunction(value) and not name.startswith("_")]
    return "\n".join(["```{eval-rst}", *(f".. autofunction:: jax_ac.plots.{name}" for name in names), "```"])


def measured_table(name: str) -> str:
    """A file of `experiments/results` as it stands."""
    rows = _rows(name)
    return table(tuple(rows[0]), [tuple(row.values()) for row in rows])


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _described(documented: Any) -> list[tuple[str, str]]:
    """Names and descriptions of what a docstring lists, each description on one line."""
    listed = docstring_parser.parse(inspect.getdoc(documented) or "").params
    return [(entry.arg_name, " ".join((entry.description or "").split())) for entry in listed]


def _how(name: str, shapes: Mapping[str, int]) -> str:
    if name in shapes:
        return "one program each"
    return "one program each, as `hidden_sizes`" if name == "network" and "hidden_sizes" in STATIC else "in Python"


def _shown(default: Any) -> str:
    if default is inspect.Parameter.empty:
        return ""
    return f"`{default.__name__}`" if callable(default) else str(default)


def _rows(name: str) -> list[dict[str, str]]:
    with (RESULTS / name).open(newline="") as file:
        return list(csv.DictReader(file))
