"""How far does the design go? Runs of 10^3 to 10^6 lanes on 1 to 1,000 workers, simulated with what was measured here.

    python experiments/scale.py --measure    # real runs and the driver's work, about 15 minutes; writes results/scale.json
    python experiments/scale.py              # predictions beside the real runs, and the tables; about 5 minutes

Writes `results/scale.md` and `results/scale.png`. The simulation is in `scale_model.py`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from scale_model import Case, Costs, Outcome, simulate

from jax_ac.saving import SHARE

RESULTS = Path(__file__).parent / "results"
RUNS = [
    ("keras", 256, 0, "local", 1), ("keras", 512, 0, "local", 2), ("keras", 256, 0, "ray", 1), ("keras", 512, 0, "ray", 2),
    ("a2c", 64, 1000, "local", 2), ("a2c", 64, 1000, "ray", 2), ("ppo", 32, 60, "local", 2), ("ppo", 32, 60, "ray", 2),
]  # fmt: skip
LIMITS = {"keras": 1000, "a2c": 3906, "ppo": 976}  # updates: episodes of the example; 500,000 environment steps
QUIET = {"keras": 1e-4, "a2c": 2.3e-4, "ppo": 2.83e-3}  # seconds of a lane-update on a core without others (docs, speed)
LANES, WORKERS = (1_000, 10_000, 100_000, 1_000_000), (1, 10, 100, 1000)
LOSSES = 1.0  # of each worker, per hour: spot machines that are taken away
EVENTS, EACH = 2_000, 80  # of a simulation, and of each of its workers, at least, where there are so many calls


def measure() -> dict[str, Any]:
    """Everything that the simulation is fed with."""
    here = Path(__file__).parent
    runs = []
    for row in RUNS:
        command = [sys.executable, str(here / "scale_runs.py"), *map(str, row)]
        runs.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
        print(*row, f"{runs[-1]['seconds']:.1f} s", flush=True)
    command = [sys.executable, str(here / "scale_driver.py")]
    driver = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return {"runs": [summary(run) for run in runs], "driver": driver}


def summary(run: dict[str, Any]) -> dict[str, Any]:
    """A run without its calls: what they took, fitted."""
    from scipy.optimize import nnls

    calls = np.array(run.pop("calls"), float)
    seconds, wall, longest, updates = calls[:, 1], calls[:, 2], calls[:, 3], calls[:, 4]
    parts = np.stack([np.ones(len(calls)), longest, updates], axis=1)
    fit = nnls(parts / seconds[:, None], np.ones(len(calls)))[0]
    fit *= seconds.sum() / (parts @ fit).sum()
    spread = float(np.std(np.log(seconds / (parts @ fit))))
    driver = run.pop("driver")
    found = {"call": fit[0], "update": fit[1], "lane_update": fit[2], "spread": spread, "reports": len(calls)}
    found |= {"transport": float(np.median(wall - seconds)), "driver": float(np.sum(driver)), "updates_done": updates.sum()}
    return run | found


def costs_of(run: dict[str, Any], measured: dict[str, Any]) -> Costs:
    """What a run of this preset costs, on workers like those of this run."""
    driver, preset = measured["driver"], measured["driver"]["presets"][run["preset"]]
    of_lanes = np.array(driver["reports"])
    each, first = np.polyfit(of_lanes[:, 0], of_lanes[:, 1], 1)
    saved = np.array(preset["saves"])
    byte, fixed = np.polyfit(saved[:, 0], saved[:, 1], 1)
    remote = run["where"] == "ray"
    return Costs(
        run["call"], run["update"], run["lane_update"], run["spread"], run["transport"],
        report=float(first) + remote * driver["ray_report"], report_lane=max(float(each), 0.0),
        report_worker=driver["wait"], report_byte=driver["ray_byte"] if remote else 0.0,
        save=max(float(fixed), 0.05), save_byte=float(byte), restart=ready_seconds(measured),
        state=preset["state"], metrics=preset["metrics"], reported=preset["reported"],
    )  # fmt: skip


def ready_seconds(measured: dict[str, Any]) -> float:
    """From the start of a worker's process until it has compiled: the shortest start of a run on Ray."""
    return min(run["start"] for run in measured["runs"] if run["where"] == "ray")


def compared(measured: dict[str, Any]) -> Iterator[list[str]]:
    """Predicted beside real: the speed of tiles and the lanes' updates are the run's own, all else is predicted."""
    for run in measured["runs"]:
        case = Case(np.array(run["needs"]), run["workers"], segment=200 if run["updates"] else 50)
        predicted = np.median([simulate(case, costs_of(run, measured), seed).makespan for seed in range(5)])
        name = f"{run['preset']}, {run['lanes']} lanes"
        where = f"{'workers of Ray' if run['where'] == 'ray' else 'devices of one process'}: {run['workers']}"
        yield [name, where, f"{run['seconds']:.1f}", f"{predicted:.1f}", f"{predicted / run['seconds'] - 1:+.0%}"]


def needs_of(preset: str, lanes: int, measured: dict[str, Any]) -> np.ndarray:
    """How many updates each lane needs."""
    if preset != "keras":
        return np.full(lanes, LIMITS[preset])
    real = np.concatenate([run["needs"] for run in measured["runs"] if run["preset"] == preset])
    return np.random.default_rng(0).choice(np.minimum(real, LIMITS[preset]), lanes)


def quiet(preset: str, costs: Costs) -> Costs:
    """The same tile on a core that has nothing else to do: this machine had, while its runs were measured."""
    share = QUIET[preset] / (costs.update / 16 + costs.lane_update)
    return costs._replace(call=0.001, update=share * costs.update, lane_update=share * costs.lane_update)


def scaled(job: tuple[str, int, int, float, float | None, dict[str, Any]]) -> tuple[Any, ...]:
    """A row of the table."""
    preset, lanes, workers, losses, share, measured = job
    run = next(run for run in measured["runs"] if (run["preset"], run["where"]) == (preset, "ray"))
    costs, needs = quiet(preset, costs_of(run, measured)), needs_of(preset, lanes, measured)
    workers = min(workers, -(-lanes // 16))
    segment = 50 if preset == "keras" else 200
    per_call = min(segment, max(1.0, 1 / (costs.update + 16 * costs.lane_update)))
    grain = max(1, int(needs.sum() / 16 / per_call / max(EVENTS, EACH * workers)))
    case = Case(needs, workers, segment=segment, losses=losses, share=share, grain=grain)
    return job[:5], simulate(case, costs), costs


def memory_of(preset: str, lanes: int, outcome: Outcome, costs: Costs) -> tuple[float, float]:
    """Bytes of the results, and of the driver at its fullest: while a checkpoint holds a copy of what it writes."""
    results = lanes * (costs.state + LIMITS[preset] * costs.metrics)
    return results, results + outcome.checkpoint


def rows_of(measured: dict[str, Any]) -> list[tuple[Any, ...]]:
    presets = ("keras", "a2c", "ppo")
    jobs = [
        (preset, lanes, workers, losses, SHARE, measured)
        for preset in presets for lanes in LANES for workers in WORKERS for losses in (0.0, LOSSES)
        if workers <= lanes // 16
    ]  # fmt: skip
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(scaled, jobs))


def table(rows: list[tuple[Any, ...]]) -> Iterator[list[str]]:
    """Without and with losses side by side."""
    whole = {job[:3]: outcome for job, outcome, _ in rows if not job[3]}
    for (preset, lanes, workers, losses, _), outcome, costs in rows:
        if not losses:
            continue
        best = whole[preset, lanes, workers]
        results, fullest = memory_of(preset, lanes, best, costs)
        yield [
            preset, f"{lanes:,}", f"{workers:,}", f"{best.bound:,.0f}", f"{best.makespan:,.0f}",
            f"{best.bound / best.makespan:.0%}", f"{outcome.bound / outcome.makespan:.0%}",
            f"{best.driver / best.makespan:.0%}", f"{best.saving / best.makespan:.0%}",
            f"{best.taken_in / best.makespan / 2**20:,.1f}", f"{results / 2**30:,.2f}", f"{fullest / 2**30:,.2f}",
        ]  # fmt: skip


def grains(measured: dict[str, Any]) -> Iterator[list[str]]:
    """The coarse simulation beside the fine one, at 10,000 lanes."""
    run = next(run for run in measured["runs"] if (run["preset"], run["where"]) == ("keras", "ray"))
    needs, costs = needs_of("keras", 10_000, measured), quiet("keras", costs_of(run, measured))
    for workers in (1, 10, 100):
        fine, coarse = (simulate(Case(needs, workers, losses=LOSSES, grain=grain), costs).makespan for grain in (1, 20))
        yield [f"{workers}", f"{fine:,.1f}", f"{coarse:,.1f}", f"{coarse / fine - 1:+.1%}"]


def written(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def figure(rows: list[tuple[Any, ...]]) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True, layout="constrained")
    for axis, preset in zip(axes, ("keras", "a2c", "ppo"), strict=True):
        for lanes in LANES:
            points = [(job[2], o.bound / o.makespan) for job, o, _ in rows if job[:2] == (preset, lanes) and not job[3]]
            axis.plot(*zip(*points, strict=True), marker="o", label=f"{lanes:,} lanes")
        axis.set(xscale="log", xlabel="workers", title=preset, ylim=(0, 1.05))
    axes[0].set_ylabel("bound / makespan")
    axes[0].legend(frameon=False)
    fig.savefig(RESULTS / "scale.png", dpi=120)


def main() -> None:
    path = RESULTS / "scale.json"
    if "--measure" in sys.argv[1:]:
        path.write_text(json.dumps(measure(), indent=1))
    measured = json.loads(path.read_text())
    rows = rows_of(measured)
    parts = [
        written(["run", "where", "real, s", "predicted, s", "off by"], list(compared(measured))),
        written(
            ["preset", "lanes", "workers", "bound, s", "makespan, s", "bound / makespan", f"with {LOSSES:g} loss/h each",
             "driver busy", "writing", "MiB/s into the driver", "results, GiB", "driver's memory, GiB"],
            list(table(rows)),
        ),
        written(["workers", "every call, s", "20 calls at once, s", "off by"], list(grains(measured))),
    ]  # fmt: skip
    (RESULTS / "scale.md").write_text("\n\n".join(parts) + "\n")
    print("\n\n".join(parts))
    figure(rows)


if __name__ == "__main__":
    main()
