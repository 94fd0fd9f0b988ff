"""Restoring: from a run folder back to the algorithm, the lanes, and what each lane had done."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jax_ac import recipes, run_folder
from jax_ac.evaluator import Scores, with_scores
from jax_ac.lanes import Lanes, lay_out
from jax_ac.marks import marks_of
from jax_ac.protocols import Algorithm
from jax_ac.run_folder import Config, Records
from jax_ac.schedule import Ends, Schedule
from jax_ac.tracing import traced


def algorithm_of(path: Path, config: Config, given: Algorithm | None) -> Algorithm:
    """The algorithm of a run folder: the one given, or made by its recipe. Raises ValueError if there is neither."""
    if given is not None:
        return given
    if config.recipe is None:
        raise ValueError(f"the algorithm of {path} has parts of your own, which cannot be made from disk: pass algorithm=.")
    try:
        algorithm = recipes.make(config.recipe)
    except recipes.NoRecipe as error:
        raise ValueError(f"the algorithm of {path} cannot be made from its run.json: {error}") from None
    if not isinstance(algorithm, Algorithm):
        raise ValueError(f"the recipe in {path}/run.json makes no algorithm.")
    return algorithm


def lanes_of(path: Path, config: Config, algorithm: Algorithm) -> Lanes:
    """The lanes of a run folder. Raises ValueError if its numbers are not those of the algorithm."""
    fields = type(algorithm.hyperparams)._fields
    if set(config.hyperparams) != set(fields):
        raise ValueError(f"{path} holds the lanes of another algorithm: its hyperparameters have other names.")
    try:
        numbers = {name: np.asarray(config.hyperparams[name], np.float32) for name in fields}
        return lay_out(config.seeds, type(algorithm.hyperparams)(**numbers))
    except (ValueError, TypeError) as error:
        raise ValueError(f"the lanes in {path}/run.json are not what a run writes: {error}") from None


def ends_of(config: Config) -> Ends:
    """Where the lanes of a run end."""
    return Ends(config.max_updates, config.until_solved, config.segment_updates, config.eval_every)


def shapes_of(algorithm: Algorithm, config: Config) -> tuple[Any, Any]:
    """States ``[1, ...]`` and metrics ``[1, 0]`` of one lane; the axes of length 0 may have any (`store.read_sealed`)."""
    state, metrics, _ = traced(algorithm)
    if config.eval_every is not None:
        metrics = with_scores(metrics, Scores(metrics.running_return, metrics.running_return))
    add_axis = lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape), leaf.dtype)
    return jax.tree.map(add_axis, state), jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((1, 0), leaf.dtype), metrics)


def records_of(path: Path, like: tuple[Any, Any]) -> list[Records]:
    """All lanes on disk; `like` as `shapes_of` gives. Raises ValueError if a part is damaged, or of another algorithm."""
    setting, seed = (jax.ShapeDtypeStruct((1,), kind) for kind in (np.int32, np.uint32))
    return run_folder.read_records(path, Records(setting, seed, *like))  # pyright: ignore[reportArgumentType]


def restore(schedule: Schedule, records: Sequence[Records]) -> None:
    """Puts lanes from disk into the schedule, of each the copy with the most updates; others are left out."""
    keys = zip(schedule.lanes.setting.tolist(), schedule.lanes.seed.tolist(), strict=True)
    lane_of = {key: lane for lane, key in enumerate(keys)}
    best: dict[int, tuple[int, int, int]] = {}  # lane -> updates, which records, which row
    for i, record in enumerate(records):
        updates = marks_of(record.states).num_updates
        for row, key in enumerate(zip(record.setting.tolist(), record.seed.tolist(), strict=True)):
            lane = lane_of.get(key)
            if lane is not None and updates[row] <= schedule.ends.max_updates:
                best[lane] = max(best.get(lane, (0, 0, 0)), (int(updates[row]), i, row))
    for i, record in enumerate(records):
        chosen = [(lane, row) for lane, (_, which, row) in best.items() if which == i]
        if chosen:
            lanes, rows = np.array(chosen).T
            schedule.restore(lanes, *jax.tree.map(lambda leaf, rows=rows: leaf[rows], record[2:]))
