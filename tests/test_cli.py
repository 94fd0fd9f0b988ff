"""The command line as a user meets it, in processes of its own; what needs no process of its own, in this one."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from matplotlib.image import imread

from jax_ac import cli


def jax_ac(*arguments, cwd, **environment):
    clean = {name: value for name, value in os.environ.items() if name != "NPROC"} | environment
    return subprocess.run(
        [sys.executable, "-m", "jax_ac.cli", *arguments],
        cwd=cwd,
        env=clean,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def in_this_process(*arguments):
    """The exit status, without the seconds that a process needs to import JAX."""
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    return ended.value.code


UPDATES = 50  # those of a segment, so that `train_many` is the same program


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    return jax_ac("train", "--seeds", "5", "--max-updates", str(UPDATES), cwd=folder), folder


def test_train_ends_with_a_table_and_a_picture(trained):
    result, folder = trained
    assert result.returncode == 0, result.stderr
    for words in [
        "seeds solved",
        "of 5",
        "episodes to solve",
        "median",
        "quartiles",
        "env steps",
        "compile time",
        "run time",
    ]:
        assert words in result.stdout
    picture = re.search(r"learning curves: (\S+)", result.stdout)[1]
    assert imread(folder / picture).shape[2] in (3, 4)
    assert Path(picture) == Path("runs/CartPole-v0-keras/learning_curves.png")
    assert imread(folder / re.search(r"fraction solved: (\S+)", result.stdout)[1]).shape[2] in (3, 4)


def test_the_file_of_lanes_is_train_many(trained):
    import numpy as np

    import jax_ac as library

    _, folder = trained
    with (folder / "runs/CartPole-v0-keras/lanes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["seed"] for row in rows] == list("01234")
    states, _ = library.train_many(library.keras_actor_critic(library.make_env("CartPole-v0")), 5, UPDATES)
    for name in ("num_updates", "solved_episode", "solved_step", "env_steps", "diverged_update"):
        np.testing.assert_array_equal([int(row[name]) for row in rows], getattr(states, name), err_msg=name)
    np.testing.assert_array_equal([np.float32(row["running_return"]) for row in rows], states.running_return)


SWEEP = ["sweep", "CartPole-v1", "--algorithm", "a2c", "--seeds", "3", "--total-steps", "6400", "--num-steps", "4"]


@pytest.mark.slow
def test_sweep_numbers_in_one_program_and_shapes_one_by_one(tmp_path):
    import numpy as np

    import jax_ac as library

    grids = ["--grid", "learning_rate=1e-3,3e-3", "--grid", "num_envs=4,8", "--grid", "env_length=0.5,1.0"]
    result = jax_ac(*SWEEP, *grids, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "8 settings x 3 seeds" in result.stdout
    assert "num_envs fix shapes: 2 programs, one after another" in result.stdout
    assert result.stdout.count("compiling ...") == 2
    folder = tmp_path / "runs/CartPole-v1-a2c-sweep"
    assert imread(folder / "sweep.png").shape[2] in (3, 4)
    with (folder / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 * 3
    algorithm = library.a2c(library.make_env("CartPole-v1"), 8, 4, total_steps=6400)
    setting = library.grid(algorithm.hyperparams, learning_rate=[3e-3], env_length=[1.0])
    states, _ = library.train_many(algorithm, 3, hyperparams=setting)
    chosen = [
        np.float32(row["running_return"])
        for row in rows
        if (float(row["num_envs"]), round(float(row["learning_rate"]), 6), float(row["env_length"])) == (8, 0.003, 1.0)
    ]
    np.testing.assert_array_equal(chosen, states.running_return[0])


@pytest.mark.slow
def test_sweep_what_fixes_a_program(tmp_path):
    """Widths of the network and numbers of the environment that it is compiled for; then resumed, nothing left to train."""
    grids = ["--grid", "hidden_sizes=4,3x2", "--grid", "env_max_steps_in_episode=12", "--grid", "learning_rate=1e-3,1e-2"]
    result = jax_ac("sweep", "--seeds", "2", "--max-updates", "4", *grids, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "runs/CartPole-v0-keras-sweep"
    names = {f"hidden_sizes={sizes},env_max_steps_in_episode=12" for sizes in ("4", "3x2")}
    assert {path.name for path in folder.iterdir() if path.is_dir()} == names
    with (folder / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["hidden_sizes"], row["learning_rate"]) for row in rows} == {
        (sizes, rate) for sizes in ("4", "3x2") for rate in ("0.001", "0.01")
    }
    assert max(float(row["running_return"]) for row in rows) <= 12.0
    assert in_this_process("resume", folder, "--max-updates", 6) == 0
    with (folder / "sweep.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(rows)


@pytest.mark.slow
def test_keras_goes_on_when_told_so(tmp_path):
    arguments = ("train", "--seeds", "2", "--max-updates", "700", "--until-solved", "False", "--stop-gradient")
    assert jax_ac(*arguments, cwd=tmp_path).returncode == 0
    recipe = json.loads(json.loads((tmp_path / "runs/CartPole-v0-keras/run.json").read_text())["recipe"])
    assert recipe["arguments"]["stop_gradient"] is True
    with (tmp_path / "runs/CartPole-v0-keras/lanes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["num_updates"] for row in rows} == {"700"}
    assert any(int(row["solved_update"]) >= 0 for row in rows)


def test_resume_is_the_longer_run(trained, tmp_path):
    """Extended to more updates, it ends where one of so many at once does."""
    shutil.copytree(trained[1] / "runs/CartPole-v0-keras", tmp_path / "a")
    longer = ("--max-updates", str(UPDATES + 3))
    resumed = jax_ac("resume", "a", *longer, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert in_this_process("train", "--seeds", 5, *longer, "--out", tmp_path / "b") == 0
    lanes = (tmp_path / "a/lanes.csv").read_text()
    assert lanes == (tmp_path / "b/lanes.csv").read_text()
    assert [row["num_updates"] for row in csv.DictReader(lanes.splitlines())] == [str(UPDATES + 3)] * 5


def test_a_damaged_run_is_one_sentence(trained, tmp_path):
    folder = shutil.copytree(trained[1] / "runs/CartPole-v0-keras", tmp_path / "damaged")
    part = next(folder.glob("lanes/*/manifest.json"))
    part.write_text(part.read_text().replace("float32", "float16"))
    result = jax_ac("resume", "damaged", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith("jax-ac: damaged/lanes/")
    assert "is damaged: manifest.json changed since it was written" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_train_other_algorithms(tmp_path):
    arguments = ("Pendulum-v1", "--algorithm", "ppo", "--seeds", "2", "--max-updates", "3", "--env-param", "g=9.0")
    extras = ("--eval-every", "2", "--eval-episodes", "1", "--tile-width", "4", "--tracker", "csv", "--tracker", "mlflow")
    result = jax_ac("train", *arguments, "--num-epochs", "1", *extras, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert re.search(r"greedy return +│? *median -\d", result.stdout)
    assert re.search(r"evaluation +│? *1 episodes each, [\d.]+% of the run time", result.stdout)
    assert "2 lanes x 3 updates, 4 lanes at once on 1 device; memory: results" in result.stderr
    with (tmp_path / "runs/Pendulum-v1-ppo/metrics.csv").open() as file:
        tracked = sorted(csv.DictReader(file), key=lambda row: (row["seed"], row["update"]))
    assert [(row["seed"], row["update"]) for row in tracked] == [(seed, update) for seed in "01" for update in "012"]
    assert [row["greedy_return"] != "" for row in tracked] == [False, True, True] * 2
    assert (tmp_path / "runs/Pendulum-v1-ppo/mlflow.db").exists()
    assert "settings tuned for it" in result.stdout
    assert "solved" not in result.stdout  # there is no threshold
    with (tmp_path / "runs/Pendulum-v1-ppo/lanes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["env_g"] for row in rows} == {"9.0"}
    assert {row["env_steps"] for row in rows} == {str(3 * 8 * 128)}


def test_a_second_run_does_not_overwrite_the_first(trained, monkeypatch):
    _, folder = trained
    monkeypatch.chdir(folder)
    before = (folder / "runs/CartPole-v0-keras/lanes.csv").read_bytes()
    assert in_this_process("train", "--seeds", 1, "--max-updates", 2, "--learning-rate", 0.001) == 0
    assert (folder / "runs/CartPole-v0-keras-2/lanes.csv").exists()
    assert (folder / "runs/CartPole-v0-keras/lanes.csv").read_bytes() == before


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]])
def test_help_does_not_wait_for_jax(arguments):
    command = [sys.executable, "-X", "importtime", "-m", "jax_ac.cli", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = {line.split("|")[-1].strip().split(".")[0] for line in result.stderr.splitlines()}
    assert "tyro" in imported
    assert not imported & {"jax", "flax", "gymnax", "numpy", "matplotlib"}
    assert "train" in result.stdout


BAD = [
    (["train", "CartPole-v3"], "unknown environment 'CartPole-v3'; did you mean 'CartPole-v"),
    (["train", "Pendulum-v1"], "takes discrete actions"),
    (["train", "Breakout-MinAtar"], "takes observations that are vectors"),
    (["train", "--algorithm", "kera"], "unknown algorithm 'kera'; did you mean 'keras'"),
    (["train", "--algorithm", ""], "unknown algorithm ''"),
    (["train", "--seeds", "0"], "--seeds must be at least 1, got 0"),
    (["train", "--seeds", "-4"], "--seeds must be at least 1, got -4"),
    (["train", "--seeds", "many"], "--seeds"),
    (["train", "--seeds", "2.5"], "--seeds"),
    (["train", "--tracker", "tensorbord"], "unknown tracker 'tensorbord'; did you mean 'tensorboard'"),
    (["train", "--tracker", "csv", "--tracker", "csv"], "--tracker was given csv twice"),
    (["resume", "runs/x", "--tracker", "excel"], "unknown tracker 'excel'"),
    (["train", "--eval-every", "0"], "--eval-every must be at least 1, got 0"),
    (["train", "--eval-episodes", "-1"], "--eval-episodes must be at least 1, got -1"),
    (["train", "--tile-width", "0"], "--tile-width must be at least 1, got 0"),
    (["train", "--max-updates", "0"], "--max-updates must be at least 1, got 0"),
    (["train", "--seedz", "3"], "unknown option '--seedz'; did you mean '--seeds'"),
    (["train", "--lerning-rate", "3"], "unknown option '--lerning-rate'; did you mean '--learning-rate'"),
    (["train", "CartPole-v0", "CartPole-v1"], "unknown option 'CartPole-v1'"),
    (["train", "--learning-rate", "nan"], "learning_rate must be a finite number of at least 0, got nan"),
    (["train", "--learning-rate", "inf"], "learning_rate must be a finite number of at least 0, got inf"),
    (["train", "--learning-rate", "-1"], "learning_rate must be a finite number of at least 0, got -1"),
    (["train", "--learning-rate", "fast"], "--learning-rate"),
    (["train", "--adam-eps", "1e-60"], "adam_eps must be a finite number greater than 0 also in float32"),
    (["train", "--max-updates", "3000000000"], "--max-updates must be at least 1 and less than 2,147,483,648"),
    (["train", "--max-updates", "2000000000", "--seeds", "64"], "more than this machine's memory"),
    (["train", "--seeds", "100000000000"], "--seeds must be at least 1 and less than 2,147,483,648"),
    (["train", "--gamma", "1.01"], "gamma must be in [0, 1], got 1.01"),
    (["train", "--adam-eps", "0"], "adam_eps must be a finite number greater than 0, got 0"),
    (["train", "--out", "file/below"], "cannot write to the folder file/below: Not a directory"),
    (["train", "--out", "file"], "cannot write to the folder file"),
    (["train", "--out", "n" * 300], "cannot write to the folder nnn"),
    (["train", "--out", "full"], "the folder full is not empty"),
    (["train", "--out", "/proc/jax_ac"], "cannot write to the folder /proc/jax_ac"),
    (["trian"], "Expected one of {train, sweep, resume, report, render, bench}"),
    (["train", "--env-param", "lenght=1"], "unknown parameter of CartPole-v0 'lenght'; did you mean 'length'"),
    (["train", "--env-param", "length"], "--env-param takes name=value, got 'length'"),
    (["train", "--num-envs", "4"], "keras has no num_envs; it has no argument of this kind"),
    (["train", "--total-steps", "512"], "give max_updates"),
    (["train", "--max-updates", "5", "--total-steps", "512"], "give --max-updates or --total-steps, not both"),
    (["train", "--algorithm", "ppo", "--huber-delta", "1"], "unknown hyperparameter of ppo 'huber_delta'"),
    (["train", "--algorithm", "ppo", "--num-minibatches", "3"], "num_minibatches must divide the 512 steps"),
    (["train", "--algorithm", "ppo", "--total-steps", "1000"], "got 1,000; the nearest: 512 and 1,024"),
    (["train", "--algorithm", "a2c", "--stop-gradient"], "--stop-gradient is for keras, not a2c"),
    (["sweep"], "sweep needs --grid"),
    (["sweep", "--grid", "learning_rate"], "--grid takes name=value"),
    (["sweep", "--grid", "learning_rate=fast"], "learning_rate must be a number, got 'fast'"),
    (["sweep", "--grid", "learning_rat=1"], "'learning_rat'; did you mean 'learning_rate'"),
    (["sweep", "--grid", "length=1"], "unknown number of keras to sweep 'length'"),
    (["sweep", "--grid", "hidden_sizes=64x"], "hidden_sizes must be a whole number, got ''"),
    (["sweep", "--grid", "hidden_sizes=0"], "hidden_sizes must be at least 1, got 0"),
    (["sweep", "--grid", "env_max_steps_in_episode=9.5"], "env_max_steps_in_episode must be a whole number, got '9.5'"),
    (["sweep", "--algorithm", "a2c", "--grid", "num_envs=4,8"], "needs --total-steps: updates differ in their steps"),
    (["train", "--env-param", "length=1", "--env-param", "length=2"], "--env-param was given length twice"),
    (["train", "--algorithm", "kers", "--stop-gradient"], "unknown algorithm 'kers'; did you mean 'keras'"),
    (["train", "--algorithm", "reinforce", "--total-steps", "512"], "give max_updates"),
    (
        ["train", "CartPole-v1", "--algorithm", "ppo", "--total-steps", "3000000000"],
        "--total-steps must be at least 1 and less",
    ),
    (["resume", "nothing"], "there is no run folder nothing"),
    (["resume", "full"], "full is not the folder of a run: it has no run.json"),
    (["resume", "full", "--seds", "3"], "unknown option '--seds'; did you mean '--seeds'"),
    (["resume"], "PATH"),
    (["sweep", "--grid", "env_lenght=1"], "'env_lenght'; did you mean 'env_length'"),
    (["sweep", "--grid", "gamma=0.9", "--grid", "gamma=0.8"], "--grid was given gamma twice"),
    (["sweep", "--algorithm", "a2c", "--grid", "num_envs=4,0"], "num_envs must be at least 1, got 0"),
    ([], "train"),
]


def check_refusal(status, output, error, message, folder):
    """One sentence, and nothing left behind."""
    assert status == 2
    said = " ".join(error.split())
    assert message in said or message.replace(", ", ",") in said  # as tyro's versions write lists
    assert "Traceback" not in error
    assert "compiling" not in output
    assert {path.name for path in folder.iterdir()} == {"file", "full"}


@pytest.fixture
def occupied(tmp_path):
    """A folder that holds a file and a folder that is not empty."""
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something").touch()
    return tmp_path


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_bad_input_is_one_sentence_and_leaves_nothing(arguments, message, occupied, monkeypatch, capsys):
    monkeypatch.chdir(occupied)
    status = in_this_process(*arguments)
    check_refusal(status, *capsys.readouterr(), message, occupied)


@pytest.mark.parametrize(
    ("arguments", "cores"),
    [
        ("train --seeds 16 --out full", None),
        ("train --seeds 16 --tile-width 16 --out full", 1),
        ("train --seeds 9 --tile-width 2 --out full", 5),
        ("sweep --seeds 3 --grid gamma=0.9,0.99 --grid hidden_sizes=4,8 --tile-width 2 --out full", 3),
    ],
)
def test_as_many_cores_as_there_are_tiles(arguments, cores, occupied, monkeypatch):
    """Where that is known. XLA's threads are as many as cores: more than have work only disturb each other."""
    asked = []
    monkeypatch.setattr("jax_ac.trainer.use_devices", lambda distributed, most: asked.append(most))
    monkeypatch.chdir(occupied)
    assert in_this_process(*arguments.split()) == 2
    assert asked[0] == cores


@pytest.mark.parametrize("arguments", ["trian", "train --gamma 1.01", "train CartPole-v3", "resume full"])
def test_bad_input_in_a_process_of_its_own(arguments, occupied):
    """What the parser says, a check before JAX is imported, and two after it."""
    result = jax_ac(*arguments.split(), cwd=occupied)
    message = next(message for given, message in BAD if given == arguments.split())
    check_refusal(result.returncode, result.stdout, result.stderr, message, occupied)


def test_a_missing_accelerator_is_one_sentence(tmp_path):
    result = jax_ac("train", cwd=tmp_path, JAX_PLATFORMS="cuda")
    assert result.returncode == 2
    assert "JAX found no device of the platforms 'cuda'" in result.stderr
    assert "Traceback" not in result.stderr
    assert not any(tmp_path.iterdir())


def test_output_in_plain_ascii(tmp_path):
    result = jax_ac("train", "--seeds", "2", "--max-updates", "2", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("seconds", [0.5, 1, 1.5])
def test_interruption_while_compiling(seconds, tmp_path):
    """With Python's own way out a third of such processes crashed, when LLVM's memory went away from under XLA's threads."""
    command = [sys.executable, "-m", "jax_ac.cli", "train", "--seeds", "16", "--max-updates", "5000"]
    environment = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"}  # so that it compiles when it is interrupted
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes) as process:
        assert "compiling" in process.stdout.readline()
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Traceback" not in error
    assert not list(tmp_path.glob("runs/*"))
