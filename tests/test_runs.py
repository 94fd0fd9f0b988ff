"""Runs: the same bits as `train_many` however they are cut and refilled, and an honest record."""

import jax
import numpy as np
import pytest

import jax_ac
from jax_ac.runs import Progress, run

WIDTH = 4  # places: 2 devices x 4 lanes, so that 20 lanes must wait for each other
MAX_UPDATES = 40


@pytest.fixture(scope="module")
def easy(cartpole):
    """Solved, at different times, within the updates of a test."""
    return jax_ac.keras_actor_critic(cartpole._replace(solved_at=14.0))


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


@pytest.mark.parametrize("segment_updates", [1, 7, 50])
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
    assert 0.2 < result.utilisation <= 1
    assert (result.num_devices, result.tile_width, result.interrupted) == (num_devices, WIDTH, False)


def test_order_of_lanes(easy, expected):
    backwards = run(easy, range(19, -1, -1), max_updates=MAX_UPDATES, tile_width=WIDTH)
    states, metrics = jax.tree.map(lambda leaf: leaf[::-1], expected)
    assert_run_is(backwards, (states, metrics))


def test_progress_is_monotone_and_ends_complete(easy):
    seen: list[Progress] = []
    updates = []

    def look(progress):
        seen.append(progress)
        updates.append(int(progress.marks.num_updates.sum()))

    result = run(easy, 20, max_updates=MAX_UPDATES, segment_updates=5, tile_width=WIDTH, on_segment=look)
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
    result = run(easy, 20, max_updates=MAX_UPDATES, hyperparams=hyper, tile_width=WIDTH)
    diverged = result.marks.diverged_update.reshape(2, 20) >= 0
    assert diverged[0].all()
    assert not diverged[1].any()
    np.testing.assert_array_equal(result.marks.solved_update[20:], expected[0].solved_update)


def test_interruption_keeps_what_was_done(easy, expected):
    def stop(progress):
        if progress.marks.num_updates.max() >= 10:
            raise KeyboardInterrupt

    result = run(easy, 20, max_updates=MAX_UPDATES, segment_updates=5, tile_width=WIDTH, on_segment=stop)
    assert result.interrupted
    assert 0 < result.marks.num_updates.sum() < expected[0].num_updates.sum()
    for lane, done in enumerate(result.marks.num_updates):
        np.testing.assert_array_equal(result.metrics.grad_norm[lane, :done], expected[1].grad_norm[lane, :done])
        assert np.isnan(result.metrics.grad_norm[lane, done:]).all()


@pytest.mark.parametrize("argument", ["max_updates", "segment_updates"])
def test_bad_input(easy, argument):
    with pytest.raises(ValueError, match=f"{argument} must be at least 1, got 0"):
        run(easy, 2, **({"max_updates": 3} | {argument: 0}))
