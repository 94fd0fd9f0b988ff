"""How fast is it? Ours and the peers side by side, in turns, in one go, and what the machine could do at most.

    python experiments/benchmark --environments ~/.cache/jax_ac/peers

makes the peers' environments where they are missing (`environments.py`), takes 10 to 40 minutes on 2 cores, and leaves
``benchmark.md``, ``.json`` and ``.png`` in experiments/results. --only picks pairs by a part of their names.

- A pair is two processes that stay warm and work in turns, so that a machine whose speed drifts slows both; what is told is
  the ratio turn by turn. Compiled programs are read from no cache. See each worker's docstring for what differs in the work.
- Where seeds are trained until solved, how many steps that takes differs from seed to seed, but not in distribution between
  ours, Keras and NumPy (`experiments/fidelity.py`). The ratio is that of environment steps per second.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"  # before any worker starts

import cases
import report
import startup
from environments import python_of
from pairs import Pair, Turns, Worker, compare

RESULTS = Path(__file__).parents[1] / "results"
METRIC_BYTES = 44
"""Of an update of a lane: 11 numbers of 4 bytes."""


def measure_pair(pair: Pair, repetitions: int, interpreter: Callable[[str | None], str]) -> dict[str, Any]:
    ours, peer = compare(pair, repetitions, interpreter)
    sides = {"ours": ours, "peer": peer}
    return {
        "target": pair.target,
        **{side: turns.rates() for side, turns in sides.items()},
        "starts": {side: turns.start for side, turns in sides.items()},
        "peaks": {side: turns.peak_bytes for side, turns in sides.items()},
        "turns": {side: turns.turns for side, turns in sides.items()},
    }


def measure_others(raw: dict[str, Any], repetitions: int, interpreter: Callable[[str | None], str]) -> dict[str, Any]:
    """What is no pair of speeds: imports, compiling, starting up, the cost of a lane among many, memory."""
    mine, theirs = startup.imports(repetitions)
    cold, cached = startup.from_typing(repetitions)
    lanes_few, lanes_many = compare(cases.LANES, repetitions, interpreter)
    one_seed = _keras_seed(raw)
    compiling = {name: pair["starts"]["ours"]["compile_seconds"] for name, pair in raw["pairs"].items()}
    rejax = [pair["starts"]["peer"]["compile_seconds"] for name, pair in raw["pairs"].items() if "rejax" in name]
    rows = {
        "import of jax_ac / of jax, flax, optax and gymnax": (_ratios(mine, theirs), "at most 1.15"),
        "1 seed from typing, without compiled programs, s": (cold, ""),
        "1 seed from typing, with the cache, s": (cached, ""),
        "A lane of A2C among 4,096 / among 64": (_ratios(lanes_few.rates(), lanes_many.rates()), "at most 1.05"),
        "PPO, 2,048 seeds x 500k steps, peak GiB": ([_peak(interpreter) / 2**30], "under 4"),
    }
    if one_seed:
        rows["the Keras script, import and one seed / ours, cold"] = ([one_seed / s for s in cold], "at least 25")
        rows["the Keras script, import and one seed / ours, cached"] = ([one_seed / s for s in cached], "at least 40")
    if rejax:
        for preset, target in (("PPO", "at most 0.5"), ("Keras preset", "at most 0.35")):
            seconds = [s for name, s in compiling.items() if name.startswith(preset)]
            rows[f"compiling the {preset} / rejax's PPO"] = ([s / median(rejax) for s in seconds], target)
    return {name: {"numbers": numbers, "target": target} for name, (numbers, target) in rows.items()}


def _ratios(ours: list[float], theirs: list[float]) -> list[float]:
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def _keras_seed(raw: dict[str, Any]) -> float | None:
    """Seconds of the Keras script for one seed: its import, and the mean steps of a seed at its measured rate."""
    pair = next((pair for name, pair in raw["pairs"].items() if name.endswith("the Keras script")), None)
    if pair is None:
        return None
    solved = [turn[0] for turn in pair["turns"]["ours"]]
    steps = sum(turn["env_steps"] for turn in solved) / sum(turn["solved"] for turn in solved)
    return pair["starts"]["peer"]["import_seconds"] + steps / median(pair["peer"])


def _peak(interpreter: Callable[[str | None], str]) -> float:
    """Peak memory of many seeds of PPO for few updates, and what the metrics of all updates would add."""
    worker = Worker(cases.MEMORY, interpreter)
    turns: Turns = worker.end()
    few, seeds = int(cases.MEMORY.arguments[4]), int(cases.MEMORY.arguments[2])
    return turns.peak_bytes + (cases.MEMORY_UPDATES - few) * seeds * METRIC_BYTES


def machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    model = next((line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.processor())
    return f"{cores} cores of {model}, Python {platform.python_version()}; medians and ranges of turns."


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environments", type=Path, required=True, help="folder of the peers' virtual environments")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--keras-repetitions", type=int, default=2, help="turns of the Keras script, minutes each")
    parser.add_argument("--only", default="", help="pairs whose name has this in it; nothing else is measured, nothing kept")
    arguments = parser.parse_args()

    def interpreter(peer: str | None) -> str:
        return sys.executable if peer is None else str(python_of(peer, arguments.environments))

    chosen = [pair for pair in cases.PAIRS if arguments.only.lower() in pair.name.lower()]
    for pair in chosen:  # all environments before any timing
        interpreter(pair.peer.peer)
    raw: dict[str, Any] = {"machine": machine(), "pairs": {}, "others": {}, "limits": "", "stages": ""}
    for pair in chosen:
        turns = arguments.keras_repetitions if pair.peer == cases.KERAS else arguments.repetitions
        try:
            raw["pairs"][pair.name] = measure_pair(pair, turns, interpreter)
        except RuntimeError as error:
            print(f"{pair.name}: left out, {error}", flush=True)
            continue
        print(report.pairs({"pairs": {pair.name: raw["pairs"][pair.name]}}).splitlines()[-1], flush=True)
        if not arguments.only:
            keep(raw)
    if arguments.only:
        return
    raw["others"] = measure_others(raw, arguments.repetitions, interpreter)
    raw["limits"], raw["stages"] = _alone("limits.py"), _alone("stages.py")
    keep(raw)
    print(report.text(raw))


def _alone(script: str) -> str:
    """What a script of this folder prints, in a process of its own."""
    import subprocess

    command = [sys.executable, str(Path(__file__).parent / script)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def keep(raw: dict[str, Any]) -> None:
    """Leaves what has been measured so far in experiments/results."""
    (RESULTS / "benchmark.md").write_text(report.text(raw) + "\n")
    (RESULTS / "benchmark.json").write_text(json.dumps(raw, indent=1) + "\n")
    report.draw(raw, RESULTS / "benchmark.png")


if __name__ == "__main__":
    main()
