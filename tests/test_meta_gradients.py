"""Gradients through learning: of a loss after two A2C updates with respect to hyperparameters. Xu et al. (2018)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jax_ac
from jax_ac.networks import KERAS, SeparateActorCritic
from jax_ac.update import clipped_adam, clipped_rmsprop

NUM_ENVS, NUM_STEPS, UPDATES = 8, 4, 2
DEFAULTS = jax_ac.A2CHyperparams(learning_rate=0.05, gamma=0.8, gae_lambda=0.9, max_grad_norm=1.0, eps=0.05)
STEP_SIZES = {"learning_rate": 2e-3, "gamma": 4e-2}


def smooth_adam(hyperparams):
    """With a large ε, so that no sign of a gradient component decides."""
    return clipped_adam(hyperparams, hyperparams.eps)


@pytest.fixture(scope="module", params=[clipped_rmsprop, smooth_adam])
def objective(request):
    """``(learning rate, gamma) -> (validation loss, where acting stands)``, with its gradient, after two updates."""
    env = jax_ac.make_env("CartPole-v1")
    network = SeparateActorCritic(env.observation_space, env.action_space, (8,), initialization=KERAS)
    sizes = {"num_envs": NUM_ENVS, "num_steps": NUM_STEPS}
    algorithm = jax_ac.a2c(env, **sizes, optimizer=request.param, network=network, hyperparams=DEFAULTS)
    rng = np.random.default_rng(0)
    obs, advantage, target = (rng.normal(size=size).astype(np.float32) for size in ((40, 4), 40, 40))
    action = rng.integers(0, 2, 40)

    def validate(numbers):
        hyperparams = algorithm.hyperparams._replace(**numbers)
        state, metrics = jax_ac.train(algorithm, jax.random.key(0), UPDATES, hyperparams)
        distribution, value = network.apply(state.params, obs)
        loss = jnp.mean(-distribution.log_prob(action) * advantage + 0.5 * jnp.square(value - target))
        return loss, (state, metrics)

    return jax.jit(jax.value_and_grad(validate, has_aux=True))


@pytest.mark.parametrize("name", STEP_SIZES)
def test_meta_gradients_are_central_differences(objective, name):
    """All actions stay the same: no episode has ended, so where a cart is tells which way it was pushed at every step."""
    base = {"learning_rate": DEFAULTS.learning_rate, "gamma": DEFAULTS.gamma}
    (_, (state, metrics)), gradient = objective(base)
    losses = []
    for sign in (1, -1):
        (loss, (moved, _)), _ = objective({**base, name: base[name] + sign * STEP_SIZES[name]})
        np.testing.assert_array_equal(moved.acting.obs, state.acting.obs)
        assert (moved.params["params"]["actor"]["kernel"] != state.params["params"]["actor"]["kernel"]).all()
        losses.append(float(loss))
    assert (state.acting.episode_length == UPDATES * NUM_STEPS).all()
    assert (metrics.grad_norm > DEFAULTS.max_grad_norm).all()
    difference = (losses[0] - losses[1]) / (2 * STEP_SIZES[name])
    print(name, gradient, difference, losses)
    assert abs(losses[0] - losses[1]) > 1e-4  # a thousand times the rounding of float32
    np.testing.assert_allclose(gradient[name], difference, rtol=0.03)


def test_the_first_update_matters_to_the_second(objective):
    pass
