"""Remote folders: where a path may also be a URL, such as ``s3://bucket/runs/demo``, that of a folder in an object store.

`at` gives a path of this machine for it, on which all else works; it is that of a mirror (`mirror`). For a path that is
none the functions of this module do nothing.
"""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from jax_ac import object_store

if TYPE_CHECKING:
    from jax_ac.mirror import Mirror

MIRRORS: "dict[str, Mirror]" = {}
"""By the URL of the folder that each stands for, which holds the folders of runs."""


def at(path: str | Path) -> Path:
    """The path itself; of a URL a path here that stands for it. Nothing is asked of the store.

    Raises:
      ValueError: if it is the URL of no folder, nobody knows its scheme, or a package is missing.
    """
    said = object_store.url_of(path)
    if said is None:
        return Path(path)
    scheme, folder = said
    if scheme == "file":
        return Path("/", folder)
    parent, _, name = folder.rpartition("/")
    if not name or (not parent and scheme != "memory"):
        raise ValueError(f"{scheme}://{folder} names no folder in it, such as {scheme}://{folder or 'bucket'}/runs/demo.")
    url = f"{scheme}://{parent}"
    if url not in MIRRORS:
        from jax_ac.mirror import Mirror  # it needs JAX, for which the command line does not wait

        MIRRORS[url] = Mirror(object_store.connect(scheme, parent))
    return MIRRORS[url].local / name


def fetched(path: str | Path) -> Path:
    """As `at`, and what is needed to read the runs in it is there. Raises ValueError if it is not, or cannot be had."""
    path = at(path)
    pull(path)
    return path


def pull(path: Path) -> None:
    """Brings the folder here in step with the store, for who reads runs. Raises `Unreachable`."""
    if found := _mirror_of(path):
        found[0].pull(found[1])


def push(path: Path, *, all_files: bool = False) -> Path:
    """Brings the store in step with a folder, or file, here. Returns the path.

    Args:
      path: here.
      all_files: also tables, pictures and the files of trackers, not only what a run needs.

    Raises:
      OSError: if it cannot be done.
    """
    if found := _mirror_of(path):
        found[0].push(found[1], all_files=all_files)
    return path


def fetch(path: Path) -> Path:
    """Brings a single file here, if it is there. Returns its path. Raises `Unreachable`."""
    if found := _mirror_of(path):
        found[0].fetch(found[1])
    return path


def remove(path: Path) -> None:
    """Takes a single file away in the store. Raises `Unreachable`."""
    if found := _mirror_of(path):
        found[0].remove(found[1])


def check_free(path: Path) -> None:
    """Raises ValueError if there is something in the folder in the store, or that cannot be known."""
    found = _mirror_of(path)
    if found and not found[0].is_free(found[1]):
        raise ValueError(f"the folder {path} is not empty; name another with --out, or remove it.")


def held(path: Path) -> AbstractContextManager[None]:
    """Holds the lock of a run in the store. Raises `InUse` if another does."""
    found = _mirror_of(path)
    return found[0].held(found[1]) if found else contextlib.nullcontext()


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of a run in the store."""
    found = _mirror_of(path)
    return bool(found) and found[0].is_held(found[1])


def is_remote(path: Path) -> bool:
    """Whether it stands for a URL."""
    return _mirror_of(path) is not None


def shown(text: object) -> str:
    """The text with the URLs of paths here that stand for one."""
    text = str(text)
    for url, mirror in MIRRORS.items():
        text = text.replace(str(mirror.local), url)
    return text


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Errors within it tell of URLs, not of what stands for them here."""
    try:
        yield
    except (ValueError, OSError) as error:
        if len(error.args) == 1:
            error.args = (shown(error.args[0]),)
        raise


def _mirror_of(path: Path) -> "tuple[Mirror, str] | None":
    """The mirror that it belongs to, and its name there."""
    for mirror in MIRRORS.values():
        if path.is_relative_to(mirror.local):
            return mirror, str(path.relative_to(mirror.local))
    return None
