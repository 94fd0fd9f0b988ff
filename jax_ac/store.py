"""Stores: trees of arrays on disk, each in a sealed folder: written whole or not at all, and never read when damaged.

A sealed folder holds the leaves (orbax, or NumPy), their names, and the SHA-256 digest of every file. It is written beside
its place and moved there in one step.
"""

import contextlib
import errno
import hashlib
import json
import operator
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jax_ac import files
from jax_ac.errors import first_line
from jax_ac.files import PARTIAL
from jax_ac.types import PyTree

DIGESTS, MANIFEST, LEAVES, TOGETHER = "digests.json", "manifest.json", "leaves", "leaves.npz"

APART = 10**6
"""How many names there are to draw from (`next_folder`)."""

ALONE = (0, 1)
"""The process that is the only one."""

ROOM = 2**18
"""Bytes that a sealed folder takes beside its arrays, at most."""


class Damaged(OSError, ValueError):
    """What is on disk is not what was written there; the message says which file."""


def write_sealed(folder: Path, tree: PyTree) -> None:
    """Writes the leaves of a tree, arrays, into a new folder.

    Raises:
      OSError: if that fails; nothing is left behind then.
    """
    temporary = folder.with_name(f"{folder.name}{PARTIAL}").absolute()
    leaves = {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        _check_room(temporary, sum(leaf.nbytes for leaf in leaves.values()))
        _write_leaves(temporary, {str(i): leaf for i, leaf in enumerate(leaves.values()) if leaf.size})
        (temporary / MANIFEST).write_text(json.dumps(_manifest(leaves)))
        (temporary / DIGESTS).write_text(json.dumps(_digests(temporary)))
        for path in (*temporary.rglob("*"), temporary):
            files.flush(path)
        os.rename(temporary, folder)
        files.flush(folder.parent)
    except Exception as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError):
            raise
        raise OSError(first_line(error)) from error  # what orbax's storage raises is of many kinds


def read_sealed(folder: Path, like: PyTree) -> PyTree:
    """The tree that was written, if it is whole.

    Args:
      folder: written by `write_sealed`.
      like: a tree of the same structure, whose leaves have `shape` and `dtype`; the first axis may differ in length, and so
        may an axis whose length is 0 here.

    Raises:
      Damaged: if a file is missing, is not what was written, or is one too many.
      ValueError: if the tree has another structure, other shapes or types than `like`.
    """
    _check_digests(folder)
    written = json.loads((folder / MANIFEST).read_text())
    expected = {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(like)}
    if not _fits(written, _manifest(expected)):
        raise ValueError(f"{folder} holds the lanes of another algorithm: their arrays have other names, shapes or types.")
    return jax.tree.unflatten(jax.tree.structure(like), _arrays(folder, written))


def read_leaves(folder: Path) -> dict[str, np.ndarray]:
    """The leaves that were written, by their names, if the folder is whole. Raises `Damaged` as `read_sealed`."""
    _check_digests(folder)
    written = json.loads((folder / MANIFEST).read_text())
    return dict(zip((name for name, *_ in written), _arrays(folder, written), strict=True))


def _write_leaves(folder: Path, leaves: dict[str, np.ndarray]) -> None:
    """Arrays with elements, which orbax would refuse without; where there are several processes NumPy writes them, since
    orbax takes it that all of them write one checkpoint together."""
    if jax.process_count() > 1:
        bare: dict[str, Any] = {name: np.frombuffer(leaf.tobytes(), np.uint8) for name, leaf in leaves.items()}
        np.savez(folder / TOGETHER, **bare)
        return
    with _checkpointer() as checkpointer:
        checkpointer.save(folder / LEAVES, leaves)


def _arrays(folder: Path, written: list[list]) -> list[np.ndarray]:
    if (folder / TOGETHER).exists():
        with np.load(folder / TOGETHER) as bare:
            kinds = {str(i): (kind, shape) for i, (_, shape, kind) in enumerate(written)}
            saved: Any = {name: np.frombuffer(bare[name], kinds[name][0]).reshape(kinds[name][1]) for name in bare}
    else:
        with _checkpointer() as checkpointer:
            saved = checkpointer.restore(folder.absolute() / LEAVES)
    return [
        np.asarray(saved[str(i)]) if str(i) in saved else np.zeros(shape, kind) for i, (_, shape, kind) in enumerate(written)
    ]


def _check_room(folder: Path, size: int) -> None:
    """Raises OSError if the disk has no room for so many bytes: orbax says the same, but in a hundred lines."""
    if shutil.disk_usage(folder).free < size + ROOM:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _checkpointer() -> Any:
    import orbax.checkpoint as ocp
    from orbax.checkpoint.options import MultiprocessingOptions

    own: dict[str, Any] = {}
    if jax.process_count() > 1:  # it reads by itself
        index = jax.process_index()
        own = {"multiprocessing_options": MultiprocessingOptions(primary_host=index, active_processes={index})}
    return ocp.Checkpointer(ocp.StandardCheckpointHandler(**own), **own)


def _manifest(leaves: Mapping[str, Any]) -> list[list]:
    """Name, shape and type of each leaf."""
    return [[name, list(leaf.shape), str(leaf.dtype)] for name, leaf in leaves.items()]


def _fits(written: list[list], expected: list[list]) -> bool:
    """Whether names and types are the same, and shapes but for the first axis and those that are expected to be 0 long."""
    names_and_types = ([[entry[0], len(entry[1]), entry[2]] for entry in entries] for entries in (written, expected))
    if not operator.eq(*names_and_types):
        return False
    pairs = (zip(ours[1][1:], theirs[1][1:], strict=True) for ours, theirs in zip(written, expected, strict=True))
    return all(length == wanted or wanted == 0 for pair in pairs for length, wanted in pair)


def remove(folder: Path) -> None:
    """Takes a sealed folder away, whole or not at all for who reads it."""
    aside = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.old{PARTIAL}")
    os.rename(folder, aside)
    shutil.rmtree(aside, ignore_errors=True)


def clear(parent: Path) -> None:
    """Takes away what killed processes left half written or half removed; nobody else may be writing there."""
    for folder in parent.glob(f"*{PARTIAL}"):
        shutil.rmtree(folder, ignore_errors=True)


def sealed_folders(parent: Path) -> list[Path]:
    """The sealed folders in `parent`, by their numbers, oldest first."""
    if not parent.is_dir():
        return []
    return sorted((path for path in parent.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name))


@contextlib.contextmanager
def settled(replaced: Path, added: Path) -> Iterator[list[Path]]:
    """The sealed folders in `replaced` and those in `added`, to be read while other processes may write there.

    Of the first they are copies, as they may be replaced at any time. A ValueError within names the original.
    """
    with tempfile.TemporaryDirectory() as aside:
        try:
            yield _kept(replaced, added, Path(aside))
        except ValueError as error:
            raise type(error)(str(error).replace(aside, str(replaced))) from None


def _kept(replaced: Path, added: Path, aside: Path) -> list[Path]:
    """What is replaced is looked for first: what moves from there to `added` meanwhile is in one of them."""
    while True:
        found = sealed_folders(replaced)
        try:
            return [*(shutil.copytree(folder, aside / folder.name) for folder in found), *sealed_folders(added)]
        except OSError:
            if all(folder.exists() for folder in found):
                raise
            for folder in found:
                shutil.rmtree(aside / folder.name, ignore_errors=True)


def next_folder(parent: Path, *, apart: bool = False, process: tuple[int, int] = ALONE) -> Path:
    """Where the next sealed folder goes.

    Args:
      parent: holds those of before.
      apart: by a name that no other process would choose at the same time: its last six digits are drawn.
      process: which of how many that write there at the same time; of every so many numbers one is its own.
    """
    folders = sealed_folders(parent)
    number, (index, count) = int(folders[-1].name) + 1 if folders else 0, process
    if apart:
        number = (number // APART + 1) * APART + secrets.randbelow(APART)
    return parent / f"{number + (index - number) % count:06d}"


def _digests(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / DIGESTS)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _check_digests(folder: Path) -> None:
    try:
        written = json.loads((folder / DIGESTS).read_text())
        found = _digests(folder)
    except (OSError, ValueError):
        raise Damaged(f"{folder} is damaged: its {DIGESTS} cannot be read.") from None
    if not isinstance(written, dict) or written != found:
        same = dict(written.items() & found.items()) if isinstance(written, dict) and _all_text(written) else {}
        changed = sorted((set(written) | set(found)) - set(same))
        raise Damaged(f"{folder} is damaged: {', '.join(changed[:3])} changed since it was written.")


def _all_text(digests: dict) -> bool:
    return all(isinstance(value, str) for value in digests.values())
