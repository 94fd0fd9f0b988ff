"""What presets, `actor_critic` and `train` are given: each mistake is named in one sentence, before anything is built."""

import collections
from functools import partial

import jax
import numpy as np
import optax
import pytest
from flax import nnx

import jax_ac
from jax_ac import advantages, algorithms, losses, rollout, transforms
from jax_ac.networks import RecurrentActorCritic, SharedActorCritic
from jax_ac.update import clipped_adam


def assembled(env, **parts):
    """`actor_critic` with some of its parts replaced."""
    parts = {
        "network": SharedActorCritic(env.observation_space, env.action_space),
        "rollout": rollout.unroll(2, 3),
        "advantage": advantages.gae,
        "loss": losses.policy_gradient_loss,
        "optimizer": clipped_adam,
        "hyperparams": jax_ac.A2CHyperparams(),
    } | parts
    return jax_ac.actor_critic(env, **parts)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"network": SharedActorCritic}, "network must be an instance, such as SharedActorCritic.*, got the class Shared"),
        ({"network": nnx.Linear(4, 2, rngs=nnx.Rngs(0))}, r"network must have init\(key, obs\) and apply.*, got Linear"),
        ({"network": None}, r"network must have init\(key, obs\) and apply\(params, obs\), got NoneType"),
        ({"improve": optax.sgd(0.1)}, "improve must be an Improve, as gradient_steps and .*, got GradientTransformation"),
        ({"annealing": 5}, "annealing must be an Annealing, as linear_annealing makes, got int"),
        ({"advantage": 0.95}, r"advantage must be a function \(trajectory, hyperparams\) -> Estimate, got float"),
        ({"loss": None}, r"loss must be a function \(distribution, value, batch, .* got NoneType"),
        ({"optimizer": "adam"}, r"optimizer must be a function \(hyperparams\) -> optax optimizer, got str"),
        ({"optimizer": optax.adam(0.1)}, "so that its numbers can be swept, got an optimizer itself: pass lambda h: optax"),
    ],
)
def test_parts_of_an_actor_critic(cartpole, parts, message):
    with pytest.raises(TypeError, match=message):
        assembled(cartpole, **parts)


def test_a_pair_of_functions_is_a_network(cartpole):
    shared = SharedActorCritic(cartpole.observation_space, cartpole.action_space)
    pair = collections.namedtuple("Pair", "init apply")(shared.init, shared.apply)
    assembled(cartpole, network=pair)


def test_annealing_is_over_a_number_of_updates(cartpole):
    algorithm = assembled(cartpole, annealing=algorithms.linear_annealing(10))
    assert algorithm.num_updates == 10
    assert assembled(cartpole).num_updates is None
    for wrong, error in ((0, ValueError), (2.5, TypeError)):
        with pytest.raises(error, match="num_updates must be"):
            algorithms.linear_annealing(wrong)


PRESETS = {
    "keras_actor_critic": jax_ac.KerasHyperparams,
    "reinforce": jax_ac.ReinforceHyperparams,
    "one_step": jax_ac.OneStepHyperparams,
    "a2c": jax_ac.A2CHyperparams,
    "ppo": jax_ac.PPOHyperparams,
}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_take_their_own_hyperparameters(cartpole, name):
    preset, own = getattr(jax_ac, name), PRESETS[name]
    for other in PRESETS.values():
        if other is not own:
            with pytest.raises(TypeError, match=f"hyperparams of {name} must be {own.__name__}, got {other.__name__}"):
                preset(cartpole, hyperparams=other())
    with pytest.raises(TypeError, match="hyperparams must be a NamedTuple"):
        preset(cartpole, hyperparams={})
    algorithm = preset(cartpole, hyperparams=own(gamma=0.5))
    again = preset(cartpole, hyperparams=algorithm.hyperparams._replace(env_length=2.0, learning_rate=0.1))
    changed = {"gamma": 0.5, "env_length": 2.0, "learning_rate": 0.1}
    assert again.hyperparams._asdict() == algorithm.hyperparams._asdict() | changed
    assert type(again.hyperparams) is type(algorithm.hyperparams)


def test_hyperparameters_of_an_algorithm_on_another_environment(cartpole):
    hyperparams = jax_ac.a2c(cartpole).hyperparams._replace(env_length=2.0)
    sticky = jax_ac.a2c(transforms.sticky_actions(cartpole, 0.25), hyperparams=hyperparams)
    assert (sticky.hyperparams.env_length, sticky.hyperparams.env_sticky_probability) == (2.0, 0.25)
    assert sticky.hyperparams._fields[-1] == "env_sticky_probability"
    with pytest.raises(ValueError, match="unknown hyperparameter 'env_masscart'"):
        jax_ac.a2c(jax_ac.make_env("MountainCarContinuous-v0"), hyperparams=hyperparams)


@pytest.mark.parametrize(("sizes", "recurrent"), [((1, 4, 1, 4), False), ((1, 1, 1, 1), False), ((4, 1, 1, 4), True)])
def test_minibatches_of_one_step(cartpole, sizes, recurrent):
    """Normalized over itself its advantage would be 0."""
    network = RecurrentActorCritic(cartpole.observation_space, cartpole.action_space) if recurrent else None
    message = f"num_minibatches must leave at least 2 steps in each .*, got {sizes[3]} for the {sizes[0] * sizes[1]} of a"
    with pytest.raises(ValueError, match=message):
        jax_ac.ppo(cartpole, *sizes, network=network)
    jax_ac.ppo(cartpole, sizes[0], 2 * sizes[1], *sizes[2:], network=network)


@pytest.mark.parametrize(
    ("key", "got"),
    [
        (0, "got int"),
        (None, "got NoneType"),
        (np.zeros(2, np.uint32), "got ndarray"),
        (jax.random.PRNGKey(0), r"got an array of uint32 of the shape \(2,\)"),
        (jax.random.split(jax.random.key(0), 3), r"got an array of key<fry> of the shape \(3,\)"),
    ],
)
def test_keys(keras, key, got):
    with pytest.raises(TypeError, match=f"key must be one PRNG key, as .* makes, {got}"):
        jax_ac.train(keras, key, 2)


@pytest.mark.parametrize(
    ("numbers", "error", "message"),
    [
        ({"gamma": 1.5}, ValueError, r"gamma must be in \[0, 1\], got 1.5"),
        ({"gamma": np.float32(-1)}, ValueError, r"gamma must be in \[0, 1\], got -1"),
        ({"learning_rate": float("nan")}, ValueError, "learning_rate must be a finite number of at least 0, got nan"),
        ({"learning_rate": "1"}, TypeError, "learning_rate must be a number, got '1'"),
        ({"learning_rate": None}, TypeError, "learning_rate must be a number, got None"),
        ({"env_length": float("inf")}, ValueError, "env_length must be a finite number, got inf"),
    ],
)
def test_numbers_of_one_lane(keras, numbers, error, message):
    with pytest.raises(error, match=message):
        jax_ac.train(keras, jax.random.key(0), 2, keras.hyperparams._replace(**numbers))


def test_traced_numbers_are_trusted(keras):
    def train(gamma):
        return jax_ac.train(keras, jax.random.key(0), 1, keras.hyperparams._replace(gamma=gamma))

    jax.eval_shape(train, 1.5)
    with pytest.raises(ValueError, match="train takes one setting"):
        jax.eval_shape(train, np.ones(2))


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ("cpu", "devices must be a list of devices, such as .*, got 'cpu'"),
        (2, "devices must be a list of devices, such as .*, got 2"),
        (["cpu"], "devices must hold devices, such as .*, got 'cpu'"),
    ],
)
def test_devices(keras, devices, message):
    with pytest.raises(TypeError, match=message):
        jax_ac.train_many(keras, 2, 2, devices=devices)
    with pytest.raises(TypeError, match="devices must be a list of devices"):
        jax_ac.train_many(keras, 2, 2, devices=jax.local_devices()[0])


@pytest.mark.parametrize(("n", "error"), [(0, ValueError), (-1, ValueError), (2.0, TypeError)])
def test_steps_of_returns(cartpole, n, error):
    algorithm = jax_ac.a2c(cartpole, 2, 3, advantage=partial(advantages.n_step, n=n))
    with pytest.raises(error, match=f"n must be (a whole number|at least 1), got {n}"):
        jax.eval_shape(lambda: jax_ac.train(algorithm, jax.random.key(0), 1))
