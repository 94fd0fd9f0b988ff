"""What the driver of a run does for each report and each checkpoint, timed with the real `Schedule` and `Saver`."""

import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ray import cloudpickle

from jax_ac import memory
from jax_ac.lanes import lay_out
from jax_ac.loop import Loop
from jax_ac.marks import marks_of
from jax_ac.orders import Report
from jax_ac.saving import Saver
from jax_ac.schedule import Ends, Schedule
from jax_ac.tracing import traced

UPDATES, WIDTH, REPETITIONS = 50, 16, 200


def schedule_of(algorithm: Any, lanes: int, updates: int = UPDATES) -> Schedule:
    """A schedule with one tile."""
    state, metrics, _ = traced(algorithm)
    add_axis = lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape), leaf.dtype)
    like: Any = (jax.tree.map(add_axis, state), jax.tree.map(add_axis, metrics))
    return Schedule(lay_out(list(range(lanes)), algorithm.hyperparams), (1, WIDTH), Ends(updates, True, 50), like)


class NoCrew:
    """What the loop asks for in `spent`."""

    start_seconds, look_seconds = 0.0, None

    def __len__(self) -> int:
        return 1


def report_seconds(algorithm: Any, lanes: int, done: int = 10) -> float:
    """The driver's seconds for a report of `done` updates per lane, of which one lane has ended, among so many lanes."""
    schedule = schedule_of(algorithm, lanes)
    order = schedule.order(0, done)
    order = order._replace(slots=order.slots._replace(hyperparams=tuple(order.slots.hyperparams)))  # as `RayCrew` does
    metrics = jax.tree.map(lambda leaf: np.zeros((WIDTH, done), leaf.dtype), schedule.metrics)
    states = jax.tree.map(lambda leaf: leaf[:WIDTH], schedule.states)
    marks = marks_of(states)._replace(num_updates=np.full(WIDTH, done, np.int32))
    rows = jax.tree.map(lambda leaf: leaf[:1], states)
    sent = cloudpickle.dumps(Report(marks, metrics, np.array([0]), rows, 1.0, 0.0), protocol=5)

    def once() -> None:
        schedule.record(0, cloudpickle.loads(sent))
        schedule.slots(0, done)
        cloudpickle.dumps(order, protocol=5)
        schedule.marks.num_updates[:WIDTH] = 0

    return timed(once)


def wait_seconds(workers: int) -> float:
    """Waiting for the first of so many calls, one of which is done."""
    futures = [Future() for _ in range(workers)]
    futures[workers // 2].set_result(None)
    return timed(lambda: wait(futures, None, FIRST_COMPLETED))


def timed(function: Callable[[], Any]) -> float:
    """The median of the process's own seconds: others that are at work here do not count."""
    spent = []
    for _ in range(REPETITIONS):
        start = time.thread_time()
        function()
        spent.append(time.thread_time() - start)
    return statistics.median(spent)


def save_seconds(algorithm: Any, lanes: int, updates: int) -> tuple[int, float, int]:
    """A checkpoint of so many lanes that have ended: bytes, seconds, bytes on disk. Random numbers do not compress."""
    schedule = schedule_of(algorithm, lanes, updates)
    rng = np.random.default_rng(0)
    for leaf in jax.tree.leaves((schedule.states, schedule.metrics)):
        if np.issubdtype(leaf.dtype, np.floating):
            leaf[:] = rng.standard_normal(leaf.shape, np.float32)
    marks_of(schedule.states).num_updates[:] = updates
    with tempfile.TemporaryDirectory() as folder:
        saver = Saver(Path(folder), schedule, 30.0)
        schedule.done[:] = True
        start = time.perf_counter()
        saver.save(Loop(NoCrew(), schedule, None, 30.0).spent())  # pyright: ignore[reportArgumentType]
        seconds = time.perf_counter() - start
        disk = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    return memory.result_bytes(algorithm, lanes, updates), seconds, disk


def report_bytes(algorithm: Any) -> int:
    """Of a report beside metrics and states."""
    state, _, _ = traced(algorithm)
    marks = marks_of(state)
    return WIDTH * sum(leaf.dtype.itemsize for leaf in marks) + 2000


def ray_seconds(algorithm: Any) -> tuple[float, float]:
    """The driver's processor seconds for a small report that comes by Ray, and for each byte of larger ones."""
    import ray

    from jax_ac.clusters import RayCluster, connect

    connect(RayCluster())
    try:
        echo = ray.remote(Echo).remote()
        few, many = (per_report(echo, size) for size in (3_000, 3_000_000))
    finally:
        ray.shutdown()
    return few, max(many - few, 0.0) / 3e6


class Echo:
    """A worker that has nothing to do."""

    def say(self, order: Any, size: int) -> np.ndarray:
        return np.zeros(size, np.uint8)


def per_report(echo: Any, size: int, count: int = 300) -> float:
    """Processor seconds of this process for each call; what Ray does while nothing happens is taken off."""
    ask = lambda: wait([echo.say.remote(np.zeros(3000, np.uint8), size).future()])
    ask()
    start, idle = time.process_time(), time.perf_counter()
    time.sleep(3)
    background = (time.process_time() - start) / (time.perf_counter() - idle)
    start, wall = time.process_time(), time.perf_counter()
    for _ in range(count):
        ask()
    return (time.process_time() - start - background * (time.perf_counter() - wall)) / count


def main() -> None:
    """Prints all of it as JSON."""
    import json

    from scale_runs import algorithm_of

    presets = {}
    for name in ("keras", "a2c", "ppo"):
        algorithm = algorithm_of(name)
        sizes = memory.sizes(algorithm)
        saves = [save_seconds(algorithm, lanes, 400) for lanes in (64, 1024, 4096)]
        presets[name] = {"state": sizes.state, "metrics": sizes.metrics, "reported": report_bytes(algorithm), "saves": saves}
    reports = [(lanes, report_seconds(algorithm_of("keras"), lanes)) for lanes in (1_000, 10_000, 100_000, 1_000_000)]
    small, byte = ray_seconds(algorithm_of("keras"))
    found = {"reports": reports, "wait": wait_seconds(1000) / 1000, "ray_report": small, "ray_byte": byte}
    print(json.dumps({"presets": presets, **found}))


if __name__ == "__main__":
    main()
