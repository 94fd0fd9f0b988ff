"""Budgets: environment steps as updates, exactly or not at all."""

from jax_ac.checks import check_positive


def updates_in(total_steps: int, steps_per_update: int | None) -> int:
    """The number of updates that take exactly `total_steps` environment steps.

    Raises:
      TypeError: if `total_steps` is not a whole number.
      ValueError: if the updates take a varying number of steps, or one that does not divide it.
    """
    total_steps = check_positive("total_steps", total_steps, limit=2**63)
    if steps_per_update is None:
        raise ValueError("total_steps needs updates of a fixed number of steps; whole episodes vary: give num_updates.")
    num_updates, rest = divmod(total_steps, steps_per_update)
    if rest:
        nearest = [count * steps_per_update for count in (num_updates, num_updates + 1) if count > 0]
        raise ValueError(
            f"total_steps must be a multiple of the {steps_per_update:,} steps of an update, got {total_steps:,}; "
            f"the nearest: {' and '.join(f'{steps:,}' for steps in nearest)}."
        )
    return num_updates


def choose_updates(
    num_updates: int | None,
    total_steps: int | None,
    *,
    steps_per_update: int | None,
    most: int | None,
    name: str = "num_updates",
) -> int:
    """The number of updates that a caller asks for, by their number or by their steps, or else the algorithm's own.

    Args:
      num_updates: as given, or None.
      total_steps: as given, or None.
      steps_per_update: of the algorithm.
      most: the updates that the algorithm anneals over, and more than which it does not do; None: no limit.
      name: what the caller calls `num_updates`.

    Raises:
      TypeError: if what is given is not a whole number, or nothing is given and the algorithm has no number of its own.
      ValueError: if both are given, the steps do not divide, or it is more than `most`.
    """
    if num_updates is not None and total_steps is not None:
        raise ValueError(f"give {name} or total_steps, not both.")
    if total_steps is not None:
        num_updates = updates_in(total_steps, steps_per_update)
    elif num_updates is None:
        if most is None:
            raise TypeError(f"{name} or total_steps must be given.")
        num_updates = most
    num_updates = check_positive(name, num_updates)
    if most is not None and num_updates > most:
        raise ValueError(
            f"{name} must be at most {most:,}, over which the algorithm was made to anneal, got {num_updates:,}."
        )
    return num_updates
