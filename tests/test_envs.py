"""CartPole against gymnasium, step by step, with its own numbers and others; every id of gymnax; bad input."""

import os
import subprocess
import sys

import gymnasium
import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from by_hand import small

import jax_ac
from jax_ac import Box

NUM_TRAJECTORIES = 1000
IDS = [name for name in gymnax.registered_envs if name != "MNISTBandit-bsuite"]  # it downloads its images
DEFAULT_NETWORK = ["CartPole-v1", "Breakout-MinAtar", "FrozenLake-misc"]
"""Trained with the preset's own network, one for each kind of observation; the others with one that compiles sooner."""


def balance(obs):
    """A linear controller that keeps the pole up and the cart near the middle: obs ``[..., 4]``."""
    return (0.1 * obs[..., 0] + 0.3 * obs[..., 1] + obs[..., 2] + 0.3 * obs[..., 3] > 0).astype(int)


def gymnasium_trajectories(name, initial, actions, **numbers):
    """Observations ``[T, M, 4]``, terminated and truncated ``[T, M]`` of gymnasium; zero after the end.

    `actions` is ``[T, M]``, or None for the controller, which looks at gymnasium's own observations.
    """
    limit, num = {"CartPole-v0": 200, "CartPole-v1": 500}[name], len(initial)
    obs = np.zeros((limit, num, 4), np.float32)
    ends = np.zeros((2, limit, num), bool)
    env = gymnasium.make(name, disable_env_checker=True)
    for attribute, number in numbers.items():
        setattr(env.unwrapped, attribute, number)
    for m in range(num):
        env.reset(seed=0)
        env.unwrapped.state = initial[m].astype(np.float64)
        current = initial[m]
        for t in range(limit):
            action = balance(current) if actions is None else actions[t, m]
            current, reward, terminated, truncated, _ = env.step(int(action))
            assert reward == 1.0
            obs[t, m], ends[0, t, m], ends[1, t, m] = current, terminated, truncated
            if terminated or truncated:
                break
    return obs, ends[0], ends[1]


def our_trajectories(env, initial, actions):
    """The same, and rewards, of ours; the controller looks at our own observations."""
    _, state = jax.vmap(env.reset)(jax.random.split(jax.random.key(0), len(initial)))
    x, x_dot, theta, theta_dot = jnp.asarray(initial).T
    state = state.replace(x=x, x_dot=x_dot, theta=theta, theta_dot=theta_dot)

    def step(carry, t):
        state, obs, alive = carry
        action = balance(obs) if actions is None else jnp.asarray(actions)[t]
        obs, next_state, reward, terminated, truncated = jax.vmap(env.transition, (None, 0, 0))(
            jax.random.key(0), state, action
        )
        out = (jnp.where(alive[:, None], obs, 0.0), terminated & alive, truncated & alive, jnp.where(alive, reward, 1.0))
        return (next_state, obs, alive & ~(terminated | truncated)), out

    start = (state, jnp.asarray(initial), jnp.ones(len(initial), bool))
    _, out = jax.lax.scan(step, start, jnp.arange(env.max_steps))
    return out


@pytest.mark.parametrize("name", ["CartPole-v0", "CartPole-v1"])
@pytest.mark.parametrize("controller", ["random", "balancing"])
def test_cartpole_is_gymnasiums(name, controller):
    rng = np.random.default_rng(0)
    limit = {"CartPole-v0": 200, "CartPole-v1": 500}[name]
    initial = rng.uniform(-0.05, 0.05, (NUM_TRAJECTORIES, 4)).astype(np.float32)
    actions = rng.integers(0, 2, (limit, NUM_TRAJECTORIES)) if controller == "random" else None
    expected_obs, expected_terminated, expected_truncated = gymnasium_trajectories(name, initial, actions)
    obs, terminated, truncated, reward = our_trajectories(jax_ac.make_env(name), initial, actions)
    np.testing.assert_array_equal(terminated, expected_terminated)
    np.testing.assert_array_equal(truncated, expected_truncated)
    np.testing.assert_array_equal(reward, 1.0)
    if controller == "random":
        np.testing.assert_allclose(obs, expected_obs, atol=1e-4)
        assert expected_terminated.any(axis=0).all()
    else:
        assert expected_truncated[-1].mean() > 0.9  # the controller reaches the cap


OTHER_PHYSICS = [
    ({"length": 1.0}, {"length": 1.0, "polemass_length": 0.1}),
    (
        {"masspole": 0.5, "masscart": 2.0},
        {"masspole": 0.5, "masscart": 2.0, "total_mass": 2.5, "polemass_length": 0.25},
    ),
    ({"gravity": 20.0, "force_mag": 5.0, "tau": 0.01}, {"gravity": 20.0, "force_mag": 5.0, "tau": 0.01}),
    ({"x_threshold": 0.5, "theta_threshold_radians": 0.5}, {"x_threshold": 0.5, "theta_threshold_radians": 0.5}),
]


@pytest.mark.parametrize(("ours", "theirs"), OTHER_PHYSICS)
def test_cartpole_with_other_numbers_is_gymnasiums(ours, theirs):
    """Given to `make_env`, and bound as traced arrays in one lane of a batch."""
    rng = np.random.default_rng(1)
    initial = rng.uniform(-0.05, 0.05, (100, 4)).astype(np.float32)
    actions = rng.integers(0, 2, (500, 100))
    expected = gymnasium_trajectories("CartPole-v1", initial, actions, **theirs)
    made, plain = jax_ac.make_env("CartPole-v1", **ours), jax_ac.make_env("CartPole-v1")
    other = {name: jnp.array([plain.params[name], number]) for name, number in ours.items()}
    lanes = jax.vmap(lambda numbers: our_trajectories(plain.bind(numbers), initial, actions))(other)
    for obs, terminated, truncated, _ in (our_trajectories(made, initial, actions), jax.tree.map(lambda x: x[1], lanes)):
        np.testing.assert_array_equal(terminated, expected[1])
        np.testing.assert_array_equal(truncated, expected[2])
        np.testing.assert_allclose(obs, expected[0], atol=5e-3)  # long episodes amplify rounding
    assert (np.asarray(lanes[1][0]) != expected[1]).any()  # other physics than the plain one
    assert made.params == {**plain.params, **ours}


@pytest.mark.parametrize(("name", "limit", "solved_at"), [("CartPole-v0", 200, 195.0), ("CartPole-v1", 500, 475.0)])
def test_cartpole_constants_are_gymnasiums(name, limit, solved_at):
    env, spec = jax_ac.make_env(name), gymnasium.spec(name)
    assert env.max_steps == limit == spec.max_episode_steps
    assert env.solved_at == solved_at == spec.reward_threshold


def test_resets_are_uniform_in_the_right_box(cartpole):
    obs, _ = jax.vmap(cartpole.reset)(jax.random.split(jax.random.key(0), 10_000))
    assert np.abs(obs).max() <= 0.05
    np.testing.assert_allclose(np.mean(obs, axis=0), 0.0, atol=0.002)
    np.testing.assert_allclose(np.std(obs, axis=0), 0.05 / np.sqrt(3), rtol=0.03)


def test_step_resets_at_the_end_and_keeps_the_final_observation(cartpole):
    obs, state = cartpole.reset(jax.random.key(0))
    step = jax.jit(cartpole.step)
    for t in range(300):
        before = state
        obs, state, reward, terminated, truncated, final_obs = step(jax.random.key(t), state, jnp.array(1))
        if terminated:
            break
        np.testing.assert_array_equal(obs, final_obs)
    direct = cartpole.transition(jax.random.key(0), before, jnp.array(1))
    np.testing.assert_allclose(final_obs, direct[0], rtol=1e-6)
    assert np.abs(final_obs[2]) > 24 * np.pi / 360
    assert np.abs(obs).max() <= 0.05
    assert state.time == 0
    assert reward == 1.0
    assert not truncated


def test_an_environment_whose_data_cannot_be_had(monkeypatch):
    def fail(name):
        raise OSError("no route to host")

    monkeypatch.setattr(gymnax, "make", fail)
    with pytest.raises(ValueError, match="MNISTBandit-bsuite could not be made: no route to host"):
        jax_ac.make_env("MNISTBandit-bsuite")


def described(tree):
    return jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype, leaf.weak_type), tree)


@pytest.fixture
def lenient(request):
    """Swimmer-misc relies on rank promotion."""
    with jax.numpy_rank_promotion("allow" if request.getfixturevalue("name") == "Swimmer-misc" else "raise"):
        yield


@pytest.mark.parametrize("name", IDS)
def test_every_gymnax_id_has_one_type_of_state(name, lenient):
    env = jax_ac.make_env(name)
    obs, state = jax.eval_shape(env.reset, jax.random.key(0))
    real = isinstance(env.action_space, Box)
    action = jnp.zeros(env.action_space.shape if real else (), jnp.float32 if real else jnp.int32)
    stepped = jax.eval_shape(env.step, jax.random.key(1), state, action)
    next_obs, next_state, reward, terminated, truncated, final_obs = stepped
    assert described((obs, state)) == described((next_obs, next_state))
    assert obs.shape == (env.observation_space.shape if isinstance(env.observation_space, Box) else ())
    assert reward.dtype == jnp.float32
    assert terminated.dtype == truncated.dtype == bool
    assert final_obs.shape == obs.shape


@pytest.mark.parametrize("name", IDS)
def test_no_number_of_gymnax_that_can_be_swept_moves_the_bounds_of_actions(name, lenient):
    """They are clipped to bounds that a lane cannot change."""
    theirs, defaults = gymnax.make(name)
    for number, value in jax_ac.make_env(name).params.items():
        before, after = (theirs.action_space(p) for p in (defaults, defaults.replace(**{number: 2 * value + 1})))
        assert vars(before).keys() == vars(after).keys()
        jax.tree.map(np.testing.assert_array_equal, vars(before), vars(after))


@pytest.mark.slow
@pytest.mark.parametrize("name", IDS)
def test_every_gymnax_id_trains_with_its_own_numbers(name, lenient):
    env = jax_ac.make_env(name)
    algorithm = jax_ac.a2c(env, 2, 4, network=None if name in DEFAULT_NETWORK else small(env))
    state, metrics = jax.jit(lambda key: jax_ac.train(algorithm, key, 2))(jax.random.key(0))
    losses = (metrics.policy_loss, metrics.value_loss, metrics.entropy, metrics.grad_norm)
    assert np.isfinite(losses).all()
    assert (metrics.grad_norm > 0).all()
    assert state.num_updates == 2
    assert state.env_steps == 16


@pytest.mark.slow
@pytest.mark.parametrize("name", IDS)
def test_binding_an_environments_own_numbers_changes_nothing(name, lenient):
    env = jax_ac.make_env(name)

    def play(env, key):
        def step(state, keys):
            noise = jax.random.uniform(keys[0], env.action_space.shape if isinstance(env.action_space, Box) else ())
            action = 2 * noise - 1 if isinstance(env.action_space, Box) else (noise * env.action_space.n).astype(int)
            obs, state, reward, *ends, _ = env.step(keys[1], state, action)
            return state, (obs, reward, *ends)

        return jax.lax.scan(step, env.reset(key)[1], jax.random.split(key, (30, 2)))[1]

    both = jax.jit(lambda key, numbers: (play(env, key), play(env.bind(numbers), key)))
    plain, bound = both(jax.random.key(2), jax.tree.map(jnp.float32, dict(env.params)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), plain, bound)


def test_seaborn_is_imported_for_the_picture_of_a_game_only():
    script = """
import sys, jax, jax_ac
jax_ac.make_env("CartPole-v1")
assert "seaborn" not in sys.modules
import gymnax
pong, params = gymnax.make("Pong-misc")
_, state = pong.reset(jax.random.key(0), params)
pong.render(state, params)
assert "seaborn" in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "MPLBACKEND": "agg"})


def test_a_gymnax_environment_and_its_parameters():
    env, params = gymnax.make("CartPole-v1")
    made = jax_ac.make_env(env, params.replace(max_steps_in_episode=7))
    assert made.max_steps == 7
    assert made.solved_at is None
    assert jax_ac.make_env(env).solved_at == 475.0


def test_unknown_numbers():
    for name, number, nearest in (("CartPole-v1", "lenght", "length"), ("MetaMaze-misc", "rewards", "reward")):
        with pytest.raises(ValueError, match=f"unknown parameter of {name} '{number}'; did you mean '{nearest}'"):
            jax_ac.make_env(name, **{number: 1.0})
    for name, number, reason in (
        ("CartPole-v1", "polemass_length", "follows from masspole and length; set those"),
        ("MemoryChain-bsuite", "max_torque", "unknown parameter of MemoryChain-bsuite 'max_torque'"),
        ("Acrobot-v1", "available_torque", "is not one number that can be traced; give it in params"),
    ):
        with pytest.raises(ValueError, match=reason):
            jax_ac.make_env(name, **{number: 1.0})
    for value, error in ((float("nan"), ValueError), ("1", TypeError)):
        with pytest.raises(error, match="length must be"):
            jax_ac.make_env("CartPole-v1", length=value)


def test_bounds_of_actions_are_those_of_the_parameters_given():
    _, params = gymnax.make("Pendulum-v1")
    by_params = jax_ac.make_env("Pendulum-v1", params.replace(max_torque=5.0))
    by_name = jax_ac.make_env("Pendulum-v1", max_torque=5, m=1.0)
    for env in (by_params, by_name, by_name.bind({"m": 1.0})):
        assert env.action_space == Box((1,), -5.0, 5.0)
        assert "max_torque" not in env.params
        _, state = env.reset(jax.random.key(0))
        speeds = [env.transition(jax.random.key(0), state, jnp.array([torque]))[1].theta_dot for torque in (2.0, 5.0, 9.0)]
        np.testing.assert_allclose(np.diff(speeds), [3.0 * 3.0 * 0.05, 0.0], rtol=1e-4)  # 3 u dt / (m l²)


def test_bounds_of_actions_must_be_bounds_and_cannot_be_swept():
    assert jax_ac.make_env("MountainCarContinuous-v0", min_action=-0.5).action_space == Box((1,), -0.5, 1.0)
    np.testing.assert_allclose(jax_ac.make_env("PointRobot-misc", max_force=0.3).action_space.high, 0.3, rtol=1e-6)
    name = "action_space of MountainCarContinuous-v0"
    with pytest.raises(ValueError, match=f"low of the {name} must be at most its high, got 2.0 and 1.0"):
        jax_ac.make_env("MountainCarContinuous-v0", min_action=2.0)
    with pytest.raises(TypeError, match="max_torque must be a number, got 'much'"):
        jax_ac.make_env("Pendulum-v1", max_torque="much")
    hyperparams = jax_ac.a2c(jax_ac.make_env("Pendulum-v1")).hyperparams
    reason = r"env_max_torque bounds the action space, .* build one algorithm per value, of make_env\(.*max_torque="
    with pytest.raises(ValueError, match=reason):
        jax_ac.grid(hyperparams, env_max_torque=[1.0, 2.0])


def test_numbers_that_are_whole_in_gymnax_are_rounded_alike_however_given():
    env = jax_ac.make_env("MemoryChain-bsuite", memory_length=2.6)
    for bound in (env, env.bind({"memory_length": jnp.float32(2.6)}), env.bind({"memory_length": 2.6})):
        (_, state), lasts = bound.reset(jax.random.key(0)), []
        for _ in range(6):
            _, state, _, terminated, _ = bound.transition(jax.random.key(0), state, jnp.int32(0))
            lasts.append(bool(terminated))
        assert lasts.index(True) == 3


def test_the_time_limit_is_a_number_too():
    env = jax_ac.make_env("CartPole-v1", max_steps_in_episode=7, length=2.0)
    assert (env.max_steps, env.truncation_gap, env.solved_at, env.params["length"]) == (7, 7, None, 2.0)
    assert "max_steps_in_episode" not in env.params  # it fixes shapes
    assert jax_ac.make_env("CartPole-v1", max_steps_in_episode=500.0).solved_at == 475.0
    for wrong, error in ((0, ValueError), (7.5, TypeError), ("7", TypeError), (float("nan"), ValueError)):
        with pytest.raises(error, match="max_steps_in_episode must be"):
            jax_ac.make_env("CartPole-v1", max_steps_in_episode=wrong)


def test_bad_input():
    with pytest.raises(ValueError, match="'CartPole-v3'; did you mean 'CartPole-v"):
        jax_ac.make_env("CartPole-v3")
    with pytest.raises(TypeError, match="environment id, a gymnax Environment or Functions, got int"):
        jax_ac.make_env(3)


@pytest.mark.parametrize("name", ["Acrobot-v1", "MountainCar-v0"])
def test_an_environment_of_negative_returns_is_not_solved_at_once(name):
    """A running return that starts at 0 is above a negative threshold before anything is learned."""
    states, _ = jax_ac.train_many(jax_ac.keras_actor_critic(jax_ac.make_env(name)), 2, 2)
    assert (states.solved_update == -1).all()
    assert (states.num_updates == 2).all()


def test_parameters_that_change_the_limit_or_do_not_fit():
    _, params = gymnax.make("CartPole-v1")
    assert jax_ac.make_env("CartPole-v0", params.replace(max_steps_in_episode=200)).solved_at == 195.0
    assert jax_ac.make_env("CartPole-v0", params).solved_at is None  # 500 steps: another task
    with pytest.raises(TypeError, match="params of CartPole-v0 must be its EnvParams, got int"):
        jax_ac.make_env("CartPole-v0", 3)
    with pytest.raises(ValueError, match="max_steps of CartPole-v1 must be at least 1, got 0"):
        jax_ac.make_env("CartPole-v1", params.replace(max_steps_in_episode=0))


def test_the_numbers_of_functions_are_those_of_params():
    """Also where the functions have no defaults of their own, or others."""

    def reset(key, wind, rain=7.0):
        return jnp.stack([jnp.float32(wind), jnp.float32(rain)]), jnp.zeros(())

    def step(key, state, action, wind, rain=7.0):
        return jnp.stack([jnp.float32(wind), jnp.float32(rain)]), state, wind + rain, False, False

    bare = jax_ac.Functions(reset, step, action_space=jax_ac.Discrete(2), params={"wind": 1.0, "rain": 2.0})
    for numbers, expected in ({}, [1, 2]), ({"rain": 3.0}, [1, 3]):
        env = jax_ac.make_env(bare, **numbers)
        obs, state = env.reset(jax.random.key(0))
        assert obs.tolist() == expected
        assert env.transition(jax.random.key(0), state, 0)[2] == sum(expected)
    assert env.bind({"wind": 5.0}).reset(jax.random.key(0))[0].tolist() == [5, 3]
