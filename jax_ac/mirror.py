"""Mirrors: folders here that stand for folders in an object store (`object_store`), and are kept in step with them.

What counts is in the store:

- A sealed folder (`store`) is sent once, its digests last: without them it is not there for who reads, and the next
  writer takes it away. Those that are gone here are then removed there, their digests first.
- Of the names that two writers could choose no two are the same (`store.next_folder`): none overwrites what is another's.
- Other files are single objects, which a store replaces in one step. They are sent when they have changed.
"""

import contextlib
import os
import re
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jax_ac import lease, object_store, store
from jax_ac.lease import Lease
from jax_ac.object_store import Missing, Place

PART = re.compile(r"((?:.*/)?(?:lanes|checkpoint)/\d+)/(.+)")
"""What belongs to a sealed folder: the folder, and the name in it."""

RECORD = re.compile(r"(?:.*/)?(?:run|spent)\.json")
"""What is kept in step beside sealed folders, always."""

LOCK = "lock"


class Mirror:
    """A folder here, `local`, and the one in the store that it stands for. Names are those of what is in them."""

    def __init__(self, place: Place):
        self.place = place
        self.local = Path(tempfile.mkdtemp(prefix="jax_ac-")).resolve()
        weakref.finalize(self, shutil.rmtree, self.local, ignore_errors=True)  # at the end of the process, if not before
        self._leases: dict[str, Lease] = {}
        self._parts: dict[str, list[str]] = {}  # sealed folders that are whole there and here, and the files of each
        self._fetched: dict[str, Any] = {}  # other files, as the store had them
        self._sent: dict[str, Any] = {}  # and as they were here
        self._busy = threading.RLock()

    def pull(self, name: str) -> None:
        """Brings what is needed to read the runs in a folder here. A run that is at work here knows better.

        Raises:
          Unreachable: if that fails.
        """
        with self._busy:
            while name not in self._leases and self._pulled(name) is None:
                pass

    @contextlib.contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Holds the lock of a run, whose folder here is in step with the store's at the beginning and at the end.

        Raises:
          InUse: if another holds it.
          Unreachable: if the store does not answer at the beginning.
        """
        with lease.held(self.place, f"{name}/{LOCK}") as held:
            with self._busy:
                while (there := self._pulled(name)) is None:
                    pass
                halves = [file for file in there if (found := PART.fullmatch(file)) and found[1] not in self._parts]
                if halves:
                    object_store.remove(self.place, halves)
                self._leases[name] = held
            try:
                yield
            finally:
                with contextlib.suppress(OSError):
                    self.push(name, all_files=True)
                del self._leases[name]

    def is_held(self, name: str) -> bool:
        """Whether a process is at work in the folder of a run."""
        return lease.is_held(self.place, f"{name}/{LOCK}")

    def is_free(self, name: str) -> bool:
        """Whether there is nothing in a folder, there and then here."""
        if object_store.listing(self.place, name):
            return False
        with self._busy:
            shutil.rmtree(self.local / name, ignore_errors=True)
            for known in (self._parts, self._fetched, self._sent):
                for file in [file for file in known if _is_in(name, file)]:
                    del known[file]
        return True

    def push(self, name: str, *, all_files: bool = False) -> None:
        """Brings the store in step with a folder here, or with a file. Of a run: where it is locked, while it is ours.

        Raises:
          InUse: if the lock is another's meanwhile.
          Unreachable: if the store does not do it. What was whole before is whole.
        """
        with self._busy:
            if (self.local / name).is_file():
                return self._send_files([name])
            if name in self._leases:
                self._leases[name].check()
            files = self._files_in(name)
            parts = _parts(files)
            for part in sorted(parts.keys() - self._parts.keys(), key=lambda part: (f"/{part}".count("/checkpoint/"), part)):
                files_of = [f"{part}/{file}" for file in parts[part]]
                digests = [file for file in files_of if file == f"{part}/{store.DIGESTS}"]
                object_store.send(self.place, [file for file in files_of if file not in digests], self.local)
                object_store.send(self.place, digests, self.local)
                self._parts[part] = parts[part]
            self._send_files(file for file in files if RECORD.fullmatch(file) or (all_files and _is_for_people(file)))
            for part in [part for part in self._parts if _is_in(name, part) and part not in parts]:
                self.remove(f"{part}/{store.DIGESTS}")
                object_store.remove(self.place, [f"{part}/{file}" for file in self._parts.pop(part)])
            return None

    def fetch(self, name: str) -> None:
        """Brings a file here, if it is there. Raises `Unreachable`."""
        with self._busy, contextlib.suppress(Missing):
            self._fetch([name], name)
            self._fetched[name], self._sent[name] = None, _stamp(self.local / name)

    def remove(self, name: str) -> None:
        """Takes a file away in the store. Raises `Unreachable`."""
        object_store.remove(self.place, [name])

    def _pulled(self, name: str) -> list[str] | None:
        """What is there; None if some of it was removed while it was being fetched: something else has taken its place."""
        there = object_store.listing(self.place, name)
        whole = {part: files for part, files in _parts(there).items() if store.DIGESTS in files}
        try:
            for part in [part for part in whole if not (self.local / part).is_dir()]:
                self._fetch([f"{part}/{file}" for file in whole[part]], part)
                self._parts[part] = whole[part]
            for file in filter(RECORD.fullmatch, there):
                version = object_store.version(there[file])
                if self._fetched.get(file) != version:
                    self._fetch([file], file)
                    self._fetched[file], self._sent[file] = version, _stamp(self.local / file)
        except Missing:
            return None
        for part in _parts(self._files_in(name)).keys() - whole.keys():  # the store is the truth, but where we are at work
            if not any(_is_in(run, part) for run in self._leases):
                store.remove(self.local / part)
                self._parts.pop(part, None)
        return list(there)

    def _fetch(self, names: list[str], target: str) -> None:
        """Objects that make one folder or file, which then appears in its place as a whole."""
        with tempfile.TemporaryDirectory(dir=self.local) as aside:
            object_store.fetch(self.place, names, Path(aside))
            path = self.local / target
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                store.remove(path)
            os.replace(Path(aside) / target, path)

    def _send_files(self, names: Iterable[str]) -> None:
        changed = {name: stamp for name in names if self._sent.get(name) != (stamp := _stamp(self.local / name))}
        if changed:
            object_store.send(self.place, list(changed), self.local)
            self._sent |= changed
            for name in changed:
                self._fetched.pop(name, None)

    def _files_in(self, name: str) -> list[str]:
        return [str(path.relative_to(self.local)) for path in sorted((self.local / name).rglob("*")) if path.is_file()]


def _parts(names: Iterable[str]) -> dict[str, list[str]]:
    """The sealed folders among the names, and the files of each."""
    parts: dict[str, list[str]] = {}
    for found in filter(None, map(PART.fullmatch, names)):
        parts.setdefault(found[1], []).append(found[2])
    return parts


def _is_for_people(name: str) -> bool:
    """Whether it is neither of a sealed folder, nor half-written, nor a lock."""
    return not PART.fullmatch(name) and store.PARTIAL not in name and Path(name).name != LOCK


def _is_in(folder: str, name: str) -> bool:
    return name == folder or name.startswith(f"{folder}/")


def _stamp(path: Path) -> tuple[int, int]:
    """Another one when the file has changed."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size
