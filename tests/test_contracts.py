"""Functions as environments: what they are by hand, that they train, and what breaks their contract."""

import dataclasses

import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from by_hand import small
from scipy import stats

import jax_ac
from jax_ac import Box, Discrete, Functions, rollout, transforms
from jax_ac.distributions import Categorical, DiagonalGaussian
from jax_ac.protocols import Policy


def walk(**changes):
    """A pair of plain functions: from 0, each action ±1 is a step; beyond ±3 it ends, and after 9 steps."""

    def reset(key, *, start=0.0):
        return jnp.full(2, start), {"at": start, "time": 0}

    def step(key, state, action, *, start=0.0):
        at, time = state["at"] + 2.0 * action - 1.0, state["time"] + 1
        return jnp.stack([at, at]), {"at": at, "time": time}, at, jnp.abs(at) > 3, time >= 9

    return Functions(reset, step, Discrete(2), max_steps=9, params={"start": 0.0})._replace(**changes)


def test_a_pair_of_functions_by_hand():
    env = jax_ac.make_env(walk(solved_at=4.0, name="walk"), start=1.5)
    assert (env.name, env.max_steps, env.truncation_gap, env.solved_at, env.params) == ("walk", 9, 1, 4.0, {"start": 1.5})
    assert env.observation_space == Box((2,), -np.inf, np.inf)
    obs, state = env.reset(jax.random.key(0))
    np.testing.assert_array_equal(obs, 1.5)
    assert (obs.dtype, state["at"].dtype, state["time"].dtype) == (jnp.float32, jnp.float32, jnp.int32)
    for at, terminated in ((2.5, False), (3.5, True)):
        obs, state, reward, has_terminated, truncated, final_obs = env.step(jax.random.key(0), state, jnp.int32(1))
        np.testing.assert_array_equal(final_obs, at)
        assert (reward, has_terminated, truncated) == (at, terminated, False)
    np.testing.assert_array_equal(obs, 1.5)
    assert (state["at"], state["time"]) == (1.5, 0)
    rebound = env.bind({"start": 0.5})
    np.testing.assert_array_equal(rebound.reset(jax.random.key(0))[0], 0.5)


def test_a_pair_of_functions_trains():
    env = jax_ac.make_env(walk())
    algorithm = jax_ac.a2c(env, 4, 8, network=small(env))
    assert algorithm.hyperparams.env_start == 0.0
    hyperparams = jax_ac.grid(algorithm.hyperparams, env_start=[0.0, -2.5])
    states, metrics = jax_ac.train_many(algorithm, 2, 20, hyperparams)
    assert np.isfinite(metrics.policy_loss).all()
    assert (states.env_steps == 20 * 32).all()
    length = np.nanmean(metrics.episode_length, axis=(1, 2))
    assert length[0] > length[1] + 1  # which begins near an end


@jax.tree_util.register_pytree_node_class
@dataclasses.dataclass
class Physics:
    """A state with constants beside its arrays, as that of MuJoCo's MJX: two of them cannot be compared by ``==``."""

    at: jax.Array
    constants: np.ndarray

    def tree_flatten(self):
        return (self.at,), tuple(self.constants)

    @classmethod
    def tree_unflatten(cls, constants, leaves):
        return cls(*leaves, np.array(constants))


@pytest.mark.parametrize("constants", [[], [1.0, 2.0]])
def test_a_state_may_hold_constants(constants):
    def reset(key):
        return jnp.zeros(2), Physics(jnp.zeros(()), np.array(constants))

    def step(key, state, action):
        return jnp.zeros(2), dataclasses.replace(state, at=state.at + 1.0), 1.0, False, state.at >= 4.0

    env = jax_ac.make_env(walk(reset=reset, step=step, params={}))
    states, metrics = jax_ac.train_many(jax_ac.a2c(env, 2, 8, network=small(env)), 2, 2)
    assert (np.asarray(metrics.episode_length)[:, -1] == 5).all()
    assert isinstance(states.acting.env_state, Physics)


def takes(value):
    """A function of the contract's arguments that returns `value`."""
    return lambda *arguments, **numbers: value


ZERO, OBS = jnp.zeros(()), jnp.zeros(2)
STATE = {"at": 0.0, "time": 0}
VIOLATIONS = [
    ({"action_space": 2}, TypeError, "action_space of custom must be a Box or Discrete, got int"),
    ({"observation_space": (2,)}, TypeError, "observation_space of custom must be a Box or Discrete, got tuple"),
    ({"reset": takes(OBS)}, ValueError, r"reset of custom must return \(obs, state\)"),
    ({"reset": takes((OBS, STATE, 0.0))}, ValueError, r"reset of custom must return \(obs, state\)"),
    ({"reset": takes(({"x": OBS}, STATE))}, ValueError, "observations of custom must be one array, got dict"),
    ({"reset": lambda key, start: (OBS, key)}, ValueError, "state of custom must hold numbers; keep a key as"),
    ({"observation_space": Box((3,), -1, 1)}, ValueError, r"the shape \(2,\), its space says \(3,\)"),
    ({"observation_space": Discrete(3)}, ValueError, r"the shape \(2,\), its space says \(\)"),
    ({"step": takes((OBS, STATE, 0.0, False))}, ValueError, r"must return \(obs, state, reward, terminated, truncated\)"),
    ({"step": takes((OBS, STATE, 0.0, False, {}, {}))}, ValueError, r"must return \(obs, state, reward, terminated,"),
    ({"step": takes((jnp.zeros(3), STATE, 0.0, False, False))}, ValueError, "structure and shapes that reset gives them"),
    ({"step": takes((OBS, {"at": 0.0}, 0.0, False, False))}, ValueError, "structure and shapes that reset gives them"),
    ({"step": takes((OBS, {"at": OBS, "time": 0}, 0.0, False, False))}, ValueError, "structure and shapes that reset"),
    (
        {"step": takes((OBS, {"at": 0.0, "time": 0.5}, 0.0, False, False))},
        ValueError,
        "real numbers where reset gives",
    ),
    (
        {"step": takes((OBS, STATE, OBS, False, False))},
        ValueError,
        "and truncated of custom must be scalars",
    ),
    ({"step": takes((OBS, STATE, 0.0, False, {}))}, ValueError, "and truncated of custom must be scalars"),
    (
        {"step": takes((OBS, STATE, 1j, False, False))},
        ValueError,
        "the reward of custom must be a real number, got complex",
    ),
    (
        {"step": takes((OBS, STATE, 0.0, 1.0, False))},
        ValueError,
        "terminated and truncated of custom must be bools, got float32 and bool",
    ),
    ({"step": takes((OBS, STATE, 0.0, False, 0))}, ValueError, "must be bools, got bool and int32"),
    (
        {"reset": takes((ZERO, STATE)), "observation_space": Discrete(3)},
        ValueError,
        "the observations of custom must be whole numbers, as its space says, got float32",
    ),
    ({"action_space": Discrete(0)}, ValueError, "n of the action_space of custom must be at least 1, got 0"),
    ({"action_space": Discrete(2.0)}, TypeError, "n of the action_space of custom must be a whole number, got 2.0"),
    ({"observation_space": Discrete(-1)}, ValueError, "n of the observation_space of custom must be at least 1, got -1"),
    ({"action_space": Box(2, -1, 1)}, TypeError, "shape of the action_space of custom must be a tuple .*, got 2"),
    ({"action_space": Box((0,), -1, 1)}, ValueError, "every axis of the action_space of custom must be at least 1"),
    ({"action_space": Box((2,), 1, [2, 0])}, ValueError, "low of the action_space of custom must be at most its high"),
    ({"action_space": Box((1,), np.nan, 1)}, ValueError, "low of the action_space of custom must be at most its high"),
    ({"observation_space": Box((2,), [0, 0, 0], 1)}, ValueError, r"or of its shape \(2,\), got \(3,\) and \(\)"),
    ({"action_space": Box((1,), None, "x")}, TypeError, "low and high of the action_space of custom must be numbers"),
    ({"reset": None}, TypeError, "reset of custom must be a function, got NoneType"),
    ({"step": 3}, TypeError, "step of custom must be a function, got int"),
    ({"params": ["start"]}, TypeError, "params of custom must map names to numbers, got list"),
    ({"reset": lambda key: (OBS, STATE)}, TypeError, r"reset of custom must take \(key, start\): got an unexpected keyword"),
    (
        {"step": lambda key, state, *, start: 0},
        TypeError,
        r"step of custom must take \(key, state, action, start\)",
    ),
    ({"solved_at": "soon"}, TypeError, "solved_at of custom must be a number, got 'soon'"),
    ({"solved_at": np.nan}, ValueError, "solved_at of custom must be a finite number, got nan"),
    ({"max_steps": 0}, ValueError, "max_steps of custom must be at least 1, got 0"),
    ({"max_steps": 2.5}, TypeError, "max_steps of custom must be a whole number, got 2.5"),
    ({"params": {"start": "here"}}, TypeError, "start must be a number, got 'here'"),
]


@pytest.mark.parametrize(("changes", "error", "message"), VIOLATIONS)
def test_functions_that_break_the_contract(changes, error, message):
    with pytest.raises(error, match=message):
        jax_ac.make_env(walk(**changes))


def test_functions_have_no_parameters_of_gymnax():
    with pytest.raises(ValueError, match="unknown parameter of custom 'max_steps_in_episode'"):
        jax_ac.make_env(walk(), max_steps_in_episode=5)
    with pytest.raises(ValueError, match="unknown parameter of custom 'stat'; did you mean 'start'"):
        jax_ac.make_env(walk(), stat=5)
    with pytest.raises(TypeError, match="params are those of a gymnax environment; functions have none"):
        jax_ac.make_env(walk(), gymnax.make("CartPole-v1")[1])


@pytest.mark.parametrize("name", ["gamma", "eps", "learning_rate"])
def test_numbers_of_an_environment_are_not_held_to_the_ranges_of_hyperparameters(name):
    """Its gamma is not the algorithm's; nothing but `scale_rewards` and `sticky_actions` has a range."""

    def start(key, **numbers):
        return jnp.full(2, numbers[name]), STATE

    def step(key, state, action, **numbers):
        return jnp.full(2, numbers[name]), state, 0.0, False, False

    env = jax_ac.make_env(walk(reset=start, step=step, params={name: -3.0}), **{name: -2.0})
    algorithm = jax_ac.a2c(env, 2, 2)
    assert algorithm.hyperparams[-1] == -2.0
    settings = jax_ac.grid(algorithm.hyperparams, **{f"env_{name}": [-5.0, 7.0]})
    begun = jax.vmap(algorithm.init, (None, 0))(jax.random.key(0), settings)
    np.testing.assert_array_equal(begun.acting.obs[:, 0, 0], [-5.0, 7.0])
    with pytest.raises(ValueError, match=f"{name} must be a finite number, got inf"):
        jax_ac.make_env(walk(reset=start, step=step, params={name: -3.0}), **{name: np.inf})
    with pytest.raises(ValueError, match="env_reward_scale must be a finite number greater than 0, got -1"):
        jax_ac.grid(jax_ac.a2c(transforms.scale_rewards(env, 2.0)).hyperparams, env_reward_scale=[-1.0])


def test_truncations_that_come_more_often_than_the_functions_claim():
    """Their final observations are kept all the same: the state counts its steps, so that each value is of its own step."""

    def step(key, state, action):
        time = state + 1
        return jnp.full(1, time, jnp.float32), time, 1.0, False, time >= 3

    env = jax_ac.make_env(Functions(lambda key: (jnp.zeros(1), 0), step, Discrete(2), max_steps=9))

    def act(obs, memory, first):
        return Categorical(jnp.zeros((*obs.shape[:-1], 2))), 10 * obs[..., 0], memory

    policy, unrolled = Policy((), act), rollout.unroll(2, 8)
    acted = unrolled.act(jax.random.key(0), env, policy, unrolled.init(jax.random.key(0), env, policy))[1].trajectory
    np.testing.assert_array_equal(acted.truncated[:, 0], [False, False, True] * 2 + [False, False])
    np.testing.assert_array_equal(acted.next_value[:, 1], [10, 20, 30, 10, 20, 30, 10, 20])


@pytest.mark.parametrize("env", ["PointRobot-misc", Functions(lambda key: (jnp.zeros(2), 0.0), None, None)])
def test_an_environment_can_be_made_inside_a_jit(env):
    """Where the bounds of its spaces, if they are arrays of JAX, are traced."""

    def step(key, state, action):
        return action, state, 0.0, False, False

    def first(key):
        made = env if isinstance(env, str) else env._replace(step=step, action_space=Box((2,), -jnp.ones(2), jnp.ones(2)))
        return jax_ac.make_env(made).transition(key, jax_ac.make_env(made).reset(key)[1], 9 * jnp.ones(2))[0]

    assert np.isfinite(jax.jit(first)(jax.random.key(0))).all()


@pytest.mark.parametrize("shape", [(), (1,), (2, 2)])
def test_actions_of_any_shape(shape):
    """A policy's are vectors; the environment is given its own shape, clipped to its bounds, and reset's types come back."""
    low, high = -0.5 * np.ones(shape), np.linspace(0.1, 0.4, int(np.prod(shape))).reshape(shape)

    def step(key, state, action):
        assert action.shape == shape
        return action, state, jnp.sum(action), False, False

    env = jax_ac.make_env(Functions(lambda key: (jnp.zeros(shape), 0.0), step, Box(shape, low, high)))
    size = int(np.prod(shape))
    for action in (0.2 * jnp.arange(1.0, size + 1), -jnp.ones(size), 0.2 * jnp.arange(1.0, size + 1).reshape(shape)):
        obs, _, reward, *_ = env.transition(jax.random.key(0), jnp.zeros(()), action)
        expected = np.clip(np.asarray(action).reshape(shape), low, high)
        np.testing.assert_allclose(obs, expected, rtol=1e-6)
        np.testing.assert_allclose(reward, expected.sum(), rtol=1e-6)
    algorithm = jax_ac.a2c(env, 2, 3)
    jax.eval_shape(lambda: jax_ac.train(algorithm, jax.random.key(0), 2))  # the carry of its scan has one type


@pytest.mark.parametrize(("low", "high"), [(-0.5, 0.25), (np.array([-0.5, -0.1]), np.array([0.25, 2.0]))])
def test_actions_beyond_the_box_are_clipped_at_the_environment_only(low, high):
    """The observation after an action is what the environment was given; `log_prob` is that of what was sampled."""

    def step(key, state, action):
        return action, state, jnp.sum(action), False, False

    env = jax_ac.make_env(Functions(lambda key: (jnp.zeros(2), jnp.zeros(())), step, Box((2,), low, high)))
    mean, log_std = jnp.array([0.1, -0.2]), jnp.array([0.0, -1.0])

    def act(obs, memory, first):
        return DiagonalGaussian(jnp.broadcast_to(mean, obs.shape), jnp.broadcast_to(log_std, obs.shape)), obs[..., 0], memory

    policy, unrolled = Policy((), act), rollout.unroll(5, 200)
    play = jax.jit(lambda key: unrolled.act(key, env, policy, unrolled.init(key, env, policy))[1].trajectory)
    seen = jax.device_get(play(jax.random.key(0)))
    executed = np.clip(seen.action, low, high)
    assert (np.abs(executed - seen.action) > 0.1).any(axis=(0, 1)).all()
    np.testing.assert_allclose(seen.obs[1:], executed[:-1], rtol=1e-6)
    np.testing.assert_allclose(seen.reward, executed.sum(axis=-1), rtol=1e-5, atol=1e-6)
    expected = stats.norm(mean, np.exp(log_std)).logpdf(seen.action).sum(axis=-1)
    np.testing.assert_allclose(seen.log_prob, expected, rtol=1e-4, atol=1e-5)
