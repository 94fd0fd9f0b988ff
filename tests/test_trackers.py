"""Trackers: what a segment becomes, and what can be read back from each sink, number by number."""

import csv
import json
import math
import socket
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from jax_ac import tracker_files, tracker_services
from jax_ac.tracked_runs import Service, TrackedRuns
from jax_ac.trackers import Curve, Segment, aggregated, per_lane, per_setting
from jax_ac.types import Metrics

COLUMNS = ["setting", "seed", "update", "total_env_steps", *Metrics._fields]
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning")  # MLflow's

INTEGERS = {"setting", "seed", "update", "total_env_steps", "num_episodes"}
GARBAGE = 12345
HOSTILE = '../a "b"\n: é,='


@pytest.fixture(scope="module", autouse=True)
def _private(tmp_path_factory):
    """The packages keep what they keep beside the tests, tell nobody, and reach nothing but this machine."""
    home = tmp_path_factory.mktemp("home")
    local_only = pytest.MonkeyPatch()
    for name, value in {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
        "WANDB_CACHE_DIR": str(home),
        "WANDB_CONFIG_DIR": str(home),
        "WANDB_DATA_DIR": str(home),
    }.items():
        local_only.setenv(name, value)
    local_only.chdir(home)  # MLflow makes a folder wherever it is
    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def look_up_here(host, *args, **kwargs):
        assert host in (None, "localhost", "127.0.0.1", "::1"), f"looked up {host}"
        return look_up(host, *args, **kwargs)

    def connect_here(self, address):
        assert self.family == socket.AF_UNIX or address[0] in ("localhost", "127.0.0.1", "::1"), f"connected to {address}"
        return connect(self, address)

    local_only.setattr(socket, "getaddrinfo", look_up_here)
    local_only.setattr(socket.socket, "connect", connect_here)
    yield
    local_only.undo()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One database for all tests of MLflow: making it takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('a store')}/ml flow.db"


def make_segment(first_update, num_updates, *, env_steps=0, width=4, seed=None, setting=None, draw=0):
    """Random float32 metrics of n lanes with some NaNs; garbage where no update was done."""
    random = np.random.default_rng(draw)
    n = len(first_update)
    leaves = {name: random.normal(size=(n, width)).astype(np.float32) for name in Metrics._fields}
    leaves["env_steps"] = random.integers(1, 9, (n, width)).astype(np.float32)
    leaves["num_episodes"] = random.integers(0, 3, (n, width)).astype(np.int32)
    for name in ("episode_return", "episode_length"):
        leaves[name][leaves["num_episodes"] == 0] = np.nan
    leaves["approx_kl"][:] = np.nan
    for leaf in leaves.values():
        leaf[np.arange(width) >= np.asarray(num_updates)[:, None]] = GARBAGE
    return Segment(
        setting=np.zeros(n, int) if setting is None else np.asarray(setting),
        seed=np.arange(n, dtype=np.uint32) if seed is None else np.asarray(seed, np.uint32),
        hyperparams={"gamma": np.linspace(0.1, 0.9, n, dtype=np.float32)},
        first_update=np.asarray(first_update),
        num_updates=np.asarray(num_updates),
        env_steps=np.broadcast_to(np.asarray(env_steps, np.int32), n),
        metrics=Metrics(**leaves),
    )


def rows_of(segment):
    """The rows that a segment holds, one dict per lane and update, by a plain loop."""
    rows = []
    for lane in range(len(segment.seed)):
        steps = int(segment.env_steps[lane])
        for column in range(segment.num_updates[lane]):
            metrics = {name: leaf[lane, column] for name, leaf in segment.metrics._asdict().items()}
            steps += int(metrics["env_steps"])
            update = int(segment.first_update[lane]) + column
            rows.append(
                {"setting": segment.setting[lane], "seed": segment.seed[lane], "update": update, "total_env_steps": steps}
                | metrics
            )
    return rows


def quartile_rows(rows):
    """By update, by name: quartiles of sorted numbers, interpolated by hand."""
    result = {}
    for update in sorted({row["update"] for row in rows}):
        group = [row for row in rows if row["update"] == update]
        numbers = {"lanes": len(group)}
        for name in COLUMNS[3:]:
            values = sorted(float(row[name]) for row in group if not np.isnan(row[name]))
            for label, share in (("lower_quartile", 0.25), ("median", 0.5), ("upper_quartile", 0.75)):
                if values:
                    place = share * (len(values) - 1)
                    low, high = values[math.floor(place)], values[math.ceil(place)]
                    numbers[f"{name}/{label}"] = low + (place % 1) * (high - low)
        result[update] = numbers
    return result


def present(row):
    """A row's numbers as a service is told of them: none that is NaN, without the lane's name."""
    return {name: float(row[name]) for name in COLUMNS[3:] if not np.isnan(row[name])}


TWO = (
    make_segment([0, 0, 0], [4, 2, 0], seed=[7, 2**32 - 1, 9], setting=[0, 3, 3], draw=1),
    make_segment([4, 0], [4, 3], env_steps=[100, 0], seed=[7, 9], setting=[0, 3], draw=2),
)
"""Two segments in a row: a lane goes on, another has stopped, a third begins late in the place of the second."""
TWO_ROWS = rows_of(TWO[0]) + rows_of(TWO[1])


def feed(tracker, segments=TWO, config=None):
    tracker.begin(config or {})
    for segment in segments:
        tracker.log(segment)
    tracker.end()


def by_curve(rows):
    """By the name of the lane's tracked run, by update: the numbers."""
    curves = {}
    for row in rows:
        curves.setdefault(f"setting-{row['setting']}-seed-{row['seed']}", {})[row["update"]] = present(row)
    return curves


def numbers_at(curve, index):
    return {name: float(values[index]) for name, values in curve.numbers.items() if not np.isnan(values[index])}


# What a segment becomes.


def test_per_lane_is_a_loop_over_lanes_and_updates():
    expected = by_curve(rows_of(TWO[0]))
    curves = list(per_lane(TWO[0]))
    assert [curve.run for curve in curves] == list(expected) == ["setting-0-seed-7", "setting-3-seed-4294967295"]
    for curve in curves:
        assert curve.update.tolist() == list(expected[curve.run])
        for index, numbers in enumerate(expected[curve.run].values()):
            assert numbers_at(curve, index) == numbers
    gamma = float(np.float32(0.5))
    assert curves[1].config == {"setting": 3, "seed": 2**32 - 1, "hyperparams": {"gamma": gamma}}
    json.dumps(curves[1].config)


def test_aggregated_by_hand():
    """Lanes at updates 0-1, 0-1, 1 and 1-2; their entropy is 1, 2 | 3, NaN | 10 | 5, 6."""
    segment = make_segment([0, 0, 1, 1], [2, 2, 1, 2], width=2)
    entropy = np.float32([[1, 2], [3, np.nan], [10, GARBAGE], [5, 6]])
    (curve,) = aggregated(segment._replace(metrics=segment.metrics._replace(entropy=entropy)))
    assert curve.run == ""
    assert curve.update.tolist() == [0, 1, 2]
    assert curve.numbers["lanes"].tolist() == [2, 4, 1]
    assert curve.numbers["entropy/lower_quartile"].tolist() == [1.5, 3.5, 6]  # of 1, 3 | of 2, 5, 10 | of 6
    assert curve.numbers["entropy/median"].tolist() == [2, 5, 6]
    assert curve.numbers["entropy/upper_quartile"].tolist() == [2.5, 7.5, 6]


@pytest.mark.parametrize("draw", range(5))
def test_aggregated_is_a_loop_over_updates(draw):
    random = np.random.default_rng(draw)
    first_update, num_updates, env_steps = random.integers([[0], [0], [0]], [[6], [5], [50]], (3, 9))
    segment = make_segment(first_update, num_updates, env_steps=env_steps, draw=draw)
    (curve,) = aggregated(segment)
    expected = quartile_rows(rows_of(segment))
    assert curve.update.tolist() == list(expected)
    for index, numbers in enumerate(expected.values()):
        assert numbers_at(curve, index) == pytest.approx(numbers, rel=1e-12)


def test_per_setting_keeps_settings_apart():
    segment = make_segment([0, 0, 0, 5], [3, 4, 2, 1], setting=[4, 2, 4, 2])
    curves = {curve.run: curve for curve in per_setting(segment)}
    assert list(curves) == ["setting-2", "setting-4"]
    assert curves["setting-4"].config == {"setting": 4, "hyperparams": {"gamma": float(np.float32(0.1))}}
    for setting in (2, 4):
        expected = quartile_rows([row for row in rows_of(segment) if row["setting"] == setting])
        curve = curves[f"setting-{setting}"]
        assert curve.update.tolist() == list(expected)
        assert curve.numbers["entropy/median"] == pytest.approx([row["entropy/median"] for row in expected.values()])


@pytest.mark.parametrize("rows", [per_lane, aggregated, per_setting])
@pytest.mark.parametrize("segment", [make_segment([3, 0], [0, 0]), make_segment([], []), make_segment([3], [0], width=0)])
def test_a_segment_without_updates_has_no_rows(rows, segment):
    assert list(rows(segment)) == []


# Files.


def refuse_constants(name):
    raise AssertionError(f"{name} is not JSON")


def read_jsonl(path):
    return [json.loads(line, parse_constant=refuse_constants) for line in path.read_text().splitlines()]


def read_csv(path):
    with path.open(newline="") as file:
        table = list(csv.DictReader(file))
    cast = {name: int if name in INTEGERS else float for name in COLUMNS}
    return [{name: None if text == "" else cast[name](text) for name, text in row.items()} for row in table]


FILES = {"jsonl": (tracker_files.jsonl, read_jsonl), "csv": (tracker_files.csv, read_csv)}


@pytest.fixture(params=FILES)
def kind(request):
    return FILES[request.param]


def assert_rows(read, expected):
    assert len(read) == len(expected)
    for row, numbers in zip(read, expected, strict=True):
        assert list(row) == COLUMNS
        for name, number in numbers.items():
            if np.isnan(number):
                assert row[name] is None, name
            else:
                assert type(row[name]) is (int if name in INTEGERS else float)
                assert row[name] == number, name  # a float is read as the very double that the float32 is


def test_files_hold_every_update_exactly(kind, tmp_path):
    make, read = kind
    path = tmp_path / "a folder" / "new, really" / "met rics.v1"
    config = {HOSTILE: [1.5, None], "hyperparams": {"γ": 0.1}}
    feed(make(str(path)), config=config)
    assert len(TWO_ROWS) == 13
    assert_rows(read(path), TWO_ROWS)
    assert json.loads(path.with_name("met rics.v1.config.json").read_text()) == config
    assert len(list(path.parent.iterdir())) == 2


def test_each_segment_is_on_disk_when_log_returns(kind, tmp_path):
    make, read = kind
    tracker = make(tmp_path / "rows")
    tracker.begin({})
    assert_rows(read(tmp_path / "rows"), [])
    tracker.log(TWO[0])
    assert_rows(read(tmp_path / "rows"), rows_of(TWO[0]))


def test_infinities_survive(kind, tmp_path):
    make, read = kind
    segment = make_segment([0], [2], width=2)
    segment.metrics.policy_loss[:] = [[np.inf, -np.inf]]
    feed(make(tmp_path / "rows"), [segment])
    assert [row["policy_loss"] for row in read(tmp_path / "rows")] == [math.inf, -math.inf]


def test_a_file_cut_anywhere_goes_on_with_whole_lines(kind, tmp_path):
    make, read = kind
    path = tmp_path / "rows"
    feed(make(path), [TWO[0]])
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    first, last = range(len(lines[0]) + 2), range(len(whole) - len(lines[-1]) - 1, len(whole) + 1)
    for size in {*first[::9], *first[-4:], *last[::9], *last[:4], *last[-3:]}:
        path.write_bytes(whole[:size])
        feed(make(path), [TWO[1]])
        kept = whole[:size].count(b"\n") - (make is tracker_files.csv)
        assert_rows(read(path), rows_of(TWO[0])[: max(kept, 0)] + rows_of(TWO[1]))


def test_a_long_half_written_line_is_found(kind, tmp_path, monkeypatch):
    make, read = kind
    monkeypatch.setattr(tracker_files, "BLOCK", 7)
    path = tmp_path / "rows"
    feed(make(path))
    with path.open("ab") as file:
        file.write(b"9" * 1000)
    feed(make(path), [])
    assert_rows(read(path), TWO_ROWS)


@pytest.mark.parametrize(
    "content",
    ["a,b\n1,2\n", "setting,seed\n", '{"setting": 1}\n', "[1]\n{", "\n", "no line at all", '{"set": ', "\0\xff\n", "{]\n"],
)
def test_a_file_of_something_else_is_left_alone(kind, tmp_path, content):
    make, _ = kind
    path = tmp_path / "rows"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(ValueError, match=r"rows .*, where a tracker would write setting, seed, .*; name another file\.$"):
        make(path).begin({})
    assert path.read_text(encoding="latin-1") == content
    assert [file.name for file in tmp_path.iterdir()] == ["rows"]


def test_the_other_columns_are_named(tmp_path):
    (tmp_path / "t.csv").write_text("seed,reward\n1,2\n")
    with pytest.raises(ValueError, match=r"t\.csv has the columns seed, reward, where a tracker would write setting, seed,"):
        tracker_files.csv(tmp_path / "t.csv").begin({})


def test_a_file_that_cannot_be_written(kind, tmp_path):
    make, _ = kind
    with pytest.raises(ValueError, match=r"cannot write to the file .*: Is a directory\.$"):
        make(tmp_path).begin({})
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"cannot write to the file .*: (Not a directory|File exists)\.$"):
        make(tmp_path / "file" / "below").begin({})


# TensorBoard.


def crc32c(data):
    """CRC-32C (Castagnoli), bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 * (crc & 1))
    return crc ^ 0xFFFFFFFF


def read_records(path):
    """The records of a TFRecord file, their checksums compared."""
    content = path.read_bytes()

    def checked(start, size):
        data = content[start : start + size]
        crc = crc32c(data)
        assert struct.unpack_from("<I", content, start + size)[0] == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32
        return data

    position, records = 0, []
    while position < len(content):
        (size,) = struct.unpack("<Q", checked(position, 8))
        records.append(checked(position + 12, size))
        position += 12 + size + 4
    return records


def read_events(folder):
    """(config, [(update, numbers)]) of the one event file in a folder."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = folder.glob("*tfevents*")
    events = [Event.FromString(record) for record in read_records(path)]
    assert events[0].file_version == "brain.Event:2"
    (described,) = events[1].summary.value
    config = described.tensor.string_val[0].decode()
    return config, [(event.step, {value.tag: value.simple_value for value in event.summary.value}) for event in events[2:]]


def float32(numbers):
    return {name: float(np.float32(number)) for name, number in numbers.items()}


def test_the_checksum_is_castagnolis():
    assert crc32c(b"123456789") == 0xE3069283


def test_tensorboard_holds_every_lane(tmp_path):
    folder = tmp_path / "a folder" / "b"
    feed(tracker_services.tensorboard(folder, rows=per_lane), config={HOSTILE: 1, "seed": "of the run"})
    expected = by_curve(TWO_ROWS)
    assert sorted(path.name for path in folder.iterdir()) == sorted(expected)
    for name, updates in expected.items():
        config, told = read_events(folder / name)
        assert dict(told) == updates
        assert [update for update, _ in told] == sorted(updates)
        described = json.loads(config.removeprefix("```json\n").removesuffix("\n```"))
        assert described[HOSTILE] == 1
        assert f"setting-{described['setting']}-seed-{described['seed']}" == name


def test_tensorboard_holds_quartiles(tmp_path):
    feed(tracker_services.tensorboard(tmp_path))
    _, told = read_events(tmp_path)
    expected = [row for segment in TWO for row in quartile_rows(rows_of(segment)).items()]
    assert [update for update, _ in told] == [0, 1, 2, 3, 0, 1, 2, 4, 5, 6, 7]
    for (update, numbers), (expected_update, expected_numbers) in zip(told, expected, strict=True):
        assert update == expected_update
        assert numbers == pytest.approx(float32(expected_numbers), rel=2e-7)


def test_tensorboard_goes_on_in_a_new_file(tmp_path):
    for segment in TWO:
        feed(tracker_services.tensorboard(tmp_path, rows=per_lane), [segment])
    assert len(list((tmp_path / "setting-0-seed-7").iterdir())) == 2


# Weights & Biases.


def read_wandb(path):
    """The records of a ``.wandb`` file: LevelDB's log format, blocks of 32 KiB, chunks with CRC, length and type."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, records, parts, position = path.read_bytes(), [], b"", 7
    assert content[:4] == b":W&B"
    while position < len(content):
        left = 32768 - position % 32768
        if left < 7:
            position += left
            continue
        crc, size, kind = struct.unpack_from("<IHB", content, position)
        data = content[position + 7 : position + 7 + size]
        assert crc == zlib.crc32(data, zlib.crc32(bytes([kind])))
        parts += data
        position += 7 + size
        if kind in (1, 4):  # whole, or the last part
            records.append(Record.FromString(parts))
            parts = b""
    return records


def read_offline(folder):
    """By the name of the run: (group, config, [(update, numbers)])."""
    import wandb

    wandb.teardown()  # its process writes the last records after `finish` has returned
    runs = {}
    for path in folder.glob("wandb/offline-run-*/run-*.wandb"):
        records = read_wandb(path)
        (run,) = [record.run for record in records if record.WhichOneof("record_type") == "run"]
        config = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in run.config.update}
        rows = []
        for record in records:
            if record.WhichOneof("record_type") == "history":
                items = {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
                rows.append((items.pop("update"), {k: v for k, v in items.items() if not k.startswith("_")}))
        assert any(record.WhichOneof("record_type") == "exit" for record in records)
        runs[run.display_name] = (run.run_group, config, rows)
    return runs


def test_wandb_holds_every_lane(tmp_path):
    folder = tmp_path / "a folder"
    tracker = tracker_services.wandb("a project", mode="offline", folder=folder, rows=per_lane)
    feed(tracker, config={HOSTILE: [1], "seed": "of the run"})
    runs = read_offline(folder)
    expected = by_curve(TWO_ROWS)
    assert set(runs) == set(expected)
    assert len({group for group, _, _ in runs.values()}) == 1
    for name, (_, config, rows) in runs.items():
        assert dict(rows) == expected[name]
        assert len(rows) == len(expected[name])
        assert config[HOSTILE] == [1]
        assert f"setting-{config['setting']}-seed-{config['seed']}" == name
        assert list(config["hyperparams"]) == ["gamma"]


def test_wandb_holds_quartiles_beside_a_run_of_the_callers(tmp_path):
    import wandb

    own = wandb.init(project="own", mode="offline", dir=tmp_path, name="own")
    feed(tracker_services.wandb("a project", mode="offline", folder=tmp_path))
    own.log({"update": 5})
    assert wandb.run is own
    own.finish()
    runs = read_offline(tmp_path)
    assert runs.pop("own")[2] == [(5, {})]
    ((_, _, rows),) = runs.values()
    expected = [row for segment in TWO for row in quartile_rows(rows_of(segment)).items()]
    assert [update for update, _ in rows] == [update for update, _ in expected]
    for (_, numbers), (_, expected_numbers) in zip(rows, expected, strict=True):
        assert numbers == pytest.approx(expected_numbers, rel=1e-12)


def test_an_unknown_mode_of_wandb():
    with pytest.raises(ValueError, match=r"unknown mode of wandb 'ofline'; did you mean 'offline'\? Valid: online"):
        tracker_services.wandb("p", mode="ofline")


# MLflow.


def read_mlflow(uri, experiment):
    """By the name of the run: (run, [(update, name, number)])."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiment_id = client.get_experiment_by_name(experiment).experiment_id
    runs = {}
    for run in client.search_runs([experiment_id]):
        points = [
            (metric.step, name, metric.value)
            for name in run.data.metrics
            for metric in client.get_metric_history(run.info.run_id, name)
        ]
        runs[run.info.run_name] = (run, points)
    return runs


def points_of(updates):
    return sorted((update, name, number) for update, numbers in updates for name, number in numbers.items())


def test_mlflow_holds_every_lane(store):
    config = {HOSTILE: 1, "a\\b": "x", "a;b": "y", "": {"..": {}, "z": 2}, "seeds": list(range(5000)), "seed": "of the run"}
    config |= {f"many {i}": i for i in range(150)}
    feed(tracker_services.mlflow(store, experiment="a: b/c", rows=per_lane), config=config)
    runs = read_mlflow(store, "a: b/c")
    expected = by_curve(TWO_ROWS)
    assert set(runs) == set(expected)
    assert len({run.data.tags["group"] for run, _ in runs.values()}) == 1
    for name, (run, points) in runs.items():
        assert sorted(points) == points_of(expected[name].items())
        assert run.info.status == "FINISHED"
        params = run.data.params
        assert f"setting-{params['setting']}-seed-{params['seed']}" == name
        assert "hyperparams.gamma" in params
        assert [params[key] for key in ("___a _b___ é__", "a_b", "a_b_", "_.z", "many 149")] == ["1", "x", "y", "2", "149"]


def test_mlflow_holds_quartiles(store):
    for _ in range(2):  # the experiment is made once
        feed(tracker_services.mlflow(store, experiment="quartiles"))
    runs = read_mlflow(store, "quartiles")
    assert len(runs) == 2
    expected = points_of(row for segment in TWO for row in quartile_rows(rows_of(segment)).items())
    for _, points in runs.values():
        assert [point[:2] for point in sorted(points)] == [point[:2] for point in expected]
        assert [point[2] for point in sorted(points)] == pytest.approx([point[2] for point in expected], rel=1e-12)


def test_mlflow_takes_more_numbers_than_fit_in_a_call(store):
    segment = make_segment([0], [200], width=200)
    feed(tracker_services.mlflow(store, experiment="long", rows=per_lane), [segment])
    ((_, points),) = read_mlflow(store, "long").values()
    assert sorted(points) == points_of((row["update"], present(row)) for row in rows_of(segment))
    assert len(points) > 2000


# What the services have in common.


class Recorded:
    """A service that keeps what it is told."""

    def __init__(self):
        self.told = []

    def service(self, close=lambda run: None):
        def note(*what):
            self.told.append(what)
            if what[0] == "close":
                close(what[1])

        def open_run(name, config):
            note("open", name, config)
            return name

        return Service(open_run, lambda run, curve: note("write", run), lambda run: note("close", run))


def one_curve_per_seed(segment):
    return [Curve(str(seed), {"seed": seed}, np.arange(1), {}) for seed in segment.seed.tolist()]


def test_runs_are_opened_once_and_closed_at_the_end():
    recorded = Recorded()
    feed(TrackedRuns(one_curve_per_seed, recorded.service()), config={"seed": "of the run", "env": "x"})
    assert recorded.told[:2] == [("open", "7", {"seed": 7, "env": "x"}), ("write", "7")]
    assert [what[1] for what in recorded.told if what[0] == "open"] == ["7", "4294967295", "9"]
    assert [what[1] for what in recorded.told if what[0] == "write"] == ["7", "4294967295", "9", "7", "9"]
    assert sorted(recorded.told[-3:]) == [("close", "4294967295"), ("close", "7"), ("close", "9")]
    assert len(recorded.told) == 11


def test_all_runs_are_closed_where_one_cannot_be():
    def close(run):
        if run == "4294967295":
            raise OSError("no disk")

    recorded = Recorded()
    tracker = TrackedRuns(one_curve_per_seed, recorded.service(close))
    tracker.begin({})
    tracker.log(TWO[0])
    with pytest.raises(OSError, match="no disk"):
        tracker.end()
    assert sum(what[0] == "close" for what in recorded.told) == 3


def test_the_end_of_a_tracker_that_was_told_nothing(tmp_path, kind):
    for tracker in (tracker_services.tensorboard(tmp_path / "b"), tracker_services.wandb("p", mode="offline"), kind[0]("c")):
        tracker.end()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("make", "package"),
    [
        (lambda: tracker_services.tensorboard("x"), "tensorboardX"),
        (lambda: tracker_services.wandb("x"), "wandb"),
        (lambda: tracker_services.mlflow("sqlite:///x"), "mlflow"),
        (lambda: tracker_services.mlflow("sqlite:///x"), "sqlalchemy"),
        (lambda: tracker_services.mlflow("sqlite:///x"), "alembic"),
    ],
)
def test_a_missing_package_is_named(make, package, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for module in [name for name in sys.modules if name.split(".")[0] == package] + [package]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"^the tracker \w+ needs {package}: pip install 'jax_ac\[trackers\]'\.$"):
        make()
    assert not list(Path().iterdir())
