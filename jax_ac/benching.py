"""``jax-ac bench``: from a checked command to a table, and a file."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jax_ac import files, tuning
from jax_ac.bench_command import Bench, Measured
from jax_ac.commands import checking
from jax_ac.trainer import say, use_devices

if TYPE_CHECKING:
    from rich.table import Table

    from jax_ac.bench import Point, Task


def bench(command: Bench, measured: Measured) -> int:
    """Runs the command. Returns the exit status."""
    from rich.console import Console

    start = time.perf_counter()
    with checking():
        use_devices()
        tasks = make_tasks(measured)
        from jax_ac.bench import measure
        from jax_ac.memory import check_memory

        for task in tasks:
            check_memory(task.algorithm, task.lanes, 1)
    import_seconds = time.perf_counter() - start
    machine = describe()
    say(headline(machine) + f"\nimporting and making the environments: {import_seconds:.1f} s")
    with Console(stderr=True).status("...") as status:
        points = measure(tasks, command.seconds, say=status.update)
    console = Console()
    console.print(programs_table(points))
    if machine["compiled_programs"]:
        say("A program that was kept is read, not compiled; JAX_ENABLE_COMPILATION_CACHE=false compiles it.\n")
    console.print(speed_table(points))
    if command.out is not None:
        write(command.out, {"machine": machine, "import_seconds": import_seconds, "points": records(points, measured)})
        say(f"written: {command.out}")
    return 0


def make_tasks(measured: Measured) -> "list[Task]":
    """The algorithms, made so that the work of an update stays the same, with each number of lanes."""
    from jax_ac.bench import Task
    from jax_ac.envs import make_env

    tasks = []
    for name, (env, setting) in measured.algorithms.items():
        arguments: dict[str, Any] = {"stop_when_solved": False} if name == "keras" else {}
        algorithm = tuning.build(name, make_env(env), setting, **arguments)
        tasks += [Task(f"{name} {env}", algorithm, lanes) for lanes in measured.lanes]
    return tasks


def describe() -> dict[str, Any]:
    """When, with which versions and on what devices, how many cores, and where compiled programs are kept."""
    import jax

    from jax_ac.circumstances import circumstances
    from jax_ac.devices import num_cores

    kept = jax.config.values["jax_compilation_cache_dir"] if jax.config.values["jax_enable_compilation_cache"] else None
    return {**circumstances(), "cores": num_cores(), "compiled_programs": kept or None}


def headline(machine: dict[str, Any]) -> str:
    """The machine in two lines."""
    versions = ", ".join(f"{name} {machine['packages'][name]}" for name in ("jax_ac", "jax", "jaxlib"))
    return f"{machine['device']}, {machine['cores']} cores, {machine['platform']}\n{versions}, Python {machine['python']}"


def programs_table(points: "list[Point]") -> "Table":
    """What compiling took, once for each algorithm and width of a tile."""
    rows = _table("programs, each for one device")
    for name in ("algorithm", "lanes in a tile", "tracing", "compiling", "temporary"):
        rows.add_column(name, justify="left" if name == "algorithm" else "right", no_wrap=True)
    for name, program in dict.fromkeys((point.name, point.program) for point in points):
        seconds = (f"{program.trace_seconds:.2f} s", f"{program.compile_seconds:.2f} s")
        rows.add_row(name, str(program.tile_width), *seconds, f"{program.temporary_bytes / 2**10:,.0f} KiB")
    return rows


def speed_table(points: "list[Point]") -> "Table":
    """What was trained in a second, all lanes together: the median of the repetitions, and their range."""
    rows = _table(f"training, median and range of {len(points[0].repetitions)} repetitions in turns")
    for name in ("algorithm", "lanes", "devices", "updates/s", "steps/s", "us each"):
        rows.add_column(name, justify="left" if name == "algorithm" else "right", no_wrap=True)
    for point in points:
        updates, steps, each = point.updates_per_second, point.steps_per_second, point.microseconds
        shown = (f"{_number(updates.median)} ({_number(updates.low)}-{_number(updates.high)})",
                 _number(steps.median), _number(each.median))  # fmt: skip
        rows.add_row(point.name, f"{point.lanes:,}", str(point.devices), *shown)
    return rows


def records(points: "list[Point]", measured: Measured) -> list[dict[str, Any]]:
    """The points as plain data, a dictionary each, with every repetition."""
    chosen = [(name, env) for name, (env, _) in measured.algorithms.items() for _ in measured.lanes]
    return [
        {
            "algorithm": name,
            "env": env,
            "lanes": point.lanes,
            "devices": point.devices,
            **point.program._asdict(),
            "updates_per_second": point.updates_per_second._asdict(),
            "env_steps_per_second": point.steps_per_second._asdict(),
            "microseconds_per_lane_update": point.microseconds._asdict(),
            "repetitions": [each._asdict() for each in point.repetitions],
        }
        for (name, env), point in zip(chosen, points, strict=True)
    ]


def write(path: Path, data: dict[str, Any]) -> None:
    """Writes the file whole or not at all. Raises OSError where it cannot."""
    files.write_whole(path, lambda temporary: temporary.write_text(json.dumps(data, indent=1) + "\n"))


def _table(title: str) -> "Table":
    from rich import box
    from rich.table import Table

    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)


def _number(value: float) -> str:
    """Three digits or more."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
