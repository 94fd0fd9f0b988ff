"""What a person sees while a run works."""

import io

import numpy as np
from rich.console import Console

from jax_ac import progress
from jax_ac.marks import Marks
from jax_ac.runs import Progress

NEVER = np.full(4, -1)
MARKS = Marks(
    num_updates=np.array([100, 50, 50, 0]),
    num_episodes=np.array([100, 50, 50, 0]),
    env_steps=np.array([2000, 900, 900, 0]),
    running_return=np.array([196.0, 20.0, 50.0, 0.0]),
    solved_update=np.array([99, -1, -1, -1]),
    solved_episode=np.array([99, -1, -1, -1]),
    solved_step=np.array([1999, -1, -1, -1]),
    diverged_update=NEVER,
    frozen=np.array([True, False, False, False]),
)
SEEN = Progress(MARKS, done=MARKS.frozen, begun=np.array([True, True, True, False]), max_updates=1000, seconds=2.0)


def test_the_line_by_hand():
    # 100 updates/s; the finished lane needed 100, so the others are taken to need 50 + 50 + 100 more; 3,800 steps in 2 s
    expected = [
        "1 of 4 lanes done",
        "2 running",
        "1 waiting",
        "1 solved",
        "running return 50",
        "1,900 steps/s",
        "about 2 s left",
    ]
    assert progress.describe(SEEN).split(", ") == expected


def test_off_a_terminal_there_is_a_line_in_a_while(monkeypatch):
    output = io.StringIO()
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.ProgressLine(Console(file=output)) as line:
        for now[0] in (1.0, 4.9, 5.0, 6.0, 10.1):
            line(SEEN)
    assert output.getvalue().splitlines() == [progress.describe(SEEN)] * 2


def test_on_a_terminal_the_line_lives_and_goes():
    output = io.StringIO()
    with progress.ProgressLine(Console(file=output, force_terminal=True, width=200)) as line:
        line(SEEN)
    assert "1 of 4 lanes done" in output.getvalue()
