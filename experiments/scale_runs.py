"""Real runs, watched: what each call took and did, and what the driver's process spent on it. For `scale.py`.

    python experiments/scale_runs.py keras 256 0 local 2    # preset, lanes, updates (0: until solved), where, workers

in a process of its own; prints JSON: the run's seconds, and a row per call.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import jax_ac
from jax_ac import runs
from jax_ac.loop import Loop

UNTIL_SOLVED_LIMIT = 3000


class Watched(Loop):
    """A loop that writes down each call: its tile, seconds, updates, and where the driver's time went."""

    calls: list[list[float]] = []  # noqa: RUF012
    spent_on: list[float] = []  # noqa: RUF012
    begun: dict[int, float] = {}  # noqa: RUF012
    cpu = 0.0

    def _run(self, feed: Any, line: Any) -> bool:
        cpu = time.process_time()
        try:
            return super()._run(feed, line)
        finally:
            Watched.cpu = time.process_time() - cpu

    def _begin(self, tile: int) -> None:
        super()._begin(tile)
        Watched.begun[tile] = time.perf_counter()

    def _end(self, tile: int, order: Any, report: Any, feed: Any, stop: Any) -> None:
        arrived = time.perf_counter()
        if order is not None and report is not None:
            before = np.where(order.slots.fresh, 0, self.schedule.updates_at(tile))
            working = order.slots.limit > 0
            updates = int((report.marks.num_updates - before)[working].sum())
            wall = arrived - Watched.begun[tile]
            longest = report.metrics[0].shape[1]
            Watched.calls.append([tile, report.seconds, wall, longest, updates, int(working.sum()), order.all_states])
        super()._end(tile, order, report, feed, stop)
        Watched.spent_on.append(time.perf_counter() - arrived)


def algorithm_of(preset: str) -> Any:
    """The algorithms of the experiment."""
    if preset == "keras":
        return jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0"))
    make = {"a2c": jax_ac.a2c, "ppo": jax_ac.ppo}[preset]
    shape = {"a2c": {"num_envs": 8, "num_steps": 16}, "ppo": {"num_envs": 4, "num_steps": 128}}[preset]
    return make(jax_ac.make_env("CartPole-v1"), **shape)


def watched(preset: str, lanes: int, updates: int, where: str, workers: int) -> dict[str, Any]:
    """Trains, and says what happened. Where nothing says when a lane ends it is when it is solved."""
    jax_ac.use_all_cores()
    import jax

    runs.Loop = Watched
    options: dict[str, Any] = {"max_updates": updates or UNTIL_SOLVED_LIMIT, "until_solved": not updates, "progress": False}
    if where == "ray":
        options["executor"] = jax_ac.RayCluster(workers=workers)
    else:
        options["devices"] = jax.devices()[:workers]
    with tempfile.TemporaryDirectory() as folder:
        result = jax_ac.run(algorithm_of(preset), lanes, out=Path(folder) / "run", **options)
        disk = {path.name: size(path) for path in (Path(folder) / "run").iterdir()}
    return {
        "preset": preset, "lanes": lanes, "updates": updates, "where": where, "workers": workers,
        "start": result.spent.compile_seconds, "seconds": result.spent.run_seconds, "cpu": Watched.cpu,
        "disk": disk, "calls": Watched.calls, "driver": Watched.spent_on, "needs": result.marks.num_updates.tolist(),
    }  # fmt: skip


def size(path: Path) -> int:
    """Bytes of a file, or of a folder."""
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())


if __name__ == "__main__":
    preset, lanes, updates, where, workers = sys.argv[1:]
    print(json.dumps(watched(preset, int(lanes), int(updates), where, int(workers))))
