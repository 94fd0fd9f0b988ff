"""Programs: compiled for one device, and loaded on all others of its kind.

JAX ties a compiled program to its device and would compile it again for the next. On CPUs its machine code is the same and
is loaded instead, in a fraction of a second; where that cannot be done, the program is compiled again.
"""

import contextlib
import threading
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jax_ac.types import PyTree

CANNOT_LOAD = (ImportError, AttributeError, TypeError, ValueError, RuntimeError, OSError)
"""What other versions of JAX may raise: those functions of its runtime are not documented."""

CALLBACK = b"_callback"
"""In the names of XLA's calls into Python, whose addresses a loaded program would not know."""

KINDS = ("threefry2x32", "rbg", "unsafe_rbg")
"""Of random numbers, as JAX names them."""

_kept: weakref.WeakKeyDictionary[Any, dict[Any, "Compiled | Loaded"]] = weakref.WeakKeyDictionary()
"""Programs by what they compute and device, for as long as JAX keeps the trace (`jax.clear_caches`)."""

_compiling = threading.Lock()


class Compiled(NamedTuple):
    """A program as JAX compiled it or found it on disk.

    Attributes:
      program: JAX's.
      code: gives the machine code, or raises one of `CANNOT_LOAD`. A program that was found on disk does not know all of its
        code any more, the file does.
    """

    program: jax.stages.Compiled
    code: Callable[[], bytes]

    def __call__(self, *args: PyTree) -> PyTree:
        """What the program gives."""
        return self.program(*args)


class Loaded(NamedTuple):
    """A program that was compiled for another device.

    Attributes:
      executable: XLA's, on this device; takes and gives flat lists of arrays, of keys their data.
      structure: of what the program gives.
      used: which of its arguments, flattened, the program reads; XLA's takes no others.
      kinds: of each result that is an array of keys their kind, of others None.
    """

    executable: Any
    structure: Any
    used: list[int]
    kinds: list[str | None]

    def __call__(self, *args: PyTree) -> PyTree:
        """Like a ``jax.stages.Compiled``; the arguments must be on the program's device."""
        leaves = jax.tree.leaves(args)
        used = [jax.random.key_data(leaves[i]) if _is_key(leaves[i]) else leaves[i] for i in self.used]
        arrays = self.executable.execute_sharded(used).disassemble_into_single_device_arrays()
        results = [
            array if kind is None else jax.random.wrap_key_data(array, impl=kind)
            for (array,), kind in zip(arrays, self.kinds, strict=True)
        ]
        return jax.tree.unflatten(self.structure, results)


def on_device(traced: jax.stages.Traced, device: Any) -> Callable[..., PyTree]:
    """The program of a jitted function for a device, to be called with the arguments that are not static.

    The first one asks for a compilation, which others wait for. The function must be traced with arguments on this device.
    """
    kept = _kept.setdefault(traced.jaxpr, {})
    if device in kept:
        return kept[device]
    with _compiling:
        first = next((program for other, program in kept.items() if other.client is device.client), None)
        if first is None:
            kept[device] = _compile(traced, device)
            return kept[device]
    try:
        kept[device] = _load(first, device)
    except CANNOT_LOAD:
        kept[device] = Compiled(traced.lower().compile(), bytes)
    return kept[device]


def _compile(traced: jax.stages.Traced, device: Any) -> Compiled:
    files = _files(device.client)
    if files is None:
        program = traced.lower().compile()
        return Compiled(program, lambda: _executable(program).serialize())
    with _overheard(files) as heard:
        program = traced.lower().compile()
    return Compiled(program, lambda: _heard_code(heard, _executable(program)))


def _executable(program: jax.stages.Compiled) -> Any:
    return program.runtime_executable()


def _files(client: Any) -> Any:
    """JAX's cache of compiled programs on disk; None where it keeps none."""
    if not (jax.config.values["jax_enable_compilation_cache"] and jax.config.values["jax_compilation_cache_dir"]):
        return None
    try:
        from jax._src import compilation_cache

        return compilation_cache._get_cache(client)
    except CANNOT_LOAD:
        return types.SimpleNamespace(get=None, put=None)  # is not heard of


@contextlib.contextmanager
def _overheard(files: Any) -> Iterator[dict[str, bytes | None]]:
    """What this thread reads from JAX's cache and writes to it, by name; None where it is not there."""
    heard, thread, get, put = {}, threading.get_ident(), files.get, files.put

    def hear(key: str, value: bytes | None) -> bytes | None:
        if threading.get_ident() == thread:
            heard[key] = value
        return value

    files.get, files.put = lambda key: hear(key, get(key)), lambda key, value: put(key, hear(key, value))
    try:
        yield heard
    finally:
        del files.get, files.put


def _heard_code(heard: dict[str, bytes | None], executable: Any) -> bytes:
    """The machine code, from what was heard while it was asked for. Raises ValueError where that was nothing."""
    from jax._src import compilation_cache

    (packed,) = (value for key, value in heard.items() if key.startswith(f"{executable.hlo_modules()[0].name}-"))
    if packed is None:  # it was compiled too quickly to be written
        return executable.serialize()
    return compilation_cache.extract_executable_and_time(compilation_cache.decompress_executable(packed))[0]


def _load(first: Any, device: Any) -> Loaded:
    from jaxlib import xla_client

    compiled, code = first.program, first.code()
    if device.platform != "cpu" or CALLBACK in code:
        raise ValueError("only machine code can be loaded.")
    options = xla_client.CompileOptions()
    options.device_assignment = xla_client.DeviceAssignment.create(np.array([[device.id]]))
    executable = device.client.deserialize_executable(code, xla_client.DeviceList((device,)), options)
    results, structure = jax.tree.flatten(compiled.out_info)
    used = sorted(compiled._executable._kept_var_idx)
    return Loaded(executable, structure, used, [_kind(result) for result in results])


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _kind(leaf: Any) -> str | None:
    """The name of the random numbers that keys are for. Raises ValueError if they are not JAX's own."""
    if not _is_key(leaf):
        return None
    (kind,) = (kind for kind in KINDS if jax.random.key(0, impl=kind).dtype == leaf.dtype)
    return kind
