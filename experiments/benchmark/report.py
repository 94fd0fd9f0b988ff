"""The report of the benchmark: Markdown tables and a picture, from the raw numbers."""

from pathlib import Path
from statistics import median
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from jax_ac.colors import OKABE_ITO


def three(numbers: list[float], unit: float = 1.0, digits: str = ".3g") -> tuple[str, str]:
    """The median, and the range, in words."""
    low, middle, high = (number / unit for number in (min(numbers), median(numbers), max(numbers)))
    return f"{middle:{digits}}", f"{low:{digits}} to {high:{digits}}"


def pairs(raw: dict[str, Any]) -> str:
    """Speed against the peers."""
    lines = ["| ours / peer | times faster | range | wanted | ours, steps/s | peer, steps/s |", "|---|---|---|---|---|---|"]
    for name, pair in raw["pairs"].items():
        ratio, ratios = three([a / b for a, b in zip(pair["ours"], pair["peer"], strict=True)], digits=",.3g")
        wanted = "" if pair["target"] is None else f"{pair['target']:,g}"
        rates = [f"{median(pair[side]):,.0f}" for side in ("ours", "peer")]
        lines.append(f"| {name} | {ratio} | {ratios} | {wanted} | {' | '.join(rates)} |")
    return "\n".join(lines)


def starts(raw: dict[str, Any]) -> str:
    """Imports, compilations, first calls and memory of each side."""
    lines = ["| | import, s | compile, s | first call, s | peak memory, MiB |", "|---|---|---|---|---|"]
    for name, pair in raw["pairs"].items():
        for side, who in zip(("ours", "peer"), name.split(" / "), strict=True):
            start = pair["starts"][side]
            cells = [start["import_seconds"], start["compile_seconds"], start["first_call_seconds"]]
            texts = ["" if cell is None else f"{cell:.2f}" for cell in cells]
            lines.append(f"| {who} | {' | '.join(texts)} | {pair['peaks'][side] / 2**20:,.0f} |")
    return "\n".join(dict.fromkeys(lines))


def others(raw: dict[str, Any]) -> str:
    """Everything that is no pair of speeds."""
    lines = ["| what | median | range | wanted |", "|---|---|---|---|"]
    for name, row in raw["others"].items():
        middle, limits = three(row["numbers"])
        lines.append(f"| {name} | {middle} | {limits} | {row['target']} |")
    return "\n".join(lines)


def draw(raw: dict[str, Any], path: Path) -> None:
    """How many times faster than each peer, with the range of the turns and what was wanted."""
    names = list(raw["pairs"])[::-1]
    figure, axes = plt.subplots(figsize=(8, 0.45 * len(names) + 1.2), layout="constrained")
    for row, name in enumerate(names):
        pair = raw["pairs"][name]
        ratios = [a / b for a, b in zip(pair["ours"], pair["peer"], strict=True)]
        axes.plot([min(ratios), max(ratios)], [row, row], color=OKABE_ITO[0], linewidth=3)
        axes.plot(median(ratios), row, "o", color=OKABE_ITO[0], label="measured, range of the turns" if row == 0 else None)
        if pair["target"] is not None:
            axes.plot(pair["target"], row, "|", color=OKABE_ITO[1], markersize=16, label="wanted" if row == 0 else None)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_xscale("log")
    axes.axvline(1, color="gray", linewidth=0.8)
    axes.set_xlabel("times as many environment steps per second")
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def text(raw: dict[str, Any]) -> str:
    """The whole report."""
    parts = [raw["machine"], pairs(raw), others(raw) if raw["others"] else "", starts(raw), raw["limits"], raw["stages"]]
    return "\n\n".join(part for part in parts if part)
