"""Tuned settings: each builds an algorithm with just these numbers, and a name that is not known is said."""

import inspect

import jax
import numpy as np
import pytest

import jax_ac
from jax_ac import make_env, tuning
from jax_ac.transforms import normalize_observations, scale_rewards

PRESETS = {
    "keras": jax_ac.keras_actor_critic,
    "reinforce": jax_ac.reinforce,
    "one_step": jax_ac.one_step,
    "a2c": jax_ac.a2c,
    "ppo": jax_ac.ppo,
}
ENTRIES = [*tuning.TUNED, *((preset, "CartPole-v1") for preset in tuning.DEFAULTS)]


@pytest.mark.parametrize(("preset", "env"), ENTRIES)
def test_every_entry_builds_and_traces(preset, env):
    """`jax.eval_shape` runs all of the Python of an update; states keep their shapes."""
    algorithm = jax_ac.tuned(preset, env)
    chosen = tuning.TUNED.get((preset, env), tuning.DEFAULTS[preset])
    assert algorithm.hyperparams[: len(chosen.hyperparams)] == chosen.hyperparams
    numbers = jax.tree.map(lambda number: jax.ShapeDtypeStruct((), np.float32), algorithm.hyperparams)
    key = jax.eval_shape(lambda: jax.random.key(0))
    state = jax.eval_shape(algorithm.init, key, numbers)
    stepped, metrics = jax.eval_shape(algorithm.step, key, state, numbers)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), stepped) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), state
    )
    assert all(leaf.shape == () for leaf in metrics)
    assert (state.moments == ()) == ("normalize_observations" not in dict(chosen.transforms))


@pytest.mark.parametrize("preset", PRESETS)
def test_defaults_are_the_presets_own(preset):
    parameters = inspect.signature(PRESETS[preset]).parameters.values()
    sizes = {parameter.name: parameter.default for parameter in parameters if type(parameter.default) is int}
    assert tuning.DEFAULTS[preset].shapes == sizes
    env = make_env("CartPole-v1")
    assert jax_ac.tuned(preset, "CartPole-v1").hyperparams == PRESETS[preset](env).hyperparams
    assert tuning.DEFAULTS[preset].transforms == ()


def test_a_setting_builds_the_algorithm_written_out():
    numbers = jax_ac.PPOHyperparams(learning_rate=1e-3, gamma=0.95, ent_coef=0.0)
    sizes = {"num_envs": 2, "num_steps": 64, "num_epochs": 3, "num_minibatches": 8}
    chosen = tuning.Setting(sizes, numbers, (("scale_rewards", {"scale": 0.1}), ("normalize_observations", {})))
    built = tuning.build("ppo", make_env("Pendulum-v1"), chosen, total_steps=512)
    env = normalize_observations(scale_rewards(make_env("Pendulum-v1"), scale=0.1))
    by_hand = jax_ac.ppo(env, 2, 64, 3, 8, total_steps=512, hyperparams=numbers)
    assert (built.recipe, built.hyperparams) == (by_hand.recipe, by_hand.hyperparams)
    assert built.hyperparams.env_reward_scale == 0.1
    assert (built.num_updates, built.steps_per_update) == (4, 128)


@pytest.mark.parametrize(("preset", "env"), tuning.TUNED)
def test_a_tuned_algorithm_has_its_setting(preset, env):
    by_hand = tuning.build(preset, make_env(env), tuning.TUNED[preset, env])
    assert jax_ac.tuned(preset, env).recipe == by_hand.recipe is not None
    num_steps = by_hand.steps_per_update
    assert jax_ac.tuned(preset, env, total_steps=3 * num_steps).num_updates == 3


def test_without_a_tuned_setting_it_is_the_default():
    assert tuning.setting("ppo", "Acrobot-v1") == tuning.DEFAULTS["ppo"]
    assert tuning.setting("ppo", "Pendulum-v1") == tuning.TUNED["ppo", "Pendulum-v1"] != tuning.DEFAULTS["ppo"]


def test_change_replaces_what_is_named():
    chosen = tuning.setting("ppo", "Pendulum-v1")
    changed = tuning.change(chosen, "ppo", {"gamma": 0.5}, {"num_steps": 64})
    assert changed.hyperparams == chosen.hyperparams._replace(gamma=0.5)
    assert changed.shapes == {**chosen.shapes, "num_steps": 64}
    assert changed.transforms == chosen.transforms
    assert chosen == tuning.setting("ppo", "Pendulum-v1")  # which has not changed itself


BAD = [
    (
        lambda: jax_ac.tuned("a3c", "CartPole-v1"),
        ValueError,
        r"unknown algorithm 'a3c'; did you mean 'a2c'\? Valid: keras, ",
    ),
    (lambda: tuning.setting("PPO", "CartPole-v1"), ValueError, "unknown algorithm 'PPO'; Valid: keras, reinforce, one_step"),
    (lambda: jax_ac.tuned("ppo", "CartPole-v3"), ValueError, "unknown environment 'CartPole-v3'; did you mean 'CartPole-v"),
    (
        lambda: jax_ac.tuned("ppo", make_env("CartPole-v1")),
        TypeError,
        "env must be an environment's id, such as 'CartPole-v1', got Env.",
    ),
    (lambda: jax_ac.tuned("ppo", None), TypeError, "env must be an environment's id, such as 'CartPole-v1', got NoneType."),
    (
        lambda: jax_ac.tuned("ppo", ["CartPole-v1"]),
        TypeError,
        "env must be an environment's id, such as 'CartPole-v1', got l",
    ),
    (
        lambda: jax_ac.tuned("keras", "CartPole-v1", total_steps=1000),
        ValueError,
        "total_steps is for a2c and ppo, whose learning rate is annealed over it, not keras.",
    ),
    (
        lambda: jax_ac.tuned("a2c", "CartPole-v1", total_steps=1000),
        ValueError,
        "total_steps must be a multiple of the 128 steps of an update, got 1,000; the nearest: 896 and 1,024.",
    ),
    (
        lambda: tuning.change(tuning.DEFAULTS["ppo"], "ppo", {"gama": 0.9}, {}),
        ValueError,
        "unknown hyperparameter of ppo 'gama'; did you mean 'gamma'",
    ),
    (
        lambda: tuning.change(tuning.DEFAULTS["a2c"], "a2c", {}, {"num_epochs": 2}),
        ValueError,
        "a2c has no num_epochs; it has num_envs, num_steps.",
    ),
    (
        lambda: tuning.change(tuning.DEFAULTS["keras"], "keras", {}, {"num_envs": 2}),
        ValueError,
        "keras has no num_envs; it has no argument of this kind.",
    ),
    (
        lambda: tuning.change(tuning.DEFAULTS["a2c"], "a2c", {}, {"num_envs": 0}),
        ValueError,
        "num_envs must be at least 1, got 0.",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=f"^{message}") as raised:
        call()
    assert str(raised.value).endswith(".")
    assert "\n" not in str(raised.value)
