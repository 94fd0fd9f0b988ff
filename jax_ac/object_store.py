"""Object stores: folders that fsspec reaches by a URL, such as ``s3://bucket/runs``. An error there is one sentence.

What is written under a name is there whole or not at all: the stores see to that, a request at a time.
"""

import contextlib
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jax_ac.errors import first_line

URL = re.compile(r"([a-z][a-z0-9+.-]+):/+(.*)")
"""A URL, also one that went through a `Path`, which makes one slash of two. A single letter is a drive of Windows."""


class Unreachable(OSError, ValueError):
    """The store does not do what it is asked: it does not answer, refuses, or has no such bucket."""


class Missing(Unreachable):
    """There is no such object, or no such bucket."""


class Place(NamedTuple):
    """A folder in an object store.

    Attributes:
      system: fsspec's file system.
      root: the folder, as that calls it.
      url: the folder, as people call it.
    """

    system: Any
    root: str
    url: str


def url_of(path: str | Path) -> tuple[str, str] | None:
    """Scheme and rest of what is a URL, without slashes at its end; None where it is a path of this machine.

    >>> url_of("s3://bucket/runs/demo/"), url_of("runs/demo")
    (('s3', 'bucket/runs/demo'), None)
    """
    found = URL.fullmatch(str(path))
    return (found[1], found[2].rstrip("/")) if found else None


def connect(scheme: str, folder: str) -> Place:
    """The place of a URL. Nothing is asked of the store.

    Raises:
      ValueError: if nobody knows the scheme, or its package is missing.
    """
    url = f"{scheme}://{folder}"
    try:
        import fsspec

        options: Any = {"use_listings_cache": False, "skip_instance_cache": True}
        return Place(*fsspec.core.url_to_fs(url, **options), url)
    except ImportError as error:
        hint = "pip install 'jax_ac[remote]'" if scheme == "s3" else f"{error}".rstrip(".")
        raise ValueError(f"{url} needs a package that is not installed: {hint}.") from None
    except Exception as error:
        raise ValueError(f"{url} cannot be reached: {first_line(error)}.") from None


def listing(place: Place, folder: str) -> dict[str, dict[str, Any]]:
    """What the store tells of each object in a folder, by names from the place's root on. Raises `Unreachable`."""
    with _asked(place, folder):
        found = place.system.find(_named(place, folder), detail=True)
    return {name.removeprefix(place.root).lstrip("/"): said for name, said in found.items()}


def version(said: Mapping[str, Any]) -> tuple[str, ...]:
    """What differs between two objects of one name, of what `listing` tells."""
    return tuple(str(said.get(name)) for name in ("size", "ETag", "etag", "mtime", "created", "LastModified"))


def read(place: Place, name: str) -> bytes | None:
    """An object, or None if there is none. Raises `Unreachable`."""
    with tempfile.TemporaryDirectory() as aside:
        try:
            fetch(place, [name], Path(aside))  # one request, where fsspec's cat_file makes two
        except Missing:
            return None
        return (Path(aside) / name).read_bytes()


def write(place: Place, name: str, content: bytes, *, new: bool = False) -> bool:
    """Writes an object. If it is to be `new` and there is one already, nothing is done: False. Raises `Unreachable`."""
    with _asked(place, name):
        try:
            place.system.pipe_file(_named(place, name), content, mode="create" if new else "overwrite")
        except FileExistsError:
            return False
    return True


def fetch(place: Place, names: Sequence[str], folder: Path) -> None:
    """Copies objects to the same names in a folder here. Raises `Unreachable`, of which `Missing`."""
    targets = [folder / name for name in names]
    for parent in {target.parent for target in targets}:
        parent.mkdir(parents=True, exist_ok=True)
    with _asked(place, names[0] if len(names) == 1 else ""):
        place.system.get([_named(place, name) for name in names], [str(target) for target in targets])


def send(place: Place, names: Sequence[str], folder: Path) -> None:
    """Copies files of a folder here to the same names there. Raises `Unreachable`."""
    with _asked(place, names[0] if len(names) == 1 else ""):
        place.system.put([str(folder / name) for name in names], [_named(place, name) for name in names])


def remove(place: Place, names: Sequence[str]) -> None:
    """Takes objects away, those that are there. Raises `Unreachable`."""
    with contextlib.suppress(Missing), _asked(place, names[0] if len(names) == 1 else ""):
        place.system.rm([_named(place, name) for name in names])


def _named(place: Place, name: str) -> str:
    return f"{place.root.rstrip('/')}/{name}" if name else place.root


@contextlib.contextmanager
def _asked(place: Place, name: str) -> Iterator[None]:
    """What the many packages raise is of many kinds; this is one, with their first line."""
    url = f"{place.url}/{name}" if name else place.url
    try:
        yield
    except FileNotFoundError as error:
        raise Missing(f"{url} is not there: {first_line(error)}.") from None
    except PermissionError as error:
        raise Unreachable(f"{url} is refused, check the credentials: {first_line(error)}.") from None
    except Exception as error:
        raise Unreachable(f"{url} cannot be reached: {first_line(error)}.") from None
