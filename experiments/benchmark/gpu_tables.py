"""What `gpu.py` found, as Markdown. Standard library only."""

import itertools
import math
from collections.abc import Iterable, Sequence

COLUMNS = ("preset", "lanes", "width", "GPU upd/s", "range", "steps/s", "CPU upd/s", "GPU/CPU", "rejax", "ours/rejax",
           "compile s")  # fmt: skip


def text(found: dict) -> str:
    """All tables of a file of `gpu.py`."""
    rows = found["rows"]
    blocks = [lanes_table(rows), width_table(rows), runs(rows), break_evens(rows), variants(rows), checks(rows)]
    blocks.append("\n".join(f"- {row['part']}, {row.get('lanes')} lanes: {row['error']}" for row in rows if "error" in row))
    ended = [f"{name}: {state['ended']} ({state.get('seconds', 0):.0f} s)" for name, state in found["parts"].items()]
    tests = found["parts"].get("tests", {}).get("tail", [])[-12:]
    return "\n\n".join(block for block in (*blocks, "; ".join(ended), "\n".join(tests)) if block)


def lanes_table(rows: Sequence[dict]) -> str:
    """GPU, CPU and rejax by preset and lanes, in tiles of the width that was measured with all of them."""
    lines = [markdown(*COLUMNS), markdown(*["---"] * len(COLUMNS))]
    cpu = {(row["preset"], row["lanes"]): row["updates_per_second"][0] for row in rates(rows, "cpu")}
    peer = {("ppo", lanes): speed for lanes, speed in rejax(rows).items()}
    for row in rates(rows, "table"):
        point, (middle, low, high), steps = (
            (row["preset"], row["lanes"]),
            row["updates_per_second"],
            row["steps_per_second"][0],
        )
        here, theirs = cpu.get(point), peer.get(point)
        speeds = (whole(middle), f"{whole(low)}-{whole(high)}", whole(steps))
        others = (whole(here), ratio(middle, here), whole(theirs), ratio(steps, theirs))
        lines.append(markdown(*point, row["width"], *speeds, *others, f"{row['compile_seconds']:.1f}"))
    return "\n".join(lines)


def width_table(rows: Sequence[dict]) -> str:
    """Lane-updates per second by the width of the tiles, where several widths had the same lanes."""
    groups: dict[tuple, dict] = {}
    for row in rates(rows, "table"):
        groups.setdefault((row["preset"], row["lanes"]), {})[row["width"]] = row["updates_per_second"][0]
    several = {key: widths for key, widths in groups.items() if len(widths) > 1}
    lines = [
        f"- {preset}, {lanes} lanes, upd/s by width: "
        + ", ".join(f"{width}: {whole(widths[width])}" for width in sorted(widths))
        for (preset, lanes), widths in several.items()
    ]
    return "\n".join(lines)


def runs(rows: Sequence[dict]) -> str:
    """`run` beside its tiles."""
    tiles = {(row["preset"], row["lanes"], row["width"]): row["updates_per_second"][0] for row in rates(rows, "table")}
    lines = []
    for row in (row for row in rows if row.get("kind") == "run"):
        alone = tiles.get((row["preset"], row["lanes"], row["width"]))
        speed = row["updates_per_second"]
        lines.append(
            f"- run, {row['preset']}, {row['lanes']} lanes: {whole(speed)} upd/s, {ratio(speed, alone)} of its tiles'"
        )
    return "\n".join(lines)


def break_evens(rows: Sequence[dict]) -> str:
    """From how many lanes on the GPU is faster, between the measured ones on logarithmic axes: at its best width of each."""
    lines = []
    for preset in dict.fromkeys(row["preset"] for row in rates(rows, "cpu")):
        cpu = curve(row for row in rates(rows, "cpu") if row["preset"] == preset)
        gpu = curve(row for row in rates(rows, "table") if row["preset"] == preset)
        if len(cpu) > 1 and gpu:
            lines.append(f"- {preset}: the GPU is faster from about {break_even(cpu, gpu)} lanes on")
    return "\n".join(lines)


def curve(rows: Iterable[dict]) -> list[tuple[float, float]]:
    """(log lanes, log seconds of an update of all lanes), the fastest width for each number of lanes."""
    best: dict[int, float] = {}
    for row in rows:
        seconds = row["lanes"] / row["updates_per_second"][0]
        best[row["lanes"]] = min(best.get(row["lanes"], math.inf), seconds)
    return sorted((math.log(lanes), math.log(seconds)) for lanes, seconds in best.items())


def break_even(cpu: list[tuple[float, float]], gpu: list[tuple[float, float]]) -> str:
    top = min(cpu[-1][0], gpu[-1][0])
    grid = [top * index / 1000 for index in range(1001)]
    slower = [at for at in grid if between(cpu, at) < between(gpu, at)]
    if not slower:
        return "1"
    return f"more than {whole(math.exp(top))}" if slower[-1] == top else whole(math.exp(slower[-1]))


def between(points: list[tuple[float, float]], at: float) -> float:
    """Piecewise linear."""
    for (left, low), (right, high) in itertools.pairwise(points):
        if at <= right:
            return low + (high - low) * (at - left) / (right - left)
    return points[-1][1]


def variants(rows: Sequence[dict]) -> str:
    """XLA's flags and ideas: lane-updates per second of one full tile, and beside the one without them."""
    base = {row["preset"]: row["updates_per_second"][0] for row in rates(rows, "table") if row["lanes"] == row["width"]}
    base |= {row["preset"]: row["updates_per_second"][0] for row in rates(rows, "ideas") if row["variant"] == "as it is"}
    lines = []
    for row in (*rates(rows, "flags"), *rates(rows, "ideas")):
        speed = row["updates_per_second"][0]
        compiled = f"{ratio(speed, base.get(row['preset']))}, compiled in {row['compile_seconds']:.1f} s"
        lines.append(f"- {row['variant']}, {row['preset']}: {whole(speed)} upd/s, x {compiled}")
    lines += [
        f"- {row['variant']}, {row['preset']}: the program of '{row['as']}'" for row in rows if row.get("kind") == "same"
    ]
    return "\n".join(lines)


def checks(rows: Sequence[dict]) -> str:
    """What `gpu_checks` found."""
    lines = []
    first = {row["preset"]: row["digest"] for row in rows if row.get("kind") == "bits"}
    for row in rows:
        if row.get("kind") == "solved":
            spread = "/".join(f"{number:.0f}" for number in row["quartiles"])
            lines.append(
                f"- {row['part']}: {row['solved']} of {row['seeds']} solved, episodes {spread}, {row['diverged']} diverged"
            )
        if row.get("kind") in ("bits", "resumed"):
            found = row["differing"] if row["kind"] == "bits" else {"resumed": row["differing"]}
            said = ", ".join(
                f"{name}: {'same' if not leaves else f'{len(leaves)} leaves differ'}" for name, leaves in found.items()
            )
            lines.append(f"- bits, {row.get('preset', 'ppo')}: {said}")
        if row.get("kind") == "digest":
            same = "same" if first.get(row["preset"]) == row["digest"] else "other"
            lines.append(f"- another process, {row['preset']}: {same} bits")
    return "\n".join(lines)


def rates(rows: Sequence[dict], part: str) -> list[dict]:
    return [row for row in rows if row.get("kind") == "rate" and row["part"].split()[0] == part]


def rejax(rows: Sequence[dict]) -> dict[int, float]:
    """Its environment steps per second, by lanes: the median of the turns."""
    found: dict[int, list[float]] = {}
    for row in rows:
        if row["part"].startswith("rejax ") and "env_steps" in row:
            found.setdefault(int(row["part"].split()[1]), []).append(row["env_steps"] / row["seconds"])
    return {lanes: sorted(speeds)[len(speeds) // 2] for lanes, speeds in found.items()}


def markdown(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def whole(number: float | None) -> str:
    return "" if number is None else f"{number:,.0f}"


def ratio(number: float, other: float | None) -> str:
    return f"{number / other:.2f}" if other else ""
