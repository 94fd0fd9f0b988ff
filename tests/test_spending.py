"""What a run cost is kept in its folder, resumed parts added; a folder is read without the algorithm."""

import base64

import jax
import numpy as np
import pytest
from made_runs import made

import jax_ac
from jax_ac import films, findings, readings, report, run_folder, snippets, spending, studies
from jax_ac.results import Result
from jax_ac.runs import resume, run
from jax_ac.spending import Spent


def test_parts_are_added():
    """By hand: 60 of 100 places and 40 of 50 were live; 1 of 2 x 10 s, and 8 of 1 x 80 s, went to evaluations."""
    one, two = Spent(2.0, 10.0, 60, 600, 0.6, 2, 0.05), Spent(3.0, 80.0, 40, 500, 0.8, 1, 0.1)
    whole = spending.total([one, two])
    assert whole[:4] == (5.0, 90.0, 100, 1_100)
    assert whole.utilisation == pytest.approx(100 / 150)
    assert whole.num_devices == 2
    assert whole.evaluating == pytest.approx(9 / 100)
    assert spending.total([]) == Spent()
    assert spending.total([one, Spent(1.0, 0.0, 0, 0, 1.0, 2, 0.0)]).utilisation == pytest.approx(0.6)


def test_what_processes_did_is_counted_once_also_where_the_books_were_being_closed(tmp_path, monkeypatch):
    first, share = Spent(1.0, 2.0, 3, 4, 0.5, 1, 0.0), Spent(1.0, 2.0, 5, 6, 0.5, 1, 0.0)
    spending.write(tmp_path, [first])
    for process in range(2):
        spending.write_share(tmp_path, process, 1, share)
    parts = spending.read(tmp_path)
    assert parts == [first, spending.together([share, share])]
    with monkeypatch.context() as killed:
        killed.setattr(type(tmp_path), "unlink", lambda path, **options: None)
        spending.write(tmp_path, parts)
    assert len(list(tmp_path.glob("spent-*"))) == 2
    assert spending.read(tmp_path) == parts
    spending.write_share(tmp_path, 0, 2, share)
    assert spending.read(tmp_path) == [*parts, share]
    spending.write(tmp_path, parts)
    assert [path.name for path in tmp_path.iterdir()] == ["spent.json"]


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", "[{}]", '[{"compile_seconds": "a"}]', "[", '[{"updates": 1}]', "nan", "\x00", "null"]
)
def test_what_no_run_writes_is_refused(tmp_path, text):
    (tmp_path / spending.FILE).write_text(text)
    with pytest.raises(ValueError, match=r"spent\.json (is not what a run writes|cannot be read)"):
        spending.read(tmp_path)


@pytest.mark.parametrize(
    "change", [("updates", -1), ("updates", 1.5), ("run_seconds", True), ("utilisation", 0.0), ("env_steps", None)]
)
def test_numbers_that_cannot_be_are_refused(tmp_path, change):
    import json

    spending.write(tmp_path, [Spent(1.0, 2.0, 3, 4, 0.5, 1, 0.0)])
    assert spending.read(tmp_path) == [Spent(1.0, 2.0, 3, 4, 0.5, 1, 0.0)]
    said = json.loads((tmp_path / spending.FILE).read_text())
    said[0][change[0]] = change[1]
    (tmp_path / spending.FILE).write_text(json.dumps(said))
    with pytest.raises(ValueError, match="is not what a run writes"):
        spending.read(tmp_path)


QUICK = {"progress": False, "save_seconds": 0.0}


@pytest.fixture(scope="module")
def trained(keras, tmp_path_factory):
    """A run of 6 seeds, and what it said that it cost; then resumed for 10 more updates."""
    folder = tmp_path_factory.mktemp("spending") / "run"
    hyper = jax_ac.grid(keras.hyperparams, learning_rate=[0.01, 0.001])
    first = run(keras, 3, max_updates=20, hyperparams=hyper, tile_width=4, until_solved=False, out=folder, **QUICK)
    return folder, first, resume(folder, max_updates=30, **QUICK)


@pytest.mark.slow
def test_a_folder_keeps_what_its_run_cost(trained):
    folder, first, second = trained
    assert spending.read(folder) == [first.spent, second.spent]
    assert first.spent.updates == 6 * 20
    assert second.spent.updates == 6 * 10
    loaded = Result.load(folder)
    assert loaded.spent == spending.total([first.spent, second.spent])
    assert loaded.spent.updates == 6 * 30
    assert loaded.spent.env_steps == loaded.marks.env_steps.sum()


@pytest.mark.slow
def test_a_copy_keeps_it_too(trained, tmp_path):
    folder, _, _ = trained
    loaded = Result.load(folder)
    assert spending.read(loaded.save(tmp_path / "copy")) == [loaded.spent]


@pytest.mark.slow
def test_a_reading_is_the_result_without_agents(trained):
    folder, _, second = trained
    reading = readings.read(folder)
    jax.tree.map(np.testing.assert_array_equal, reading.marks, second.marks)
    assert reading.metrics._fields == second.metrics._fields
    for name in second.metrics._fields:
        np.testing.assert_array_equal(getattr(reading.metrics, name), getattr(second.metrics, name), err_msg=name)
    assert reading.config == second.config
    assert reading.lanes.shape == second.lanes.shape == (2, 3)
    for name in second.lanes.hyperparams._fields:
        np.testing.assert_array_equal(getattr(reading.lanes.hyperparams, name), getattr(second.lanes.hyperparams, name))


@pytest.mark.slow
def test_a_reading_needs_no_recipe(trained, tmp_path):
    import shutil

    folder, _, second = trained
    copy = tmp_path / "own"
    shutil.copytree(folder, copy)
    run_folder.write_config(copy, run_folder.read_config(copy)._replace(recipe=None))
    np.testing.assert_array_equal(readings.read(copy).marks.env_steps, second.marks.env_steps)
    (copy / spending.FILE).unlink()
    assert readings.read(copy).spent == Spent()
    shutil.rmtree(copy / "lanes")
    shutil.rmtree(copy / "checkpoint")
    empty = readings.read(copy)
    assert (empty.marks.num_updates == 0).all()
    assert empty.metrics.running_return.shape == (6, 30)


@pytest.mark.slow
def test_the_median_seed_is_filmed_early_and_late(trained):
    folder, _, second = trained
    study = studies.read(folder)
    best = findings.ranked(study)[0]
    returns = second.marks.running_return.reshape(2, 3)[best]
    assert (study.cohorts[best].marks.solved_update == -1).all()
    middle = int(np.argsort(returns)[1])
    assert films.median_seed(study.cohorts[best]) == middle
    film = films.film(study)
    assert film.gif[:6] == b"GIF89a"
    rate = np.float32(second.config.hyperparams["learning_rate"][best])
    assert film.text == f"Seed {middle}, the median of learning_rate {rate:.6g}: after 3 updates, and after 30, its last."
    assert f"data:image/gif;base64,{base64.b64encode(film.gif).decode()}" in report.page([study])


def test_what_cannot_be_filmed_says_why():
    run = made()
    study = studies.of({"": run}, "demo")  # it is in no folder: there are no agents
    film = films.film(study)
    assert film.gif is None
    assert film.text.startswith("Not shown: a run without a folder")
    assert film.text in report.page([study])
    solved = run.marks.solved_update >= 0
    order = [*np.flatnonzero(solved)[np.argsort(run.marks.solved_episode[solved], kind="stable")]]
    assert len(order) > 6
    assert films.median_seed(study.cohorts[0]) == order[5]  # the sixth of twelve
    assert films.film(studies.of({"": made(ended=False)}, "demo")) is None


def test_whether_a_process_is_at_work(tmp_path):
    assert not run_folder.at_work(tmp_path)
    with run_folder.locked(tmp_path):
        assert run_folder.at_work(tmp_path)
    assert not run_folder.at_work(tmp_path)
    with run_folder.locked(tmp_path):  # who asked holds nothing
        pass


@pytest.mark.slow
def test_the_program_of_a_report_makes_the_same_lanes(trained):
    """It is executed, but for the training itself."""
    _, _, second = trained
    program = snippets.program(second.config)
    given = {}
    fake = type(
        "Fake", (), {"run": staticmethod(lambda *args, **options: given.update(options, algorithm=args[0]) or second)}
    )
    names = {}
    body = program.replace("jax_ac.run(", "fake.run(")
    assert body != program
    exec(body, {"fake": fake, "print": lambda *_: None}, names)
    assert given["algorithm"].recipe == second.config.recipe
    assert given["seeds"] == 3
    options = ("max_updates", "until_solved", "tile_width", "segment_updates")
    assert [given[name] for name in options] == [getattr(second.config, name) for name in options]
    for name in second.lanes.hyperparams._fields:
        column = np.broadcast_to(np.float32(getattr(given["hyperparams"], name)), 2)
        np.testing.assert_array_equal(column, np.broadcast_to(np.float32(second.config.hyperparams[name]), 2), err_msg=name)
