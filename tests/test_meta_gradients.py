"""Gradients through learning: of a loss after two A2C updates with respect to hyperparameters (Xu et al. 2018)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jax_ac
from jax_ac.networks import KERAS, SeparateActorCritic
from jax_ac.update import clipped_adam, clipped_rmsprop

pytestmark = pytest.mark.slow

NUM_STEPS, UPDATES = 4, 2
HYPERPARAMS = jax_ac.A2CHyperparams(learning_rate=0.05, gamma=0.8, gae_lambda=0.9, max_grad_norm=1.0, eps=0.05)
NAMES, STEP_SIZES = ("learning_rate", "gamma"), (2e-3, 4e-2)


def smooth_adam(hyperparams):
    """With ε so large that no component moves by its sign alone."""
    return clipped_adam(hyperparams, hyperparams.eps)


@pytest.fixture(scope="module", params=[(clipped_rmsprop, jax.lax.map), (smooth_adam, lambda f, xs: jax.vmap(f)(xs))])
def results(request):
    """Where training ends up, and the validation loss with its gradient: at the defaults, then each number up and down."""
    optimizer, for_each = request.param
    env = jax_ac.make_env("CartPole-v1")
    network = SeparateActorCritic(env.observation_space, env.action_space, (8,), initialization=KERAS)
    algorithm = jax_ac.a2c(env, 8, NUM_STEPS, optimizer=optimizer, network=network, hyperparams=HYPERPARAMS)
    rng = np.random.default_rng(0)
    obs, advantage, target = (rng.normal(size=shape).astype(np.float32) for shape in ((40, 4), 40, 40))
    action = rng.integers(0, 2, 40)

    def validate(numbers):
        hyperparams = algorithm.hyperparams._replace(**dict(zip(NAMES, numbers, strict=True)))
        state, metrics = jax_ac.train(algorithm, jax.random.key(0), UPDATES, hyperparams)
        distribution, value = network.apply(state.params, obs)
        loss = jnp.mean(-distribution.log_prob(action) * advantage + 0.5 * jnp.square(value - target))
        return loss, (state, metrics)

    base, steps = np.array([HYPERPARAMS.learning_rate, HYPERPARAMS.gamma]), np.diag(STEP_SIZES)
    settings = jnp.float32([base, *(base + steps), *(base - steps)])
    (loss, (state, metrics)), gradient = jax.jit(
        lambda settings: for_each(jax.value_and_grad(validate, has_aux=True), settings)
    )(settings)
    return state, metrics, np.asarray(loss, float), gradient[0]


@pytest.mark.parametrize("index", range(2), ids=NAMES)
def test_meta_gradients_are_central_differences(results, index):
    _, _, loss, gradient = results
    change = loss[1 + index] - loss[3 + index]
    assert abs(change) > 3e-4  # far more than the rounding of float32
    np.testing.assert_allclose(gradient[index], change / (2 * STEP_SIZES[index]), rtol=0.01)


def test_the_actions_stay_the_same(results):
    """No episode has ended, so where a cart is tells which way it was pushed at every step; only the parameters move."""
    state, metrics, *_ = results
    np.testing.assert_array_equal(state.acting.episode_length, UPDATES * NUM_STEPS)
    np.testing.assert_array_equal(state.acting.obs, np.broadcast_to(state.acting.obs[0], state.acting.obs.shape))
    assert len(np.unique(state.params["params"]["actor"]["kernel"], axis=0)) == 5
    assert (metrics.grad_norm > HYPERPARAMS.max_grad_norm).all()  # the gradient passes through the clipping as well
