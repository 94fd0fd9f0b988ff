"""`train` is pure; `train_many` is `train`, many times, the same bits wherever a lane is."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from by_hand import as_tree

import jax_ac
from jax_ac import advantages, losses, rollout
from jax_ac.networks import SharedActorCritic
from jax_ac.protocols import Algorithm

UPDATES = 60


def assert_same_bits(ours, theirs):
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(ours), jax.device_get(theirs))


def lanes(tree, index):
    return jax.tree.map(lambda leaf: leaf[index], tree)


@pytest.fixture(scope="module")
def hundred(keras):
    """More seeds than fit in one wave of tiles: 2 devices x 16 lanes."""
    return jax_ac.train_many(keras, range(100), UPDATES)


def test_shapes(keras, hundred):
    state, metrics = jax.eval_shape(lambda key: jax_ac.train(keras, key, 5), jax.random.key(0))
    assert all(leaf.shape == (5,) for leaf in metrics)
    assert state.num_updates.shape == ()
    states, metrics = hundred
    assert all(leaf.shape == (100, UPDATES) for leaf in metrics)
    assert states.params["params"]["actor"]["kernel"].shape == (100, 128, 2)
    hyper = jax_ac.grid(keras.hyperparams, gamma=[0.9, 0.95, 0.99])
    states, metrics = jax_ac.train_many(keras, 4, 7, hyper)
    assert all(leaf.shape == (3, 4, 7) for leaf in metrics)
    assert states.num_updates.shape == (3, 4)


def test_a_lane_is_the_same_bits_wherever_it_is(keras, hundred):
    alone = jax_ac.train_many(keras, [42], UPDATES)
    assert_same_bits(lanes(hundred, slice(42, 43)), alone)
    few = jax_ac.train_many(keras, [99, 3, 42, 57, 8, 0, 21], UPDATES)
    assert_same_bits(lanes(hundred, np.array([99, 3, 42, 57, 8, 0, 21])), few)


def test_a_lane_is_the_same_bits_on_one_device_and_on_two(keras, hundred):
    assert jax.local_device_count() == 2
    one = jax_ac.train_many(keras, range(40), UPDATES, devices=jax.local_devices()[:1])
    assert_same_bits(lanes(hundred, slice(0, 40)), one)
    other = jax_ac.train_many(keras, range(40), UPDATES, devices=jax.local_devices()[1:])
    assert_same_bits(one, other)


def test_the_number_of_updates_changes_no_bits(keras, hundred):
    """U = 1 is the case in which XLA would inline a loop of static length."""
    for num_updates in (1, 7):
        states, metrics = jax_ac.train_many(keras, 5, num_updates)
        assert_same_bits(lanes(hundred[1], (slice(0, 5), slice(0, num_updates))), metrics)
        assert (states.num_updates == num_updates).all()


def test_a_lane_of_a_sweep_is_that_lane_alone(keras):
    hyper = jax_ac.grid(keras.hyperparams, learning_rate=[1e-2, 3e-3], gamma=[0.99, 0.9])
    swept = jax_ac.train_many(keras, range(9), UPDATES, hyper)
    for h in range(4):
        setting = type(hyper)(*(float(column[h]) for column in hyper))
        assert_same_bits(lanes(swept, (h, slice(4, 5))), jax_ac.train_many(keras, [4], UPDATES, setting))
    finals = swept[0].params["params"]["actor"]["kernel"]
    assert not np.allclose(finals[0], finals[1])


@pytest.fixture(scope="module")
def eight(keras):
    """`train` with 8 updates, jitted."""
    return jax.jit(lambda key: jax_ac.train(keras, key, 8))


def test_train_many_is_train(eight, hundred):
    """The plain scan is fused differently, so equal within rounding over the first updates; then chaos sets in."""
    for seed in (0, 42):
        _, metrics = eight(jax.random.key(seed))
        for name, ours, theirs in zip(metrics._fields, lanes(hundred[1], seed), metrics, strict=True):
            np.testing.assert_allclose(ours[:8], theirs, rtol=1e-3, err_msg=name)


def test_train_is_a_pure_function(keras, eight):
    key = jax.random.key(3)
    plain = eight(key)
    assert_same_bits(plain, eight(key))
    mapped = jax.jit(jax.vmap(lambda key: jax_ac.train(keras, key, 8)))(jax.random.split(key, 3).at[1].set(key))
    scanned = jax.jit(lambda: jax.lax.scan(lambda _, key: (None, jax_ac.train(keras, key, 8)), None, key[None]))()[1]
    for other in (lanes(mapped, 1), lanes(scanned, 0)):
        for ours, theirs in zip(other[1], plain[1], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3)


def test_steps_by_hand_are_train(keras, eight):
    key, hyperparams = jax.random.key(5), jax.tree.map(jnp.float32, keras.hyperparams)
    state = keras.init(key, hyperparams)
    step = jax.jit(keras.step)
    for update in range(8):
        state, _ = step(jax.random.fold_in(key, update), state, hyperparams)
    trained, _ = eight(key)
    for ours, theirs in zip(jax.tree.leaves(state), jax.tree.leaves(trained), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


@pytest.fixture(scope="module")
def stepped(keras):
    """A number that one step makes of hyperparameters, as a function of them, and its gradient.

    Adam's first step has the size of the learning rate, whatever the gradient; its first moment is the gradient.
    """
    key = jax.random.key(1)
    state = keras.init(key, jax.tree.map(jnp.float32, keras.hyperparams))

    def objective(hyperparams):
        stepped, metrics = keras.step(key, state, hyperparams)
        moments = as_tree(stepped.opt_state.mu, stepped.params)
        sizes = (jnp.sum(tree["params"]["critic"]["kernel"] ** 2) for tree in (stepped.params, moments))
        return sum(sizes) + metrics.value_loss

    return jax.jit(objective), jax.jit(jax.grad(objective))


@pytest.mark.parametrize(("name", "h"), [("learning_rate", 1e-3), ("vf_coef", 1e-2), ("gamma", 1e-3)])
def test_gradients_with_respect_to_hyperparameters_pass_through_a_step(keras, stepped, name, h):
    objective, gradient_of = stepped
    hyperparams = jax.tree.map(jnp.float32, keras.hyperparams)
    gradient = gradient_of(hyperparams)
    assert all(np.isfinite(leaf) for leaf in gradient)
    value = getattr(hyperparams, name)
    up, down = (objective(hyperparams._replace(**{name: changed})) for changed in (value + h, value - h))
    difference = (up - down) / (2 * h)
    assert abs(difference) > 1e-3
    np.testing.assert_allclose(getattr(gradient, name), difference, rtol=0.02)


@pytest.mark.parametrize("stop_gradient", [False, True])
def test_gradients_pass_through_two_updates(cartpole, stop_gradient):
    """Of the second update's gradient with respect to the first one's learning rate, while the episodes stay the same."""
    algorithm = jax_ac.keras_actor_critic(cartpole, stop_gradient=stop_gradient)

    def objective(learning_rate):
        hyperparams = algorithm.hyperparams._replace(learning_rate=learning_rate)
        state, metrics = jax_ac.train(algorithm, jax.random.key(0), 2, hyperparams)
        return jnp.sum(as_tree(state.opt_state.mu, state.params)["params"]["actor"]["kernel"] ** 2), metrics.env_steps

    gradient, _ = jax.jit(jax.grad(objective, has_aux=True))(1e-3)
    (up, steps_up), (down, steps_down) = (jax.jit(objective)(1e-3 + h) for h in (1e-5, -1e-5))
    np.testing.assert_array_equal(steps_up, steps_down)
    np.testing.assert_allclose(gradient, (up - down) / 2e-5, rtol=0.05)


def with_optax_adam(cartpole):
    """An assembly of another network, rollout and optimizer."""
    return jax_ac.actor_critic(
        cartpole,
        SharedActorCritic(cartpole.observation_space, cartpole.action_space, hidden_sizes=(64, 64)),
        rollout=rollout.episodes(4),
        advantage=advantages.normalized_returns,
        loss=partial(losses.keras_actor_critic_loss, stop_gradient=True),
        optimizer=lambda h: optax.adam(h.learning_rate),
        hyperparams=jax_ac.KerasHyperparams(learning_rate=3e-3),
    )


def test_the_bits_of_another_assembly_do_not_depend_on_the_devices_either(cartpole):
    """optax.adam gave other bits when one program was compiled for two devices together."""
    algorithm = with_optax_adam(cartpole)
    one = jax_ac.train_many(algorithm, range(20), 20, devices=jax.local_devices()[:1])
    two = jax_ac.train_many(algorithm, range(20), 20)
    assert_same_bits(one, two)
    assert_same_bits(lanes(two, slice(17, 18)), jax_ac.train_many(algorithm, [17], 20))


def counting(algorithm):
    """The algorithm, and a list that grows each time its step is traced."""
    traces = []

    def step(key, state, hyperparams):
        traces.append(None)
        return algorithm.step(key, state, hyperparams)

    return Algorithm(algorithm.init, step, algorithm.hyperparams), traces


def test_one_trace_and_no_recompilation_when_numbers_change(keras):
    algorithm, traces = counting(keras)
    jax_ac.train_many(algorithm, 3, 7)
    first = len(traces)
    for seeds in (3, [7], range(50)):
        jax_ac.train_many(algorithm, seeds, 7, algorithm.hyperparams._replace(learning_rate=0.5, gamma=0.1))
    jax_ac.train_many(algorithm, 3, 7, jax_ac.grid(algorithm.hyperparams, adam_eps=[1e-8, 1e-5]))
    assert len(traces) == first
    assert first <= 3  # once for its memory, once for the shapes of its metrics, once for the loop


def test_train_traces_its_step_once(keras):
    algorithm, traces = counting(keras)
    train = jax.jit(lambda key, hyperparams: jax_ac.train(algorithm, key, 5, hyperparams))
    for learning_rate in (0.1, 0.2):
        train(jax.random.key(0), algorithm.hyperparams._replace(learning_rate=learning_rate))
    assert len(traces) == 1


@pytest.mark.parametrize(
    ("num_updates", "error", "message"),
    [(0, ValueError, "at least 1, got 0"), (-1, ValueError, "at least 1"), (2.0, TypeError, "whole number, got 2.0")],
)
def test_bad_num_updates(keras, num_updates, error, message):
    with pytest.raises(error, match=message):
        jax_ac.train(keras, jax.random.key(0), num_updates)
    with pytest.raises(error, match=message):
        jax_ac.train_many(keras, 2, num_updates)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"tile_width": 0}, ValueError, "tile_width must be at least 1, got 0"),
        ({"tile_width": 2.5}, TypeError, "tile_width must be a whole number, got 2.5"),
        ({"devices": []}, ValueError, "at least one device"),
        (
            {"hyperparams": {"gamma": 0.9}},
            TypeError,
            "must be a KerasHyperparams, as .* got dict",
        ),
    ],
)
def test_other_bad_input(keras, arguments, error, message):
    with pytest.raises(error, match=message):
        jax_ac.train_many(keras, 2, 2, **arguments)


def test_train_takes_one_setting(keras):
    with pytest.raises(ValueError, match="train takes one setting"):
        jax_ac.train(keras, jax.random.key(0), 2, jax_ac.grid(keras.hyperparams, gamma=[0.9, 0.8]))
    with pytest.raises(TypeError, match=r"must be a KerasHyperparams, as .* got tuple"):
        jax_ac.train(keras, jax.random.key(0), 2, (0.1, 0.9))


@pytest.mark.parametrize("wrong", [None, "keras", jax_ac.KerasHyperparams()])
def test_what_is_no_algorithm(wrong):
    with pytest.raises(TypeError, match="algorithm must come from a preset or actor_critic, got"):
        jax_ac.train(wrong, jax.random.key(0), 2)
    with pytest.raises(TypeError, match="algorithm must come from a preset or actor_critic, got"):
        jax_ac.train_many(wrong, 2, 2)
