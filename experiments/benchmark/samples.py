"""Where the processor is while a tile trains: one of its instructions looked at every 0.2 ms, by Linux's perf.

    python experiments/benchmark/samples.py keras a2c ppo --width 16

A tile trains in a process of its own, on one device; perf samples it, with the functions that had called each instruction.
Unlike `stages.py` this is the program as it runs, and nothing is added to it. Needs ``perf`` and the right to use it
(``kernel.perf_event_paranoid`` at most 2).
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

SECONDS = 6
WARM_LINE = "warm"

PRODUCTS = "products of matrices"
GROUPS = (
    (PRODUCTS, r"^ynn::dot_|^Eigen::internal::\w*(gebp|[Cc]ontraction\w*Kernel)"),
    ("rearranging for products", r"^ynn::(transpose|interleave|packer)|Eigen::internal::gemm_pack"),
    ("sums by YNNPACK", r"^ynn::(sum|reduce)"),
    ("allocating memory", r"^_*(int_)?(malloc|free|cfree|mid_memalign|memalign|realloc|calloc|unlink_chunk)"),
)
"""By the function that the instruction is in. All else goes by the innermost of XLA's thunks that had called it."""

THUNKS = {
    "YnnFusionThunk": "calling YNNPACK",
    "DotThunk": PRODUCTS,
    "SortThunk": "sorting",
    "CopyThunk": "copies",
}
OWN = "XLA's own kernels"
HANDING_OUT = "handing out kernels"
UNCALLED = PRODUCTS
"""Code that was made when it ran and keeps no account of who called it: oneDNN's, which Eigen multiplies with."""


def group(frames: list[str]) -> str:
    """What a sample was at: `frames` are functions, innermost first, ``[unknown]`` where code has no name."""
    for name, pattern in GROUPS:
        if re.search(pattern, frames[0]):
            return name
    calls = [re.search(r"xla::cpu::(\w*Thunk|ThunkExecutor)\b", frame) for frame in frames]
    thunk = next((call[1] for call in calls if call), None)
    if thunk in THUNKS:
        return THUNKS[thunk]
    if thunk is None:
        return UNCALLED if frames[0] == "[unknown]" and len(frames) < 4 else "all else"
    return HANDING_OUT if frames[0].startswith(("xla::", "tsl::", "std::", "absl::", "Eigen::")) else OWN


def samples(path: Path) -> list[list[str]]:
    """The frames of every sample in what perf recorded."""
    command = ["perf", "script", "-i", str(path), "-F", "ip,sym"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    blocks = (block.split("\n") for block in text.split("\n\n"))
    return [[line.split(maxsplit=1)[1] for line in block if len(line.split()) > 1] for block in blocks if any(block)]


def shares(preset: str, width: int) -> tuple[Counter, int]:
    """How often each group was seen while the preset trained, and the number of samples."""
    child = subprocess.Popen(
        [sys.executable, __file__, preset, "--width", str(width), "--train"], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        if child.stdout.readline().strip() != WARM_LINE:
            raise SystemExit(f"{preset} could not be trained.")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "samples"
            record = ["perf", "record", "-g", "-F", "5000", "-o", str(path), "-p", str(child.pid)]
            done = subprocess.run([*record, "--", "sleep", str(SECONDS)], capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"perf cannot record: {done.stderr.strip()}")
            counts = Counter(group(frames) for frames in samples(path) if frames)
    finally:
        child.kill()
        child.wait()
    return counts, counts.total()


def train_for_ever(preset: str, width: int) -> None:
    from jax_ac.devices import xla_environment

    os.environ.update(xla_environment())
    import jax
    import numpy as np
    from stages import algorithm_of

    from jax_ac.tiles import Slots, make_tiles

    algorithm = algorithm_of(preset)
    device = jax.devices()[0]
    tiles = make_tiles(algorithm, width, 200, width=width, devices=[device])
    seeds, limit = np.arange(width, dtype=np.uint32), np.full(width, 2**31 - 1, np.int32)
    numbers = jax.tree.map(lambda number: np.full(width, number, np.float32), algorithm.hyperparams)
    slots = jax.device_put(Slots(seeds, numbers, np.ones(width, bool), limit), device)
    (states,) = tiles.states()
    program = tiles.program(states, slots, device)
    states, _ = program(states, slots)
    slots = slots._replace(fresh=jax.device_put(np.zeros(width, bool), device))
    print(WARM_LINE, flush=True)
    while True:
        states, _ = jax.block_until_ready(program(states, slots))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presets", nargs="*", default=["keras", "a2c", "ppo"], help="keras a2c ppo if not given")
    parser.add_argument("--width", type=int, default=16, help="lanes of the tile")
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train:
        train_for_ever(arguments.presets[0], arguments.width)
    if not shutil.which("perf"):
        raise SystemExit("Linux's perf is not installed.")
    for preset in arguments.presets:
        counts, total = shares(preset, arguments.width)
        print(f"| {preset}, {arguments.width} lanes | % of {total} samples |\n|---|---|")
        for name, count in counts.most_common():
            print(f"| {name} | {100 * count / total:.1f} |")


if __name__ == "__main__":
    main()
