"""Memory: sizes by hand, against what XLA plans, and the width that follows from them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jax_ac
from jax_ac import memory
from jax_ac.tiles import default_width, make_tiles


def fullest(function, *shapes):
    return memory._fullest(jax.make_jaxpr(function)(*(jnp.zeros(shape, jnp.float32) for shape in shapes)).jaxpr)


def test_the_fullest_moment_by_hand():
    assert fullest(lambda x: x + 1.0, (10,)) == 40 + 40
    assert fullest(lambda x: jnp.sum(x * 2.0), (10,)) == 40 + 40  # x is alive until it has been doubled
    assert fullest(lambda x, y: x @ y, (4, 5), (5, 6)) == 4 * (20 + 30 + 24)
    assert fullest(lambda x: (x * 2.0 + 1.0) * 3.0, (10,)) == 2 * 40  # one in, one out, at any moment
    assert fullest(jax.jit(lambda x: jnp.sum(jnp.outer(x, x))), (10,)) >= 400 + 40  # what is inside counts


@pytest.mark.parametrize("preset", ["keras", "ppo"])
def test_an_estimate_is_more_than_xla_plans_but_not_by_far(preset):
    env = jax_ac.make_env("CartPole-v1")
    algorithm = jax_ac.keras_actor_critic(env) if preset == "keras" else jax_ac.ppo(env, 8, 128)
    lane = memory.sizes(algorithm)
    key = jax.random.key(0)
    state = algorithm.init(key, algorithm.hyperparams)
    assert lane.state == sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    planned = jax.jit(algorithm.step).lower(key, state, algorithm.hyperparams).compile().memory_analysis()
    assert planned is not None
    needed = planned.temp_size_in_bytes + planned.output_size_in_bytes
    assert needed <= lane.update + lane.state <= 6 * needed


def test_results_are_what_a_result_holds(keras):
    result = jax_ac.run(keras, 5, max_updates=30, progress=False)
    held = sum(leaf.nbytes for leaf in jax.tree.leaves((result.states, result.metrics)))
    assert memory.result_bytes(keras, 5, 30) == held


def test_scores_are_part_of_the_results(keras):
    result = jax_ac.run(keras, 3, max_updates=8, eval_every=4, eval_episodes=1, progress=False)
    held = sum(leaf.nbytes for leaf in jax.tree.leaves((result.states, result.metrics)))
    assert memory.result_bytes(keras, 3, 8, scored=True) == held


class Device(NamedTuple):
    platform: str
    bytes_limit: int

    def memory_stats(self):
        return {"bytes_limit": self.bytes_limit}


def test_the_width_is_what_the_device_has_room_for(keras):
    one = memory.tile_bytes(keras, 1, 50)
    assert default_width(keras, Device("gpu", 2 * one * 100), 50, 10**6) == 64
    assert default_width(keras, Device("gpu", one), 50, 10**6) == 1


@pytest.mark.parametrize(("lanes", "width"), [(1, 256), (256, 256), (257, 512), (4096, 4096), (10**6, 4096)])
def test_a_gpu_takes_all_lanes_at_once_up_to_4096(keras, lanes, width):
    assert default_width(keras, Device("gpu", 2**40), 50, lanes) == width
    assert default_width(keras, jax.local_devices()[0], 50, lanes) == 16


def test_a_width_that_no_device_can_hold_is_said_before_anything_is_compiled(keras):
    with pytest.raises(ValueError, match=r"a tile of 100,000,000 lanes takes .* GiB and more, .* lower tile_width"):
        jax_ac.run(keras, 4, max_updates=10, tile_width=100_000_000)


def test_what_does_not_fit_is_said_before_anything_is_trained(keras):
    with pytest.raises(ValueError, match=r"the results of 1,000 lanes x 2,000,000,000 updates take .* GiB, more than this"):
        jax_ac.run(keras, 1000, max_updates=2_000_000_000)
    assert memory.mebibytes(3 * 2**20) == "3 MiB"
    assert memory.mebibytes(np.int64(20 * 2**30)) == "20 GiB"


def test_lanes_are_shared_out_to_the_devices_of_all_processes_and_workers(keras):
    gpu = Device("gpu", 2**40)
    assert make_tiles(keras, 4096, 50, devices=[gpu]).width == 4096
    assert make_tiles(keras, 4096, 50, devices=[gpu], num_devices=16).width == 256
