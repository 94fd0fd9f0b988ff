"""The benchmark on a GPU: ours by lanes and tile widths, rejax's PPO beside it, this machine's CPU, and a few checks.

    python experiments/benchmark/gpu.py --out gpu.json --rejax-site DIR

Each part is a process of its own with a limit of time, so that one that fails costs no other; what is left of the time when
`--minutes` are over is left out, last parts first. Every figure is in the file as soon as it is known, with `tail`, a
part's last words. `--parts` chooses. In DIR, as ``pip install --target DIR`` fills it, is rejax with what it needs and this
interpreter lacks.

The parts, in this order: `table`, `rejax`, `cpu` (the same lanes on all cores, for the break-even), `checks` (`gpu_checks`),
`solved-cpu`, `flags` (XLA's command buffers), `ideas` (`gpu_ideas`), `again` (the digests of the checks in another process),
`tests` (those of training and of runs). Standard library only.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import gpu_tables

HERE = Path(__file__).resolve().parent
LEAST_SECONDS = 15
"""With less time left, a part is not begun."""

FLAGS = {
    "no command buffers": "--xla_gpu_enable_command_buffer=",
    "buffers of 1 and more": "--xla_gpu_graph_min_graph_size=1",
    "buffers with loops": "--xla_gpu_graph_min_graph_size=1 --xla_gpu_enable_command_buffer=+WHILE,+CONDITIONAL",
    "buffers with loops, unrolled": "--xla_gpu_graph_min_graph_size=1 --xla_gpu_enable_command_buffer=+WHILE,+CONDITIONAL "
    "--xla_gpu_command_buffer_unroll_loops=true",
    "no autotuning": "--xla_gpu_autotune_level=0",
}
PEER_UPDATES = {1: 50, 256: 40, 2048: 16, 16384: 4}
TINY_PEER = {1: 2, 4: 2}


class Part(NamedTuple):
    """A process: its arguments, variables added to its environment, what it reads, and after how long it is ended."""

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    limit: float
    reads: str = ""
    path: tuple[str, ...] = ()


def parts(options: argparse.Namespace) -> list[Part]:
    """All parts, the most wanted first."""
    tiny = ("--tiny",) if options.tiny else ()
    on_cpu = {"JAX_PLATFORMS": "cpu"}
    worker = lambda script, *arguments: (str(HERE / script), *arguments, *tiny)
    found = [Part("table", worker("gpu_points.py", "table"), {}, 240)]
    if options.rejax_site:
        for lanes, updates in (TINY_PEER if options.tiny else PEER_UPDATES).items():
            arguments = (str(HERE / "rejax_peer.py"), "--seeds", str(lanes), "--updates", str(updates))
            found.append(Part(f"rejax {lanes}", arguments, {}, 60, "go\n" * 3, (options.rejax_site,)))
    found.append(Part("cpu", worker("gpu_points.py", "cpu"), on_cpu, 120))
    found.append(Part("checks", worker("gpu_checks.py", "all"), {}, 100))
    found.append(Part("solved-cpu", worker("gpu_checks.py", "solved"), on_cpu, 60))
    for name, flags in FLAGS.items():
        found.append(Part(f"flags {name}", worker("gpu_points.py", "flags", "--variant", name), {"XLA_FLAGS": flags}, 60))
    found.append(Part("ideas", worker("gpu_ideas.py"), {}, 120))
    found.append(Part("again", worker("gpu_checks.py", "digest"), {}, 60))
    tests = [str(HERE.parent.parent / "tests" / f"test_{name}.py") for name in ("training", "runs")]
    command = ("-m", "pytest", "-n", "8", "--dist", "load", "-p", "no:cacheprovider", "--tb=line", "-m", "not slow", *tests)
    found.append(Part("tests", command, {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}, 120))
    return [part for part in found if not options.parts or part.name.split()[0] in options.parts]


class Record:
    """What is known so far, in a file that is always whole."""

    def __init__(self, path: Path):
        self.path = path
        self.rows: list[dict] = []
        self.states: dict[str, dict] = {}

    def add(self, part: str, row: dict) -> None:
        self.rows.append({"part": part} | row)
        self.save()

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".partial")
        temporary.write_text(json.dumps({"parts": self.states, "rows": self.rows}, indent=1))
        temporary.replace(self.path)


def run(part: Part, limit: float, record: Record) -> None:
    """Runs a part to its end or its limit; its lines of JSON are kept, of other lines the last."""
    start, tail = time.perf_counter(), deque(maxlen=25)
    state = record.states[part.name] = {"ended": "running"}
    record.save()
    with ended_after(limit, part) as process:
        assert process.stdin
        assert process.stdout
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(part.reads)
            process.stdin.close()
        for line in process.stdout:
            row = as_row(line)
            if row is None:
                tail.append(line.rstrip()[:500])
            else:
                record.add(part.name, row)
        code = process.wait()
    seconds = time.perf_counter() - start
    state |= {"ended": "well" if code == 0 else f"with {code}", "seconds": round(seconds, 1), "tail": list(tail)}
    record.save()
    print(f"{part.name}: {state['ended']} after {seconds:.0f} s", file=sys.stderr, flush=True)
    if code:
        print("  " + "\n  ".join(list(tail)[-8:]), file=sys.stderr, flush=True)


@contextlib.contextmanager
def ended_after(limit: float, part: Part) -> Iterator[subprocess.Popen]:
    """The part's process, the leader of a group of its own, which is killed after so many seconds, or on an error here."""
    root = str(HERE.parent.parent)
    path = part.path or (root, *filter(None, [os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1"} | part.environment
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen([sys.executable, *part.arguments], env=environment, start_new_session=True, cwd=root, **pipes)

    def kill() -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(limit, kill)
    timer.start()
    try:
        yield process
    finally:
        timer.cancel()
        kill()


def as_row(line: str) -> dict | None:
    """What a line of JSON says; None for another."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the JSON file")
    parser.add_argument("--rejax-site", help="folder of rejax's packages; the peer is left out if not given")
    parser.add_argument("--minutes", type=float, default=30, help="after which nothing goes on")
    parser.add_argument("--parts", nargs="*", help="table, rejax, cpu, ...; all if not given")
    parser.add_argument("--tiny", action="store_true", help="sizes to try the script out with")
    parser.add_argument("--table", action="store_true", help="only print the tables of the file")
    options = parser.parse_args()
    record, end = Record(options.out), time.perf_counter() + 60 * options.minutes
    for part in [] if options.table else parts(options):
        left = end - time.perf_counter()
        if left < LEAST_SECONDS:
            record.states[part.name] = {"ended": "not begun"}
            record.save()
        else:
            run(part, min(part.limit, left), record)
    print(gpu_tables.text(json.loads(options.out.read_text())))


if __name__ == "__main__":
    main()
