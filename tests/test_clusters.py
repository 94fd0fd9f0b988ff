"""Runs on a Ray cluster: the bits of a local run, whoever dies; errors in one sentence; nothing but loopback."""

import time

import jax
import numpy as np
import psutil
import pytest

import jax_ac
from jax_ac import clusters
from jax_ac.clusters import cluster_of

pytestmark = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning", "ignore::ResourceWarning")

OPTIONS = {"max_updates": 60, "segment_updates": 5, "tile_width": 4}
LANES = 24


@pytest.fixture(scope="module")
def easy():
    return jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0", length=0.7))


@pytest.fixture(scope="module")
def whole(easy):
    return jax_ac.run(easy, LANES, progress=False, **OPTIONS)


@pytest.fixture
def raylets():
    """A cluster of two raylets with a core each."""
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


def assert_same(result, expected):
    for ours, theirs in zip(result[3:6], expected[3:6], strict=True):
        jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def processes(word):
    """Those of the user whose command line begins with a word."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if process.info["cmdline"] and process.info["cmdline"][0].startswith(word):
            found.append(process)
    return found


@pytest.mark.slow
def test_a_cluster_of_this_machine_gives_the_same_bits_and_listens_to_nobody_else(easy):
    pytest.importorskip("ray")
    settings = jax_ac.grid(easy.hyperparams, learning_rate=[1e-2, 3e-3], env_length=[0.5, 0.8])
    options = {**OPTIONS, "hyperparams": settings, "until_solved": False, "eval_every": 30, "eval_episodes": 2}
    listening = set()

    def look(progress):
        for process in (psutil.Process(), *psutil.Process().children(recursive=True), *processes("ray::")):
            with_ports = process.net_connections("inet")
            listening.update(place.laddr.ip for place in with_ports if place.status == psutil.CONN_LISTEN)

    there = jax_ac.run(easy, 4, executor="ray", progress=look, **options)
    assert_same(there, jax_ac.run(easy, 4, progress=False, **options))
    assert there.spent.repeated == 0
    assert listening
    assert listening <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


@pytest.mark.slow
def test_workers_and_raylets_that_die_change_no_bits(easy, whole, raylets, tmp_path):
    deaths = []

    def kill(progress):
        if len(deaths) < 3 and progress.marks.num_updates.sum() > 150 * (len(deaths) + 1):
            if len(deaths) == 1:
                raylets.remove_node(raylets.worker_nodes.copy().pop(), allow_graceful=False)
                raylets.add_node(num_cpus=1, wait=False)
            else:
                processes("ray::RemoteWorker")[0].kill()
            deaths.append(time.monotonic())

    where = jax_ac.RayCluster(raylets.address)
    out = {"out": tmp_path / "run", "save_seconds": 1.0, "progress": kill}
    result = jax_ac.run(easy, LANES, executor=where, **OPTIONS, **out)
    assert len(deaths) == 3
    assert_same(result, whole)
    assert result.spent.updates == whole.marks.num_updates.sum()
    assert_same(jax_ac.Result.load(tmp_path / "run"), whole)


def test_what_cannot_be(easy):
    with pytest.raises(ValueError, match="executor must be None, 'ray' or a RayCluster, got 'slurm'"):
        jax_ac.run(easy, 2, max_updates=2, executor="slurm")
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        cluster_of(jax_ac.RayCluster(workers=0))
    pytest.importorskip("ray")
    for address in ("127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:100000"):
        with pytest.raises(ValueError, match=f"there is no Ray cluster at {address}: "):
            jax_ac.run(easy, 2, max_updates=2, executor=jax_ac.RayCluster(address))


def test_without_ray_it_is_said_how_to_get_it(easy, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"executor='ray' needs Ray: pip install 'jax_ac\[ray\]'"):
        clusters.connect(jax_ac.RayCluster())
