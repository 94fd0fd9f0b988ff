"""Spending: what a run cost, kept in its folder as ``spent.json``: one entry for each time that it was begun or resumed.

Where several processes work on it (`hosts`), each has a file of its own meanwhile, ``spent-<process>.json``.
"""

import json
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from jax_ac import files

FILE, SHARES = "spent.json", "spent-*.json"


class Spent(NamedTuple):
    """What a run cost.

    Attributes:
      compile_seconds: tracing and compiling.
      run_seconds: training.
      updates, env_steps: lane-updates and environment steps in that time.
      utilisation: lane-updates that trained a lane, over those that the tiles made room for.
      num_devices: where it ran; 0 where nothing is known.
      evaluating: the part of the devices' time that evaluations took.
      repeated: lane-updates that were done again, since a worker was lost with them.
    """

    compile_seconds: float = 0.0
    run_seconds: float = 0.0
    updates: int = 0
    env_steps: int = 0
    utilisation: float = 1.0
    num_devices: int = 0
    evaluating: float = 0.0
    repeated: int = 0


def total(parts: Sequence[Spent]) -> Spent:
    """All parts of a run as one; utilisation is per lane-update, evaluating per second of a device, devices the most."""
    if not parts:
        return Spent()
    updates = sum(part.updates for part in parts)
    room = sum(part.updates / part.utilisation for part in parts if part.updates)
    seconds = sum(part.run_seconds * part.num_devices for part in parts)
    evaluating = sum(part.evaluating * part.run_seconds * part.num_devices for part in parts)
    return Spent(
        compile_seconds=sum(part.compile_seconds for part in parts),
        run_seconds=sum(part.run_seconds for part in parts),
        updates=updates,
        env_steps=sum(part.env_steps for part in parts),
        utilisation=updates / room if room else 1.0,
        num_devices=max(part.num_devices for part in parts),
        evaluating=evaluating / seconds if seconds else 0.0,
        repeated=sum(part.repeated for part in parts),
    )


def together(shares: Sequence[Spent]) -> Spent:
    """What several processes did at the same time, as one part."""
    return total(shares)._replace(
        compile_seconds=max((share.compile_seconds for share in shares), default=0.0),
        run_seconds=max((share.run_seconds for share in shares), default=0.0),
        num_devices=sum(share.num_devices for share in shares),
    )


def write(folder: Path, parts: Sequence[Spent]) -> None:
    """Writes the parts, whole or not at all; shares of processes are then among them. Raises OSError if that fails."""
    _write(folder / FILE, parts)
    for path in folder.glob(SHARES):
        path.unlink()


def write_share(folder: Path, process: int, part: int, share: Spent) -> None:
    """Writes what one of several processes did, as `write`; `part` is how many parts there were before."""
    _write(folder / f"spent-{process}-{part}.json", [share])


def _write(path: Path, parts: Sequence[Spent]) -> None:
    text = json.dumps([part._asdict() for part in parts], indent=1, allow_nan=False)
    files.write_whole(path, lambda temporary: temporary.write_text(text))


def read(folder: Path) -> list[Spent]:
    """The parts that are known of, in their order; none where the run has not saved anything yet.

    Raises:
      ValueError: if a file is not what a run writes.
    """
    left = read_shares(folder)
    return [*_read(folder / FILE), *([together(left)] if left else [])]


def read_shares(folder: Path) -> list[Spent]:
    """What several processes have done so far, or had when they were cut off, unless it is among the parts already.

    Raises ValueError as `read`.
    """
    number = len(_read(folder / FILE))
    return [share for path in sorted(folder.glob(f"spent-*-{number}.json")) for share in _read(path)]


def _read(path: Path) -> list[Spent]:
    try:
        said = json.loads(path.read_text())
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}.") from None
    if not isinstance(said, list) or not all(_is_part(part) for part in said):
        raise ValueError(f"{path} is not what a run writes; without it only what the run cost is not known.")
    return [Spent(**part) for part in said]


def _is_part(said: Any) -> bool:
    """Whether these are the numbers of a part; the last of them came later."""
    if not isinstance(said, dict) or {*said, "repeated"} != set(Spent._fields):
        return False
    kinds = {name: (float, int) if isinstance(default, float) else int for name, default in Spent._field_defaults.items()}
    numbers = all(isinstance(said[name], kinds[name]) and not isinstance(said[name], bool) for name in said)
    return numbers and all(isfinite(value) and value >= 0 for value in said.values()) and said["utilisation"] > 0
