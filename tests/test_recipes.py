"""Recipes: what they make is what was recorded, and a text that is none makes and runs nothing."""

import importlib
import json
import os
import re
import subprocess
import sys
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jax_ac
from jax_ac import advantages, losses, make_env, networks, recipes
from jax_ac.distributions import Categorical
from jax_ac.recipes import NoRecipe
from jax_ac.transforms import flatten, normalize_observations, scale_rewards, sticky_actions, time_limit
from jax_ac.update import clipped_adam


def everything(env):
    env = sticky_actions(time_limit(flatten(env), max_steps=30), probability=0.25)
    return normalize_observations(scale_rewards(env, 0.5))


ENVS = {
    "an id": lambda: make_env("CartPole-v0"),
    "numbers": lambda: make_env("CartPole-v1", length=1.0, gravity=np.float32(5.5), max_steps_in_episode=40),
    "whole numbers": lambda: make_env("MemoryChain-bsuite", memory_length=3),
    "one transformer": lambda: time_limit(env=make_env("Acrobot-v1"), max_steps=np.int64(9)),
    "all, real actions": lambda: everything(make_env("Pendulum-v1", g=7.0)),
    "all, images": lambda: everything(make_env("Breakout-MinAtar")),
    "another order": lambda: sticky_actions(normalize_observations(scale_rewards(make_env("CartPole-v1"), 2)), 0),
}


def played(env):
    """What its functions compute, as a text."""
    box = isinstance(env.action_space, jax_ac.Box)
    action = jnp.zeros(env.action_space.shape if box else (), jnp.float32 if box else jnp.int32)
    return text_of(lambda key, action: env.step(key, env.reset(key)[1], action), jax.random.key(0), action)


def text_of(function, *arguments):
    return re.sub("0x[0-9a-f]+", "", str(jax.make_jaxpr(function)(*arguments)))


@pytest.mark.parametrize("name", ENVS)
def test_environments(name):
    env = ENVS[name]()
    made = recipes.make(env.recipe)
    assert made.recipe == env.recipe
    for field in env._fields:
        if not callable(getattr(env, field)):
            jax.tree.map(np.testing.assert_array_equal, getattr(made, field), getattr(env, field))
    assert played(made) == played(env)


def of(network, *arguments, **keywords):
    return lambda env: network(env.observation_space, env.action_space, *arguments, **keywords)


CARTPOLE = partial(make_env, "CartPole-v1")
ALGORITHMS = {
    "keras": (
        jax_ac.keras_actor_critic,
        CARTPOLE,
        {
            "stop_gradient": True,
            "stop_when_solved": False,
            "network": of(networks.SharedActorCritic, (8, 4), nn.tanh, networks.ORTHOGONAL),
            "hyperparams": jax_ac.KerasHyperparams(learning_rate=0.02, huber_delta=2.0),
        },
    ),
    "reinforce": (
        jax_ac.reinforce,
        lambda: everything(make_env("Pendulum-v1")),
        {
            "num_episodes": 3,
            "baseline": False,
            "network": of(networks.SeparateActorCritic, hidden_sizes=(4,), activation=jax.nn.silu),
            "hyperparams": jax_ac.ReinforceHyperparams(ent_coef=0.1),
        },
    ),
    "one_step": (
        jax_ac.one_step,
        CARTPOLE,
        {
            "num_envs": 3,
            "network": of(networks.SeparateActorCritic, (4,), initialization=networks.KERAS),
            "hyperparams": jax_ac.OneStepHyperparams(trace_lambda=0.5),
        },
    ),
    "a2c": (
        jax_ac.a2c,
        lambda: everything(make_env("Breakout-MinAtar")),
        {
            "num_envs": 3,
            "num_steps": 5,
            "total_steps": 45,
            "advantage": partial(advantages.n_step, n=2),
            "optimizer": clipped_adam,
            "network": of(networks.SharedActorCritic, (4,)),  # bounds that are arrays
            "hyperparams": jax_ac.A2CHyperparams(gamma=0.5),
        },
    ),
    "ppo": (
        jax_ac.ppo,
        CARTPOLE,
        {
            "num_envs": 2,
            "num_steps": 6,
            "num_epochs": 2,
            "num_minibatches": 2,
            "total_steps": 24,
            "value_loss": losses.squared_error,
            "network": of(networks.RecurrentActorCritic, (4,), 3),
            "hyperparams": jax_ac.PPOHyperparams(clip_eps=0.1),
        },
    ),
}


def program(algorithm):
    """What `init` and a step compute, as a text."""
    numbers = jax.tree.map(jnp.float32, algorithm.hyperparams)

    def run(key, numbers):
        return algorithm.step(key, algorithm.init(key, numbers), numbers)

    return text_of(run, jax.random.key(0), numbers)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_preset_with_arguments_of_its_own(name):
    preset, make_its_env, arguments = ALGORITHMS[name]
    env = make_its_env()
    given = {**arguments, "network": arguments["network"](env)}
    algorithm = preset(env, **given)
    made = recipes.make(algorithm.recipe)
    assert made.recipe == algorithm.recipe
    for field in ("hyperparams", "steps_per_update", "num_updates"):
        assert getattr(made, field) == getattr(algorithm, field)
    assert type(made.hyperparams)._fields == type(algorithm.hyperparams)._fields
    assert program(made) == program(algorithm)
    assert json.loads(algorithm.recipe)["arguments"].keys() == {"env", *given}
    assert program(made) != program(preset(env))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_preset_as_it_is(name):
    preset, *_ = ALGORITHMS[name]
    algorithm = preset(CARTPOLE())
    made = recipes.make(algorithm.recipe)
    assert (made.recipe, made.hyperparams) == (algorithm.recipe, algorithm.hyperparams)


class OwnNetwork(nn.Module):
    @nn.compact
    def __call__(self, obs):
        outputs = nn.Dense(3)(obs)
        return Categorical(outputs[..., :2]), outputs[..., 2]


def own_functions():
    zero = jnp.zeros(1)
    step = lambda key, state, action: (zero, zero, 0.0, False, False)
    return make_env(jax_ac.Functions(lambda key: (zero, zero), step, jax_ac.Discrete(2)))


@pytest.mark.parametrize(
    "make",
    [
        own_functions,
        lambda: flatten(own_functions()),
        lambda: CARTPOLE().bind({"length": 2.0}),
        lambda: scale_rewards(CARTPOLE(), 0.5).bind({"reward_scale": 0.25}),
        lambda: time_limit(normalize_observations(CARTPOLE()).bind({}), 5),
        lambda: jax_ac.a2c(CARTPOLE(), network=OwnNetwork()),
        lambda: jax_ac.a2c(CARTPOLE(), advantage=lambda trajectory, hyperparams: advantages.gae(trajectory, hyperparams)),
        lambda: jax_ac.a2c(CARTPOLE(), optimizer=partial(clipped_adam, eps=jax.random.key(0))),
        lambda: jax_ac.a2c(own_functions()),
        lambda: jax_ac.a2c(CARTPOLE(), network=of(networks.SharedActorCritic, initialization=OWN)(CARTPOLE())),
    ],
)
def test_what_cannot_be_written_has_no_recipe(make):
    assert make().recipe is None


OWN = networks.Initialization(*[nn.initializers.zeros] * 3)


def test_a_traced_argument_has_no_recipe():
    seen, env = [], CARTPOLE()

    def trace(number):
        seen.append(jax_ac.a2c(env, optimizer=partial(clipped_adam, eps=number)).recipe)

    jax.jit(trace)(1e-5)
    assert seen == [None]


@pytest.mark.parametrize(
    "number",
    [0.25, np.float64(0.25), np.float32(0.25), np.array(0.25), jnp.array(0.25)],
    ids=lambda number: type(number).__name__,
)
def test_numbers_of_any_type_are_written_alike(number):
    assert scale_rewards(CARTPOLE(), number).recipe == scale_rewards(CARTPOLE(), 0.25).recipe


@pytest.mark.parametrize(
    "value",
    [
        np.array([[0.1, -np.inf, np.nan]], np.float32),
        np.arange(6, dtype=np.int32).reshape(1, 2, 3),
        np.array([True, False]),
        np.zeros((0, 2)),
        np.float64("inf"),
        (1, (2.5, "x", True, None)),
    ],
    ids=repr,
)
def test_values_come_back(value):
    """In a network's field, where anything may stand."""
    network = networks.SharedActorCritic(value, jax_ac.Discrete(2))
    env = CARTPOLE()
    recipe = jax_ac.a2c(env, network=network).recipe
    arguments = json.loads(recipe)["arguments"]["network"]["arguments"]
    back = recipes._decode(arguments["observation_space"])
    assert type(back) in (type(value), float)
    jax.tree.map(np.testing.assert_array_equal, back, value)
    assert getattr(back, "dtype", None) == getattr(value, "dtype", None) or np.ndim(value) == 0
    assert recipes.make(recipe).recipe == recipe


def call(name, **arguments):
    return {"call": name, "arguments": arguments}


def transformed(**arguments):
    return call("jax_ac.transforms:scale_rewards", env=call("jax_ac.envs:make_env", env="CartPole-v1"), **arguments)


def a2c(**arguments):
    return call("jax_ac.presets:a2c", env=call("jax_ac.envs:make_env", env="CartPole-v1"), **arguments)


def array(numbers, shape, dtype):
    return {"array": numbers, "shape": shape, "dtype": dtype}


OUTSIDE = [
    "os:system", "posix:system", "subprocess:run", "builtins:eval", "builtins:exec", "importlib:import_module", "this:s",
    "jax:jit", "jax.numpy:save", "numpy:load", "jax_ac.runs:run", "jax_ac.recipes:make", "jax_ac:a2c",
    "optax._src.alias:adam", "", ":", "jax_ac.envs", "jax_ac.envs:", ":system", "jax_ac.envs.os:system",
]  # fmt: skip
INSIDE = [
    "jax_ac.envs:_bind", "jax_ac.envs:__builtins__", "jax_ac.envs:jax", "jax_ac.envs:jnp", "jax_ac.envs:partial",
    "jax_ac.envs:jax.devices", "jax_ac.envs:nothing", "jax_ac.transforms:math", "jax_ac.transforms:Any",
    "jax_ac.types:PyTree",
]  # fmt: skip
NAMED = {
    f"{kind} {name}": text
    for name in OUTSIDE + INSIDE
    for kind, text in {
        "call": call(name),
        "call with": call(name, command="true"),
        "name": a2c(optimizer={"name": name}),
        "partial": a2c(optimizer={"partial": name, "positional": ["true"], "keywords": {}}),
        "make": a2c(network={"make": name, "arguments": {}}),
    }.items()
}
STRUCTURES = {
    "unknown key": {**call("jax_ac.envs:make_env", env="CartPole-v1"), "then": "os:system"},
    "no arguments": {"call": "jax_ac.envs:make_env"},
    "arguments in a list": {"call": "jax_ac.envs:make_env", "arguments": ["CartPole-v1"]},
    "call of a number": {"call": 3, "arguments": {}},
    "call of a call": {"call": call("jax_ac.envs:make_env", env="CartPole-v1"), "arguments": {}},
    "not recorded": call("jax_ac.envs:auto_reset", reset=1, transition=2),
    "a class called": call("jax_ac.types:Discrete", n=2),
    "a function made": a2c(network={"make": "jax_ac.networks:dense", "arguments": {}}),
    "unknown argument": call("jax_ac.envs:make_env", env="CartPole-v1", command="true"),
    "missing argument": call("jax_ac.transforms:scale_rewards", scale=0.5),
    "missing field": a2c(network={"make": "jax_ac.networks:SeparateActorCritic", "arguments": {}}),
    "unknown id": call("jax_ac.envs:make_env", env="os"),
    "env is text": call("jax_ac.transforms:flatten", env="CartPole-v1"),
    "env is an algorithm": call("jax_ac.presets:a2c", env=a2c()),
    "number is text": transformed(scale="0.5"),
    "number is a list": transformed(scale=[0.5]),
    "number is a dict": transformed(scale={"0.5": 1}),
    "number is huge": transformed(scale=10**400),
    "out of range": transformed(scale=-1.0),
    "whole number too large": a2c(num_envs=10**30),
    "type of an array": transformed(scale=array(["0.5"], [], "object")),
    "type of an array, commas": transformed(scale=array(["0.5"], [], "f4,(3")),
    "size of an array": transformed(scale=array(["0.5"], [10**30], "float32")),
    "shape of an array": transformed(scale=array(["0.5"], ["a"], "float32")),
    "number of an array": transformed(scale=array(["import os"], [], "float32")),
    "inf in whole numbers": transformed(scale=array(["inf"], [], "int32")),
    "only a name": {"name": "jax_ac.presets:a2c"},
    "only a tuple": {"tuple": []},
    "only a partial": {"partial": "jax_ac.presets:a2c", "positional": [], "keywords": {}},
    "nothing": {},
    "a list": [call("jax_ac.envs:make_env", env="CartPole-v1")],
    "a number": 3,
    "a text": "jax_ac.envs:make_env",
    "null": None,
}
TEXTS = {
    "empty": "",
    "no JSON": "make_env('CartPole-v1')",
    "pickle": "cos\nsystem\n(S'true'\ntR.",
    "cut off": json.dumps(transformed(scale=0.5))[:-3],
    "NaN": "NaN",
    "deep lists": "[" * 100_000 + "]" * 100_000,
    "deep tuples": '{"tuple": [' * 100_000 + "]}" * 100_000,
    "deep calls": json.dumps(transformed(scale=0)).replace("0", '{"tuple": [' * 400 + "]}" * 400),
    "many digits": '{"call": "jax_ac.envs:make_env", "arguments": {"env": 1' + "0" * 5000 + "}}",
}
HOSTILE = {**{key: json.dumps(value) for key, value in {**NAMED, **STRUCTURES}.items()}, **TEXTS}


@pytest.fixture
def nothing_runs(monkeypatch):
    """Fails where a module outside the list is imported by its name, or a command is run."""
    load, before = importlib.import_module, set(sys.modules)

    def guarded(name, *rest):
        assert name.split(".")[0] in ("jax_ac", "jax", "flax", "optax", "gymnax"), name
        return load(name, *rest)

    def refuse(*arguments, **keywords):
        raise AssertionError("something was run")

    for function in ("system", "popen", "execv", "posix_spawn"):
        monkeypatch.setattr(os, function, refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(importlib, "import_module", guarded)
    yield
    assert "this" not in set(sys.modules) - before


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_recipe_makes_and_runs_nothing(name, nothing_runs):
    with pytest.raises(NoRecipe):
        recipes.make(HOSTILE[name])


@pytest.mark.parametrize("given", [None, 3, ["x"], {"call": "os:system"}])
def test_what_is_no_text(given):
    with pytest.raises(NoRecipe):
        recipes.make(given)


def test_every_recorded_function_can_be_called_by_its_recipe():
    """They stand in the modules that recipes look in, under their own names."""
    recorded = [
        f"{module}:{name}"
        for module in recipes.MODULES
        if module.startswith("jax_ac.")
        for name, value in vars(importlib.import_module(module)).items()
        if getattr(value, "recorded", False) and value.__module__ == module
    ]
    assert len(recorded) >= 12
    for name in recorded:
        assert recipes._look_up(name).__qualname__ == name.split(":")[1]
