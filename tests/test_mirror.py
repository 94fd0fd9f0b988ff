"""Mirrors: two of them of one folder, as two processes have; cut after every request that the store is asked."""

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import fsspec
import numpy as np
import pytest

from jax_ac import lease, object_store, store
from jax_ac.mirror import Mirror
from jax_ac.object_store import Place, Unreachable

ROWS = {"seed": np.arange(3, dtype=np.uint32)}


@pytest.fixture(autouse=True)
def clean():
    fsspec.filesystem("memory").store.clear()


class Counted:
    """A store that stops answering after so many requests that change something."""

    def __init__(self, left):
        self.system, self.left = fsspec.filesystem("memory"), left

    def _count(self, number):
        self.left -= number
        if self.left < 0:
            raise OSError("the cable was cut")

    def put(self, sources, targets):
        for source, target in zip(sources, targets, strict=True):
            self._count(1)
            self.system.put_file(source, target)

    def rm(self, names):
        for name in names:
            self._count(1)
            self.system.rm([name])

    def find(self, *arguments, **options):
        return self.system.find(*arguments, **options)

    def get(self, *arguments):
        return self.system.get(*arguments)

    def pipe_file(self, *arguments, **options):
        self._count(1)
        return self.system.pipe_file(*arguments, **options)


def mirror(left=10**9):
    return Mirror(Place(Counted(left), "/runs", "memory://runs"))


def write(mirror, kind, number):
    folder = mirror.local / "demo" / kind / str(number)
    shutil.copytree(sealed(number), folder)
    return folder


@functools.cache
def sealed(number):
    folder = Path(tempfile.mkdtemp()) / "0"
    store.write_sealed(folder, {"seed": np.full(3, number, np.uint32)})
    return folder


def read(mirror):
    """The numbers of all parts; each must be whole."""
    mirror.pull("demo")
    return {
        kind: [
            int(store.read_sealed(folder, ROWS)["seed"][0]) for folder in store.sealed_folders(mirror.local / "demo" / kind)
        ]
        for kind in ("lanes", "checkpoint")
    }


def step(writer):
    """What a save does: a lane has ended, and a newer checkpoint takes the place of the last one."""
    write(writer, "lanes", 8)
    write(writer, "checkpoint", 2)
    store.remove(writer.local / "demo" / "checkpoint" / "1")
    writer.push("demo")


def begun():
    first = mirror()
    write(first, "lanes", 7)
    write(first, "checkpoint", 1)
    first.push("demo")
    return first


def test_two_mirrors_hold_the_same():
    first, reader = begun(), mirror()
    assert read(reader) == {"lanes": [7], "checkpoint": [1]}
    step(first)
    assert read(reader) == {"lanes": [7, 8], "checkpoint": [2]}
    assert read(mirror()) == {"lanes": [7, 8], "checkpoint": [2]}


def test_a_save_that_is_cut_anywhere_loses_nothing():
    begun()
    second = mirror()
    second.pull("demo")
    step(second)
    requests = 10**9 - second.place.system.left
    assert requests > 20
    seen = []
    for left in range(requests):
        fsspec.filesystem("memory").store.clear()
        begun()
        writer = mirror(left)
        writer.pull("demo")
        with pytest.raises(Unreachable, match=r"memory://runs.* cannot be reached: the cable was cut"):
            step(writer)
        seen.append(read(mirror()))
        assert 7 in seen[-1]["lanes"]
        assert seen[-1]["checkpoint"]
        with (last := mirror()).held("demo"):  # the next writer tidies up what was sent half-way
            pass
        there = object_store.listing(last.place, "demo")
        assert all(part in last._parts for part in {"/".join(name.split("/")[:3]) for name in there if name.count("/") > 2})
        assert read(mirror()) == seen[-1]
    assert {json.dumps(each) for each in seen} == {
        json.dumps({"lanes": lanes, "checkpoint": checkpoint})
        for lanes, checkpoint in [([7], [1]), ([7, 8], [1]), ([7, 8], [1, 2]), ([7, 8], [2])]
    }


def test_a_save_that_was_cut_is_done_by_the_next():
    writer = begun()
    writer.place.system.left = 5
    with pytest.raises(Unreachable):
        step(writer)
    writer.place.system.left = 10**9
    writer.push("demo")
    assert read(mirror()) == {"lanes": [7, 8], "checkpoint": [2]}


def test_what_is_not_in_the_store_does_not_count_for_the_next_run():
    writer = begun()
    write(writer, "checkpoint", 5)
    with writer.held("demo"):
        assert read(writer) == {"lanes": [7], "checkpoint": [1]}


def test_other_files_are_sent_when_they_have_changed(monkeypatch):
    writer = begun()
    sent = []
    monkeypatch.setattr(object_store, "send", lambda place, names, folder: sent.append(list(names)))
    folder = writer.local / "demo"
    for name in ("run.json", "spent.json", "table.csv", "lock", ".run.json.partial"):
        (folder / name).write_text("{}")
    writer.push("demo")
    assert sent.pop() == ["demo/run.json", "demo/spent.json"]
    writer.push("demo", all_files=True)
    assert sent.pop() == ["demo/table.csv"]
    writer.push("demo", all_files=True)
    assert not sent
    (folder / "table.csv").write_text("more")
    writer.push("demo/table.csv")
    assert sent == [["demo/table.csv"]]


def test_names_that_two_writers_choose_at_the_same_time_differ(tmp_path):
    for parent in (tmp_path / "a", tmp_path / "b"):
        (parent / "000041").mkdir(parents=True)
    chosen = [store.next_folder(parent, apart=True).name for parent in (tmp_path / "a", tmp_path / "b") for _ in range(50)]
    assert len(set(chosen)) > 90
    (tmp_path / "a" / chosen[0]).mkdir()
    assert int(store.next_folder(tmp_path / "a", apart=True).name) > int(chosen[0]) > 41
    assert store.next_folder(tmp_path / "b").name == "000042"


PLACE = Place(fsspec.filesystem("memory"), "/runs/demo", "memory://runs/demo")


def lock(**said):
    PLACE.system.pipe_file("/runs/demo/lock", json.dumps(said).encode())


def test_a_lock_of_this_machine_counts_as_long_as_its_process_lives():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        said = {"machine": lease._this_machine(), "pid": process.pid, "since": lease._since(process.pid), "time": 0.0}
        lock(**said)
        with pytest.raises(lease.InUse, match=f"at work in memory://runs/demo: {process.pid}, on this machine"):
            lease.Lease(PLACE, "lock").take()
        assert lease.is_held(PLACE, "lock")
        lock(**said | {"since": "another's"})  # the number was given to another process
        assert not lease.is_held(PLACE, "lock")
        lock(**said)
        process.kill()
        while lease._since(process.pid) is not None:  # it is dead before its parent has asked for it
            time.sleep(0.01)
        assert not lease.is_held(PLACE, "lock")
    with lease.held(PLACE, "lock"):
        assert lease.is_held(PLACE, "lock")
    assert not lease.is_held(PLACE, "lock")


def test_a_lock_of_another_machine_counts_until_it_is_old():
    lock(machine="another", host="far", pid=7, time=time.time() - 31)
    with pytest.raises(lease.InUse, match=r"another process, 7 on far, .* or was 31 seconds ago: .* again in 59 seconds"):
        lease.Lease(PLACE, "lock").take()
    for said in ({"time": time.time() - 91}, {"time": None}, {}):
        lock(machine="another", host="far", pid=7, **said)
        with lease.held(PLACE, "lock"):
            assert json.loads(object_store.read(PLACE, "lock"))["pid"] == os.getpid()
    PLACE.system.pipe_file("/runs/demo/lock", b"half")
    with lease.held(PLACE, "lock"):
        pass


def test_a_lock_is_renewed_and_known_to_be_lost(monkeypatch):
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.01)
    with lease.held(PLACE, "lock") as held:
        first = json.loads(object_store.read(PLACE, "lock"))["time"]
        while json.loads(object_store.read(PLACE, "lock") or b'{"time": 0.0}')["time"] <= first:
            time.sleep(0.01)
        held.check()
        with held._writing:  # to look and to renew are two requests
            lock(token="another's", time=0.0)
        with pytest.raises(lease.InUse, match="has taken over memory://runs/demo"):
            held.check()
        time.sleep(0.1)
    assert json.loads(object_store.read(PLACE, "lock"))["token"] == "another's"  # neither renewed nor removed


def test_of_two_that_take_an_absent_lock_one_gets_it(monkeypatch):
    monkeypatch.setattr(lease, "_read", lambda place, name: None)
    with lease.held(PLACE, "lock"), pytest.raises(lease.InUse, match="another process is at work in memory://runs/demo"):
        lease.Lease(PLACE, "lock").take()
