"""A worker of `gpu.py`: how fast a preset's tiles are, by lanes and widths, each figure a line of JSON on standard output.

    python experiments/benchmark/gpu_points.py table            # on the default device, a GPU where there is one
    python experiments/benchmark/gpu_points.py flags --variant NAME
    JAX_PLATFORMS=cpu python experiments/benchmark/gpu_points.py cpu

A program is compiled ahead and its seconds told apart; a repetition ends when all states are on the device, ready
(`bench.Lanes`), and repetitions follow upon a warm-up. The Keras preset goes on when solved.
"""

import argparse
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, NamedTuple

import ours
from serving import say

import jax_ac

PRESETS = ("keras", "a2c", "ppo")


class Plan(NamedTuple):
    """How much is measured: `seconds` for each repetition, one `width` with all `lanes`, other widths with `many`."""

    lanes: tuple[int, ...]
    cpu_lanes: tuple[int, ...]
    width: int
    widths: tuple[int, ...]
    many: int
    seconds: float
    repetitions: int = 3


FULL = Plan((1, 256, 2048, 16384), (1, 16, 64, 256, 2048, 16384), 256, (64, 1024, 4096), 4096, 0.5)
TINY = Plan((1, 4, 8), (1, 4), 4, (2,), 8, 0.02, 2)


class Compiled(NamedTuple):
    """A tile's compiled program for one device; `bench.Lanes` advances it as it does `Tiles`."""

    tiles: Any
    executable: Any
    seconds: float

    @property
    def num_slots(self) -> int:
        return self.tiles.num_slots

    @property
    def num_updates(self) -> int:
        return self.tiles.num_updates

    @property
    def algorithm(self) -> Any:
        return self.tiles.algorithm

    def states(self) -> tuple:
        return self.tiles.states()

    def advance(self, states: Sequence, slots: Any) -> tuple[tuple, tuple]:
        import jax

        stepped, metrics = self.executable(states[0], jax.device_put(slots, self.tiles.devices[0]))
        return (stepped,), (metrics,)


def algorithm_of(preset: str) -> Any:
    """The preset at its defaults, which goes on when solved."""
    return ours.make(jax_ac, SimpleNamespace(preset=preset, until_solved=False))


def lower(algorithm: Any, width: int) -> tuple[Any, Any]:
    """The tiles of one device, and their traced program."""
    import jax

    from jax_ac import bench, tiles

    made = tiles.make_tiles(algorithm, width, bench.UPDATES_PER_CALL, width=width, devices=jax.local_devices()[:1])
    return made, made.lowered()


def compile_all(wanted: Iterable[tuple[Any, Any]]) -> list[Compiled | Exception]:
    """Compiles programs beside each other; what a compiler refuses is given as its error."""

    def compiled(tiles: Any, lowered: Any) -> Compiled | Exception:
        start = time.perf_counter()
        try:
            return Compiled(tiles, lowered.compile(), time.perf_counter() - start)
        except Exception as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        return [future.result() for future in [pool.submit(compiled, *each) for each in wanted]]


def measure(compiled: Compiled | Exception, lanes: int, plan: Plan, **names: Any) -> float:
    """Says how fast so many lanes are, or why they cannot be measured. Returns the seconds of an update of all of them."""
    from jax_ac import bench

    if isinstance(compiled, Exception):
        say({"error": f"{type(compiled).__name__}: {str(compiled)[:300]}", "lanes": lanes} | names)
        return float("nan")
    try:
        all_lanes = bench.Lanes(compiled, lanes)  # type: ignore[arg-type]
        updates = bench.updates_in(all_lanes, plan.seconds)
        point = [all_lanes.advance(updates) for _ in range(plan.repetitions)]
    except Exception as error:
        return measure(error, lanes, plan, **names)
    width, memory = compiled.tiles.width, compiled.executable.memory_analysis()
    names |= {"width": width, "compile_seconds": compiled.seconds, "temporary_bytes": memory and memory.temp_size_in_bytes}
    return say_rate(point, lanes, **names)


def say_rate(repetitions: Sequence[Any], lanes: int, **names: Any) -> float:
    """Says medians, lowest and highest of the repetitions. Returns the seconds of an update of all lanes."""
    updates = sorted(each.updates / each.seconds for each in repetitions)
    steps = sorted(each.env_steps / each.seconds for each in repetitions)
    middle = lambda values: [values[len(values) // 2], values[0], values[-1]]
    rates = {"updates_per_second": middle(updates), "steps_per_second": middle(steps)}
    say({"kind": "rate", "lanes": lanes} | names | rates)
    return lanes / rates["updates_per_second"][0]


def table(plan: Plan, presets: Sequence[str]) -> None:
    """All lanes in tiles of the default width; then other widths, as narrow as one lane and as wide as all; then `run`."""
    algorithms = {preset: algorithm_of(preset) for preset in presets}
    programs = compile_all([lower(algorithm, plan.width) for algorithm in algorithms.values()])
    seconds = {}
    for preset, compiled in zip(presets, programs, strict=True):
        for lanes in dict.fromkeys((*plan.lanes, plan.many)):
            seconds[preset, lanes] = measure(compiled, lanes, plan, preset=preset)
    points = [(preset, width, plan.many) for width in plan.widths for preset in presets]
    points += [(preset, 1, 1) for preset in presets] + [("ppo", max(plan.lanes), max(plan.lanes))] * ("ppo" in presets)
    programs = compile_all([lower(algorithms[preset], width) for preset, width, _ in points])
    for (preset, _, lanes), compiled in zip(points, programs, strict=True):
        measure(compiled, lanes, plan, preset=preset)
    for preset in presets:
        by_run(algorithms[preset], plan, seconds[preset, plan.lanes[-2]], preset)


def by_run(algorithm: Any, plan: Plan, seconds: float, preset: str) -> None:
    """`jax_ac.run`, its host's work included, for about eight times the seconds of a repetition."""
    lanes = plan.lanes[-2]
    updates = max(2, round(8 * plan.seconds / seconds))
    result = jax_ac.run(algorithm, lanes, max_updates=updates, until_solved=False, tile_width=plan.width, progress=False)
    spent = result.spent
    figures = {
        "updates_per_second": spent.updates / spent.run_seconds,
        "steps_per_second": spent.env_steps / spent.run_seconds,
    }
    figures |= {"seconds": spent.run_seconds, "updates": spent.updates, "utilisation": spent.utilisation}
    say({"kind": "run", "preset": preset, "lanes": lanes, "width": plan.width} | figures)


def flags(plan: Plan, presets: Sequence[str], variant: str) -> None:
    """One full tile of each preset, under the XLA_FLAGS that this process was started with."""
    programs = compile_all([lower(algorithm_of(preset), plan.width) for preset in presets])
    for preset, compiled in zip(presets, programs, strict=True):
        measure(compiled, plan.width, plan, preset=preset, variant=variant)


def cpu(plan: Plan, presets: Sequence[str]) -> None:
    """All lanes on all cores, in the tiles that `run` takes there."""
    jax_ac.use_all_cores()
    from jax_ac import bench

    for preset in presets:
        algorithm = algorithm_of(preset)
        tasks = [bench.Task(preset, algorithm, lanes) for lanes in plan.cpu_lanes]
        for point in bench.measure(tasks, plan.seconds * plan.repetitions, plan.repetitions):
            names = {"preset": preset, "width": point.program.tile_width, "devices": point.devices}
            say_rate(point.repetitions, point.lanes, compile_seconds=point.program.compile_seconds, **names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["table", "flags", "cpu"])
    parser.add_argument("--presets", nargs="*", default=list(PRESETS))
    parser.add_argument("--variant", default="default")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    plan = TINY if options.tiny else FULL
    if options.part == "flags":
        flags(plan, options.presets, options.variant)
    else:
        {"table": table, "cpu": cpu}[options.part](plan, options.presets)


if __name__ == "__main__":
    main()
