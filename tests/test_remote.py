"""Runs in an object store: a server on the loopback that speaks S3, killed writers, cut uploads, and what is refused."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import boto3
import jax
import numpy as np
import pytest
from moto.server import ThreadedMotoServer

from jax_ac import cli, lease, object_store, remote, run_folder, studies, watching
from jax_ac.mirror import Mirror
from jax_ac.results import Result
from jax_ac.runs import resume, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

SEEDS, UPDATES = 6, 200
OPTIONS = {"max_updates": UPDATES, "segment_updates": 5, "tile_width": 4}

TRAIN = """
import sys
sys.path.insert(0, sys.argv[2])
import conftest
import jax_ac
from jax_ac import loop
loop.CALL_SECONDS = 0.01
algorithm = jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0"))
jax_ac.run(algorithm, int(sys.argv[3]), out=sys.argv[1], max_updates=int(sys.argv[4]), segment_updates=5, tile_width=4,
           progress=False, save_seconds=0.0)
"""


@pytest.fixture(scope="module", autouse=True)
def server():
    """S3, as boto finds it by its environment; nothing is asked twice, so that one that is gone is known at once."""
    with pytest.MonkeyPatch.context() as patched:
        for name in [name for name in os.environ if name.startswith(("AWS_", "FSSPEC_"))]:
            patched.delenv(name)
        serving = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        serving.start()
        host, port = serving.get_host_and_port()
        settings = {"ACCESS_KEY_ID": "testing", "SECRET_ACCESS_KEY": "testing", "DEFAULT_REGION": "us-east-1"}
        for name, value in {**settings, "ENDPOINT_URL": f"http://{host}:{port}", "MAX_ATTEMPTS": "1"}.items():
            patched.setenv(f"AWS_{name}", value)
        client().create_bucket(Bucket="bucket")
        yield serving
        serving.stop()


def client():
    return boto3.client("s3")


def names(prefix=""):
    pages = client().get_paginator("list_objects_v2").paginate(Bucket="bucket", Prefix=prefix)
    return [said["Key"] for page in pages for said in page.get("Contents", ())]


@pytest.fixture
def url(request):
    """A folder of one's own."""
    return f"s3://bucket/{request.node.name}/demo"


@pytest.fixture(scope="module")
def expected(keras):
    return run(keras, SEEDS, progress=False, **OPTIONS)


def assert_same(result, expected):
    jax.tree.map(np.testing.assert_array_equal, result.states, expected.states)
    jax.tree.map(np.testing.assert_array_equal, result.metrics, expected.metrics)


def forget():
    """As in another process: nothing is here."""
    remote.MIRRORS.clear()


def killed(url):
    """A run that was killed when some of it had been saved. Nothing is left of its process but the store."""
    prefix = url.removeprefix("s3://bucket/")
    arguments = [url, str(Path(__file__).parent), str(SEEDS), str(UPDATES)]
    with subprocess.Popen([sys.executable, "-c", TRAIN, *arguments]) as process:
        for _ in range(3000):
            if [name for name in names(f"{prefix}/checkpoint/") if name.endswith("digests.json")]:
                break
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert f"{prefix}/lock" in names()
    assert f"{prefix}/results.nc" not in names()
    forget()


def test_a_killed_run_is_resumed_with_the_bits_of_a_local_one(url, expected):
    killed(url)
    begun = Result.load(url)
    assert 0 < begun.marks.num_updates.sum() < SEEDS * UPDATES
    resumed = resume(url, progress=False)
    assert_same(resumed, expected)
    forget()
    loaded = Result.load(url)
    assert_same(loaded, expected)
    assert loaded.spent.updates >= expected.marks.num_updates.sum() - begun.marks.num_updates.sum()
    prefix = url.removeprefix("s3://bucket/")
    kinds = {name.removeprefix(prefix).split("/")[1] for name in names(prefix)}
    assert kinds == {"run.json", "spent.json", "results.nc", "lanes"}  # no lock, no checkpoint
    assert_same(resume(url, max_updates=UPDATES, progress=False), expected)


def test_the_commands(url, expected, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prefix = url.removeprefix("s3://bucket/")
    common = ["--seeds", "3", "--max-updates", "30", "--tile-width", "4"]
    assert exit_status("train", *common, "--out", url, "--tracker", "jsonl") == 0
    shown = capsys.readouterr().out
    assert f"jax-ac report {url}" in shown
    assert "/jax_ac-" not in shown  # what stands for it here is nobody's business
    for name in ("lanes.csv", "learning_curves.png", "solved.png", "metrics.jsonl", "run.json"):
        assert f"{prefix}/{name}" in names(prefix)
    forget()
    assert exit_status("resume", url, "--max-updates", "40", "--tracker", "jsonl") == 0
    rows = client().get_object(Bucket="bucket", Key=f"{prefix}/metrics.jsonl")["Body"].read().splitlines()
    assert len(rows) == 3 * 40  # the file was continued
    forget()
    assert exit_status("report", url) == 0
    assert f"{url}/report.html" in capsys.readouterr().out
    assert f"{prefix}/report.html" in names(prefix)
    assert exit_status("render", url, "--max-steps", "5", "--out", f"{url}/film.gif") == 0
    assert f"{prefix}/film.gif" in names(prefix)
    assert not list(tmp_path.iterdir())


def exit_status(*arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    return ended.value.code


def test_a_sweep_of_several_programs(url, capsys):
    options = ["--algorithm", "a2c", "--grid", "num_envs=2,4", "--seeds", "2", "--total-steps", "320", "--tile-width", "4"]
    assert exit_status("sweep", *options, "--out", url) == 0
    prefix = url.removeprefix("s3://bucket/")
    assert {f"{prefix}/{name}" for name in ("num_envs=2/run.json", "num_envs=4/results.nc", "sweep.csv")} <= {*names(prefix)}
    forget()
    assert studies.read(remote.fetched(url)).programs == ("num_envs=2", "num_envs=4")
    assert exit_status("resume", url, "--seeds", "3") == 0
    forget()
    assert Result.load(f"{url}/num_envs=4").data.sizes["seed"] == 3
    assert exit_status("sweep", *options, "--out", url) == 2
    assert f"the folder {url} is not empty" in capsys.readouterr().err


@pytest.mark.parametrize("scheme", ["s3", "memory"])
def test_result_save(scheme, expected):
    url = f"{scheme}://bucket/saved/demo"
    saved = expected.save(url)
    assert remote.shown(saved) == url
    forget()
    assert_same(Result.load(url), expected)
    with pytest.raises(ValueError, match=f"the folder {url} is not empty"):
        expected.save(url)


@pytest.fixture
def stopped(url, keras):
    """A run that was interrupted with a checkpoint."""

    def stop(progress):
        if progress.marks.num_updates.any():
            raise KeyboardInterrupt

    assert run(keras, SEEDS, out=url, progress=stop, **OPTIONS).interrupted
    forget()
    return url


def test_a_report_follows_a_run(stopped, monkeypatch):
    monkeypatch.setattr(watching, "ASK_SECONDS", 0.0)
    remote.MIRRORS["of the one who watches"] = mirror = another(stopped)
    watched = watching.Watched((mirror.local / "demo",))
    tag, page = watched.page()
    assert watched.tag() == watched.tag() == tag
    resume(stopped, progress=False)
    assert watched.tag() != tag
    assert watched.page()[1] != page
    forget()


def another(url):
    """A mirror of the same folder, as another process has."""
    return Mirror(object_store.connect("s3", url.removeprefix("s3://").removesuffix("/demo")))


def test_what_was_sent_half_way_is_not_there_and_is_tidied_up(stopped, expected):
    prefix = stopped.removeprefix("s3://bucket/")
    whole = names(f"{prefix}/checkpoint/")
    half = {name: f"{prefix}/checkpoint/999999999/{name.split('/checkpoint/')[1].split('/', 1)[1]}" for name in whole}
    for name, copy in half.items():
        if not copy.endswith("digests.json"):
            client().copy_object(Bucket="bucket", Key=copy, CopySource={"Bucket": "bucket", "Key": name})
    before = Result.load(stopped)
    assert before.marks.num_updates.any()
    assert not {*half.values()}.isdisjoint(names(prefix))  # who reads leaves it alone
    resumed = resume(stopped, progress=False)
    assert {*half.values()}.isdisjoint(names(prefix))
    assert_same(resumed, expected)


def seen_by_another(url):
    """What another process would load now."""
    mirror = another(url)
    mirror.pull("demo")
    return Result.load(mirror.local / "demo")


def test_the_store_goes_away_meanwhile(url, keras, server, expected):
    prefix, before = url.removeprefix("s3://bucket/"), []

    def look(progress):
        if not before and any(name.endswith("digests.json") for name in names(f"{prefix}/checkpoint")):
            before.append(seen_by_another(url).marks.num_updates.sum())
            server.stop()

    try:
        with pytest.raises(OSError, match=f"the run cannot be saved to {url} \\(.* cannot be reached") as failed:
            run(keras, SEEDS, out=url, progress=look, save_seconds=0.0, **OPTIONS)
    finally:
        server._port = server._server.server_address[1]
        server.start()
    assert "\n" not in str(failed.value)
    assert "/jax_ac-" not in str(failed.value)
    assert Result.load(url).marks.num_updates.sum() == before[0] > 0
    assert_same(resume(url, progress=False), expected)  # in the same process: its own lock is left behind there


def test_a_lock_that_is_taken_over_ends_the_run(url, keras):
    prefix = url.removeprefix("s3://bucket/")

    def look(progress):
        client().put_object(Bucket="bucket", Key=f"{prefix}/lock", Body=json.dumps({"token": "another's"}))

    with pytest.raises(OSError, match=f"another process has taken over {url}"):
        run(keras, SEEDS, out=url, progress=look, save_seconds=0.0, **OPTIONS)
    assert f"{prefix}/lock" in names(prefix)
    assert f"{prefix}/results.nc" not in names(prefix)


def test_a_run_in_use(stopped, monkeypatch, capsys):
    place = object_store.connect("s3", stopped.removeprefix("s3://"))
    with lease.held(place, "lock"):
        with pytest.raises(run_folder.InUse, match=f"another process is at work in {stopped}: {os.getpid()}, on this"):
            resume(stopped, progress=False)
        assert Result.load(stopped).marks.num_updates.any()  # it may be read
        monkeypatch.setattr(lease, "_this_machine", lambda: "another")
        with pytest.raises(
            run_folder.InUse, match=r"seconds ago: if it was killed, try again in \d\d seconds, or remove s3:"
        ):
            resume(stopped, progress=False)
        assert exit_status("resume", stopped) == 2
        assert f"remove {stopped}/lock" in capsys.readouterr().err
        monkeypatch.setattr(lease, "STALE_SECONDS", 0.0)
        resume(stopped, progress=False)


@pytest.mark.parametrize("arguments", [("train", "--seeds", "2", "--max-updates", "2", "--out"), ("resume",), ("report",)])
def test_no_such_bucket(arguments, capsys):
    assert exit_status(*arguments, "s3://no-such-bucket/demo") == 2
    assert "s3://no-such-bucket/demo is not there: The specified bucket does not exist." in capsys.readouterr().err


def test_wrong_credentials(keras, url):
    def check_from_now_on(actions):
        address = f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth"
        request = urllib.request.Request(address, str(actions).encode(), {"Content-Type": "text/plain"}, method="POST")
        urllib.request.urlopen(request).close()

    check_from_now_on(0)
    try:
        with pytest.raises(ValueError, match=f"{url} is refused, check the credentials: The AWS Access Key Id"):
            run(keras, 2, out=url, **OPTIONS)
    finally:
        check_from_now_on("inf")
    assert not names(url.removeprefix("s3://bucket/"))


def test_no_credentials(keras, url, monkeypatch):
    forget()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ValueError, match=f"{url} cannot be reached: Unable to locate credentials"):
        run(keras, 2, out=url, **OPTIONS)
    forget()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("gs://bucket/runs/demo", r"gs://bucket/runs needs a package that is not installed: Please install gcsfs"),
        ("nothing://bucket/demo", "nothing://bucket cannot be reached: Protocol not known: nothing"),
        ("s3://bucket", "s3://bucket names no folder in it, such as s3://bucket/runs/demo"),
    ],
)
def test_urls_that_lead_nowhere(url, message, keras):
    for use in (Result.load, resume, lambda url: run(keras, 2, out=url, **OPTIONS), lambda url: resume(Path(url))):
        with pytest.raises(ValueError, match=message):
            use(url)


@pytest.mark.parametrize("package", ["s3fs", "fsspec"])
def test_a_missing_package(package, monkeypatch, capsys):
    forget()
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    assert exit_status("train", "--out", "s3://bucket/demo") == 2
    assert "needs a package that is not installed: pip install 'jax_ac[remote]'" in capsys.readouterr().err


def test_a_local_file_url_is_a_path(tmp_path, keras):
    run(keras, 2, out=f"file://{tmp_path}/run", progress=False, max_updates=5, segment_updates=5, tile_width=4)
    assert Result.load(tmp_path / "run").marks.num_updates.tolist() == [5, 5]
