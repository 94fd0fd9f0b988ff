"""Budgets: environment steps as updates, exactly or not at all."""

from jax_ac.checks import check_positive
from jax_ac.protocols import Algorithm

MOST_STEPS = 2**31 - 1
"""A lane counts its environment steps in int32."""


def updates_in(total_steps: int, steps_per_update: int) -> int:
    """The number of updates that take exactly `total_steps` environment steps.

    Raises:
      TypeError: if `total_steps` is not a whole number.
      ValueError: if it is below 1, more than `MOST_STEPS`, or not a multiple of `steps_per_update`.
    """
    total_steps = check_positive("total_steps", total_steps, limit=MOST_STEPS + 1)
    num_updates, rest = divmod(total_steps, steps_per_update)
    if rest:
        nearest = [count * steps_per_update for count in (num_updates, num_updates + 1) if count > 0]
        raise ValueError(
            f"total_steps must be a multiple of the {steps_per_update:,} steps of an update, got {total_steps:,}; "
            f"the nearest: {' and '.join(f'{steps:,}' for steps in nearest)}."
        )
    return num_updates


def choose_updates(algorithm: Algorithm, num_updates: int | None, total_steps: int | None, name: str = "num_updates") -> int:
    """The number of updates that a caller asks for, by their number or by their steps, or else the algorithm's own.

    Args:
      algorithm: whose updates they are.
      num_updates: as given, or None.
      total_steps: as given, or None.
      name: what the caller calls `num_updates`.

    Raises:
      TypeError: if what is given is not a whole number, or nothing is given and the algorithm has no number of its own.
      ValueError: if both are given, the steps do not divide, or there are more updates than the algorithm anneals over, or
        more than `MOST_STEPS` steps.
    """
    per_update, most = algorithm.steps_per_update, algorithm.num_updates
    if num_updates is not None and total_steps is not None:
        raise ValueError(f"give {name} or total_steps, not both.")
    if total_steps is not None:
        if per_update is None:
            raise ValueError(f"total_steps needs updates of a fixed number of steps; whole episodes vary: give {name}.")
        num_updates = updates_in(total_steps, per_update)
    elif num_updates is None:
        if most is None:
            raise TypeError(f"{name} or total_steps must be given.")
        num_updates = most
    num_updates = check_positive(name, num_updates)
    if most is not None and num_updates > most:
        raise ValueError(
            f"{name} must be at most {most:,}, over which the algorithm was made to anneal, got {num_updates:,}."
        )
    if per_update is not None and num_updates * per_update > MOST_STEPS:
        raise ValueError(
            f"{name} must be at most {MOST_STEPS // per_update:,}, as the steps are counted in 32 bits, got {num_updates:,}."
        )
    return num_updates
