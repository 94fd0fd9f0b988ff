"""Trackers that write files: one row per lane and update, appended after each segment.

A row holds `setting`, `seed` and `update`, the lane's environment steps up to the end of that update (`total_env_steps`),
and every metric (`types.Metrics`; in a run that is evaluated `evaluator.Scores` as well). All float32 numbers are written
exactly. The description of the run is written beside the file, with ``.config.json`` behind its name.

A file that exists is continued: a last line that a killed run left half-written is cut off, whole lines are kept. After a
resume from a checkpoint a row of one setting, seed and update may appear twice; both are equal.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from jax_ac import files
from jax_ac.evaluator import Scores
from jax_ac.trackers import Segment, Tracker, per_lane
from jax_ac.types import Metrics

COLUMNS = ("setting", "seed", "update", "total_env_steps", *Metrics._fields)
BLOCK = 2**16


class Format(NamedTuple):
    """How rows become lines.

    Attributes:
      opening: ``(columns) -> the first line, or what every first line begins with``.
      columns: ``(first line) -> names of the columns``.
      line: ``(columns, values of one row) -> line``, without the line's end.
    """

    opening: Callable[[tuple[str, ...]], str]
    columns: Callable[[str], Iterable[str]]
    line: Callable[[tuple[str, ...], tuple[Any, ...]], str]


def jsonl(path: str | Path) -> Tracker:
    """JSON Lines: one object per row. NaN is null; an infinity is 1e999, which JSON allows and parsers read as infinity.

    `begin` raises ValueError if the file cannot be written, or holds something else than such rows.
    """
    return _LineFile(Path(path), Format(lambda columns: '{"setting": ', _json_columns, _json_line))


def csv(path: str | Path) -> Tracker:
    """CSV with a header. NaN is an empty cell.

    `begin` raises ValueError if the file cannot be written, or has other columns.
    """
    return _LineFile(
        Path(path), Format(lambda columns: ",".join(columns) + "\n", lambda header: header.split(","), _csv_line)
    )


class _LineFile:
    """The file is open only while it is written to: there is nothing to close, and a killed run leaves whole segments."""

    def __init__(self, path: Path, form: Format):
        self._path = path
        self._form = form
        self._columns = COLUMNS

    def begin(self, config: Mapping[str, Any]) -> None:
        self._columns = COLUMNS if config.get("eval_every") is None else (*COLUMNS, *Scores._fields)
        beside = self._path.with_name(f"{self._path.name}.config.json")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a+b") as file:
                _continue(file, self._path, self._form, self._columns)
            files.write_whole(beside, lambda temporary: temporary.write_text(json.dumps(dict(config), indent=2) + "\n"))
        except OSError as error:
            raise ValueError(f"cannot write to the file {self._path}: {error.strerror or error}.") from None

    def log(self, segment: Segment) -> None:
        text = "".join(self._form.line(self._columns, row) + "\n" for row in _rows(segment))
        with self._path.open("ab") as file:
            file.write(text.encode())

    def end(self) -> None:
        pass


def _continue(file: BinaryIO, path: Path, form: Format, expected: tuple[str, ...]) -> None:
    """Cuts a half-written line off, and begins an empty file; ValueError, with nothing changed, if it is another's."""
    size = _whole_lines(file)
    file.seek(0)
    first, opening = file.readline(), form.opening(expected)
    if size:
        columns = list(form.columns(first.decode(errors="replace").rstrip("\r\n")))
        ours = columns == list(expected)
    else:
        columns = []
        ours = _may_begin(first.decode(errors="replace"), opening)
    if not ours:
        found = f"has the columns {', '.join(columns)}" if columns else "holds something else"
        raise ValueError(f"{path} {found}, where a tracker would write {', '.join(expected)}; name another file.")
    file.truncate(size)
    if not size and opening.endswith("\n"):
        file.write(opening.encode())


def _may_begin(fragment: str, opening: str) -> bool:
    """Whether a half-written first line can be one that begins with `opening`."""
    return fragment.startswith(opening) or opening.startswith(fragment)


def _whole_lines(file: BinaryIO) -> int:
    """The bytes up to the last line's end."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(end - BLOCK, 0)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _rows(segment: Segment) -> Iterator[tuple[Any, ...]]:
    """The values of the columns, update by update of each lane; None where there is no number."""
    for curve in per_lane(segment):
        lane = (curve.config["setting"], curve.config["seed"])
        columns = [curve.update.tolist(), *(values.tolist() for values in curve.numbers.values())]
        for row in zip(*columns, strict=True):
            yield lane + tuple(None if value != value else value for value in row)


def _json_columns(line: str) -> Iterable[str]:
    try:
        row = json.loads(line)
    except ValueError:
        return ()
    return row if isinstance(row, dict) else ()


def _json_line(columns: tuple[str, ...], row: tuple[Any, ...]) -> str:
    return json.dumps(dict(zip(columns, row, strict=True))).replace("Infinity", "1e999")


def _csv_line(columns: tuple[str, ...], row: tuple[Any, ...]) -> str:
    return ",".join("" if value is None else repr(value) for value in row)
