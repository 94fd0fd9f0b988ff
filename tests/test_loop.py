"""The loop of a run whose workers are lost: the same bits, nothing done twice but what was lost, and an end to retries."""

import random
from concurrent.futures import Future

import jax
import numpy as np
import pytest

import jax_ac
from jax_ac import crews, runs, workers
from jax_ac.orders import Failed, Lost
from jax_ac.tiles import Slots

OPTIONS = {"max_updates": 30, "segment_updates": 5, "tile_width": 4}
LANES = 24


class Flaky(crews.LocalCrew):
    """Workers that are lost by a given rule, on the way to a call or on the way back; and one of which joins later."""

    lose = staticmethod(lambda crew, tile, order: None)
    look_seconds = 0.01
    joins_after = 0

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.calls, self.reported, self.lost, self.sizes = 0, 0, 0, []

    def __len__(self):
        return super().__len__() - (self.calls < self.joins_after)

    def advance(self, tile, order):
        self.calls += 1
        self.sizes.append(int((order.slots.limit > 0).sum()))
        error = self.lose(self, tile, order)
        worker = self._workers[tile]
        before = np.where(order.slots.fresh, 0, worker._updates)
        before[order.places] = order.rows.num_updates
        if error is None:
            future = super().advance(tile, order)
            working = order.slots.limit > 0
            self.reported += int((future.result().marks.num_updates - before)[working].sum())
            return future
        self.lost += 1
        if self.lost % 2:
            super().advance(tile, order).result()  # done, but nobody heard of it
        worker._states = jax.tree.map(lambda leaf: jax.numpy.full_like(leaf, 77), worker._states)
        worker._updates[:] = 77
        future = Future()
        future.set_exception(error)
        return future


@pytest.fixture
def crew(monkeypatch):
    """A flaky crew for the next run; a list that will hold it."""
    hired = []

    def install(lose, joins_after=0):
        class Crew(Flaky):
            def __init__(self, *arguments):
                super().__init__(*arguments)
                self.lose, self.joins_after = lose, joins_after
                hired.append(self)

        monkeypatch.setattr(runs, "LocalCrew", Crew)
        return hired

    return install


@pytest.fixture(scope="module")
def easy():
    return jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0")._replace(solved_at=14.0))


@pytest.fixture(scope="module")
def whole(easy):
    return jax_ac.run(easy, LANES, progress=False, **OPTIONS)


def holds(order, seed):
    """Whether the order has a call for that seed."""
    return seed in order.slots.seed[order.slots.limit > 0]


def at_random(seed):
    """Five of the first twelve calls are lost."""
    chosen = set(random.Random(seed).sample(range(1, 13), 5))
    return lambda crew, tile, order: Lost("killed") if crew.calls in chosen else None


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("saved", [False, True])
def test_lost_workers_change_no_bits_and_cost_what_was_lost(easy, whole, crew, tmp_path, seed, saved):
    hired = crew(at_random(seed), joins_after=6)
    out = {"out": tmp_path / "run", "save_seconds": 0.0} if saved else {}
    result = jax_ac.run(easy, LANES, progress=False, **OPTIONS, **out)
    jax.tree.map(np.testing.assert_array_equal, (result.metrics, result.marks), (whole.metrics, whole.marks))
    jax.tree.map(np.testing.assert_array_equal, result.states, whole.states)
    assert hired[0].lost == 5
    assert hired[0].reported == whole.marks.num_updates.sum() + result.spent.repeated
    assert result.spent.updates == whole.marks.num_updates.sum()
    if saved:  # all that was reported was kept
        assert result.spent.repeated == 0
        assert jax_ac.Result.load(tmp_path / "run", easy).spent.repeated == 0
    else:
        assert result.spent.repeated > 0


def test_trackers_hear_of_every_update_once(easy, whole, crew):
    crew(at_random(5))
    heard = np.zeros((LANES, OPTIONS["max_updates"]), int)
    steps = np.zeros(heard.shape, int)

    class Ear:
        def begin(self, config):
            pass

        def log(self, segment):
            for row, seed in enumerate(segment.seed):
                first, count = segment.first_update[row], segment.num_updates[row]
                heard[seed, first : first + count] += 1
                steps[seed, first : first + count] = segment.env_steps[row] + np.cumsum(
                    segment.metrics.env_steps[row, :count]
                )

        def end(self):
            pass

    jax_ac.run(easy, LANES, progress=False, trackers=[Ear()], **OPTIONS)
    updates = whole.marks.num_updates[:, None]
    done = np.arange(OPTIONS["max_updates"]) < updates
    np.testing.assert_array_equal(heard, done)
    np.testing.assert_array_equal(steps, np.where(done, np.cumsum(whole.metrics.env_steps, axis=1), 0))


def test_a_lane_that_fails_is_named_and_the_rest_is_saved(easy, crew, tmp_path):
    """Seed 9 makes each of its calls fail: first among others, then alone."""
    hired = crew(lambda crew, tile, order: Failed("ValueError: no") if holds(order, 9) else None)
    with pytest.raises(RuntimeError, match=r"seed 9, setting 0 cannot be trained: ValueError: no"):
        jax_ac.run(easy, LANES, progress=False, out=tmp_path / "run", **OPTIONS)
    assert hired[0].lost == 2
    assert 1 in hired[0].sizes
    assert jax_ac.Result.load(tmp_path / "run", easy).marks.num_updates.sum() > 0


def test_a_lane_with_which_workers_die_is_not_tried_for_ever(easy, crew):
    hired = crew(lambda crew, tile, order: Lost("died") if holds(order, 9) else None)
    with pytest.raises(RuntimeError, match=r"seed 9, setting 0 cannot be trained: died"):
        jax_ac.run(easy, LANES, progress=False, **OPTIONS)
    assert hired[0].lost == 11


def test_a_worker_that_cannot_begin_ends_the_run(easy, monkeypatch):
    class Crew(crews.LocalCrew):
        def ready(self, tile):
            future = Future()
            future.set_exception(Failed("ModuleNotFoundError: No module named 'jax_ac'"))
            return future

    monkeypatch.setattr(runs, "LocalCrew", Crew)
    with pytest.raises(RuntimeError, match=r"a worker cannot begin: ModuleNotFoundError"):
        jax_ac.run(easy, LANES, progress=False, **OPTIONS)


def test_a_lane_that_came_further_after_a_failure_is_no_suspect_any_more(easy, whole, crew):
    """One call fails, for no reason of a lane: its lanes go on alone, and together again once they came further."""
    hired = crew(lambda crew, tile, order: Failed("once") if crew.calls == 4 else None)
    result = jax_ac.run(easy, LANES, progress=False, **OPTIONS)
    jax.tree.map(np.testing.assert_array_equal, result.metrics, whole.metrics)
    assert 1 in hired[0].sizes
    assert max(hired[0].sizes[-4:]) > 1


def test_a_worker_that_cannot_begin_is_left_out_where_others_can(easy, whole, monkeypatch, capsys):
    class Crew(crews.LocalCrew):
        def ready(self, tile):
            if tile == 0:
                return super().ready(tile)
            future = Future()
            future.set_exception(Failed("ValueError: it has other packages"))
            return future

    monkeypatch.setattr(runs, "LocalCrew", Crew)
    result = jax_ac.run(easy, LANES, progress=False, **OPTIONS)
    jax.tree.map(np.testing.assert_array_equal, result.metrics, whole.metrics)
    assert "a worker is left out, as it cannot begin: ValueError: it has other packages" in capsys.readouterr().err


def test_only_what_changed_is_sent_to_a_device_again():
    device = jax.local_devices()[1]
    first = Slots(np.arange(4, dtype=np.uint32), {"rate": np.ones(4), "clip": np.ones(4)}, np.ones(4, bool), np.full(4, 5))
    there = workers.put(first, None, device)
    second = first._replace(hyperparams={"rate": np.ones(4), "clip": np.arange(4.0)}, fresh=np.zeros(4, bool))
    now = workers.put(second, (first, there), device)
    jax.tree.map(np.testing.assert_array_equal, now, second)
    jax.tree.map(np.testing.assert_array_equal, there, first)
    assert all(leaf.devices() == {device} for leaf in jax.tree.leaves(now))
    same = jax.tree.map(lambda new, old: new is old, now, there)
    assert same == Slots(True, {"rate": True, "clip": False}, False, True)
