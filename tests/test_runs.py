"""Runs: the same bits as `train_many` however they are cut and refilled, and an honest record."""

import signal

import jax
import numpy as np
import pytest

import jax_ac
from jax_ac import loop
from jax_ac.lanes import lay_out
from jax_ac.progress import Progress
from jax_ac.runs import run
from jax_ac.schedule import Ends, Schedule

WIDTH = 4  # places: 2 devices x 4 lanes, so that 20 lanes must wait for each other
MAX_UPDATES = 42


@pytest.fixture(scope="module")
def expected(easy):
    return jax_ac.train_many(easy, 20, MAX_UPDATES, tile_width=WIDTH)


def assert_run_is(result, expected):
    states, metrics = expected
    for name, ours in result.marks._asdict().items():
        np.testing.assert_array_equal(ours, getattr(states, name), err_msg=name)
    for name, ours in result.metrics._asdict().items():
        np.testing.assert_array_equal(ours, getattr(metrics, name), err_msg=name)


def test_the_test_sees_lanes_that_end_at_different_times(expected):
    ends = expected[0].solved_update
    assert len(set(ends.tolist())) > 4
    assert (ends >= 0).any()
    assert (ends < 0).any()


@pytest.mark.parametrize("segment_updates", [1, 5, MAX_UPDATES])
@pytest.mark.parametrize("num_devices", [1, 2])
def test_run_is_train_many(easy, expected, segment_updates, num_devices):
    result = run(
        easy,
        20,
        max_updates=MAX_UPDATES,
        segment_updates=segment_updates,
        tile_width=WIDTH,
        devices=jax.local_devices()[:num_devices],
    )
    assert_run_is(result, expected)
    assert 0.2 < result.spent.utilisation <= 1
    assert (result.spent.num_devices, result.config.tile_width, result.interrupted) == (num_devices, WIDTH, False)
    assert result.spent.env_steps == expected[0].env_steps.sum()
    jax.tree.map(np.testing.assert_array_equal, result.states, jax.device_get(expected[0]))


def test_calls_of_a_segment_in_parts_change_no_bits(easy, expected, monkeypatch):
    """Where an update takes long, a compiled call does less than a segment: here one update each."""
    monkeypatch.setattr(loop, "CALL_SECONDS", 0.0)
    calls = []
    options = {"max_updates": MAX_UPDATES, "segment_updates": 5, "tile_width": WIDTH, "progress": calls.append}
    assert_run_is(run(easy, 20, **options), expected)
    assert len(calls) > MAX_UPDATES


def test_a_segment_ends_at_a_multiple_of_its_length(easy):
    """By hand: 4 places, lanes with 0, 3, 5 and 9 updates, segments of 5, at most 11 updates."""
    lanes = lay_out(4, easy.hyperparams)
    like = (jax.eval_shape(easy.init, jax.random.key(0), easy.hyperparams), None)
    schedule = Schedule(lanes, (1, 4), Ends(11, True, 5), jax.tree.map(lambda leaf: leaf, like))
    schedule.marks.num_updates[:] = [0, 3, 5, 9]
    schedule.refill(0)
    assert schedule.slots(0).limit.tolist() == [5, 5, 10, 10]
    assert schedule.slots(0, most=3).limit.tolist() == [3, 5, 8, 10]
    schedule.marks.num_updates[3] = 10
    assert schedule.slots(0).limit.tolist() == [5, 5, 10, 11]


def test_order_of_lanes(easy, expected):
    backwards = run(easy, range(19, -1, -1), max_updates=MAX_UPDATES, segment_updates=5, tile_width=WIDTH)
    states, metrics = jax.tree.map(lambda leaf: leaf[::-1], expected)
    assert_run_is(backwards, (states, metrics))


def test_progress_is_monotone_and_ends_complete(easy):
    seen: list[Progress] = []
    updates = []

    def look(progress):
        seen.append(progress)
        updates.append(int(progress.marks.num_updates.sum()))

    result = run(easy, 20, max_updates=MAX_UPDATES, segment_updates=5, tile_width=WIDTH, progress=look)
    assert updates == sorted(updates)
    assert updates[-1] == result.marks.num_updates.sum()
    assert seen[-1].done.all()
    assert seen[-1].begun.all()
    assert all(progress.seconds_left >= 0 and progress.updates_per_second > 0 for progress in seen)


def test_a_solved_lane_gives_up_its_place_also_where_the_algorithm_goes_on(cartpole):
    algorithm = jax_ac.keras_actor_critic(cartpole._replace(solved_at=11.0), stop_when_solved=False)
    until_solved = run(algorithm, 20, max_updates=MAX_UPDATES, segment_updates=5, tile_width=WIDTH)
    to_the_end = run(algorithm, 20, max_updates=MAX_UPDATES, segment_updates=5, tile_width=WIDTH, until_solved=False)
    solved = until_solved.marks.solved_update
    assert (until_solved.marks.num_updates[solved >= 0] <= solved[solved >= 0] + 5).all()
    assert (until_solved.marks.num_updates[solved >= 0] < MAX_UPDATES).any()
    assert (to_the_end.marks.num_updates == MAX_UPDATES).all()
    np.testing.assert_array_equal(solved, to_the_end.marks.solved_update)


def test_one_diverging_lane_changes_no_other(easy, expected):
    hyper = jax_ac.grid(easy.hyperparams, learning_rate=[1e30, 0.01])
    result = run(easy, 20, max_updates=MAX_UPDATES, segment_updates=5, hyperparams=hyper, tile_width=WIDTH)
    diverged = result.marks.diverged_update.reshape(2, 20) >= 0
    assert diverged[0].all()
    assert not diverged[1].any()
    np.testing.assert_array_equal(result.marks.solved_update[20:], expected[0].solved_update)


def test_interruption_keeps_what_was_done(easy, expected):
    def stop(progress):
        if progress.marks.num_updates.max() >= 10:
            raise KeyboardInterrupt

    result = run(easy, 20, max_updates=MAX_UPDATES, segment_updates=5, tile_width=WIDTH, progress=stop)
    assert result.interrupted
    assert 0 < result.marks.num_updates.sum() < expected[0].num_updates.sum()
    for lane, done in enumerate(result.marks.num_updates):
        np.testing.assert_array_equal(result.metrics.grad_norm[lane, :done], expected[1].grad_norm[lane, :done])
        assert np.isnan(result.metrics.grad_norm[lane, done:]).all()


def test_ctrl_c_stops_at_the_next_segment(easy, expected):
    """A real signal, from another thread while the devices are at work."""
    sent = []

    def press(progress):
        if not sent and progress.marks.num_updates.max() >= 10:
            sent.append(True)
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    result = run(easy, 20, max_updates=MAX_UPDATES, segment_updates=5, tile_width=WIDTH, progress=press)
    assert result.interrupted
    assert signal.getsignal(signal.SIGINT) is before
    assert 0 < result.marks.num_updates.sum() < expected[0].num_updates.sum()
    np.testing.assert_array_equal(result.states.num_updates, result.marks.num_updates)  # unfinished lanes are kept too


def test_an_error_in_a_device_thread_arrives(easy):
    def fail(progress):
        raise RuntimeError("the progress is not to be shown")

    with pytest.raises(RuntimeError, match="not to be shown"):
        run(easy, 2, max_updates=MAX_UPDATES, segment_updates=5, tile_width=WIDTH, progress=fail)


def test_each_lane_that_diverged_is_named(easy):
    """One in each tile of four, by its learning rate; the others have the bits that they have without it."""
    rates = [0.01, 0.01, 1e30, 0.01]
    hyper = jax_ac.zip_settings(easy.hyperparams, learning_rate=rates, gamma=[0.99, 0.98, 0.99, 0.97])
    options = {"max_updates": 12, "segment_updates": 5, "tile_width": WIDTH, "until_solved": False}
    result = run(easy, [5, 9], hyperparams=hyper, **options)
    named = [line for line in result.summary().splitlines() if "iverged" in line]
    assert named == [f"Diverged at update {result.marks.diverged_update[4 + i]}: seed {seed}, setting 2."
                     for i, seed in enumerate([5, 9])]  # fmt: skip
    without = jax_ac.zip_settings(easy.hyperparams, learning_rate=[0.01] * 3, gamma=[0.99, 0.98, 0.97])
    alone = run(easy, [5, 9], hyperparams=without, **options)
    for name, ours in result.metrics._asdict().items():
        np.testing.assert_array_equal(np.delete(ours, [4, 5], axis=0), getattr(alone.metrics, name))
    assert np.isfinite(jax.tree.leaves(result.states.params)[0]).all()  # frozen at the last finite state


@pytest.mark.parametrize("argument", ["max_updates", "segment_updates"])
def test_bad_input(easy, argument):
    with pytest.raises(ValueError, match=f"{argument} must be at least 1, got 0"):
        run(easy, 2, **({"max_updates": 3} | {argument: 0}))
