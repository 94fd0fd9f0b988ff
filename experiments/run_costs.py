"""What does a run cost beside its training? Segments, checkpoints, refilled places, memory.

    python experiments/run_costs.py    # about 20 minutes on 2 cores

Prints a table and writes `results/run_costs.csv`:

- overhead: `run` with progress, a folder and a checkpoint every 10 s, against one call of `train_many` of the same lanes;
  runs of about a minute, interleaved, medians of 3; compilation apart.
- until solved: 1,024 seeds of the Keras preset, time over what their updates would take in full tiles, at the updates per
  second of a run in which no lane stops.
- many lanes: 32, 256 and 4,096 lanes x 2,000 updates in processes of their own, saved to a folder: lane-updates per second,
  and the peak resident memory against the estimate: that of 32 lanes at its end, plus the bytes that results take more, or
  the peak of 32 lanes, which is the compiler's, where that is more.
"""

import csv
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
LANES, UPDATES, REPETITIONS = 512, 2000, 3
MANY = (32, 256, 4096)


def keras():
    import jax_ac

    jax_ac.use_all_cores()
    return jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0"), stop_when_solved=False)


def overhead() -> list[list]:
    import jax

    import jax_ac

    algorithm = keras()
    plain, whole = [], []
    jax_ac.train_many(algorithm, LANES, 1)  # compiled
    for repetition in range(REPETITIONS):
        start = time.perf_counter()
        jax.block_until_ready(jax_ac.train_many(algorithm, LANES, UPDATES))
        plain.append(time.perf_counter() - start)
        with tempfile.TemporaryDirectory() as folder:
            options = {"max_updates": UPDATES, "until_solved": False, "save_seconds": 10.0}
            result = jax_ac.run(algorithm, LANES, out=Path(folder) / str(repetition), **options)
        whole.append(result.spent.run_seconds)
    ratio = statistics.median(ours / theirs for ours, theirs in zip(whole, plain, strict=True))
    return [
        ["train_many, one call, seconds", f"{statistics.median(plain):.1f}"],
        ["run with progress and checkpoints, seconds", f"{statistics.median(whole):.1f}"],
        ["overhead of run", f"{ratio - 1:.1%}"],
    ]


def until_solved() -> list[list]:
    import jax_ac

    algorithm = keras()
    full = jax_ac.run(algorithm, 256, max_updates=400, until_solved=False)
    result = jax_ac.run(algorithm, 1024, max_updates=5000, until_solved=True)
    rate = full.spent.env_steps / full.spent.run_seconds, full.spent.updates / full.spent.run_seconds
    bound = result.spent.updates / rate[1]
    return [
        ["1,024 seeds until solved, seconds", f"{result.spent.run_seconds:.1f}"],
        ["their updates in full tiles, seconds", f"{bound:.1f}"],
        ["ratio", f"{result.spent.run_seconds / bound:.2f}"],
        ["live lanes over lanes", f"{result.spent.utilisation:.1%}"],
    ]


def peak(lanes: int) -> None:
    """In a process of its own: prints resident memory, peak and end, and results in bytes, and lane-updates per second."""
    import jax_ac
    from jax_ac.memory import result_bytes

    algorithm = keras()
    with tempfile.TemporaryDirectory() as folder:
        options = {"max_updates": UPDATES, "until_solved": False, "progress": False}
        result = jax_ac.run(algorithm, lanes, out=Path(folder) / "run", **options)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    end = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    spent = result.spent
    print(most, end, result_bytes(algorithm, lanes, UPDATES), spent.updates / spent.run_seconds)


def many_lanes() -> list[list]:
    found = {}
    for lanes in MANY:
        command = [sys.executable, __file__, "peak", str(lanes)]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found[lanes] = tuple(map(float, output.split()))
    compiler, end, few, _ = found[MANY[0]]
    rows = []
    for lanes, (measured, _, results, rate) in found.items():
        name = f"{lanes:,} lanes x {UPDATES:,} updates"
        estimate = max(compiler, end + results - few)
        sizes = f"{measured / 2**20:,.0f}, {results / 2**20:,.0f}, {estimate / measured:.2f}"
        rows.append([f"{name}: peak memory, of it results (MiB), estimate over measured", sizes])
        rows.append([f"{name}: lane-updates per second", f"{rate:,.0f}"])
    return rows


def main() -> None:
    if sys.argv[1:2] == ["peak"]:
        peak(int(sys.argv[2]))
        return
    rows = [*overhead(), *until_solved(), *many_lanes()]
    print("| what | figure |\n|---|---|\n" + "\n".join(f"| {what} | {figure} |" for what, figure in rows))
    with (RESULTS / "run_costs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["what", "figure"], *rows])


if __name__ == "__main__":
    main()
