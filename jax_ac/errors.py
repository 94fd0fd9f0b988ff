"""Errors: the one sentence that a user reads when a name is not known."""

import difflib
from collections.abc import Iterable


def unknown_name(kind: str, name: object, valid: Iterable[str]) -> str:
    """One sentence: what was given, the nearest valid name, and all the valid ones."""
    names = list(valid)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {kind} {name!r}; {hint}Valid: {', '.join(names)}."


class CannotTrain(RuntimeError):
    """The workers of a run cannot do what they are told; the message is the sentence for the user."""


def first_line(error: BaseException) -> str:
    """The first line of what an error says, without its full stop; what kind it is where it says nothing."""
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__
