"""Programs: compiled for one device, and loaded on all others of its kind.

JAX ties a compiled program to its device and would compile it again for the next. On CPUs its machine code is the same and
is loaded instead, in a fraction of a second; where that cannot be done, the program is compiled again.
"""

import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jax_ac.types import PyTree

CANNOT_LOAD = (ImportError, AttributeError, TypeError, ValueError, RuntimeError)
"""What other versions of JAX may raise: those functions of its runtime are not documented."""

CALLBACK = b"_callback"
"""In the names of XLA's calls into Python, whose addresses a loaded program would not know."""

KINDS = ("threefry2x32", "rbg", "unsafe_rbg")
"""Of random numbers, as JAX names them."""

_kept: weakref.WeakKeyDictionary[Any, dict[Any, Callable]] = weakref.WeakKeyDictionary()
"""Programs by what they compute and device, for as long as JAX keeps the trace (`jax.clear_caches`)."""

_compiling = threading.Lock()


class Loaded(NamedTuple):
    """A program that was compiled for another device.

    Attributes:
      executable: XLA's, on this device; takes and gives flat lists of arrays, of keys their data.
      structure: of what the program gives.
      kinds: of each result that is an array of keys their kind, of others None.
    """

    executable: Any
    structure: Any
    kinds: list[str | None]

    def __call__(self, *args: PyTree) -> PyTree:
        """Like a ``jax.stages.Compiled``; the arguments must be on the program's device."""
        leaves = [jax.random.key_data(leaf) if _is_key(leaf) else leaf for leaf in jax.tree.leaves(args)]
        arrays = self.executable.execute_sharded(leaves).disassemble_into_single_device_arrays()
        results = [
            array if kind is None else jax.random.wrap_key_data(array, impl=kind)
            for (array,), kind in zip(arrays, self.kinds, strict=True)
        ]
        return jax.tree.unflatten(self.structure, results)


def on_device(traced: jax.stages.Traced, device: Any) -> Callable[..., PyTree]:
    """The program of a jitted function for a device, to be called with the arguments that are not static.

    The first one asks for a compilation, which others wait for. The function must be jitted with ``keep_unused``, and
    traced with arguments on this device.
    """
    kept = _kept.setdefault(traced.jaxpr, {})
    if device in kept:
        return kept[device]
    with _compiling:
        first = next((program for other, program in kept.items() if other.client is device.client), None)
        if first is None:
            kept[device] = traced.lower().compile()
            return kept[device]
    try:
        kept[device] = _load(first, device)
    except CANNOT_LOAD:
        kept[device] = traced.lower().compile()
    return kept[device]


def _load(compiled: Any, device: Any) -> Loaded:
    from jaxlib import xla_client

    code = compiled.runtime_executable().serialize()
    if device.platform != "cpu" or CALLBACK in code:
        raise ValueError("only machine code can be loaded.")
    options = xla_client.CompileOptions()
    options.device_assignment = xla_client.DeviceAssignment.create(np.array([[device.id]]))
    executable = device.client.deserialize_executable(code, xla_client.DeviceList((device,)), options)
    results, structure = jax.tree.flatten(compiled.out_info)
    return Loaded(executable, structure, [_kind(result) for result in results])


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _kind(leaf: Any) -> str | None:
    """The name of the random numbers that keys are for. Raises ValueError if they are not JAX's own."""
    if not _is_key(leaf):
        return None
    (kind,) = (kind for kind in KINDS if jax.random.key(0, impl=kind).dtype == leaf.dtype)
    return kind
