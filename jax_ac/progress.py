"""Progress: what a person sees while a run works. A live line in a terminal, one line in a while elsewhere."""

import time
from types import TracebackType

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.text import Text

from jax_ac.runs import Progress

QUIET_INTERVAL = 5.0
"""Seconds between two lines where the output is not a terminal."""


class ProgressLine:
    """Shows each `Progress` that it is called with; a context manager."""

    def __init__(self, console: Console):
        self.console = console
        self._live = Live(console=console, refresh_per_second=8, transient=True) if console.is_terminal else None
        self._next_line = time.monotonic() + QUIET_INTERVAL

    def __enter__(self) -> "ProgressLine":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, progress: Progress) -> None:
        if self._live:
            self._live.update(Text(describe(progress)))
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + QUIET_INTERVAL
            self.console.print(describe(progress), highlight=False, soft_wrap=True)


def describe(progress: Progress) -> str:
    """One line: updates, lanes done, solved, diverged and waiting, running return, rate and time left."""
    marks = progress.marks
    counts = {
        "solved": (marks.solved_update >= 0).sum(),
        "diverged": (marks.diverged_update >= 0).sum(),
        "waiting": (~progress.begun).sum(),
    }
    words = [
        f"{marks.num_updates.sum():,} updates",
        f"{progress.done.sum():,} of {len(progress.done):,} lanes done",
        *(f"{count:,} {name}" for name, count in counts.items() if count),
        f"running return {_median(marks.running_return[progress.begun])}",
        f"{progress.updates_per_second:,.0f} updates/s",
        f"about {progress.seconds_left:.0f} s left",
    ]
    return ", ".join(words)


def _median(returns: np.ndarray) -> str:
    """Of the seeds of which an episode has ended."""
    known = returns[~np.isnan(returns)]
    return f"{np.median(known):.0f}" if len(known) else "not known yet"
