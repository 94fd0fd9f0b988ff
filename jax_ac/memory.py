"""Memory: what a run will take, and whether this machine has it."""

import functools
import math
import os
from typing import Any, NamedTuple

import jax
import jax.extend

from jax_ac.protocols import Algorithm
from jax_ac.tracing import traced
from jax_ac.types import PyTree

COPIES = 1.25
"""XLA takes more than the values themselves, for copies and where it computes in another order (measured: up to 1.13)."""

SCORES = 8
"""Bytes that the scores of an update take: two float32 numbers (`evaluator.Scores`)."""


class Sizes(NamedTuple):
    """Bytes of one lane.

    Attributes:
      state: its `TrainState`.
      metrics: those of one update.
      update: an update at its fullest moment, its state included, if XLA fused nothing: more than it will take (`COPIES`).
    """

    state: int
    metrics: int
    update: int


@functools.lru_cache(maxsize=16)
def sizes(algorithm: Algorithm) -> Sizes:
    """The sizes of a lane, found by tracing an update."""
    lane = traced(algorithm)
    return Sizes(_size(lane.state), _size(lane.metrics), round(COPIES * _fullest(lane.program)))


def result_bytes(algorithm: Algorithm, num_lanes: int, max_updates: int, scored: bool = False) -> int:
    """Bytes of the metrics and the states of so many lanes; `scored`: with the scores of evaluations."""
    lane = sizes(algorithm)
    return num_lanes * (lane.state + max_updates * (lane.metrics + SCORES * scored))


def held_bytes(algorithm: Algorithm, width: int, num_updates: int) -> int:
    """Bytes that a tile keeps on its device whatever XLA makes of an update: states, and metrics of so many updates."""
    lane = sizes(algorithm)
    return width * (lane.state + num_updates * lane.metrics)


def tile_bytes(algorithm: Algorithm, width: int, num_updates: int) -> int:
    """Bytes that a tile takes on its device at most, while it does so many updates per call."""
    return held_bytes(algorithm, width, num_updates) + width * sizes(algorithm).update


def installed() -> float:
    """Bytes of this machine's memory; infinite where the system does not tell."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else math.inf


def of_device(device: Any) -> float:
    """Bytes of a device's memory; CPU devices have equal parts of the machine's."""
    if device.platform == "cpu":
        return installed() / jax.local_device_count("cpu")
    return (device.memory_stats() or {}).get("bytes_limit", math.inf)


def check_memory(algorithm: Algorithm, num_lanes: int, max_updates: int, scored: bool = False) -> None:
    """Raises ValueError if the results of so many lanes and updates would not fit in this machine's memory."""
    needed = result_bytes(algorithm, num_lanes, max_updates, scored)
    if needed > installed():
        raise ValueError(
            f"the results of {num_lanes:,} lanes x {max_updates:,} updates take {needed / 2**30:,.0f} GiB, more than this "
            f"machine's memory of {installed() / 2**30:,.0f} GiB; lower max_updates or the number of seeds."
        )


def check_width(algorithm: Algorithm, width: int, num_updates: int, device: Any) -> None:
    """Raises ValueError if a tile of so many lanes can in no way fit in a device's memory."""
    needed = held_bytes(algorithm, width, num_updates)
    if needed > of_device(device):
        raise ValueError(
            f"a tile of {width:,} lanes takes {mebibytes(needed)} and more, which its device's memory of "
            f"{mebibytes(of_device(device))} cannot hold; lower tile_width."
        )


def mebibytes(size: float) -> str:
    """A size in words."""
    return f"{max(size / 2**20, 1):,.0f} MiB" if size < 10 * 2**30 else f"{size / 2**30:,.0f} GiB"


def _size(tree: PyTree) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _fullest(program: jax.extend.core.Jaxpr) -> int:
    """Bytes at the fullest moment of a program that keeps every value from its making to its last use."""
    last_use = {value: at for at, step in enumerate(program.eqns) for value in step.invars if not _is_literal(value)}
    last_use |= {value: len(program.eqns) for value in program.outvars if not _is_literal(value)}
    alive = _size([value.aval for value in (*program.invars, *program.constvars)])
    fullest = alive
    for at, step in enumerate(program.eqns):
        alive += _size([value.aval for value in step.outvars])
        fullest = max(fullest, alive + max(map(_inner, jax.extend.core.jaxprs_in_params(step.params)), default=0))
        used = {value for value in (*step.invars, *step.outvars) if not _is_literal(value)}
        alive -= _size([value.aval for value in used if last_use.get(value, at) == at])
    return fullest


def _inner(program: jax.extend.core.Jaxpr) -> int:
    """What a part of a program needs beside its inputs and outputs, which its surroundings hold."""
    return max(0, _fullest(program) - _size([value.aval for value in (*program.invars, *program.outvars)]))


def _is_literal(value: Any) -> bool:
    return isinstance(value, jax.extend.core.Literal)
