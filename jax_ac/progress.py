"""Progress: what a person sees while a run works. A live line in a terminal, one line in a while elsewhere."""

import contextlib
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.text import Text

from jax_ac.marks import Marks

QUIET_INTERVAL = 5.0
"""Seconds between two lines where the output is not a terminal."""

LIVE_INTERVAL = 0.125
"""Seconds between two states of a live line: to describe a million lanes takes longer than to take in a report."""


class Progress(NamedTuple):
    """What the host knows after a segment.

    Attributes:
      marks: of all lanes, those not begun included.
      done: bool ``[L]``, lanes that will not be trained further.
      begun: bool ``[L]``.
      max_updates: the limit per lane.
      seconds: since training began, compilation not counted.
      updates_before, steps_before: of all lanes together when it began: not 0 after a resume.
    """

    marks: Marks
    done: np.ndarray
    begun: np.ndarray
    max_updates: int
    seconds: float
    updates_before: int = 0
    steps_before: int = 0

    @property
    def updates_per_second(self) -> float:
        """Lane-updates per second so far."""
        return float(self.marks.num_updates.sum() - self.updates_before) / max(self.seconds, 1e-9)

    @property
    def steps_per_second(self) -> float:
        """Environment steps per second so far."""
        return float(self.marks.env_steps.sum(dtype=np.int64) - self.steps_before) / max(self.seconds, 1e-9)

    @property
    def seconds_left(self) -> float:
        """An estimate: unfinished lanes are taken to need as many updates as finished ones needed on average."""
        done, updates = self.done, self.marks.num_updates
        expected = updates[done].mean() if done.any() else self.max_updates
        remaining = np.clip(expected - updates[~done], 1, None).sum()
        return float(remaining) / max(self.updates_per_second, 1e-9)


class ProgressLine:
    """Shows each `Progress` that it is called with; a context manager."""

    def __init__(self, console: Console, headline: str = ""):
        self.console, self.headline = console, headline
        live = console.is_terminal or console.is_jupyter
        self._live = Live(console=console, refresh_per_second=round(1 / LIVE_INTERVAL), transient=True) if live else None
        self._next_line = time.monotonic() + (0.0 if live else QUIET_INTERVAL)

    def __enter__(self) -> "ProgressLine":
        if self.headline:
            self.console.print(self.headline, highlight=False, soft_wrap=True)
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now < self._next_line:
            return
        self._next_line = now + (LIVE_INTERVAL if self._live else QUIET_INTERVAL)
        if self._live:
            self._live.update(Text(describe(progress)))
        else:
            self.console.print(describe(progress), highlight=False, soft_wrap=True)


@contextlib.contextmanager
def show(progress: Callable[[Progress], None] | bool, headline: str = "") -> Iterator[Callable[[Progress], None]]:
    """What is to be called after each segment: a line on the standard error stream, the function given, or nothing."""
    if progress is True:
        with ProgressLine(Console(stderr=True), headline) as line:
            yield line
    else:
        yield progress or (lambda _: None)


def describe(progress: Progress) -> str:
    """One line: lanes done, running, waiting, solved and diverged, running return, rate and time left."""
    marks = progress.marks
    counts = {
        "running": (progress.begun & ~progress.done).sum(),
        "waiting": (~progress.begun).sum(),
        "solved": (marks.solved_update >= 0).sum(),
        "diverged": (marks.diverged_update >= 0).sum(),
    }
    words = [
        f"{progress.done.sum():,} of {len(progress.done):,} lanes done",
        *(f"{count:,} {name}" for name, count in counts.items() if count),
        f"running return {_median(marks.running_return[progress.begun])}",
        f"{progress.steps_per_second:,.0f} steps/s",
        f"about {progress.seconds_left:.0f} s left",
    ]
    return ", ".join(words)


def _median(returns: np.ndarray) -> str:
    """Of the lanes of which an episode has ended."""
    known = returns[~np.isnan(returns)]
    return f"{np.median(known):.0f}" if len(known) else "not known yet"
