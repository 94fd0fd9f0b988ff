"""What only a fresh process can show: the bits on other numbers of devices and threads, 64-bit mode, lazy imports."""

import os
import re
import subprocess
import sys

import jax
import pytest

from jax_ac import devices
from jax_ac.tiles import make_tiles

DIGEST = """
import sys
import jax
devices = int(sys.argv[1])
jax.config.update("jax_num_cpu_devices", devices)
jax.config.update("jax_enable_x64", sys.argv[2] == "x64")
import hashlib
import numpy as np
import jax_ac
assert jax.local_device_count() == devices
algorithm = jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0"))
states, metrics = jax_ac.train_many(algorithm, range(int(sys.argv[3])), 120)
assert metrics.episode_return.dtype == np.float32
leaves = [np.asarray(leaf)[:7] for leaf in jax.tree.leaves((states, metrics))]
assert {leaf.dtype for leaf in leaves} <= {np.dtype(kind) for kind in ("float32", "int32", "bool")}
print(hashlib.sha256(b"".join(leaf.tobytes() for leaf in leaves)).hexdigest())
print(float(np.mean(metrics.episode_return)))
"""


RECURRENT = """
import jax
jax.config.update("jax_num_cpu_devices", 2)
import numpy as np
import jax_ac
from jax_ac.networks import RecurrentActorCritic
env = jax_ac.make_env("CartPole-v1")
network = RecurrentActorCritic(env.observation_space, env.action_space)
states, _ = jax_ac.train_many(jax_ac.ppo(env, 2, 2, 1, 1, network=network), 32, 2)
print(len(np.unique(states.params["params"]["gru"]["hn"]["kernel"], axis=0)))
"""


SET_BY_TESTS = ("NPROC", "XLA_FLAGS", "JAX_COMPILATION_CACHE_DIR")


def in_fresh_process(code, *arguments, **environment):
    clean = {name: value for name, value in os.environ.items() if name not in SET_BY_TESTS}
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


@pytest.fixture(scope="module")
def reference():
    return in_fresh_process(DIGEST, "2", "x32", "7", NPROC="1")[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("devices", "seeds", "environment"),
    [("2", "70", {"NPROC": "1"}), ("1", "70", {}), ("3", "7", {"NPROC": "2"})],
)
def test_the_first_seven_seeds_are_the_same_bits_in_every_process(reference, devices, seeds, environment):
    assert in_fresh_process(DIGEST, devices, "x32", seeds, **environment)[0] == reference


@pytest.mark.slow
def test_two_devices_initialize_networks_with_memory_at_the_same_time():
    """With flax's own initializer, which calls LAPACK's QR, each waits for the other for ever."""
    assert in_fresh_process(RECURRENT, NPROC="1") == ["32"]


def test_nothing_breaks_in_64_bit_mode():
    mean_return = float(in_fresh_process(DIGEST, "1", "x64", "7")[1])
    assert 30 < mean_return < 150  # 120 episodes of learning


def test_environments_keep_their_types_in_64_bit_mode():
    """In some others, such as MetaMaze-misc and DiscountingChain-bsuite, gymnax's own code mixes types in this mode."""
    code = """
import jax
jax.config.update("jax_enable_x64", True)
import jax_ac

def kinds(tree):
    return jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)

for name in ["CartPole-v1", "Acrobot-v1", "FourRooms-misc", "MountainCar-v0", "MemoryChain-bsuite"]:
    env = jax_ac.make_env(name)
    before = env.reset(jax.random.key(0))
    after = jax.eval_shape(env.step, jax.random.key(0), before[1], jax.numpy.zeros((), "int32"))
    assert kinds(after[:2]) == kinds(before), name
print("all")
"""
    assert in_fresh_process(code) == ["all"]


def test_importing_jax_ac_and_its_help_do_not_import_jax():
    code = "import sys, jax_ac, jax_ac.cli; print('jax' in sys.modules, 'gymnax' in sys.modules, 'numpy' in sys.modules)"
    assert in_fresh_process(code) == ["False", "False", "False"]


def test_names_are_what_they_are_however_they_are_reached():
    code = (
        "from jax_ac.training import train; import jax_ac; assert jax_ac.train is train; print(callable(jax_ac.train_many))"
    )
    assert in_fresh_process(code) == ["True"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, r"--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=\d+"),
        ({"XLA_FLAGS": "--xla_dump_to=there"}, r"--xla_dump_to=there --xla_backend_extra_options=\w+=\d+"),
        ({"XLA_FLAGS": "--xla_backend_extra_options=one=1"}, "--xla_backend_extra_options=one=1"),
        ({"XLA_FLAGS": "a_file"}, "a_file"),
    ],
)
def test_what_the_user_tells_xla_is_kept(monkeypatch, given, kept):
    for name in ("NPROC", "XLA_FLAGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(devices.sys, "platform", "linux")
    monkeypatch.setattr(devices.platform, "machine", lambda: "x86_64")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    variables = devices.xla_environment()
    assert re.fullmatch(kept, variables["XLA_FLAGS"])
    assert variables["NPROC"] == "1"
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert devices.xla_environment() == variables


@pytest.mark.parametrize(("system", "machine"), [("darwin", "arm64"), ("linux", "aarch64"), ("win32", "AMD64")])
def test_loops_are_left_to_xla_where_it_may_not_use_ynnpack(monkeypatch, system, machine):
    for name in ("NPROC", "XLA_FLAGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(devices.sys, "platform", system)
    monkeypatch.setattr(devices.platform, "machine", lambda: machine)
    assert devices.xla_environment() == {"NPROC": "1"}


def test_all_cores():
    code = """
import jax_ac, jax, os
from jax_ac.devices import xla_environment
told = xla_environment()
jax_ac.use_all_cores()
print(jax.local_device_count() == len(os.sched_getaffinity(0)), told.items() <= os.environ.items())
"""
    assert in_fresh_process(code) == ["True", "True"]
    late = """
import os, jax, jax_ac
jax.numpy.ones(1)
try: jax_ac.use_all_cores()
except RuntimeError as error: print("before" in str(error), "XLA_FLAGS" in os.environ)
"""
    assert in_fresh_process(late) == ["True", "False"]


def test_some_cores():
    code = "import sys, jax_ac, jax; jax_ac.use_all_cores(int(sys.argv[1])); print(jax.local_device_count())"
    assert in_fresh_process(code, "1") == ["1"]
    assert in_fresh_process(code, "100000") == [str(devices.num_cores())]


@pytest.mark.parametrize(("at_most", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), ("2", TypeError)])
def test_what_is_no_number_of_cores_is_refused(at_most, error):
    with pytest.raises(error):
        devices.use_all_cores(at_most)


@pytest.mark.parametrize(("lanes", "width", "cores"), [(1, 16, 1), (16, 16, 1), (17, 16, 2), (16, 8, 2), (3, 1, 3)])
def test_as_many_cores_as_tiles(lanes, width, cores, keras):
    assert devices.cores_for(lanes, width) == cores
    assert len(make_tiles(keras, lanes, 1, width=width, devices=jax.devices() * 4).devices) == cores


def test_training_does_not_import_scipy_stats(tmp_path):
    """It would take the command line a second."""
    code = """
import sys
from jax_ac import cli
try: cli.main(["train", "--seeds", "2", "--max-updates", "2", "--out", sys.argv[1]])
except SystemExit as end: print(end.code, "scipy.stats" in sys.modules)
"""
    assert in_fresh_process(code, str(tmp_path / "run"))[-2:] == ["0", "False"]
