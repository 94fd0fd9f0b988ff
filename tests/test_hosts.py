"""Several processes of one job, on the loopback interface: the bits of one process, nothing lost with one that is killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import jax_ac
from jax_ac import hosts, spending, store

PROGRAM = """
import hashlib, os, sys, time
from pathlib import Path
index, count, address, what, out, options = *map(int, sys.argv[1:3]), *sys.argv[3:6], eval(sys.argv[6])
import jax
jax.config.update("jax_num_cpu_devices", 1)
if count > 1:
    jax.distributed.initialize(address, count, index, coordinator_bind_address=address)
import numpy as np
import jax_ac

class Slow:
    # They begin to draw lanes at the same time, and have few updates a second.
    def begin(self, config):
        Path(f"{out}.{what}.{index}").touch()
        while not all(Path(f"{out}.{what}.{other}").exists() for other in range(count)):
            time.sleep(0.05)
    def log(self, segment):
        time.sleep(options.get("slow", 0.0))
    def end(self):
        pass

def digest(result):
    leaves = jax.tree.leaves((result.states, result.metrics, result.marks))
    return hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in leaves)).hexdigest()

algorithm = jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0")._replace(solved_at=14.25))
host = {"trackers": [Slow()], "save_seconds": options.get("save_seconds", 30.0)}
hyperparams = jax_ac.grid(algorithm.hyperparams, learning_rate=[1e-2, 3e-3]) if options.get("sweep") else None
try:
    if what == "run":
        limits = {"max_updates": options.get("max_updates", 30), "segment_updates": 5, "tile_width": 4}
        limits |= {"until_solved": not options.get("sweep"), "hyperparams": hyperparams}
        result = jax_ac.run(algorithm, 24, out=None if out == "nowhere" else out, **limits, **host)
    else:
        result = jax_ac.resume(out, algorithm, **host)
except (OSError, ValueError) as error:
    print(type(error).__name__, error, file=sys.stderr)
    sys.exit(1)
print(digest(result), result.interrupted, result.spent.num_devices, result.spent.updates)
"""


def free_address() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{found.getsockname()[1]}"


class Job:
    """The processes of a job, which have begun; each one's exit status, output and errors after `end`."""

    def __init__(self, commands: list[list[str]], **environment: str):
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
        self.processes = [
            subprocess.Popen(
                command,
                env=inherited | {"NPROC": "1"} | environment | {"JAX_PROCESS_ID": str(index)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for index, command in enumerate(commands)
        ]

    def end(self, seconds: float = 120.0) -> list[tuple[int, str, str]]:
        try:
            said = [process.communicate(timeout=seconds) for process in self.processes]
        finally:
            for process in self.processes:
                process.kill()
        return [(process.returncode, *words) for process, words in zip(self.processes, said, strict=True)]


def job(count: int, what: str, out: Path | str, **options) -> Job:
    address = free_address()
    arguments = [address, what, str(out), repr(options)]
    return Job([[sys.executable, "-c", PROGRAM, str(index), str(count), *arguments] for index in range(count)])


def digests(ended: list[tuple[int, str, str]]) -> list[list[str]]:
    """What each process printed, all of them having ended well."""
    for code, _, errors in ended:
        assert code == 0, errors
    return [out.split() for _, out, _ in ended]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The digest of a run of one process."""
    return digests(job(1, "run", tmp_path_factory.mktemp("alone") / "run").end())[0][0]


def writers(folder: Path, count: int) -> set[int]:
    """The processes that wrote the parts in a folder."""
    return {int(part.name) % count for part in store.sealed_folders(folder)}


def wait_for(found, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_two_processes_give_the_bits_of_one(alone, tmp_path):
    out = tmp_path / "run"
    ended = job(2, "run", out, slow=0.05, save_seconds=0.1).end()
    first, second = digests(ended)
    assert first == second
    assert first[:3] == [alone, "False", "2"]
    assert writers(out / "lanes", 2) == {0, 1}
    assert not store.sealed_folders(out / "checkpoint")
    assert not list(out.glob("spent-*"))
    assert [part.updates for part in spending.read(out)] == [int(first[3])]
    assert (out / "results.nc").exists()
    assert "on 1 device of each of 2 processes" in ended[0][2]
    assert not ended[1][2].replace("\n", "").startswith("24 lanes")
    assert jax_ac.Result.load(out, algorithm()).summary().count("24 lanes")


def algorithm():
    return jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0")._replace(solved_at=14.25))


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """The folder of a run of two processes the second of which was killed, and how the first ended."""
    out = tmp_path_factory.mktemp("broken") / "run"
    started = job(2, "run", out, slow=0.5, save_seconds=0.5)
    wait_for(lambda: writers(out / "checkpoint", 2) == {0, 1} and len(spending.read_shares(out)) == 2)
    started.processes[1].kill()
    killed = time.monotonic()
    first, _ = started.end()
    return out, first, time.monotonic() - killed


def test_one_that_is_killed_ends_the_others_with_a_sentence(broken):
    out, (code, _, errors), seconds = broken
    assert code == 1
    assert "Gone process 1 of 2 is gone: what was saved is whole; resume it, on any number of processes." in errors
    assert seconds < 2 * hosts.SILENT_SECONDS
    assert len(list(out.glob("spent-*"))) == 2
    assert writers(out / "checkpoint", 2) == {0, 1}


@pytest.mark.parametrize("count", [1, 3])
def test_it_goes_on_with_another_number_of_processes(broken, alone, tmp_path, count):
    out = tmp_path / "run"
    subprocess.run(["cp", "-r", broken[0], out], check=True)
    cost = spending.total(spending.read(out))
    assert cost.updates > 0
    shown = digests(job(count, "resume", out).end())
    assert [words[0] for words in shown] == [alone] * count
    assert len(spending.read(out)) == 2
    assert spending.read(out)[0].updates == cost.updates
    assert not store.sealed_folders(out / "checkpoint")


@pytest.mark.slow
def test_interrupted_in_one_all_save_and_stop_and_one_process_goes_on(tmp_path, alone):
    out = tmp_path / "run"
    started = job(2, "run", out, slow=0.5, save_seconds=0.5)
    wait_for(lambda: writers(out / "checkpoint", 2) == {0, 1})
    started.processes[1].send_signal(signal.SIGTERM)
    shown = digests(started.end())
    assert shown[0] == shown[1]
    assert shown[0][1] == "True"
    assert len(store.sealed_folders(out / "checkpoint")) == 1
    assert digests(job(1, "resume", out).end())[0][:2] == [alone, "False"]


def test_process_0_is_killed_and_the_other_saves_and_says_so(tmp_path, alone):
    """JAX aborts the others then; that is held up until they have saved."""
    out = tmp_path / "run"
    started = job(2, "run", out, slow=0.5, save_seconds=60.0)
    wait_for(lambda: Path(f"{out}.run.1").exists())
    time.sleep(2.0)
    started.processes[0].kill()
    _, (code, _, errors) = started.end()
    assert "Gone process 0 is gone: what was saved is whole; resume it" in errors
    assert code == 1
    assert writers(out / "checkpoint", 2) | writers(out / "lanes", 2) == {1}
    assert digests(job(1, "resume", out).end())[0][0] == alone


@pytest.mark.slow
def test_four_processes_and_a_sweep(tmp_path, alone):
    assert {words[0] for words in digests(job(4, "run", tmp_path / "run").end())} == {alone}
    options = {"sweep": True, "max_updates": 10}
    (one,) = digests(job(1, "run", tmp_path / "one", **options).end())
    assert {words[0] for words in digests(job(4, "run", tmp_path / "four", **options).end())} == {one[0]}


def test_a_run_without_a_folder_is_refused():
    for code, _, errors in job(2, "run", "nowhere").end():
        assert code == 1
        assert "ValueError on several processes a run needs out=, a folder on a file system that all" in errors


def typed(*words: str, **environment: str) -> Job:
    variables = {"JAX_COORDINATOR_ADDRESS": free_address(), "JAX_NUM_PROCESSES": "2"} | environment
    return Job([[sys.executable, "-m", "jax_ac.cli", *words, "--distributed"]] * 2, **variables)


def test_the_command_line_speaks_once(tmp_path):
    size = ("--seeds", "4", "--max-updates", "4", "--tile-width", "2")
    out = str(tmp_path / "run")
    first, second = typed("train", *size, "--out", out).end()
    assert (first[0], second[0]) == (0, 0), first[2] + second[2]
    assert "4 seeds: compiling" in first[1]
    assert second[1] == ""
    assert {"lanes.csv", "results.nc", "run.json"} <= {path.name for path in Path(out).iterdir()}
    for code, _, errors in typed("train", *size, "--out", out).end():
        assert code == 2
        assert "is not empty" in errors


def test_no_cluster_is_a_sentence():
    code = "from jax_ac import joining; joining.join()"
    said = Job([[sys.executable, "-c", code]]).end()[0][2].splitlines()[-1]
    assert said.startswith("ValueError: --distributed found no cluster (coordinator_address should be defined.)")
