"""A run on a cluster of Ray: the same bits as here, whatever dies; how much that costs; how fast two workers are.

    python experiments/clusters.py same deaths resume efficiency      # or some of them; results in experiments/results

`same`: 512 lanes on 4 raylets, plain, until solved and as a sweep. `deaths`: until solved, while at 20 random moments a
worker or a whole raylet is killed with -9, and after each raylet another joins. `resume`: the process of the run itself is
killed, twice, and resumed on the cluster and here. `efficiency`: two workers against two devices of this process, for two
minutes and more. The raylets are processes of this machine (`ray.cluster_utils`).
"""

import argparse
import contextlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax_ac

jax_ac.use_all_cores()

import jax
import numpy as np
import psutil

RESULTS = Path(__file__).parent / "results" / "clusters.json"
LANES, DEATHS = 512, 20
TURNS, UPDATES = 1, 5000
SOLVED = {"max_updates": 1000, "tile_width": 16, "segment_updates": 50, "progress": False}
PLAIN = {"max_updates": 100, "until_solved": False, "tile_width": 16, "progress": False}


def algorithm() -> Any:
    return jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0"))


@contextlib.contextmanager
def raylets(count: int) -> Iterator[Any]:
    """A cluster of so many raylets with one core each, on this machine; it has a head, which is one of them."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        for _ in range(count - 1):
            cluster.add_node(num_cpus=1)
        yield cluster
    finally:
        cluster.shutdown()


def on(cluster: Any) -> jax_ac.RayCluster:
    return jax_ac.RayCluster(cluster.address)


def differences(ours: jax_ac.Result, theirs: jax_ac.Result) -> int:
    """Arrays that are not the same, bit for bit: of metrics, states and marks."""
    pairs = zip(jax.tree.leaves(ours[3:6]), jax.tree.leaves(theirs[3:6]), strict=True)
    return sum(np.asarray(a).tobytes() != np.asarray(b).tobytes() for a, b in pairs)


def same() -> dict[str, Any]:
    grid = jax_ac.grid(algorithm().hyperparams, learning_rate=[3e-3, 1e-2], gamma=[0.9, 0.99])
    runs = {
        "plain": (LANES, PLAIN),
        "until solved": (LANES, SOLVED),
        "sweep": (LANES // 4, {**PLAIN, "hyperparams": grid}),
    }
    found = {}
    with raylets(4) as cluster:
        for name, (seeds, options) in runs.items():
            here = jax_ac.run(algorithm(), seeds, **options)
            there = jax_ac.run(algorithm(), seeds, executor=on(cluster), **options)
            workers = there.spent.num_devices
            found[name] = {"lanes": len(here.lanes.seed), "workers": workers, "different": differences(here, there)}
    return found


def deaths() -> dict[str, Any]:
    here = jax_ac.run(algorithm(), LANES, **SOLVED)
    with raylets(4) as cluster, tempfile.TemporaryDirectory() as folder:
        killer = Killer(cluster, DEATHS, seed=1)
        options = {**SOLVED, "progress": killer, "out": Path(folder) / "run", "save_seconds": 2.0}
        there = jax_ac.run(algorithm(), LANES, executor=on(cluster), **options)
    return {
        "killed": killer.killed,
        "different": differences(here, there),
        "updates": int(here.marks.num_updates.sum()),
        "done again": there.spent.repeated,
        "counted": there.spent.updates,
        "seconds": there.spent.run_seconds,
    }


class Killer:
    """Kills a worker or a raylet at random moments while training goes on; after a raylet another one joins."""

    def __init__(self, cluster: Any, deaths: int, seed: int):
        self.cluster, self.deaths, self.random = cluster, deaths, random.Random(seed)
        self.killed = {"worker": 0, "raylet": 0}
        self._next = 0.0

    def __call__(self, progress: Any) -> None:
        if time.monotonic() < self._next or sum(self.killed.values()) == self.deaths:
            return
        if self._next:
            self._kill()
        self._next = time.monotonic() + self.random.uniform(0.5, 4.0)

    def _kill(self) -> None:
        if self.random.random() < 0.25:
            nodes = [node for node in self.cluster.list_all_nodes() if node is not self.cluster.head_node]
            self.cluster.remove_node(self.random.choice(nodes), allow_graceful=False)
            self.killed["raylet"] += 1
            self.cluster.add_node(num_cpus=1, wait=False)
            return
        workers = [process for process in psutil.process_iter(["cmdline"]) if _is_worker(process)]
        if workers:
            self.random.choice(workers).kill()
            self.killed["worker"] += 1


def _is_worker(process: psutil.Process) -> bool:
    return bool(process.info["cmdline"]) and process.info["cmdline"][0].startswith("ray::RemoteWorker")


BEGIN = "clusters.jax_ac.run(clusters.algorithm(), clusters.LANES, out=sys.argv[2], **there, **clusters.SOLVED)"
GO_ON = "clusters.jax_ac.resume(sys.argv[2], progress=False, **there)"
PROGRAM = """
import sys, clusters
there = {{"executor": clusters.jax_ac.RayCluster(sys.argv[1]), "save_seconds": 2.0}}
{what}
"""


def resume() -> dict[str, Any]:
    here = jax_ac.run(algorithm(), LANES, **SOLVED)
    with raylets(2) as cluster, tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        updates = []
        for what in (BEGIN, GO_ON):
            _killed([sys.executable, "-c", PROGRAM.format(what=what), cluster.address, str(out)], out)
            updates.append(int(jax_ac.Result.load(out).marks.num_updates.sum()))
        there = jax_ac.resume(out, progress=False)
    here_updates = int(here.marks.num_updates.sum())
    ran = {"updates": here_updates, "saved before each resume": updates, "of the last resume": there.spent.updates}
    return {**ran, "different": differences(here, there)}


def _killed(command: list[str], out: Path) -> None:
    """Runs a command, and kills it with -9 once it has saved something new, and three seconds have passed."""
    before = _saved(out)
    process = subprocess.Popen(command, cwd=Path(__file__).parent)
    while process.poll() is None and _saved(out) == before:
        time.sleep(0.2)
    time.sleep(3)
    process.send_signal(signal.SIGKILL)
    process.wait()


def _saved(out: Path) -> set[Path]:
    return {path for name in ("lanes", "checkpoint") for path in (out / name).glob("[0-9]*")}


def efficiency() -> dict[str, Any]:
    """In turns, here and there: the time of training alone, and what comes before it."""
    options = {"max_updates": UPDATES, "until_solved": False, "tile_width": 16, "progress": False}
    alg = jax_ac.a2c(jax_ac.make_env("CartPole-v1"), total_steps=UPDATES * 128)
    found: dict[str, Any] = {"here": [], "there": [], "start here": [], "start there": []}
    for _ in range(TURNS):
        for name, executor in (("here", None), ("there", "ray")):
            spent = jax_ac.run(alg, 128, executor=executor, **options).spent
            found[name].append(spent.run_seconds)
            found[f"start {name}"].append(spent.compile_seconds)
    found["efficiency"] = [a / b for a, b in zip(found["here"], found["there"], strict=True)]
    return found


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "same": same, "deaths": deaths, "resume": resume, "efficiency": efficiency,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=list(PARTS))
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in parser.parse_args().parts or PARTS:
        found[name] = PARTS[name]()
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
        print(name, json.dumps(found[name]), flush=True)


if __name__ == "__main__":
    main()
