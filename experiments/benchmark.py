"""How fast is it? Seconds per solved seed of CartPole-v0 against the Keras script and plain NumPy, in one go.

    python experiments/benchmark.py --keras-python keras-env/bin/python

Each repetition runs, one after the other: ours in a fresh process (1, 16, 256 and 1,024 seeds until solved, on all cores),
plain NumPy (one process per core), and the Keras script (one process, which uses what cores TensorFlow chooses; then one
process per core). Medians over the repetitions are printed as Markdown tables and kept in `results/benchmark.md`, all raw
numbers in `results/benchmark.json`. Without --keras-python (see `keras_example.py`) the Keras rows are left out.

The number of steps until solved varies much from seed to seed. For NumPy and Keras the seconds per environment step are
measured here, over a few seeds; seconds per seed are those times the mean number of steps over all their recorded seeds
(`results/keras_example.csv`) or, for NumPy, over the seeds run here.
"""

import argparse
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results"
SEED_COUNTS = (1, 16, 256, 1024)
CORES = len(os.sched_getaffinity(0))
NUMPY_SEEDS_PER_CORE = 24
MAX_UPDATES = 10_000


def time_ours() -> dict:
    """In this process: import, compile, run until solved for each number of seeds."""
    start = time.perf_counter()
    import jax_ac

    jax_ac.use_all_cores()
    algorithm = jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0"))
    from jax_ac.runs import run

    numbers: dict = {"import": time.perf_counter() - start, "seeds": {}}
    for seeds in SEED_COUNTS:
        result = run(algorithm, seeds, max_updates=MAX_UPDATES)
        assert (result.marks.solved_update >= 0).all()
        numbers.setdefault("compile", result.spent.compile_seconds)
        updates = int(result.marks.num_updates.sum())
        numbers["seeds"][seeds] = {
            "run": result.spent.run_seconds,
            "updates": updates,
            "utilisation": result.spent.utilisation,
        }
    return numbers


def peak_memory(num_updates: int) -> dict:
    """In this process: peak resident memory of 256 seeds, and the bytes of the metrics that are returned."""
    import jax

    import jax_ac

    jax_ac.use_all_cores()
    algorithm = jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0"), stop_when_solved=False)
    _, metrics = jax_ac.train_many(algorithm, 256, num_updates)
    metric_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(metrics))
    return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "metrics": metric_bytes}


def in_fresh_process(*arguments: str) -> dict:
    command = [sys.executable, __file__, *arguments]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def time_peer(python: str, script: str, processes: int, first: int, seeds_per_process: int) -> dict:
    """Runs a peer's script in so many processes at once. Gives wall seconds, seeds, steps."""
    start = time.perf_counter()
    commands = [
        [python, str(HERE / script), "--first", str(first + i * seeds_per_process), "--count", str(seeds_per_process)]
        for i in range(processes)
    ]
    running = [subprocess.Popen(c, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for c in commands]
    rows = [row for process in running for row in csv.DictReader(process.communicate()[0].splitlines())]
    assert len(rows) == processes * seeds_per_process
    steps = [int(row["env_steps"]) for row in rows]
    busy = sum(float(row["seconds"]) for row in rows)  # start-up and the wait for the slowest process left out
    return {"wall": time.perf_counter() - start, "steps": steps, "seconds_per_step": busy / processes / sum(steps)}


def measure(repetitions: int, keras_python: str | None) -> dict:
    raw: dict = {"ours": [], "numpy": [], "keras": [], "keras_per_core": []}
    for repetition in range(repetitions):
        raw["ours"].append(in_fresh_process("--worker", "time"))
        raw["numpy"].append(time_peer(sys.executable, "numpy_actor_critic.py", CORES, 0, NUMPY_SEEDS_PER_CORE))
        if keras_python:
            raw["keras"].append(time_peer(keras_python, "keras_example.py", 1, 100 + repetition, 1))
            if repetition == 0:
                raw["keras_per_core"].append(time_peer(keras_python, "keras_example.py", CORES, 200, 1))
        print(f"repetition {repetition + 1} of {repetitions} done", file=sys.stderr, flush=True)
    raw["memory"] = {updates: in_fresh_process("--worker", "memory", "--updates", str(updates)) for updates in (200, 2000)}
    return raw


def seconds_per_seed(raw: dict) -> dict[str, float]:
    """Medians over the repetitions."""
    result = {}
    for seeds in SEED_COUNTS:
        result[f"jax_ac, {seeds:,} seeds"] = statistics.median(r["seeds"][str(seeds)]["run"] / seeds for r in raw["ours"])
    steps = statistics.mean(raw["numpy"][0]["steps"])
    per_step = statistics.median(r["seconds_per_step"] for r in raw["numpy"])
    result[f"plain NumPy, {CORES} processes"] = per_step * steps
    if raw["keras"]:
        with (RESULTS / "keras_example.csv").open() as file:
            steps = statistics.mean(int(row["env_steps"]) for row in csv.DictReader(file))
        per_step = statistics.median(r["seconds_per_step"] for r in raw["keras"])
        result["Keras script"] = per_step * steps
        result[f"Keras script, {CORES} processes"] = raw["keras_per_core"][0]["seconds_per_step"] * steps
    return result


def report(raw: dict) -> str:
    per_seed = seconds_per_seed(raw)
    peers = {name: seconds for name, seconds in per_seed.items() if not name.startswith("jax_ac")}
    lines = [f"{CORES} cores, {len(raw['ours'])} repetitions, medians; run time only.", ""]
    lines += ["| | seconds per solved seed | " + " | ".join(f"times faster than {name}" for name in peers) + " |"]
    lines += ["|---" * (2 + len(peers)) + "|"]
    for name, seconds in per_seed.items():
        ratios = [f"{peer / seconds:,.1f}" if name.startswith("jax_ac") else "" for peer in peers.values()]
        lines.append(f"| {name} | {seconds:.4g} | " + " | ".join(ratios) + " |")
    imports, compiles = ([r[what] for r in raw["ours"]] for what in ("import", "compile"))
    lines += ["", f"Apart from that, once per process: import {statistics.median(imports):.2f} s "]
    lines[-1] += f"({min(imports):.2f} to {max(imports):.2f}), tracing and compiling {statistics.median(compiles):.2f} s "
    lines[-1] += f"({min(compiles):.2f} to {max(compiles):.2f})."
    memory = raw["memory"]
    lines += ["", "Peak memory of `train_many` with 256 seeds: " + ", ".join(
        f"{m['peak'] / 2**20:,.0f} MiB for {u} updates (of which metrics {m['metrics'] / 2**20:,.0f} MiB)"
        for u, m in memory.items()
    ) + "."]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keras-python", help="a Python with tensorflow-cpu and gymnasium")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--worker", choices=["time", "memory"], help=argparse.SUPPRESS)
    parser.add_argument("--updates", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        print(json.dumps(time_ours() if arguments.worker == "time" else peak_memory(arguments.updates)))
        return
    raw = measure(arguments.repetitions, arguments.keras_python)
    text = report(json.loads(json.dumps(raw)))
    print(text)
    (RESULTS / "benchmark.md").write_text(text + "\n")
    (RESULTS / "benchmark.json").write_text(json.dumps(raw, indent=1) + "\n")


if __name__ == "__main__":
    main()
