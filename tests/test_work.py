"""How much work a program does, by counts that do not depend on the machine's speed: a change that doubles it is noticed.

The counts were taken with jaxlib 0.10.2; another may fuse a little differently, for which there is a margin of a quarter.
Timings are benchmarks (`experiments/benchmark`), never tests.
"""

import functools
import platform
import sys
from collections.abc import Iterator
from typing import NamedTuple

import jax.extend
import pytest

import jax_ac
from jax_ac import tiles
from jax_ac.tiles import make_tiles
from jax_ac.tracing import traced

MARGIN = 1.25


class Work(NamedTuple):
    """Of the program of a tile of 4 lanes: kernels and products in its text, FLOP with each loop counted once, bytes.

    Kernels are those of several operations: a single one is a kernel to some of XLA's emitters, and not to others.
    """

    kernels: int
    products: int
    flops: float
    temporary_bytes: int


MEASURED = {
    "keras": Work(230, 7, 1.39e6, 316_392),
    "a2c": Work(447, 51, 17.0e6, 679_904),
    "ppo": Work(501, 51, 31.4e6, 1_724_784),
}


def algorithm_of(preset):
    if preset == "keras":
        return jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0"))
    return getattr(jax_ac, preset)(jax_ac.make_env("CartPole-v1"))


def scans(jaxpr) -> Iterator:
    """All scans in a program, those in its parts too."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "scan":
            yield equation
        for part in jax.extend.core.jaxprs_in_params(equation.params):
            yield from scans(part)


def primitives(jaxpr) -> set[str]:
    found = {equation.primitive.name for equation in jaxpr.eqns}
    parts = (part for equation in jaxpr.eqns for part in jax.extend.core.jaxprs_in_params(equation.params))
    return found.union(*map(primitives, parts))


@pytest.mark.parametrize("preset", list(MEASURED))
def test_a_program_does_no_more_work_than_it_did(preset):
    compiled = make_tiles(algorithm_of(preset), 4, 10, width=4).lowered().compile()
    text, memory = compiled.as_text(), compiled.memory_analysis()
    work = Work(
        kernels=text.count(" fusion(") - text.count("calls=%wrapped_"),
        products=text.count(" dot("),
        flops=compiled.cost_analysis()["flops"],
        temporary_bytes=memory.temp_size_in_bytes,
    )
    for name, now, then in zip(Work._fields, work, MEASURED[preset], strict=True):
        assert now <= MARGIN * then, f"{name} of {preset}: {work}, where it was {MEASURED[preset]}"
        assert now >= then / MARGIN, f"{name} of {preset} has become far less: note it here. {work}"


@pytest.mark.parametrize("preset", ["keras", "ppo"])
def test_a_loss_is_traced_once(preset):
    """It is asked for by the estimate of memory, the shapes of a lane that stands still, lanes in turn and lanes at once."""
    algorithm, calls = algorithm_of(preset), []
    parts = algorithm.step.args[0]

    def loss(*args):
        calls.append(args)
        return parts.loss(*args)

    step = functools.partial(algorithm.step.func, parts._replace(loss=loss))
    make_tiles(algorithm._replace(step=step), 4, 10, width=4).lowered()
    assert len(calls) == 1


def test_a_program_is_lowered_once(keras, monkeypatch):
    """For the fingerprint; what is compiled is the same module."""
    tile, asked, on_device = make_tiles(keras, 4, 10, width=4), [], tiles.programs.on_device
    for_fingerprint = tile.lowered().compiler_ir()
    monkeypatch.setattr(
        tiles.programs, "on_device", lambda traced, device: asked.append(traced) or on_device(traced, device)
    )
    tile.compile()
    assert asked[0].lower().compiler_ir() is for_fingerprint


@pytest.mark.skipif((sys.platform, platform.machine()) != ("linux", "x86_64"), reason="XLA may not use YNNPACK here")
@pytest.mark.parametrize(("preset", "rows"), [("keras", "f32[200,4,1,4]"), ("a2c", "f32[16,4,8,4]")])
def test_a_rollout_is_one_function_unless_it_multiplies_by_ynnpack(preset, rows):
    """Products in a function are plain loops: A2C would take seven times as long."""
    text = make_tiles(algorithm_of(preset), 4, 10, width=4).lowered().compile().as_text().splitlines()
    functions = sum(rows in line for line in text if "xla_cpu_small_call" in line)
    loops = sum(rows in line for line in text if " while(" in line and "small_call" not in line)
    assert (functions > 0) == (preset == "keras")
    assert loops > 0  # that of the function itself, or else a loop of kernels


def test_a_program_with_other_options_of_xla_is_another(keras, monkeypatch):
    with_ours = make_tiles(keras, 4, 10, width=4).fingerprint()
    assert make_tiles(keras, 4, 10, width=4).fingerprint() == with_ours
    monkeypatch.setitem(tiles.COMPILER_OPTIONS, "cpu", {"xla_backend_optimization_level": 1})
    assert make_tiles(keras, 4, 10, width=4).fingerprint() != with_ours


@pytest.mark.parametrize(("env", "draws"), [("CartPole-v1", False), ("Breakout-MinAtar", True)])
def test_resets_are_drawn_outside_of_the_steps_where_they_are_small(env, draws):
    """The steps of CartPole draw nothing; an image's reset is too large to be drawn for each of them ahead."""
    program = traced(jax_ac.a2c(jax_ac.make_env(env), 2, 7)).program
    (rollout,) = (scan for scan in scans(program) if scan.params["length"] == 7 and not scan.params["reverse"])
    body = rollout.params["jaxpr"].jaxpr
    # split keys of resets that are used, and what the environment itself draws
    assert bool(primitives(body) & {"random_bits", "threefry2x32"}) == draws
