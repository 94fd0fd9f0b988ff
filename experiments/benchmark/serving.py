"""How a worker of the benchmark speaks: lines of JSON on standard output, one line ``go`` per request on standard input.

A worker is a process of its own, in an environment of its own, with its options on the command line:

1. Once it has imported, compiled and done its work a first time, it prints its start-up figures: `import_seconds`,
   `compile_seconds` (tracing and compiling; null where there is nothing to compile), `first_call_seconds` (what the first
   call takes once compiled; null where none is made), and `versions`, a dict of the main packages.
2. For each line ``go`` it does its work once and prints `seconds`, `env_steps` and `updates` (null where they are not
   counted), both summed over all seeds; a worker may add figures of its own, taken outside of the time.
3. When its input ends it prints `peak_bytes`, its largest resident memory, and exits. (Linux carries the figure over from
   the process that started it, which therefore must itself be small.)

Nothing else goes to standard output: what libraries print goes to standard error. Standard library only.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any, TextIO

Once = Callable[[], dict]
Start = Callable[[list[str]], tuple[dict, Once]]


def serve(start: Start) -> None:
    """Runs a worker to its end. `start` takes the command line's arguments and gives the figures and what a ``go`` does."""
    answers = _take_stdout()
    figures, once = start(sys.argv[1:])
    _say(answers, figures)
    for line in sys.stdin:
        if line.strip() != "go":
            raise SystemExit(f"A worker takes lines 'go', not {line.strip()!r}.")
        _say(answers, once())
    _say(answers, {"peak_bytes": peak_bytes()})


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """What the function returns, and the wall seconds it took."""
    start = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - start


def versions(*packages: str) -> dict[str, str]:
    """The installed versions of the packages, Python's among them."""
    return {"python": sys.version.split()[0]} | {package: metadata.version(package) for package in packages}


def peak_bytes() -> int:
    """The largest resident memory of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def say(figures: dict) -> None:
    """One line of JSON on standard output."""
    _say(sys.stdout, figures)


def _take_stdout() -> TextIO:
    """Standard output for the answers alone; from here on what anything else prints there goes to standard error."""
    sys.stdout.flush()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return answers


def _say(answers: TextIO, figures: dict) -> None:
    print(json.dumps(figures), file=answers, flush=True)
