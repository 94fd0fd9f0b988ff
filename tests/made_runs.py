"""Runs that nobody trained: made up from random numbers, with marks that follow from them, for who reads results."""

from collections import namedtuple

import numpy as np

from jax_ac.lanes import lay_out
from jax_ac.marks import Marks
from jax_ac.readings import Reading
from jax_ac.run_folder import Config
from jax_ac.spending import Spent
from jax_ac.types import Metrics

Hyperparams = namedtuple("Hyperparams", ("learning_rate", "gamma"))

MADE = {
    "time": "2026-01-01T00:00:00+00:00",
    "command": "/somewhere/bin/jax-ac train CartPole-v0 --seeds 3",
    "python": "3.11.7",
    "platform": "Linux",
    "packages": {"jax_ac": "0.1.0", "jax": "0.9.0", "tensorstore": None},
    "device": "2 x cpu: cpu",
    "git_commit": None,
}

SPENT = Spent(3.5, 20.0, 4_000, 400_000, 0.8, 2, 0.0)


def made(seeds=12, updates=60, *, env="CartPole-v0", solved_at=195.0, rates=(0.01,), gammas=(0.99,), draw=0, ended=True):
    """A run: returns climb to 200 at a speed of each lane's own; a lane is solved above `solved_at` and goes on.

    The first update of each lane ends no episode. In the last seed of each setting the lane diverged half way. Where `ended`
    is False the lanes of odd seeds have come half way, seed 0 has not begun, and none diverged.
    """
    grid = [(rate, gamma) for rate in rates for gamma in gammas]
    columns = (
        Hyperparams(*map(np.float32, zip(*grid, strict=True))) if len(grid) > 1 else Hyperparams(*map(np.float32, grid[0]))
    )
    lanes = lay_out(seeds, columns)
    numbers = np.random.default_rng(draw)
    count = len(lanes.seed)
    done = np.full(count, updates)
    diverged = np.full(count, -1)
    diverged[seeds - 1 :: seeds] = updates // 2
    done[seeds - 1 :: seeds] = updates // 2 + 1
    if not ended:
        done[lanes.seed % 2 == 1] = np.minimum(done, updates // 2 + 1)[lanes.seed % 2 == 1]
        done[lanes.seed == 0] = 0
        diverged[:] = -1
    update = np.arange(updates)
    beyond = update >= done[:, None]
    speed = numbers.uniform(0.5, 2.5, (count, 1))
    returns = np.minimum(200, 200 * speed * update / updates + numbers.normal(0, 3, (count, updates))).astype(np.float32)
    returns[:, 0] = np.nan
    episodes = np.where(beyond, 0, numbers.integers(1, 4, (count, updates))).astype(np.int32)
    episodes[:, 0] = 0
    steps = np.where(beyond, np.nan, numbers.integers(50, 90, (count, updates))).astype(np.float32)
    running = np.where(beyond, np.nan, returns).astype(np.float32)
    other = np.where(beyond, np.nan, numbers.normal(size=(count, updates))).astype(np.float32)
    values = dict.fromkeys(Metrics._fields, other) | {
        "num_episodes": episodes,
        "env_steps": steps,
        "running_return": running,
    }
    marks = _marks(running, episodes, steps, done, diverged, solved_at)
    config = Config(
        recipe=None, algorithm="", env=env, solved_at=solved_at, seeds=lanes.seeds.tolist(), max_updates=updates,
        hyperparams={name: column.tolist() for name, column in columns._asdict().items()}, until_solved=False, tile_width=16,
        segment_updates=200, eval_every=None, eval_episodes=10, made=MADE,
    )  # fmt: skip
    return Reading(config, lanes, marks, Metrics(**values), SPENT, None)


def _marks(running, episodes, steps, done, diverged, solved_at):
    """What follows from the metrics, lane by lane."""
    rows, steps = [], np.nan_to_num(steps)
    for lane, count in enumerate(done):
        known = running[lane][~np.isnan(running[lane])]
        above = np.flatnonzero(running[lane] > (np.inf if solved_at is None else solved_at))
        first = int(above[0]) if len(above) else -1
        total = int(episodes[lane].sum()), int(steps[lane].sum())
        when = [int(column[lane, : first + 1].sum()) - 1 if first >= 0 else -1 for column in (episodes, steps)]
        end = known[-1] if len(known) else np.float32(np.nan)
        rows.append((count, *total, end, first, *when, diverged[lane], diverged[lane] >= 0))
    return Marks(*(np.array(column) for column in zip(*rows, strict=True)))
