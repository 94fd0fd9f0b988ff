"""Programs: compiled once, loaded on the other device with the same bits, and compiled again where that cannot be."""

import gc
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import monitoring

from jax_ac import programs

COMPILED = "/jax/core/compile/backend_compile_duration"


def play(key, state, unused):
    """Of a key, and of a donated state."""
    noise = jax.random.normal(key, state["x"].shape)
    return {"key": jax.random.split(key, 2), "state": {"x": jnp.tanh(state["x"] @ noise)}}


def on_both(function, **options):
    """A program's results on each of two devices, from equal arguments, the arguments, and the programs."""
    jitted = jax.jit(function, keep_unused=True, **options)
    done = []
    for device in jax.local_devices()[:2]:
        args = jax.device_put((jax.random.key(3), {"x": jnp.arange(12.0).reshape(3, 4)[:, :3]}, jnp.int32(1)), device)
        program = programs.on_device(jitted.trace(*args), device)
        assert program is programs.on_device(jitted.trace(*args), device)
        done.append((program(*args), args, program))
    return [list(column) for column in zip(*done, strict=True)]


def as_numbers(tree):
    return jax.tree.map(lambda leaf: np.asarray(jax.random.key_data(leaf) if leaf.dtype != np.float32 else leaf), tree)


@pytest.fixture
def compilations():
    """How many programs have been compiled, by name."""
    counts = Counter()

    def count(event, seconds, **about):
        counts.update([about.get("fun_name")] if event == COMPILED else [])

    monitoring.register_event_duration_secs_listener(count)
    yield counts
    monitoring.unregister_event_duration_listener(count)


def test_a_program_is_compiled_once_and_has_the_same_bits_on_both_devices(compilations):
    results, args, both = on_both(play, donate_argnums=1)
    jax.tree.map(np.testing.assert_array_equal, *map(as_numbers, results))
    assert [isinstance(program, programs.Loaded) for program in both] == [False, True]
    assert sum(count for name, count in compilations.items() if name and "play" in name) == 1
    for result, (_, state, _), device in zip(results, args, jax.local_devices(), strict=False):
        assert {leaf.device for leaf in jax.tree.leaves(result)} == {device}
        assert jax.tree.leaves(result)[0].dtype == jax.random.key(0).dtype
        assert state["x"].is_deleted()


def test_a_program_that_calls_python_is_compiled_for_each_device():
    def called(key, state, unused):
        return play(key, {"x": jax.pure_callback(lambda x: x + 1, state["x"], state["x"])}, unused)

    results, _, both = on_both(called)
    jax.tree.map(np.testing.assert_array_equal, *map(as_numbers, results))
    assert not any(isinstance(program, programs.Loaded) for program in both)


def test_where_a_program_cannot_be_loaded_it_is_compiled_again(monkeypatch):
    def fails(*_):
        raise AttributeError("as in another version of JAX")

    monkeypatch.setattr(programs, "_load", fails)
    results, _, both = on_both(lambda *args: play(*args))
    jax.tree.map(np.testing.assert_array_equal, *map(as_numbers, results))
    assert not any(isinstance(program, programs.Loaded) for program in both)


def test_programs_are_kept_as_long_as_jax_keeps_their_trace():
    on_both(lambda *args: play(*args))
    assert len(programs._kept) > 0
    jax.clear_caches()
    gc.collect()
    assert len(programs._kept) == 0
