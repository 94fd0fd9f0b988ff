"""A watched report: of a run that is at work, to this machine alone, and nothing else."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import numpy as np
import pytest

from jax_ac import readings, run_folder, store, studies, watching
from jax_ac.runs import run

pytestmark = pytest.mark.slow


def ask(server, method="GET", path="/", host=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.putrequest(method, path, skip_host=True)
    if host != "":
        connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


@pytest.fixture(scope="module")
def seen(keras, tmp_path_factory):
    """A run that is watched while it is at work: pages as it went on; its folder, read by another thread all the time."""
    folder = tmp_path_factory.mktemp("watched") / "live"
    pages, failures, read = [], [], []
    stop = threading.Event()

    def hammer():
        while not stop.is_set():
            try:
                read.append(studies.read_all((folder,))[0].runs[0].marks.num_updates.sum())
            except Exception as error:
                failures.append(error)

    servers = []

    def look(progress):
        if not servers:
            servers.append(watching.open_server((folder,), 0))
            threading.Thread(target=servers[0].serve_forever, daemon=True).start()
            hammering.start()
        head, _ = ask(servers[0], "HEAD")
        answer, body = ask(servers[0])
        pages.append((int(progress.marks.num_updates.sum()), head.getheader("ETag"), answer.getheader("ETag"), body))

    hammering = threading.Thread(target=hammer)
    try:
        options = {"max_updates": 40, "segment_updates": 10, "tile_width": 4, "save_seconds": 0.0}
        result = run(keras, 10, out=folder, progress=look, **options)
        stop.set()
        hammering.join()
        yield servers[0], folder, result, pages, (read, failures)
    finally:
        stop.set()
        servers[0].shutdown()
        servers[0].server_close()


def done_in(body):
    roster = json.loads(re.search(r'id="data">(.*?)</script>', body, re.DOTALL)[1])["roster"]
    return sum(roster["values"][roster["columns"].index("updates")])


def test_it_follows_the_run(seen):
    server, _, result, pages, (read, failures) = seen
    assert "Nothing saved yet." in pages[0][3] or done_in(pages[0][3]) <= pages[0][0]
    shown = [done_in(body) for *_, body in pages]
    assert shown == sorted(shown)
    assert len(set(shown)) > 2
    assert all(on_page <= done for on_page, (done, *_) in zip(shown, pages, strict=True))
    _, body = ask(server)
    assert done_in(body) == result.marks.num_updates.sum()
    assert failures == []
    assert read == sorted(read)


def test_a_tag_tells_whether_the_page_is_new(seen):
    server, folder, _, pages, _ = seen
    by_tag = {}
    for _, head, tag, body in pages:
        assert head.startswith('"')
        assert json.loads(re.search(r'id="data">(.*?)</script>', body, re.DOTALL)[1])["watch"]["tag"] == tag
        assert by_tag.setdefault(tag, done_in(body)) == done_in(body)
    assert len(by_tag) > 2
    same = {ask(server, method)[0].getheader("ETag") for method in ("HEAD", "GET", "HEAD")}
    assert len(same) == 1
    written = folder / run_folder.CONFIG
    os.utime(written, (time.time() + 5, time.time() + 5))
    assert ask(server, "HEAD")[0].getheader("ETag") not in same


def test_it_serves_nothing_else(seen):
    server, folder, *_ = seen
    for path in (
        "/run.json",
        "/../run.json",
        "/?x",
        "/%2e%2e/run.json",
        "/favicon.ico",
        str(folder / "run.json"),
        "/index.html",
    ):
        for method in ("GET", "HEAD"):
            assert ask(server, method, path)[0].status == 404, path
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        assert ask(server, method)[0].status == 501
    answer, _ = ask(server)
    assert answer.getheader("Content-Type") == "text/html; charset=utf-8"
    assert answer.getheader("Cache-Control") == "no-store"
    assert answer.getheader("X-Content-Type-Options") == "nosniff"


def test_it_answers_under_no_other_name(seen):
    server, *_ = seen
    port = server.server_port
    for host in (
        f"evil.example:{port}",
        "127.0.0.1",
        f"127.0.0.1:{port + 1}",
        "",
        f"localhost.evil.example:{port}",
        f"[::1]:{port}",
    ):
        answer, body = ask(server, host=host)
        assert answer.status == 421
        assert "run.json" not in body
        assert "<script" not in body
    assert ask(server, host=f"localhost:{port}")[0].status == 200


def test_it_is_bound_to_the_loopback(seen):
    server, *_ = seen
    assert server.socket.getsockname()[0] == "127.0.0.1"
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for address in others:
        if not address.startswith("127."):
            with pytest.raises(OSError), socket.create_connection((address, server.server_port), timeout=2):
                pass


def test_a_port_in_use_is_refused(seen):
    server, folder, *_ = seen
    with pytest.raises(ValueError, match=f"--port {server.server_port} cannot be served on"):
        watching.open_server((folder,), server.server_port)


def test_the_last_page_stays_where_the_folder_goes(seen, tmp_path):
    import shutil

    _, folder, result, *_ = seen
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    watched = watching.Watched((copy,))
    tag, page = watched.page()
    shutil.rmtree(copy)
    assert watched.page() == (tag, page)
    assert watched.tag() == tag
    with pytest.raises(ValueError, match="there is no run folder"):
        watching.Watched((copy,)).page()
    assert result.marks.num_updates.sum() == done_in(page.decode())


def test_half_written_parts_do_not_count(seen, tmp_path):
    import shutil

    _, folder, result, *_ = seen
    copy = tmp_path / "half"
    shutil.copytree(folder, copy)
    (copy / "lanes" / "000099.partial").mkdir()
    (copy / "lanes" / "000099.partial" / "manifest.json").write_text("[")
    (copy / ".spent.json.partial").write_text("[")
    np.testing.assert_array_equal(readings.read(copy).marks.num_updates, result.marks.num_updates)


def test_a_lane_that_ends_while_it_is_looked_for_is_not_lost(seen, tmp_path, monkeypatch):
    """Between two looks into the folder the run moves what was in the checkpoint to the lanes that have ended."""
    import shutil

    _, folder, result, *_ = seen
    copy = tmp_path / "moving"
    shutil.copytree(folder, copy)
    (part, *_) = sorted((copy / "lanes").iterdir())
    shutil.rmtree(copy / "checkpoint")
    (copy / "checkpoint").mkdir()
    part.rename(copy / "checkpoint" / "000000")
    looks, sealed_folders = [], store.sealed_folders

    def look(parent):
        found = sealed_folders(parent)
        looks.append(parent)
        if len(looks) == 1:
            (copy / "checkpoint" / "000000").rename(part)
        return found

    monkeypatch.setattr(store, "sealed_folders", look)
    (study,) = studies.read_all((copy,))
    np.testing.assert_array_equal(study.runs[0].marks.num_updates, result.marks.num_updates)
    assert len(looks) > 2


def command(*arguments, cwd):
    """The command in a process of its own that hears Ctrl-C."""
    return subprocess.Popen([sys.executable, "-m", "jax_ac.cli", "report", *arguments], cwd=cwd, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)  # fmt: skip


def test_the_command_watches_until_ctrl_c(seen):
    _, folder, *_ = seen
    process = command("--watch", "live", cwd=folder.parent)
    try:
        line = process.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+/", line)[0]
        with urllib.request.urlopen(address, timeout=60) as answer:
            assert "jax_ac report" in answer.read().decode()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()


def test_the_command_writes_a_file(seen, tmp_path):
    _, folder, *_ = seen
    process = command("live", "--out", str(tmp_path / "page.html"), cwd=folder.parent)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert "page.html" in out
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "report needs the folder of a run"),
        (["nothing"], "there is no run folder nothing"),
        (["."], "is not the folder of a run: it has no run.json"),
        (["live", "--watch", "--out", "x.html"], "--out or --watch, not both"),
        (["live", "--port", "80"], "--port is for --watch"),
        (["live", "--watch", "--port", "70000"], r"--port must be in \[0, 65535\], got 70000"),
        (["live", "--out", "no/such/x.html"], "is in no folder that exists"),
        (["live", "--wach"], "unknown option '--wach'; did you mean '--watch'"),
    ],
)
def test_what_cannot_be_reported_is_said_in_a_sentence(seen, arguments, sentence):
    _, folder, *_ = seen
    process = command(*arguments, cwd=folder.parent)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert re.search(sentence, err), err
    assert len(err.strip().splitlines()) == 1
    assert not (folder / "report.html").exists()


def test_sweeps_of_several_programs_are_one_study(seen, tmp_path):
    import shutil

    _, folder, *_ = seen
    for width in (4, 8):
        shutil.copytree(folder, tmp_path / "sweep" / f"num_envs={width}")
    shutil.copytree(folder, tmp_path / "sweep" / "apart")
    study = studies.read(tmp_path / "sweep")
    assert study.swept == ("num_envs",)
    assert [cohort.values for cohort in study.cohorts] == [{"num_envs": "4"}, {"num_envs": "8"}]
    assert study.name == "sweep"
