"""CartPole against gymnasium, step by step; auto-reset; every id of gymnax; bad input."""

import gymnasium
import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jax_ac
from jax_ac.types import Box

NUM_TRAJECTORIES = 1000


def balance(obs):
    """A linear controller that keeps the pole up and the cart near the middle: obs ``[..., 4]``."""
    return (0.1 * obs[..., 0] + 0.3 * obs[..., 1] + obs[..., 2] + 0.3 * obs[..., 3] > 0).astype(int)


def gymnasium_trajectories(name, initial, actions):
    """Observations ``[T, M, 4]``, terminated and truncated ``[T, M]`` of gymnasium; zero after the end.

    `actions` is ``[T, M]``, or None for the controller, which looks at gymnasium's own observations.
    """
    limit = {"CartPole-v0": 200, "CartPole-v1": 500}[name]
    obs = np.zeros((limit, NUM_TRAJECTORIES, 4), np.float32)
    ends = np.zeros((2, limit, NUM_TRAJECTORIES), bool)
    env = gymnasium.make(name, disable_env_checker=True)
    for m in range(NUM_TRAJECTORIES):
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


def our_trajectories(name, initial, actions):
    """The same, and rewards, of ours; the controller looks at our own observations."""
    env = jax_ac.make_env(name)
    _, state = jax.vmap(env.reset)(jax.random.split(jax.random.key(0), NUM_TRAJECTORIES))
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

    start = (state, jnp.asarray(initial), jnp.ones(NUM_TRAJECTORIES, bool))
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
    obs, terminated, truncated, reward = our_trajectories(name, initial, actions)
    np.testing.assert_array_equal(terminated, expected_terminated)
    np.testing.assert_array_equal(truncated, expected_truncated)
    np.testing.assert_array_equal(reward, 1.0)
    if controller == "random":
        np.testing.assert_allclose(obs, expected_obs, atol=1e-4)
        assert expected_terminated.any(axis=0).all()
    else:
        assert expected_truncated[-1].mean() > 0.9  # the controller reaches the cap


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


@pytest.mark.parametrize("name", [name for name in gymnax.registered_envs if name != "MNISTBandit-bsuite"])  # it downloads
def test_every_gymnax_id_steps(name):
    env = jax_ac.make_env(name)
    obs, state = env.reset(jax.random.key(0))
    action = jnp.zeros(env.action_space.shape if isinstance(env.action_space, Box) else (), jnp.float32).astype(
        jnp.float32 if isinstance(env.action_space, Box) else jnp.int32
    )
    with jax.numpy_rank_promotion("allow"):  # Swimmer-misc relies on it
        stepped = jax.jit(env.step)(jax.random.key(1), state, action)
    next_obs, next_state, reward, terminated, truncated, final_obs = stepped
    described = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype, leaf.weak_type), (obs, state))
    assert described == jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype, leaf.weak_type), (next_obs, next_state))
    assert reward.dtype == jnp.float32
    assert terminated.dtype == truncated.dtype == bool
    assert final_obs.shape == obs.shape


def test_a_gymnax_environment_and_its_parameters():
    env, params = gymnax.make("CartPole-v1")
    made = jax_ac.make_env(env, params.replace(max_steps_in_episode=7))
    assert made.max_steps == 7
    assert made.solved_at is None
    assert jax_ac.make_env(env).solved_at == 475.0


def test_bad_input():
    with pytest.raises(ValueError, match="'CartPole-v3'; did you mean 'CartPole-v"):
        jax_ac.make_env("CartPole-v3")
    with pytest.raises(TypeError, match="environment id or a gymnax Environment, got int"):
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
    with pytest.raises(ValueError, match="max_steps_in_episode of CartPole-v1 must be at least 1, got 0"):
        jax_ac.make_env("CartPole-v1", params.replace(max_steps_in_episode=0))
