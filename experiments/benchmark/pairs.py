"""Pairs: ours and a peer at the same work, in turns, each a process of its own that stays warm between its turns."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

HERE = Path(__file__).parent
PATIENCE = 1200
"""Seconds that a worker may take for an answer; Jaxnasium's with 16 seeds waits for ever."""


class Side(NamedTuple):
    """One side of a pair: a worker (`serving`), started with these arguments in the environment of `peer`; None: ours.

    With `copies` above 1 so many processes work at once, each with a part of the seeds of its own.
    """

    peer: str | None
    script: str
    arguments: tuple[str, ...]
    copies: int = 1


class Pair(NamedTuple):
    """What is compared, and how many times faster ours should be, in environment steps per second, if that was said."""

    name: str
    ours: Side
    peer: Side
    target: float | None = None


class Turns(NamedTuple):
    """What a side said: at its start, in each turn (one dict per copy), and at its end."""

    start: dict
    turns: list[list[dict]]
    peak_bytes: int

    def rates(self) -> list[float]:
        """Environment steps per second of each turn, all copies together."""
        return [sum(each["env_steps"] / each["seconds"] for each in turn) for turn in self.turns]


class Worker:
    """The running processes of a side."""

    def __init__(self, side: Side, python_of: Callable[[str | None], str]):
        commands = [
            [python_of(side.peer), str(HERE / side.script), *side.arguments, *_first(side, copy)]
            for copy in range(side.copies)
        ]
        self._running = [
            subprocess.Popen(each, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            for each in commands
        ]
        starts = [self._answer(process) for process in self._running]
        self.start = starts[0]
        self.turns: list[list[dict]] = []

    def go(self) -> None:
        """One turn."""
        for process in self._running:
            print("go", file=process.stdin, flush=True)
        self.turns.append([self._answer(process) for process in self._running])

    def end(self) -> Turns:
        """Ends the processes."""
        peaks = []
        for process in self._running:
            assert process.stdin is not None
            process.stdin.close()
            peaks.append(self._answer(process)["peak_bytes"])
            process.wait()
        return Turns(self.start, self.turns, sum(peaks))

    def kill(self) -> None:
        """Ends the processes at once, where the other side has failed."""
        for process in self._running:
            process.kill()
            process.wait()

    @staticmethod
    def _answer(process: Any) -> dict:
        impatience = threading.Timer(PATIENCE, process.kill)
        impatience.start()
        line = process.stdout.readline()
        impatience.cancel()
        if not line:
            raise RuntimeError(f"a worker ended without an answer, or gave none in {PATIENCE} s: {' '.join(process.args)}")
        return json.loads(line)


def compare(pair: Pair, repetitions: int, python_of: Callable[[str | None], str]) -> tuple[Turns, Turns]:
    """Both sides in turns: ours, the peer, ours, ..."""
    workers: list[Worker] = []
    try:
        for side in (pair.ours, pair.peer):
            workers.append(Worker(side, python_of))
        for repetition in range(repetitions):
            for worker in workers:
                worker.go()
            print(f"{pair.name}: {repetition + 1} of {repetitions}", file=sys.stderr, flush=True)
        ours, peer = (worker.end() for worker in workers)
    except RuntimeError:
        for worker in workers:
            worker.kill()
        raise
    return ours, peer


def ratios(ours: Turns, peer: Turns) -> tuple[float, float, float]:
    """How many times faster ours is, turn by turn: the median, the lowest, the highest."""
    each = [mine / theirs for mine, theirs in zip(ours.rates(), peer.rates(), strict=True)]
    return median(each), min(each), max(each)


def spread(numbers: Sequence[float]) -> tuple[float, float, float]:
    """The median, the lowest, the highest."""
    return median(numbers), min(numbers), max(numbers)


def _first(side: Side, copy: int) -> list[str]:
    return ["--first", str(10_000 * copy)] if side.copies > 1 else []
