"""Asking: calls that may wait for ever, such as those to another machine that is gone, and that one can give up."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any

LOOK_SECONDS = 0.1
"""Between two looks at whether it is given up."""

NOBODY = "UNAVAILABLE"
"""In the error of a call over gRPC, as JAX's are, that has reached nobody."""


class GivenUp(Exception):
    """There is no answer."""


def ask(question: Callable[..., Any], *arguments: Any, give_up: Callable[[], bool]) -> Any:
    """What `question` returns or raises, in a thread of its own.

    Raises `GivenUp` if `give_up` says so before, or the question has reached nobody; what is given up at once is not asked.
    """
    if give_up():
        raise GivenUp
    answer: Future = Future()

    def call() -> None:
        try:
            answer.set_result(question(*arguments))
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    while not give_up():
        if wait([answer], LOOK_SECONDS).done:
            try:
                return answer.result()
            except RuntimeError as error:
                if NOBODY in str(error):
                    raise GivenUp from error
                raise
    raise GivenUp
