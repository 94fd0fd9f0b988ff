"""Sweeps: compiled once however many settings and seeds; each lane has the bits that it has alone, on one device or two."""

import jax
import numpy as np
import pytest

import jax_ac
from jax_ac import programs
from jax_ac.networks import SeparateActorCritic

pytestmark = pytest.mark.slow

RATES, GAMMAS, SEEDS, UPDATES = np.geomspace(1e-4, 3e-2, 8), [0.5, 0.9, 0.99, 1.0], 16, 5
SIZES = {
    jax_ac.a2c: {"num_envs": 2, "num_steps": 6},
    jax_ac.ppo: {"num_envs": 2, "num_steps": 8, "num_epochs": 2, "num_minibatches": 2},
}
LENGTHS, GRAVITIES = [0.25, 0.5, 2.0], [9.8, 20.0]


def assert_same_bits(ours, theirs):
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(ours), jax.device_get(theirs))


def lanes(results, *index):
    return jax.tree.map(lambda leaf: leaf[index], results)


def programs_kept():
    return sum(map(len, programs._kept.values()))


class Counted:
    """An algorithm that counts how often its step is traced, and how many programs there are for tiles, on all devices."""

    def __init__(self, preset, **numbers):
        env = jax_ac.make_env("CartPole-v1", **numbers)
        network = SeparateActorCritic(env.observation_space, env.action_space, hidden_sizes=(8,))
        plain = preset(env, network=network, **SIZES[preset])
        self.traces, self._programs = 0, programs_kept()

        def step(key, state, hyperparams):
            self.traces += 1
            return plain.step(key, state, hyperparams)

        self.algorithm = plain._replace(init=jax.jit(plain.init), step=step)  # not traced again by every call

    @property
    def programs(self):
        return programs_kept() - self._programs


@pytest.fixture(scope="module")
def a2c():
    """8 learning rates x 4 discount factors x 16 seeds, once."""
    counted = Counted(jax_ac.a2c)
    settings = jax_ac.grid(counted.algorithm.hyperparams, learning_rate=RATES, gamma=GAMMAS)
    swept = jax_ac.train_many(counted.algorithm, SEEDS, UPDATES, settings)
    return counted, swept, (counted.traces, counted.programs)


@pytest.fixture(scope="module")
def ppo():
    """3 lengths of the pole x 2 gravities x 3 seeds: more than one tile of lanes."""
    counted = Counted(jax_ac.ppo)
    settings = jax_ac.grid(counted.algorithm.hyperparams, env_length=LENGTHS, env_gravity=GRAVITIES)
    return counted, jax_ac.train_many(counted.algorithm, 3, UPDATES, settings)


def test_a_sweep_is_compiled_once(a2c):
    """One program per device, and the step traced for memory, shapes and loop; other numbers and seeds add nothing."""
    counted, swept, (traces, programs) = a2c
    assert all(leaf.shape == (32, SEEDS, UPDATES) for leaf in swept[1])
    assert programs == jax.local_device_count() == 2
    assert traces <= 3
    other = jax_ac.grid(counted.algorithm.hyperparams, ent_coef=[0.0, 0.1], env_length=[0.3, 0.4, 0.5])
    jax_ac.train_many(counted.algorithm, [7, 3], UPDATES, other)
    assert counted.programs == programs


@pytest.mark.parametrize("gamma", range(4))
@pytest.mark.parametrize("rate", range(8))
def test_each_lane_of_a_sweep_is_that_lane_alone(a2c, rate, gamma):
    """All 512, one after the other. The first-named setting varies slowest."""
    counted, swept, _ = a2c
    setting = counted.algorithm.hyperparams._replace(learning_rate=RATES[rate], gamma=GAMMAS[gamma])
    for seed in range(SEEDS):
        alone = jax_ac.train_many(counted.algorithm, [seed], UPDATES, setting)
        assert_same_bits(lanes(swept, 4 * rate + gamma, slice(seed, seed + 1)), alone)


def test_every_setting_and_seed_counts(a2c):
    """No two of the 512 lanes end with the same parameters."""
    kernels = a2c[1][0].params["params"]["actor"]["kernel"].reshape(32 * SEEDS, -1)
    assert len(np.unique(kernels, axis=0)) == 32 * SEEDS


@pytest.mark.parametrize(("length", "gravity", "seed"), [(0, 0, 0), (2, 1, 2), (1, 0, 1)])
def test_a_lane_of_a_sweep_of_the_environment_is_that_lane_alone(ppo, length, gravity, seed):
    counted, swept = ppo
    numbers = {"env_length": LENGTHS[length], "env_gravity": GRAVITIES[gravity]}
    alone = jax_ac.train_many(counted.algorithm, [seed], UPDATES, counted.algorithm.hyperparams._replace(**numbers))
    assert_same_bits(lanes(swept, 2 * length + gravity, slice(seed, seed + 1)), alone)


def test_a_swept_environment_is_one_made_with_those_numbers(ppo):
    counted, swept = ppo
    made = Counted(jax_ac.ppo, length=2.0, gravity=20.0).algorithm
    assert made.hyperparams != counted.algorithm.hyperparams
    assert_same_bits(lanes(swept, 5), jax_ac.train_many(made, 3, UPDATES))
    observations = swept[0].acting.obs[:, 0].reshape(6, -1)  # of the same seed
    assert len(np.unique(observations, axis=0)) == 6


@pytest.mark.parametrize("name", ["a2c", "ppo"])
def test_the_bits_do_not_depend_on_the_devices(request, name):
    counted, *_ = request.getfixturevalue(name)
    one, two = jax.local_devices()
    first = jax_ac.train_many(counted.algorithm, 20, UPDATES, devices=[one])
    assert_same_bits(first, jax_ac.train_many(counted.algorithm, 20, UPDATES, devices=[two]))
    assert_same_bits(first, jax_ac.train_many(counted.algorithm, 20, UPDATES, devices=[one, two]))


@pytest.mark.parametrize("name", ["a2c", "ppo"])
def test_total_steps_are_updates(request, name):
    counted, *_ = request.getfixturevalue(name)
    algorithm, programs = counted.algorithm, counted.programs
    total = UPDATES * algorithm.steps_per_update
    assert_same_bits(jax_ac.train_many(algorithm, 2, total_steps=total), jax_ac.train_many(algorithm, 2, UPDATES))
    assert counted.programs == programs
