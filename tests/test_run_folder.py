"""Run folders: what is there is what was trained, also after an interruption; what is damaged is refused in one sentence."""

import json
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest
import xarray as xr
from by_hand import small

import jax_ac
from jax_ac import run_folder, spending, store
from jax_ac.results import Result
from jax_ac.runs import resume, run

pytestmark = pytest.mark.slow

WIDTH, SEEDS, UPDATES = 4, 10, 24
QUICK = {"progress": False, "save_seconds": 0.0}


@pytest.fixture(scope="module")
def keras():
    return jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0"))


@pytest.fixture(scope="module")
def expected(keras):
    return jax.device_get(jax_ac.train_many(keras, SEEDS, UPDATES, tile_width=WIDTH, devices=jax.local_devices()[:1]))


def stop_after(segments):
    seen = []

    def look(progress):
        seen.append(progress)
        if len(seen) == segments:
            raise KeyboardInterrupt

    return look


@pytest.fixture(scope="module")
def stopped(keras, tmp_path_factory):
    """A run that was interrupted when some lanes had ended, some had begun, and some had not."""
    folder = tmp_path_factory.mktemp("runs") / "stopped"
    options = {"max_updates": UPDATES, "segment_updates": 5, "tile_width": WIDTH, "save_seconds": 0.0}

    def look(progress):  # how many updates a call does depends on the machine's speed
        updates = progress.marks.num_updates
        if (updates == UPDATES).any() and ((updates > 0) & (updates < UPDATES // 2)).any():
            raise KeyboardInterrupt

    result = run(keras, SEEDS, out=folder, progress=look, **options)
    assert result.interrupted
    updates = result.marks.num_updates
    assert (updates == UPDATES).any()
    assert ((updates > 0) & (updates < UPDATES)).any()
    return folder


@pytest.fixture
def folder(stopped, tmp_path):
    """A copy of it, to be worked on."""
    return shutil.copytree(stopped, tmp_path / "run")


def assert_is(result, expected):
    states, metrics = expected
    jax.tree.map(np.testing.assert_array_equal, result.states, states)
    jax.tree.map(np.testing.assert_array_equal, result.metrics, metrics)


@pytest.mark.parametrize("num_devices", [1, 2])
def test_a_resumed_run_is_one_that_was_never_interrupted(folder, expected, num_devices):
    result = resume(folder, devices=jax.local_devices()[:num_devices], **QUICK)
    assert_is(result, expected)
    assert 0 < result.spent.updates < SEEDS * UPDATES  # what was there was not trained again
    assert_is(Result.load(folder), expected)
    again = resume(folder, **QUICK)
    assert again.spent.updates == 0
    assert_is(again, expected)


def test_the_folder_holds_one_checkpoint_and_nothing_half_written(folder, keras):
    assert len(list((folder / "checkpoint").iterdir())) == 1
    assert not list(folder.rglob("*.partial"))
    resume(folder, keras, **QUICK)
    assert not list((folder / "checkpoint").iterdir())
    assert {path.name for path in folder.iterdir()} == {
        "run.json",
        "lanes",
        "checkpoint",
        "results.nc",
        "lock",
        "spent.json",
    }


def test_a_run_is_extended(folder, keras):
    whole = run(keras, SEEDS + 2, max_updates=UPDATES + 6, segment_updates=5, tile_width=WIDTH, progress=False)
    longer = (whole.states, whole.metrics)
    assert_is(resume(folder, seeds=SEEDS + 2, max_updates=UPDATES + 6, **QUICK), longer)
    assert_is(Result.load(folder), longer)
    for arguments, message in (
        ({"max_updates": UPDATES}, "max_updates can only grow"),
        ({"seeds": 3}, "seeds can only be added: .* has seed 3"),
        ({"total_steps": 512}, "whole episodes"),
    ):
        with pytest.raises(ValueError, match=message):
            resume(folder, **arguments, **QUICK)
    assert_is(Result.load(folder), longer)


def test_a_run_whose_limit_was_within_a_segment_is_extended(cartpole, tmp_path):
    """Lanes that were solved, where the algorithm goes on, end where they would have ended."""
    algorithm = jax_ac.keras_actor_critic(cartpole._replace(solved_at=11.0), stop_when_solved=False)
    options = {"segment_updates": 5, "tile_width": WIDTH, "progress": False}
    whole = run(algorithm, 8, max_updates=30, **options)
    short = run(algorithm, 8, max_updates=13, out=tmp_path / "run", **options)
    solved = short.marks.solved_update >= 10
    assert solved.any()  # in the segment that the limit cut
    extended = resume(tmp_path / "run", algorithm, max_updates=30, **QUICK)
    assert_is(extended, (whole.states, whole.metrics))


def test_a_sweep_is_resumed(tmp_path):
    env = jax_ac.make_env("CartPole-v1", gravity=9.0)
    algorithm = jax_ac.a2c(env, 2, 4, network=small(env))
    hyper = jax_ac.grid(algorithm.hyperparams, learning_rate=[1e-3, 4e-3], env_length=[0.4, 0.6, 0.8])
    options = {"max_updates": 20, "segment_updates": 4, "tile_width": WIDTH, "until_solved": False, "hyperparams": hyper}
    expected = run(algorithm, 3, **options, progress=False)
    stopped = run(algorithm, 3, out=tmp_path / "sweep", progress=stop_after(5), save_seconds=0.0, **options)
    assert stopped.marks.num_updates.sum() < expected.marks.num_updates.sum() == 18 * 20
    result = resume(tmp_path / "sweep", **QUICK)
    assert_is(result, (expected.states, expected.metrics))
    data = Result.load(tmp_path / "sweep").data
    assert dict(data.sizes) == {"setting": 6, "seed": 3, "update": 20}
    np.testing.assert_array_equal(data.env_length, np.float32([0.4, 0.6, 0.8] * 2))
    np.testing.assert_array_equal(data.running_return.values.reshape(18, 20), expected.metrics.running_return)


def test_the_dataset_of_a_stopped_run_is_masked(stopped):
    """Unfinished parts are NaN, counts included, on disk as in memory."""
    result = Result.load(stopped)
    with xr.open_dataset(stopped / "results.nc") as written:
        xr.testing.assert_identical(written.load().drop_attrs(), result.data.drop_attrs())
        done = np.arange(UPDATES) < written.num_updates.values[:, None]
        for name in ("num_episodes", "env_steps", "grad_norm"):
            np.testing.assert_array_equal(np.isnan(written[name]), ~done)
        assert (written.num_episodes.values[done] == 1).all()  # one episode per update
        assert written.episode_return.attrs == {"long_name": written.episode_return.attrs["long_name"], "units": "reward"}
        assert all(written[name].attrs.keys() == {"long_name", "units"} for name in written.variables)


def test_run_json_is_enough_to_repeat_it(stopped):
    said = json.loads((stopped / "run.json").read_text())
    assert said["schema"] == 1
    assert said["seeds"] == list(range(SEEDS))
    assert said["hyperparams"]["learning_rate"] == float(np.float32(0.01))
    assert {"jax", "jaxlib", "gymnax", "jax_ac"} <= said["made"]["packages"].keys()
    assert said["made"]["device"] == "2 x cpu: cpu"
    recipe = json.loads(said["recipe"])
    assert recipe["call"] == "jax_ac.presets:keras_actor_critic"
    assert recipe["arguments"]["env"]["arguments"] == {"env": "CartPole-v0"}


def test_parts_of_ones_own_must_be_passed(tmp_path, cartpole):
    algorithm = jax_ac.keras_actor_critic(cartpole, network=OfOnesOwn())
    run(algorithm, 2, max_updates=3, out=tmp_path / "run", progress=False)
    with pytest.raises(ValueError, match="parts of your own, which cannot be made from disk: pass algorithm="):
        resume(tmp_path / "run", **QUICK)
    assert resume(tmp_path / "run", algorithm, max_updates=5, **QUICK).spent.updates == 4
    with pytest.raises(ValueError, match="is of another algorithm"):
        resume(tmp_path / "run", jax_ac.keras_actor_critic(cartpole), **QUICK)
    with pytest.raises(ValueError, match="lanes of another algorithm"):
        Result.load(tmp_path / "run", jax_ac.a2c(cartpole, 2, 2))


class OfOnesOwn:
    """A network that no recipe can name."""

    def init(self, key, obs):
        return {"kernel": jax.random.normal(key, (4, 3)) / 2}

    def apply(self, params, obs):
        from jax_ac.distributions import Categorical

        outputs = obs @ params["kernel"]
        return Categorical(outputs[..., :2]), outputs[..., 2]


def test_other_numbers_in_the_program_are_another_algorithm(folder, keras):
    """What no hyperparameter says is in the fingerprint: the threshold, a constant of a loss."""
    for other in (
        jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0"), stop_gradient=True),
        jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0")._replace(solved_at=190.0)),
    ):
        with pytest.raises(ValueError, match="is of another algorithm: its program is not"):
            resume(folder, other, **QUICK)


def test_an_existing_folder_is_not_overwritten(stopped, keras, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in stopped.rglob("*")}
    with pytest.raises(ValueError, match="is not empty"):
        run(keras, 2, max_updates=3, out=stopped, progress=False)
    assert {path: path.stat().st_mtime_ns for path in stopped.rglob("*")} == before
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="cannot write to the folder"):
        run(keras, 2, max_updates=3, out=tmp_path / "file" / "below", progress=False)


def test_a_folder_in_use(folder, keras):
    hold = "import sys, time; from jax_ac.run_folder import locked; from pathlib import Path\n"
    hold += "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", hold, str(folder)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match="another process is at work in"):
            resume(folder, **QUICK)
        holder.kill()
        holder.wait()
    resume(folder, keras, **QUICK)  # the lock of a process that was killed does not hold


DAMAGE = {
    "flipped": lambda content, at: content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :],
    "cut off": lambda content, at: content[:at],
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("part", ["lanes", "checkpoint"])
def test_damage_anywhere_is_refused(folder, keras, part, damage):
    """Every file, at its first and last byte and between: never loaded, and the file is named."""
    count = 0
    for path in sorted((folder / part).rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        for at in sorted({0, len(content) // 3, len(content) - 1}) if content else ():
            path.write_bytes(DAMAGE[damage](content, at))
            with pytest.raises(store.Damaged, match="is damaged"):
                Result.load(folder, keras)  # which need not be made and traced again
            count += 1
        if content:
            path.write_bytes(content)
    assert count > 20
    Result.load(folder)


def test_files_too_many_or_too_few(folder):
    sealed = next((folder / "lanes").iterdir())
    (sealed / "more").touch()
    with pytest.raises(store.Damaged, match="more changed since it was written"):
        resume(folder, **QUICK)
    (sealed / "more").unlink()
    (sealed / "manifest.json").unlink()
    with pytest.raises(store.Damaged, match=r"manifest.json changed since it was written"):
        resume(folder, **QUICK)


def test_without_a_damaged_part_its_lanes_are_trained_again(folder, keras, expected):
    shutil.rmtree(folder / "checkpoint")
    shutil.rmtree(next((folder / "lanes").iterdir()))
    assert_is(resume(folder, keras, **QUICK), expected)


MALFORMED = [
    ("", "cannot be read"),
    ("{", "cannot be read"),
    ("[]", "names no schema"),
    ("3", "names no schema"),
    ("null", "names no schema"),
    ('"text"', "names no schema"),
    ("{}", "names no schema"),
    ('{"schema": 1}', "missing or unknown"),
    ({"schema": 2}, "another schema than 1"),
    ({"schema": "1"}, "another schema than 1"),
    ({"schema": None}, "another schema than 1"),
    ({"more": 1}, "more missing or unknown"),
    ({"seeds": 3}, "seeds is 3"),
    ({"seeds": None}, "seeds is None"),
    ({"seeds": []}, "seeds must hold at least one seed"),
    ({"seeds": [1, 1]}, "more than once"),
    ({"seeds": [-1]}, r"in \[0, 2\^32\), got -1"),
    ({"seeds": [0.5]}, "every seed must be an integer"),
    ({"seeds": ["0"]}, "every seed must be an integer"),
    ({"hyperparams": []}, r"hyperparams is \[\]"),
    ({"hyperparams": {}}, "lanes of another algorithm: its hyperparameters have other names"),
    ({"hyperparams": {"learning_rate": 1}}, "hyperparameters have other names"),
    ({"max_updates": 0}, "max_updates must be at least 1, got 0"),
    ({"max_updates": -5}, "max_updates must be at least 1, got -5"),
    ({"max_updates": 1.5}, "max_updates is 1.5"),
    ({"max_updates": True}, "max_updates is True"),
    ({"max_updates": 10**12}, "max_updates must be at least 1 and less than"),
    ({"max_updates": 2 * 10**9}, "more than this machine's memory"),
    ({"until_solved": 1}, "until_solved is 1"),
    ({"tile_width": 0}, "tile_width must be at least 1, got 0"),
    ({"tile_width": "4"}, "tile_width is '4'"),
    ({"segment_updates": 0}, "segment_updates must be at least 1, got 0"),
    ({"eval_every": 0}, "eval_every must be at least 1, got 0"),
    ({"eval_every": 2.5}, "eval_every is 2.5"),
    ({"eval_episodes": None}, "eval_episodes is None"),
    ({"eval_episodes": -1}, "eval_episodes must be at least 1, got -1"),
    ({"made": 3}, "made is 3"),
    ({"env": None}, "env is None"),
    ({"algorithm": 3}, "algorithm is 3"),
    ({"algorithm": "0" * 64}, "is of another algorithm"),
    ({"recipe": 3}, "recipe is 3"),
    ({"recipe": None}, "pass algorithm="),
    ({"recipe": "{"}, "cannot be made from its run.json"),
    ({"recipe": '{"call": "os:system", "arguments": {}}'}, "cannot be made from its run.json: 'os:system'"),
    ({"recipe": '{"call": "jax_ac.envs:make_env", "arguments": {"env": "CartPole-v0"}}'}, "makes no algorithm"),
]


@pytest.mark.parametrize(("said", "message"), MALFORMED, ids=lambda value: str(value)[:40])
def test_a_malformed_run_json(folder, said, message):
    if isinstance(said, dict):
        said = json.dumps(json.loads((folder / "run.json").read_text()) | said)
    (folder / "run.json").write_text(said)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match=message):
        resume(folder, **QUICK)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_what_is_no_run_folder(tmp_path):
    with pytest.raises(ValueError, match="there is no run folder"):
        Result.load(tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"is not the folder of a run: it has no run.json"):
        resume(tmp_path)
    (tmp_path / "run.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="cannot be read"):
        resume(tmp_path)


@pytest.mark.parametrize("when", ["a part", "the results"])
def test_a_full_disk_leaves_the_last_good_state(folder, keras, expected, monkeypatch, when):
    """And says so in one sentence; with room again the run goes on."""
    before = {path for path in folder.rglob("*") if path.is_file()}

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(*((run_folder, "write_sealed") if when == "a part" else (xr.Dataset, "to_netcdf")), full)
        with pytest.raises(OSError, match="No space left on device"):
            resume(folder, keras, **QUICK)
    if when == "a part":
        assert {path for path in folder.rglob("*") if path.is_file()} == before
    assert not list(folder.rglob("*partial"))
    assert_is(resume(folder, keras, **QUICK), expected)


@pytest.mark.parametrize("seeds", [SEEDS, SEEDS + 1])
def test_a_plan_that_another_process_has_overtaken(folder, keras, seeds):
    from jax_ac.plans import take_up
    from jax_ac.runs import execute

    plan = take_up(folder)
    resume(folder, keras, seeds=seeds, **QUICK)
    with pytest.raises(run_folder.InUse, match=r"has changed .* meanwhile; resume it again"):
        execute(plan)
    assert (Result.load(folder).marks.num_updates == UPDATES).sum() == seeds
    assert len(spending.read(folder)) == 2


def test_what_killed_processes_left_does_not_block_and_is_taken_away(folder, keras, tmp_path):
    left = [folder / "checkpoint" / f"000000.1.old{store.PARTIAL}", folder / "lanes" / f"000007{store.PARTIAL}"]
    for path in left:
        path.mkdir()
        (path / "leaf").write_text("half")
    resume(folder, keras, **QUICK)
    assert not any(path.exists() for path in left)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / f".run.json{store.PARTIAL}").write_text("{")
    run_folder.create(tmp_path / "new", run_folder.read_config(folder))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["run.json"]


def test_an_error_meanwhile_loses_nothing(folder, keras):
    """Of a progress function of one's own, long before the next checkpoint."""
    before = Result.load(folder).marks.num_updates.sum()

    def fail(progress):
        if progress.done.all():
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        resume(folder, keras, progress=fail, save_seconds=1000.0)
    assert Result.load(folder).marks.num_updates.sum() == SEEDS * UPDATES > before


def test_only_a_folder_without_lanes_is_discarded(folder, tmp_path):
    before = sorted(folder.rglob("*"))
    run_folder.discard(folder)
    assert sorted(folder.rglob("*")) == before
    config = run_folder.read_config(folder)
    for name in ("new", "begun"):
        for program in ("n=1", "n=2"):
            run_folder.create(tmp_path / name / program, config)
    (tmp_path / "begun" / "n=2" / "lanes").mkdir()
    run_folder.discard(tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())
    run_folder.discard(tmp_path / "begun")
    assert {path.name for path in (tmp_path / "begun").iterdir()} == {"n=1", "n=2"}


def test_the_run_of_another_process_is_not_discarded(folder, tmp_path):
    """Both found the folder empty; neither has saved a lane yet."""
    config = run_folder.read_config(folder)
    (tmp_path / "theirs").mkdir()
    run_folder.write_config(tmp_path / "theirs", config)
    run_folder.discard(tmp_path / "theirs")
    assert run_folder.read_config(tmp_path / "theirs") == config
    run_folder.create(tmp_path / "taken up", config)
    with run_folder.locked(tmp_path / "taken up"):
        run_folder.discard(tmp_path / "taken up")
        assert run_folder.read_config(tmp_path / "taken up") == config
        assert run_folder.at_work(tmp_path / "taken up")
    shutil.rmtree(tmp_path / "taken up")
    run_folder.discard(tmp_path / "taken up")  # it is gone already


def test_a_folder_that_is_removed_meanwhile(folder, keras):
    def remove(progress):
        shutil.rmtree(folder, ignore_errors=True)

    with pytest.raises(OSError, match=r"the run cannot be saved to .*No such file or directory"):
        resume(folder, keras, progress=remove, save_seconds=0.0)
