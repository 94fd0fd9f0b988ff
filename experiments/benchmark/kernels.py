"""Which of XLA's kernels, and which other functions, a tile's time goes to, each by name.

    python experiments/benchmark/kernels.py ppo --width 16 --rows 40

`samples.py` counts kinds of work, this names single kernels as they stand in the program's HLO, which is left in ``--dump``.
Of what XLA compiles perf sees addresses alone. They are looked up by the machine code in the object files that XLA leaves of
the program, which is found again in the memory of the process. Needs ``perf`` and Linux on x86.
"""

import argparse
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from samples import WARM_LINE

SECONDS = 8
SYMBOLS, RELOCATIONS, FUNCTION = 2, 4, 2
"""Types of sections and symbols in the format ELF."""


class Place(NamedTuple):
    """Where in memory a function lies: from `start` to before `stop`."""

    start: int
    stop: int
    name: str


def functions(path: Path) -> Iterator[tuple[str, re.Pattern[bytes]]]:
    """The functions of an object file for x86-64, and their code, in which anything may stand for an address."""
    code = path.read_bytes()
    (table,), (count,) = struct.unpack_from("<Q", code, 40), struct.unpack_from("<H", code, 60)
    sections = [struct.unpack_from("<IIQQQQIIQQ", code, table + 64 * index) for index in range(count)]
    addresses: dict[int, list[tuple[int, int]]] = {index: [] for index in range(count)}
    for _, kind, _, _, start, size, _, section, _, _ in sections:
        if kind == RELOCATIONS:
            for at in range(start, start + size, 24):
                offset, form = struct.unpack_from("<QI", code, at)
                addresses[section].append((offset, 8 if form == 1 else 4))
    for _, kind, _, _, start, size, strings, _, _, _ in sections:
        for at in range(start, start + size, 24) if kind == SYMBOLS else ():
            name, info, _, section, offset, length = struct.unpack_from("<IBBHQQ", code, at)
            if info & 15 == FUNCTION and length and section < count:
                begin = sections[strings][4] + name
                own = [(place - offset, width) for place, width in addresses[section] if offset <= place < offset + length]
                text = sections[section][4] + offset
                yield code[begin : code.index(b"\0", begin)].decode(), _pattern(code[text : text + length], sorted(own))


def _pattern(code: bytes, addresses: list[tuple[int, int]]) -> re.Pattern[bytes]:
    ends = [0, *(place + width for place, width in addresses)]
    begins = [*(place for place, _ in addresses), len(code)]
    fixed = [re.escape(code[end:begin]) for end, begin in zip(ends, begins, strict=True)]
    gaps = [b"[\\s\\S]{%d}" % width for _, width in addresses] + [b""]
    return re.compile(b"".join(part + gap for part, gap in zip(fixed, gaps, strict=True)))


def compiled_memory(pid: int) -> list[tuple[int, bytes]]:
    """The memory of a process that holds code and comes from no file: addresses and contents."""
    found = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, _, _, inode, *name = line.split(None, 5)
            if "x" in rights and inode == "0" and not name:
                start, stop = (int(end, 16) for end in span.split("-"))
                memory.seek(start)
                found.append((start, memory.read(stop - start)))
    return found


def places(objects: list[Path], memory: list[tuple[int, bytes]]) -> list[Place]:
    """Where the functions of object files lie, in order."""
    found = [
        Place(start + match.start(), start + match.end(), name)
        for path in objects
        for name, pattern in functions(path)
        for start, contents in memory
        for match in pattern.finditer(contents)
    ]
    return sorted(found)


def name_of(address: int, symbol: str, known: list[Place]) -> str:
    """What a sample was in: perf's symbol, or else the kernel at the address."""
    if symbol != "[unknown]":
        return re.sub(r"[(<].*", "", symbol)
    index = bisect_right(known, address, key=lambda place: place.start) - 1
    return f"kernel {known[index].name}" if index >= 0 and address < known[index].stop else "code of no known name"


def counted(preset: str, width: int, dump: Path) -> Counter:
    """How many samples of a tile that trains were in each function."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_dump_to={dump} --xla_dump_hlo_as_text"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_ENABLE_COMPILATION_CACHE": "false"}
    command = [sys.executable, str(Path(__file__).with_name("samples.py")), preset, "--width", str(width), "--train"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert child.stdout is not None
    try:
        if child.stdout.readline().strip() != WARM_LINE:
            raise SystemExit(f"{preset} could not be trained.")
        with tempfile.NamedTemporaryFile() as file:
            record = ["perf", "record", "-e", "cpu-clock", "-F", "10000", "-o", file.name, "-p", str(child.pid)]
            done = subprocess.run([*record, "--", "sleep", str(SECONDS)], capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"perf cannot record: {done.stderr.strip()}")
            script = ["perf", "script", "-i", file.name, "-F", "ip,sym"]
            lines = subprocess.check_output(script, stderr=subprocess.DEVNULL, text=True).splitlines()
        objects = [path for path in dump.glob("*.o") if "_advance_tile" in path.name]
        known = places(objects, compiled_memory(child.pid))
    finally:
        child.kill()
        child.wait()
    sampled = (line.split(None, 1) for line in lines if line.strip())
    return Counter(name_of(int(address, 16), symbol.strip(), known) for address, symbol in sampled)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", choices=["keras", "a2c", "ppo"])
    parser.add_argument("--width", type=int, default=16, help="lanes of the tile")
    parser.add_argument("--rows", type=int, default=40, help="how many of the most costly are shown")
    parser.add_argument("--dump", type=Path, help="a folder for the program; a temporary one if not given")
    arguments = parser.parse_args()
    if not shutil.which("perf"):
        raise SystemExit("Linux's perf is not installed.")
    with tempfile.TemporaryDirectory() as folder:
        counts = counted(arguments.preset, arguments.width, arguments.dump or Path(folder))
    print(f"| {arguments.preset}, {arguments.width} lanes | % of {counts.total()} samples |\n|---|---|")
    for name, count in counts.most_common(arguments.rows):
        print(f"| {name} | {100 * count / counts.total():.1f} |")


if __name__ == "__main__":
    main()
