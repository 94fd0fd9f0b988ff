"""What does a run cost beside its training? Segments, checkpoints, refilled places, memory.

    python experiments/run_costs.py    # about 10 minutes on 2 cores

Prints a table and writes `results/run_costs.csv`:

- overhead: `run` with progress, a folder and a checkpoint every 10 s, against one call of `train_many` of the same lanes;
  runs of about a minute, interleaved, medians of 3; compilation apart.
- until solved: 1,024 seeds of the Keras preset, time over what their updates would take in full tiles, at the updates per
  second of a run in which no lane stops.
- memory: peak resident memory of 256 and of 2,048 lanes x 1,000 updates in processes of their own, against the estimate: the
  smallest run's peak plus the results' own bytes.
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
LANES, UPDATES, REPETITIONS = 128, 1500, 3


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
    """In a process of its own: prints the peak resident memory in bytes, and the bytes of the results."""
    import jax_ac
    from jax_ac.memory import result_bytes

    algorithm = keras()
    jax_ac.run(algorithm, lanes, max_updates=1000, until_solved=False, progress=False)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, result_bytes(algorithm, lanes, 1000))


def memory() -> list[list]:
    peaks = {}
    for lanes in (32, 256, 2048):
        command = [sys.executable, __file__, "peak", str(lanes)]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        peaks[lanes] = tuple(map(int, output.split()))
    base = peaks[32][0] - peaks[32][1]
    rows = []
    for lanes, (measured, results) in peaks.items():
        estimate = base + results
        rows.append([f"peak memory, {lanes:,} lanes x 1,000 updates, MiB", f"{measured / 2**20:,.0f}"])
        rows.append(
            [
                f"of which results, MiB; estimate over measured ({lanes:,})",
                f"{results / 2**20:,.0f}; {estimate / measured:.2f}",
            ]
        )
    return rows


def main() -> None:
    if sys.argv[1:2] == ["peak"]:
        peak(int(sys.argv[2]))
        return
    rows = [*overhead(), *until_solved(), *memory()]
    print("| what | figure |\n|---|---|\n" + "\n".join(f"| {what} | {figure} |" for what, figure in rows))
    with (RESULTS / "run_costs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["what", "figure"], *rows])


if __name__ == "__main__":
    main()
