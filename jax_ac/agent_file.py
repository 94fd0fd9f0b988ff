"""Agent files: named arrays and texts in one file, which is read whole or refused.

The format is safetensors: the length of the header (8 bytes), the header (JSON: texts under ``__metadata__``, and for each
array its type, shape and place), and the arrays' bytes. The last array, ``sha256``, is the digest of every byte before it,
so that no byte can change unseen; ``safetensors.numpy.load_file`` reads the others without jax_ac.
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jax_ac.files import write_whole
from jax_ac.types import PyTree

SCHEMA = 1
MARK = b'{"__metadata__":{"schema":"jax_ac agent '
"""What the header of every agent's file begins with, whatever its schema."""
DIGEST = "sha256"
DIGEST_SIZE = 32
CODES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2", "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8", "uint64": "U64",
    "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
"""The types of arrays that the format has, by their names in NumPy."""
DTYPES = {code: jnp.dtype(name) for name, code in CODES.items()}


def named(tree: PyTree) -> dict[str, PyTree]:
    """The leaves of a tree by their key paths."""
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree.leaves_with_path(tree)}


def fit(arrays: Mapping[str, PyTree], like: PyTree, where: str) -> PyTree:
    """Arrays, or their shapes and types, by key path, as the tree of the structure, shapes and types of `like`.

    Raises:
      ValueError: if they are others; `where` begins the sentence.
    """
    wanted = named(like)
    strangers = sorted(wanted.keys() ^ arrays.keys())
    if strangers:
        fault = "lacks" if strangers[0] in wanted else "should not have"
        raise ValueError(f"{where} does not fit the algorithm: it {fault} the array {strangers[0]}.")
    for name, leaf in wanted.items():
        found, expected = (f"{array.dtype} {array.shape}" for array in (arrays[name], leaf))
        if found != expected:
            raise ValueError(f"{where} does not fit the algorithm: its array {name} is {found}, not {expected}.")
    return jax.tree.unflatten(jax.tree.structure(like), [arrays[name] for name in wanted])


def write(path: Path, texts: Mapping[str, str], arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a file, whole or not at all.

    Raises:
      ValueError: if an array is of a type that the format does not have, or the file cannot be written.
    """
    for name, array in arrays.items():
        if array.dtype.name not in CODES:
            raise ValueError(f"the array {name} is {array.dtype}, which an agent's file cannot hold: {', '.join(CODES)}.")
    write_bytes(path, _encode(texts, arrays))


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file, whole or not at all; ValueError if it cannot be written."""
    try:
        write_whole(path, lambda temporary: temporary.write_bytes(content))
    except OSError as error:
        raise ValueError(f"cannot write the file {path}: {error.strerror or error}.") from None


def read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The texts and arrays of a file.

    Raises:
      ValueError: if there is no such file, it is not an agent's or of another schema, or a single byte of it has changed.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read the file {path}: {error.strerror or error}.") from None
    return decode(path, content)


def decode(path: Path, content: bytes) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The texts and arrays of a file of this content; ValueError as in `read`."""
    if content[8 : 8 + len(MARK)] != MARK:
        raise ValueError(f"{path} is not the file of an agent.")
    if hashlib.sha256(content[:-DIGEST_SIZE]).digest() != content[-DIGEST_SIZE:]:
        raise ValueError(f"{path} is damaged: its digest is not that of its bytes.")
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    texts = header.pop("__metadata__")
    if texts["schema"] != _schema():
        raise ValueError(f"{path} is of the schema {texts['schema']!r}; this version of jax_ac reads {_schema()!r}.")
    del header[DIGEST]
    return texts, {name: _array(place, content[8 + length :]) for name, place in header.items()}


def _schema() -> str:
    return f"jax_ac agent {SCHEMA}"


def _encode(texts: Mapping[str, str], arrays: Mapping[str, np.ndarray]) -> bytes:
    header, end = {"__metadata__": {"schema": _schema(), **texts}}, 0
    for name, array in {**arrays, DIGEST: np.zeros(DIGEST_SIZE, np.uint8)}.items():
        place = {"dtype": CODES[array.dtype.name], "shape": array.shape, "data_offsets": (end, end + array.nbytes)}
        header[name], end = place, end + array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    content = b"".join((struct.pack("<Q", len(text)), text, *(array.tobytes() for array in arrays.values())))
    return content + hashlib.sha256(content).digest()


def _array(place: Mapping, content: bytes) -> np.ndarray:
    start, end = place["data_offsets"]
    return np.frombuffer(content[start:end], DTYPES[place["dtype"]]).reshape(place["shape"])
