"""A worker of `gpu.py`: choices that were made for a CPU, made otherwise. One full tile of each preset; lines of JSON.

An idea whose program is the very one of before is told as such, and not timed.
"""

import argparse
import contextlib
import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest import mock

import gpu_points
from serving import say

NOTHING = contextlib.nullcontext


def unrolled(count: int) -> Callable:
    """So many steps of a rollout for each turn of its loop."""

    @contextlib.contextmanager
    def patch() -> Iterator[None]:
        import jax

        from jax_ac import rollout

        lax = SimpleNamespace(**vars(jax.lax) | {"scan": partial(jax.lax.scan, unroll=count)})
        with mock.patch.object(rollout, "jax", SimpleNamespace(**vars(jax) | {"lax": lax})):
            yield

    return patch


def replaced(module: str, name: str, value: Any) -> Callable:
    """A module's name with another value; a string starting with a dot is another name of that module."""

    def patch() -> Any:
        import importlib

        place = importlib.import_module(f"jax_ac.{module}")
        new = getattr(place, value[1:]) if isinstance(value, str) else value
        return mock.patch.object(place, name, new)

    return patch


def always_improved(parts: Any, _: Any, key: Any, params: Any, opt_state: Any, examples: Any, numbers: Any) -> Any:
    """Gradient steps of frozen lanes too: no selection of what they leave."""
    from jax_ac import algorithms

    loss, optimizer = partial(algorithms._loss, parts), parts.optimizer(numbers)
    return parts.improve.step(key, loss, optimizer, params, opt_state, examples, numbers)


@contextlib.contextmanager
def precise() -> Iterator[None]:
    """Products in float32 throughout; a GPU may otherwise round their factors to TF32."""
    import jax

    with jax.default_matmul_precision("highest"):
        yield


IDEAS: dict[str, tuple[Callable, tuple[str, ...]]] = {
    "as it is": (NOTHING, ("keras", "a2c", "ppo")),
    "recurrences step by step": (replaced("returns", "_in_parallel", "._step_by_step"), ("keras", "ppo")),
    "features always last": (replaced("layers", "MANY", 2**31), ("keras", "ppo")),
    "no transposed rows": (replaced("layers", "FEW", 0), ("keras",)),
    "rollout unrolled 4": (unrolled(4), ("keras", "a2c", "ppo")),
    "rollout unrolled 16": (unrolled(16), ("keras", "ppo")),
    "products in float32": (precise, ("keras", "ppo")),
    "no lane stands still": (replaced("algorithms", "_improve", always_improved), ("ppo",)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true")
    plan = gpu_points.TINY if parser.parse_args().tiny else gpu_points.FULL
    seen: dict[tuple[str, str], str] = {}
    points, lowered = [], []
    for name, (patch, presets) in IDEAS.items():
        for preset in presets:
            with patch():
                program = gpu_points.lower(gpu_points.algorithm_of(preset), plan.width)
            text = hashlib.sha256(program[1].as_text().encode()).hexdigest()
            if (first := seen.setdefault((preset, text), name)) != name:
                say({"kind": "same", "preset": preset, "variant": name, "as": first})
                continue
            points.append((name, preset))
            lowered.append(program)
    for (name, preset), compiled in zip(points, gpu_points.compile_all(lowered), strict=True):
        gpu_points.measure(compiled, plan.width, plan, preset=preset, variant=name)


if __name__ == "__main__":
    main()
