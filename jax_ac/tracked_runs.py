"""Tracked runs: what the trackers of services have in common. A service is three functions on its own kind of run."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

from jax_ac.trackers import Curve, Rows, Segment


class Service(NamedTuple):
    """How a service is told of a run.

    Attributes:
      open: ``(name, config) -> run``.
      write: ``(run, curve)``: sends the rows of a curve.
      close: ``(run)``.
    """

    open: Callable[[str, dict[str, Any]], Any]
    write: Callable[[Any, Curve], None]
    close: Callable[[Any], object]


class TrackedRuns:
    """A `Tracker` that opens each tracked run when its first curve comes, and closes all of them at the end."""

    def __init__(self, rows: Rows, service: Service):
        self._rows = rows
        self._service = service
        self._config: dict[str, Any] = {}
        self._runs: dict[str, Any] = {}
        self._closing = ExitStack()

    def begin(self, config: Mapping[str, Any]) -> None:
        self._config = dict(config)

    def log(self, segment: Segment) -> None:
        for curve in self._rows(segment):
            if curve.run not in self._runs:
                run = self._service.open(curve.run, self._config | curve.config)
                self._closing.callback(self._service.close, run)
                self._runs[curve.run] = run
            self._service.write(self._runs[curve.run], curve)

    def end(self) -> None:
        self._closing.close()
        self._runs.clear()


def by_update(curve: Curve) -> Iterator[tuple[int, dict[str, float]]]:
    """The updates and their numbers, without the NaNs."""
    columns = [values.tolist() for values in curve.numbers.values()]
    for update, *row in zip(curve.update.tolist(), *columns, strict=True):
        yield update, {name: value for name, value in zip(curve.numbers, row, strict=True) if value == value}


def load(tracker: str, module: str) -> Any:
    """Imports a module of a package that is not required. Raises ImportError with a sentence that names the extra."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.split(".")[0]
        raise ImportError(f"the tracker {tracker} needs {package}: pip install 'jax_ac[trackers]'.") from error
