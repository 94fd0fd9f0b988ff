"""Retraining: a lane as it was on its way has the bits that a run stopped there has kept."""

import jax
import jax.flatten_util
import numpy as np
import pytest

import jax_ac
from jax_ac import transforms
from jax_ac.retraining import state_after
from jax_ac.runs import run

SEEDS, UPDATES, WIDTH = [5, 2, 9], 9, 2


@pytest.fixture(scope="module")
def a2c():
    """Normalized observations, so that there are moments; a learning rate that falls over more updates than are done."""
    env = transforms.normalize_observations(jax_ac.make_env("CartPole-v1"))
    return jax_ac.a2c(env, 2, 8, total_steps=16 * 20)


@pytest.fixture(scope="module")
def trained(a2c):
    """Runs of three settings, of which the first diverges, stopped after so many updates: ``{updates: result}``."""
    hyper = jax_ac.grid(a2c.hyperparams, learning_rate=[1e30, 3e-3, 1e-2], env_length=[0.5])
    options = {"hyperparams": hyper, "segment_updates": 4, "tile_width": WIDTH, "progress": False}
    devices = jax.local_devices()[:1]
    return {updates: run(a2c, SEEDS, max_updates=updates, devices=devices, **options) for updates in (3, UPDATES)}


def same(one, other):
    leaves = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in leaves)


@pytest.mark.parametrize("updates", [3, UPDATES])
def test_the_whole_state_is_that_which_a_run_kept(a2c, trained, updates):
    """Also where calls are cut otherwise: those of a run begin with one update, and grow until they take a second."""
    result, lane = trained[updates], 7  # seed 2 of setting 2: begun in the run when others had ended
    hyperparams = jax.tree.map(lambda column: column[lane], result.lanes.hyperparams)
    kept = jax.tree.map(lambda leaf: leaf[lane], result.states)
    assert kept.num_updates == updates
    same(state_after(a2c, 2, hyperparams, updates, width=WIDTH, per_call=4), kept)


def test_an_early_agent_is_that_of_a_run_that_stopped_there(trained):
    early, late = trained[3].agent(9, 1), trained[UPDATES].agent(9, 1)
    same(trained[UPDATES].agent(9, 1, update=3)[1:], early[1:])
    same(trained[UPDATES].agent(9, 1, update=np.int64(UPDATES))[1:], late[1:])
    assert not np.array_equal(early.params["params"]["actor"]["kernel"], late.params["params"]["actor"]["kernel"])


def test_an_untrained_agent_is_what_init_makes(a2c, trained):
    agent = trained[UPDATES].agent(5, 1, update=0)
    state = jax.jit(a2c.init)(jax.random.key(5), agent.hyperparams)
    params = (jax.flatten_util.ravel_pytree(tree)[0] for tree in (agent.params, state.params))
    np.testing.assert_allclose(*params, rtol=1e-6, atol=1e-5)  # orthonormal rows are sums, here in another order
    assert not np.array_equal(trained[UPDATES].agent(5, 1, update=1).moments.mean, agent.moments.mean)


def test_a_lane_that_diverged_is_there_up_to_where_it_was_finite(trained):
    result = trained[UPDATES]
    diverged = int(result.marks.diverged_update[2])
    assert 0 <= diverged == result.marks.num_updates[2] < UPDATES
    for update in range(diverged + 1):
        assert np.isfinite(jax.flatten_util.ravel_pytree(result.agent(9, 0, update=update).params)[0]).all()
    with pytest.raises(ValueError, match=rf"update must be in \[0, {diverged}\]"):
        result.agent(9, 0, update=diverged + 1)


@pytest.mark.parametrize(
    ("update", "error", "message"),
    [
        (10, ValueError, r"update must be in \[0, 9\], which the lane of seed 9 has done, got 10\."),
        (-1, ValueError, r"update must be at least 0, got -1\."),
        (2.5, TypeError, r"update must be a whole number, got 2\.5\."),
    ],
)
def test_an_update_that_was_not_done_is_one_sentence(trained, update, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        trained[UPDATES].agent(9, 1, update=update)
