"""brax's protocol on a walk done by hand; brax's environments against brax itself; bad input."""

import dataclasses
import importlib.util
import sys
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_ac.brax_envs import BACKENDS, from_brax
from jax_ac.types import Box

needs_brax = pytest.mark.skipif(importlib.util.find_spec("brax") is None, reason="brax is not installed")
pytestmark = [
    pytest.mark.filterwarnings("ignore:Brax System:UserWarning"),
    pytest.mark.filterwarnings("ignore:JAXopt is no longer maintained:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Accessing `.*` directly from `Data`:DeprecationWarning"),
]

IDS = [
    "ant", "fast", "halfcheetah", "hopper", "humanoid", "humanoidstandup", "inverted_double_pendulum", "inverted_pendulum",
    "pusher", "reacher", "swimmer", "walker2d",
]  # fmt: skip
REMOVED = "brax 0.14.2 calls jnp.clip with a_min, which jax 0.10 no longer takes"
BROKEN = {"swimmer": pytest.mark.xfail(strict=False, raises=TypeError, reason=REMOVED)}
STEPS = 40
BALANCING = np.array([0.2, 4.0, 0.0, 0.2], np.float32)
"""A linear controller that keeps the pole of inverted_pendulum up."""


@flax.struct.dataclass
class State:
    pipeline_state: Any
    obs: Any
    reward: Any
    done: Any
    metrics: dict
    info: dict


class Walk:
    """From near 0 until beyond ±2.5. As brax does, it keeps its key, changes dicts in place and mixes in Python numbers."""

    action_size = 1

    def reset(self, rng):
        rng, key_start = jax.random.split(rng)
        position = jax.random.uniform(key_start, (), minval=-0.25, maxval=0.25)
        obs = jnp.stack([position, 0.0])
        zero = jnp.zeros(())
        return State(position, obs, zero, zero, {"alive": zero}, {"rng": rng, "wind": zero})

    def step(self, state, action):
        rng, key_wind = jax.random.split(state.info["rng"])
        wind = 0.01 * jax.random.normal(key_wind)
        position = state.pipeline_state + action[0] + wind
        state.info.update(rng=rng, wind=wind)
        state.metrics.update(alive=1.0)
        done = jnp.where(jnp.abs(position) > 2.5, 1.0, 0.0)
        obs = jnp.stack([position, action[0]])
        return state.replace(pipeline_state=position, obs=obs, reward=2 * position, done=done)


class Growing(Walk):
    """One whose step reports more than its reset."""

    def step(self, state, action):
        state = super().step(state, action)
        return dataclasses.replace(state, metrics={**state.metrics, "more": state.reward})


class Dicts(Walk):
    """One with observations that are not one array."""

    def reset(self, rng):
        state = super().reset(rng)
        return dataclasses.replace(state, obs={"state": state.obs, "pixels": state.obs})


class Wrapper:
    """Whatever is around an environment."""

    action_size = 1

    def __init__(self, env):
        self.env = env

    def reset(self, rng):
        return self.env.reset(rng)

    def step(self, state, action):
        return self.env.step(state, action)


class EpisodeWrapper(Wrapper):
    """What brax trains in, here without brax."""


def test_the_protocol_by_hand():
    env = from_brax(Walk(), max_steps=5)
    assert (env.name, env.max_steps, env.solved_at) == ("Walk", 5, None)
    assert env.action_space == Box((1,), -1.0, 1.0)
    assert env.observation_space == Box((2,), -np.inf, np.inf)
    obs, state = env.reset(jax.random.key(3))
    rng, key_start = jax.random.split(jax.random.PRNGKey(3))
    position = jax.random.uniform(key_start, (), minval=-0.25, maxval=0.25)
    np.testing.assert_allclose(obs, jnp.stack([position, 0.0]), rtol=1e-6)
    for t, (given, taken) in enumerate([(0.25, 0.25), (-3.0, -1.0), (1.5, 1.0), (0.5, 0.5), (0.125, 0.125)]):
        rng, key_wind = jax.random.split(rng)
        position = position + taken + 0.01 * jax.random.normal(key_wind)
        obs, state, reward, terminated, truncated = env.transition(jax.random.key(t), state, jnp.array([given]))
        np.testing.assert_allclose(obs, jnp.stack([position, taken]), rtol=1e-5)
        np.testing.assert_allclose(reward, 2 * position, rtol=1e-5)
        assert not terminated
        assert truncated == (t == 4)


def test_a_step_leaves_the_state_before_it_alone():
    env = from_brax(Walk())
    _, state = env.reset(jax.random.key(0))
    before = jax.tree.map(np.array, state)
    stepped = [env.transition(jax.random.key(0), state, jnp.ones(1)) for _ in range(2)]
    jax.tree.map(np.testing.assert_array_equal, state, before)
    jax.tree.map(np.testing.assert_array_equal, *stepped)


@pytest.mark.parametrize("force", [0.0, 1.0])
@pytest.mark.parametrize("max_steps", [3, 5])
def test_episodes_terminate_and_truncate_and_begin_anew(force, max_steps):
    """With force 1 the walk ends at its third step, which may also be the last of its time; with none only the time does."""
    env = from_brax(Walk(), max_steps=max_steps)

    def step(carry, key):
        obs, state, _, terminated, truncated, final_obs = env.step(key, carry, jnp.array([force]))
        return state, (obs[0], final_obs[0], terminated, truncated)

    _, state = env.reset(jax.random.key(0))
    _, (position, final, terminated, truncated) = jax.lax.scan(step, state, jax.random.split(jax.random.key(1), 30))
    length = 3 if force else max_steps
    last = np.arange(30) % length == length - 1
    np.testing.assert_array_equal(terminated, last if force else False)
    np.testing.assert_array_equal(truncated, last if length == max_steps else False)
    np.testing.assert_array_equal(final[~last], position[~last])
    assert (np.abs(position[last]) <= 0.25).all()
    if force:
        assert (final[last] > 2.5).all()


def test_the_time_limit():
    env = from_brax(Walk())
    assert env.max_steps == env.truncation_gap == env.bind({}).truncation_gap == 1000
    wrong: tuple[Any, ...] = (0, 2.5)
    for max_steps, error in zip(wrong, (ValueError, TypeError), strict=True):
        with pytest.raises(error, match="max_steps"):
            from_brax(Walk(), max_steps=max_steps)


def test_bad_input():
    with pytest.raises(TypeError, match="must be an id of brax or have reset, step and action_size, got int"):
        from_brax(3)
    with pytest.raises(ValueError, match="Walk brings its own, got 'spring'"):
        from_brax(Walk(), backend="spring")
    for wrapped in (EpisodeWrapper(Walk()), Wrapper(EpisodeWrapper(Walk()))):
        with pytest.raises(ValueError, match="must be bare, got brax's EpisodeWrapper"):
            from_brax(wrapped)
    assert from_brax(Wrapper(Walk())).name == "Wrapper"
    with pytest.raises(ValueError, match="step of Growing must return obs and state of the structure"):
        from_brax(Growing())
    with pytest.raises(TypeError, match="observations of Dicts must be one array, got dict"):
        from_brax(Dicts())


def test_brax_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "brax", None)
    monkeypatch.setitem(sys.modules, "brax.envs", None)
    with pytest.raises(ImportError, match=r"'ant' needs brax: pip install 'jax_ac\[brax\]'"):
        from_brax("ant")
    assert from_brax(Walk()).name == "Walk"


@needs_brax
def test_unknown_names():
    with pytest.raises(ValueError, match="unknown brax environment 'inverted-pendulum'; did you mean 'inverted_pendulum'"):
        from_brax("inverted-pendulum")
    with pytest.raises(ValueError, match=r"unknown brax backend 'mujoco'.*Valid: generalized, spring, positional, mjx"):
        from_brax("inverted_pendulum", backend="mujoco")


@needs_brax
@pytest.mark.parametrize(
    ("arguments", "wrapper"),
    [
        ({"auto_reset": False}, "EpisodeWrapper"),
        ({"episode_length": None}, "AutoResetWrapper"),
        ({"auto_reset": False, "batch_size": 2}, "VmapWrapper"),
    ],
)
def test_braxs_training_wrappers_are_refused(arguments, wrapper):
    from brax import envs

    with pytest.raises(ValueError, match=f"must be bare, got brax's {wrapper}"):
        from_brax(envs.create("fast", **arguments))


@pytest.fixture(scope="module")
def episodes():
    """Sixteen episodes of `STEPS` steps as brax plays them: half pushed over, half balanced.

    The first observations, ``[N]``; actions, observations, rewards, `done` and `truncation`, ``[T, N]``.
    """
    from brax import envs

    env = envs.training.EpisodeWrapper(envs.get_environment("inverted_pendulum"), STEPS, 1)
    pushed = jnp.arange(16) < 8

    def step(state, _):
        action = jnp.where(pushed, 1.0, jnp.clip(state.obs @ BALANCING, -1.0, 1.0))[:, None]
        stepped = jax.vmap(env.step)(state, action)
        out = (action, stepped.obs, stepped.reward, stepped.done, stepped.info["truncation"])
        return jax.tree.map(lambda leaf, like: jnp.asarray(leaf, like.dtype), stepped, state), out

    def play(keys):
        state = jax.vmap(env.reset)(keys)
        return state.obs, jax.lax.scan(step, state, None, STEPS)[1]

    return jax.tree.map(np.array, jax.jit(play)(jax.random.split(jax.random.PRNGKey(0), 16)))


@needs_brax
def test_episodes_are_braxs(episodes):
    start, (actions, expected_obs, expected_reward, done, truncation) = episodes
    env = from_brax("inverted_pendulum", max_steps=STEPS)

    def step(state, action):
        obs, state, *rest = jax.vmap(env.transition, (None, 0, 0))(jax.random.key(9), state, action)
        return state, (obs, *rest)

    def play(keys):
        obs, state = jax.vmap(env.reset)(keys)
        return obs, jax.lax.scan(step, state, actions)[1]

    obs, (next_obs, reward, terminated, truncated) = jax.jit(play)(jax.random.split(jax.random.key(0), 16))
    alive = np.cumsum(done, axis=0) - done == 0
    own_done = done - truncation  # of the environment itself, which knows no time limit
    assert (own_done * alive)[:-1, :8].any(axis=0).all()
    assert (truncation * alive)[-1, 8:].all()
    np.testing.assert_array_equal(obs, start)
    np.testing.assert_allclose(next_obs[alive], expected_obs[alive], atol=1e-4)
    np.testing.assert_array_equal(reward[alive], expected_reward[alive])
    np.testing.assert_array_equal(terminated[alive], own_done[alive])
    np.testing.assert_array_equal((terminated | truncated)[alive], done[alive])
    np.testing.assert_array_equal((truncated & ~terminated)[alive], truncation[alive])


@needs_brax
@pytest.mark.parametrize("backend", [None, *BACKENDS])
def test_every_backend_is_braxs(backend):
    with jax.numpy_rank_promotion("allow"):  # all but "generalized" rely on it
        env = from_brax("inverted_pendulum", backend=backend)
        _, state = jax.eval_shape(env.reset, jax.random.key(0))
    assert type(state.inner.pipeline_state).__module__ == f"brax.{backend or 'generalized'}.base"


@needs_brax
def test_every_id_is_tested():
    from brax import envs

    assert set(IDS) == set(envs._envs)


@pytest.mark.slow
@needs_brax
@pytest.mark.parametrize("name", [pytest.param(name, marks=BROKEN.get(name, ())) for name in IDS])
def test_every_id_of_brax_steps(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # MuJoCo logs into the current directory
    with jax.numpy_rank_promotion("allow"):  # humanoid, humanoidstandup and swimmer rely on it
        env = from_brax(name)
        obs, state = jax.eval_shape(env.reset, jax.random.key(0))
        assert isinstance(env.action_space, Box)
        action = jnp.zeros(env.action_space.shape)
        next_obs, next_state, reward, terminated, truncated, _ = jax.eval_shape(env.step, jax.random.key(1), state, action)
    described = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype, leaf.weak_type), (obs, state))
    assert described == jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype, leaf.weak_type), (next_obs, next_state))
    assert (reward.dtype, terminated.dtype, truncated.dtype) == (jnp.float32, bool, bool)
