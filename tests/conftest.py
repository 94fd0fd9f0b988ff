"""Every test sees two CPU devices, strict shapes, and warnings as errors; programs once compiled are kept on disk.

Here and in the commands that tests run XLA uses its older emitters of kernels, so that tests take two thirds of the time;
their kernels are slower, and the last bits differ. Notebooks, whose claims are of learning, runs that are killed, and the
bits on other numbers of devices are as users have them (`flags_of_users`, and the processes of test_processes).
"""

import gc
import os
from pathlib import Path

from jax_ac.devices import SMALL_LOOP, xla_environment

os.environ.pop("NPROC", None)
os.environ.update(xla_environment())
OLDER_EMITTERS = ",xla_cpu_disable_new_fusion_emitters"
FLAGS_OF_USERS = os.environ.get("XLA_FLAGS", "").removesuffix(OLDER_EMITTERS)  # which xdist's workers have from its process
if FLAGS_OF_USERS.endswith(f"={SMALL_LOOP}"):
    os.environ["XLA_FLAGS"] = FLAGS_OF_USERS + OLDER_EMITTERS
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parent.parent / ".pytest_cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "1.0")  # JAX's own, whatever the command line chooses

import jax

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_disable_most_optimizations", True)  # as in JAX's own tests; commands have all of them

import pytest

import jax_ac

gc.set_threshold(50_000)
gc.freeze()  # tracing makes much garbage; what was imported need not be looked through each time


@pytest.fixture(autouse=True, scope="module")
def programs_of_a_module():
    """A loaded program keeps memory mappings, of which Linux gives a process 65,530: a whole suite would need more."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="module")
def flags_of_users():
    """Processes that the tests of a module start compile as those of users do."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XLA_FLAGS", FLAGS_OF_USERS)
        yield


@pytest.fixture
def one_device(monkeypatch):
    """What uses all devices has one, and compiles for one."""
    devices = jax.local_devices()[:1]
    monkeypatch.setattr(jax, "local_devices", lambda: devices)


@pytest.fixture(scope="session")
def cartpole():
    return jax_ac.make_env("CartPole-v0")


@pytest.fixture(scope="session")
def keras(cartpole):
    return jax_ac.keras_actor_critic(cartpole)


@pytest.fixture(scope="session")
def easy(cartpole):
    """Solved, at different times, within the updates of a test. With tiles of 4 lanes and segments of 5 updates all runs of
    it are one program, which is kept on disk."""
    return jax_ac.keras_actor_critic(cartpole._replace(solved_at=14.25))
