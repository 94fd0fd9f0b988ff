"""Transformers: what they change, against hand-made environments, NumPy and loops; what they leave; how they compose."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from by_hand import float64, ragged, small
from played import keras_with, playing
from scipy import stats

import jax_ac
from jax_ac import Box, Discrete, Functions, make_env, rollout
from jax_ac.distributions import Categorical
from jax_ac.protocols import Policy
from jax_ac.transforms import flatten, normalize_observations, scale_rewards, sticky_actions, time_limit

TRANSFORMERS = {
    "flatten": flatten,
    "time_limit": partial(time_limit, max_steps=3),
    "sticky_actions": partial(sticky_actions, probability=0.5),
    "scale_rewards": partial(scale_rewards, scale=2.0),
    "normalize_observations": normalize_observations,
}
TWO = Discrete(2)
PPO = {"num_envs": 2, "num_steps": 8, "num_epochs": 1, "num_minibatches": 1}


def echo(action_space: Any = TWO, ends: int = 1000, **fields: Any) -> Functions:
    """Observes ``[time, action executed, offset]``; the reward is the action times `gain`; terminates after `ends` steps."""

    def reset(key, *, offset=0.0, gain=1.0):
        return jnp.stack([0.0, -1.0, offset]), jnp.zeros((), jnp.int32)

    def step(key, time, action, *, offset=0.0, gain=1.0):
        executed = jnp.sum(action).astype(jnp.float32)
        return jnp.stack([time + 1.0, executed, offset]), time + 1, gain * executed, time + 1 >= ends, jnp.zeros((), bool)

    return Functions(reset, step, action_space, name="echo", params={"offset": 0.0, "gain": 1.0})._replace(**fields)


def steps(env, actions, seed=0):
    """What `step` gives for actions ``[T, N, ...]``: obs, reward, terminated, truncated, final_obs, each ``[T, N, ...]``."""
    num_steps, num_envs = actions.shape[:2]
    key_reset, key_steps = jax.random.split(jax.random.key(seed))

    def step(state, inputs):
        obs, state, *out = jax.vmap(env.step)(inputs[0], state, inputs[1])
        return state, (obs, *out)

    _, state = jax.vmap(env.reset)(jax.random.split(key_reset, num_envs))
    return jax.lax.scan(step, state, (jax.random.split(key_steps, (num_steps, num_envs)), jnp.asarray(actions)))[1]


def play(env, actions):
    return jax.device_get(jax.jit(partial(steps, env))(actions))


def train(algorithm, num_updates=3):
    """Seeds 0 and 1, in one program of their own."""
    keys = jax.vmap(jax.random.key)(jnp.arange(2))
    return jax.device_get(jax.jit(jax.vmap(lambda key: jax_ac.train(algorithm, key, num_updates)))(keys))


def assert_same(ours, theirs):
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(ours), jax.device_get(theirs))


# flatten


def image(shape=(2, 3), low=-1.0, high=1.0):
    """Observes the action in the middle of numbers that count up."""
    numbers = jnp.arange(np.prod(shape, dtype=int), dtype=jnp.float32).reshape(shape) / 10

    def step(key, state, action):
        return numbers + action, state + 1, 1.0 * action, state >= 4, jnp.zeros((), bool)

    return Functions(lambda key: (numbers, jnp.zeros((), jnp.int32)), step, Discrete(2), Box(shape, low, high), name="image")


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (2, 1, 3)])
def test_flatten_keeps_the_values_in_their_order(shape):
    plain, env = make_env(image(shape)), flatten(make_env(image(shape)))
    size = int(np.prod(shape))
    np.testing.assert_array_equal(env.reset(jax.random.key(0))[0], np.arange(size, dtype=np.float32) / 10)
    actions = np.random.default_rng(0).integers(0, 2, (9, 2))
    obs, *others, final_obs = play(plain, actions)
    assert_same(play(env, actions), (obs.reshape(9, 2, size), *others, final_obs.reshape(9, 2, size)))
    assert others[1].any()


def test_flatten_keeps_the_bounds():
    env = flatten(make_env(image()))
    assert env.observation_space.shape == (6,)
    np.testing.assert_array_equal(env.observation_space.low, [-1.0] * 6)
    np.testing.assert_array_equal(env.observation_space.high, [1.0] * 6)
    low, high = -np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(2, 3)
    env = flatten(make_env(image(low=low, high=high)))
    np.testing.assert_array_equal(env.observation_space.low, -np.arange(6.0))
    np.testing.assert_array_equal(env.observation_space.high, np.arange(6.0))


def test_flatten_of_a_gymnax_image():
    plain = make_env("Breakout-MinAtar")
    env = flatten(plain)
    assert (plain.observation_space.shape, env.observation_space.shape) == ((10, 10, 4), (400,))
    obs, flat = plain.reset(jax.random.key(0))[0], env.reset(jax.random.key(0))[0]
    assert obs.any()
    np.testing.assert_array_equal(flat, np.asarray(obs).ravel())


def test_training_on_flat_observations_is_training_on_the_arrays():
    """A network that flattens them itself has the same weights after the same updates."""
    plain = make_env(image())
    (ours, _), (theirs, _) = (train(jax_ac.a2c(env, 2, 4, network=small(env))) for env in (flatten(plain), plain))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-7), ours.params, theirs.params)
    assert (ours.acting.obs.shape, theirs.acting.obs.shape) == ((2, 2, 6), (2, 2, 2, 3))


# time_limit


@pytest.mark.parametrize(
    ("limit", "inner", "terminates"),
    [(3, None, 9), (5, None, 5), (7, None, 4), (3, 8, 3), (1, 8, 9), (4, 8, 2), (5, 5, 9), (7, 5, 5), (7, 5, 9)],
)
def test_time_limit(inner, limit, terminates):
    """Step by step: both ends are said, on the same step as well, and the next episode has the whole limit again."""

    def step(key, time, action):
        return jnp.full(1, time + 1.0), time + 1, 1.0, time + 1 >= terminates, time + 1 >= (inner or 1000)

    functions = Functions(lambda key: (jnp.zeros(1), jnp.zeros((), jnp.int32)), step, Discrete(2), max_steps=inner)
    env = time_limit(make_env(functions), limit)
    _, _, terminated, truncated, final_obs = play(env, np.zeros((20, 1), int))
    time = 0
    for t in range(20):
        time += 1
        assert final_obs[t, 0, 0] == time
        assert terminated[t, 0] == (time == terminates)
        assert truncated[t, 0] == (time == min(limit, inner or 1000))
        time = 0 if terminated[t, 0] or truncated[t, 0] else time


def test_a_lower_limit_is_another_task_and_a_higher_one_is_none():
    plain = make_env("CartPole-v0")
    for limit in (200, 300):
        same = time_limit(plain, limit)
        assert (same.max_steps, same.solved_at, same.truncation_gap) == (200, 195.0, 200)
    lower = time_limit(plain, 50)
    assert (lower.max_steps, lower.solved_at, lower.truncation_gap) == (50, None, 50)
    assert (lower.bind({}).max_steps, lower.bind({}).solved_at, lower.bind({}).truncation_gap) == (50, None, 50)
    limited = time_limit(make_env(echo(solved_at=3.0)), 50)
    assert (limited.max_steps, limited.solved_at) == (50, None)
    assert plain.max_steps == 200


def brief():
    """Most episodes are truncated after one step, the others never; what follows the observation x is 0.8 x + a."""

    def reset(key):
        key_x, key_brief = jax.random.split(key)
        state = jnp.stack([jax.random.normal(key_x), jax.random.bernoulli(key_brief, 0.8).astype(jnp.float32)])
        return state[:1], state

    def step(key, state, action):
        x = 0.8 * state[0] + action
        return x[None], jnp.stack([x, state[1]]), x, jnp.zeros((), bool), state[1] > 0

    return Functions(reset, step, TWO)


@pytest.mark.parametrize("limits", [(4,), (9, 4), (4, 9)])
def test_every_truncation_bootstraps_however_close_they_lie(limits):
    """A limit, or one upon another, must not promise a gap that the environment does not keep."""
    env = make_env(brief())
    for limit in limits:
        env = time_limit(env, limit)
    assert (env.max_steps, env.truncation_gap) == (4, 1)
    act = lambda obs, memory, first: (Categorical(jnp.zeros((*first.shape, 2))), obs[..., 0], ())
    policy, unrolled = Policy((), act), rollout.unroll(5, 40)
    run = jax.jit(lambda key: unrolled.act(key, env, policy, unrolled.init(key, env, policy)))
    _, experience = jax.device_get(run(jax.random.key(0)))
    seen, ends = experience.trajectory, experience.ends
    np.testing.assert_allclose(seen.next_value, 0.8 * seen.obs[..., 0] + seen.action, rtol=1e-5, atol=1e-5)
    assert set(ends.episode_length[ends.ended]) == {1, 4}
    assert (seen.truncated.sum(axis=0) > 1 + 39 // 4).all()  # more than a gap of 4 would leave room for


# sticky_actions

KINDS = {"discrete": Discrete(10_000), "real": Box((), -np.inf, np.inf), "bounded": Box((2,), -1.5, 1.5)}
LENGTH, NUM_EPISODES = 20, 200


def agents(kind, seed=1):
    """Actions, each but once, ``[T, N, ...]`` as a policy gives them; and what the environment makes of each, ``[T, N]``."""
    rng, shape = np.random.default_rng(seed), (2 * LENGTH, NUM_EPISODES)
    if kind == "discrete":
        actions = rng.permuted(np.tile(np.arange(10_000)[:, None], NUM_EPISODES), axis=0)[: shape[0]]
        return actions, actions
    actions = rng.normal(size=(*shape, 1 if kind == "real" else 2)).astype(np.float32)
    return actions, (np.clip(actions, -1.5, 1.5) if kind == "bounded" else actions).sum(axis=-1)


PROBABILITIES = np.array([0.0, 0.25, 0.9, 1.0])


def executed(kind, actions, probabilities):
    """What was executed, episode by episode, ``[P, episodes, T, N]``, in one program with a probability in each lane."""
    env = sticky_actions(make_env(echo(KINDS[kind], ends=LENGTH)), 0.5)
    lanes = jax.vmap(lambda probability: steps(env.bind({"sticky_probability": probability}), actions)[-1])
    final_obs = np.asarray(jax.jit(lanes)(probabilities))
    return final_obs[..., 1].reshape(len(probabilities), -1, LENGTH, actions.shape[1])


@pytest.mark.parametrize("kind", KINDS)
def test_sticky_actions(kind):
    """The agent's action or the one last executed, with the right probability; at an episode's start always the agent's."""
    actions, wanted = agents(kind)
    wanted = np.broadcast_to(wanted.reshape(1, -1, LENGTH, NUM_EPISODES), (4, 2, LENGTH, NUM_EPISODES))
    done = executed(kind, actions, PROBABILITIES)
    close = lambda a, b: np.isclose(a, b, rtol=1e-6, atol=1e-6)
    assert close(done[:, :, 0], wanted[:, :, 0]).all()
    as_wanted, stuck = close(done[:, :, 1:], wanted[:, :, 1:]), close(done[:, :, 1:], done[:, :, :-1])
    assert (as_wanted | stuck).all()
    low, high = stats.binom.interval(0.999, stuck[0].size, PROBABILITIES)
    count = stuck.sum(axis=(1, 2, 3))
    assert ((low <= count) & (count <= high)).all()
    chained = stuck[2] & ~close(done[2, :, 1:], wanted[2, :, :-1])
    assert chained.mean() > 0.5  # stuck to what was executed, which is not what the agent last wanted


def test_sticking_is_independent_from_step_to_step():
    done = executed("discrete", agents("discrete")[0], np.array([0.5]))
    stuck = done[..., 1:, :] == done[..., :-1, :]
    pairs = np.histogram2d(stuck[..., 1:, :].ravel(), stuck[..., :-1, :].ravel(), bins=2)[0]
    assert stats.chi2_contingency(pairs).pvalue > 0.001


# scale_rewards


@pytest.mark.parametrize("preset", [partial(jax_ac.a2c, num_envs=2, num_steps=6), partial(jax_ac.reinforce, num_episodes=2)])
def test_the_learner_sees_scaled_rewards_and_reports_are_unscaled(preset):
    """Against an environment whose rewards are ten times as large: the same learning; and episode returns a tenth of its."""
    env = scale_rewards(time_limit(make_env(echo(ends=4)), 7), 1.0)
    algorithm = preset(env, network=small(env))
    settings = jax_ac.zip_settings(algorithm.hyperparams, env_reward_scale=[10.0, 1.0, 1.0], env_gain=[1.0, 10.0, 1.0])
    states, metrics = jax.device_get(jax_ac.train_many(algorithm, 2, 3, settings))
    ours, by_hand, plain = ((jax.tree.map(lambda leaf, i=i: leaf[i], (states, metrics))) for i in range(3))
    returned = ("episode_return", "running_return")
    for name in returned:
        np.testing.assert_allclose(getattr(ours[1], name), getattr(by_hand[1], name) / 10, rtol=1e-6)
        np.testing.assert_allclose(getattr(ours[1], name)[:, 0], getattr(plain[1], name)[:, 0])  # acted alike so far
    assert np.nanmax(ours[1].episode_return) > 1
    nothing = dict.fromkeys(returned)
    assert_same(
        (ours[0]._replace(running_return=None, acting=None), ours[1]._replace(**nothing)),
        (by_hand[0]._replace(running_return=None, acting=None), by_hand[1]._replace(**nothing)),
    )
    assert (ours[0].params["params"]["critic"]["kernel"] != plain[0].params["params"]["critic"]["kernel"]).any()


def test_scaled_rewards_are_played_unscaled():
    env = scale_rewards(make_env(echo()), 10.0)
    np.testing.assert_array_equal(play(env, np.ones((6, 1), int))[1], 1.0)
    assert (env.reward_scale, env.bind({"reward_scale": 3.0}).reward_scale) == (10.0, 3.0)


# normalize_observations


def far(longest=6):
    """Observations far from zero, of other spreads; episodes of 1 to `longest` steps that end in every way."""
    env = ragged(longest=longest)
    seen = lambda obs: obs * jnp.array([30.0, 1.0, 2.0, 1.0]) + jnp.array([500.0, 0.0, -40.0, 0.0])

    def step(key, state, action):
        obs, state, *rest = env.transition(key, state, action)
        return seen(obs), state, *rest

    def reset(key):
        obs, state = env.reset(key)
        return seen(obs), state

    return Functions(reset, step, Discrete(2), name="far")


def seen_by(observed, obs):
    """Normalized in NumPy."""
    return np.clip((obs - observed.mean) / np.sqrt(observed.variance + 1e-8), -10, 10)


def test_moments_are_those_of_all_frames_and_lag_one_update():
    """Each update acts and learns with the moments of the frames before it."""
    env = normalize_observations(make_env(far()))
    network, unrolled = small(env), rollout.unroll(3, 8)
    algorithm = jax_ac.a2c(env, 3, 8, network=network)
    state = jax.jit(algorithm.init)(jax.random.key(0), algorithm.hyperparams)
    step = jax.jit(algorithm.step)
    act = jax.jit(lambda key, s: unrolled.act(key, env, algorithm.policy(s.params, s.moments), s.acting)[1].trajectory)
    apply = jax.jit(network.apply)
    frames = []
    for u in range(4):
        key = jax.random.fold_in(jax.random.key(0), u)
        seen = jax.device_get(act(jax.random.split(key)[0], state))
        before = float64(state.moments)
        distribution, value = apply(state.params, seen_by(before, seen.obs.astype(np.float64)).astype(np.float32))
        np.testing.assert_allclose(seen.value, value, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(seen.log_prob, distribution.log_prob(seen.action), rtol=1e-3, atol=1e-3)
        state, _ = step(key, state, algorithm.hyperparams)
        frames.append(seen.obs.reshape(-1, 4).astype(np.float64))
        every = np.concatenate(frames)
        assert state.moments.num_frames == len(every) == 24 * (u + 1)
        np.testing.assert_allclose(state.moments.mean, every.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(state.moments.variance, every.var(axis=0), rtol=1e-4)


def test_acting_and_learning_see_the_same():
    """With one gradient step on all of a rollout, π is still the behaviour policy: the KL between them is 0."""
    env = normalize_observations(make_env(far()))
    algorithm = jax_ac.ppo(env, **PPO, network=small(env), hyperparams=jax_ac.PPOHyperparams(learning_rate=0.1))
    states, metrics = train(algorithm, 6)
    np.testing.assert_allclose(metrics.approx_kl, 0.0, atol=1e-6)
    np.testing.assert_array_equal(metrics.clip_fraction, 0.0)
    assert (metrics.grad_norm > 0).all()
    np.testing.assert_array_equal(states.moments.num_frames, 6 * 16)
    assert (states.moments.mean[0] != states.moments.mean[1]).any()  # each lane has its own


def test_padding_does_not_count():
    """Episodes of other lengths, and after each a frame that would be seen in any moment."""
    rng = np.random.default_rng(0)
    lengths = np.array([[3, 200], [1, 17], [60, 60]])  # [U, N]
    mask = np.arange(200)[:, None] < lengths[:, None, :]  # [U, T, N]
    obs = np.where(mask[..., None], rng.normal(3.0, 2.0, (*mask.shape, 4)), 1e6).astype(np.float32)
    env = normalize_observations(make_env("CartPole-v0"))
    algorithm = keras_with(env, playing(obs, rng.integers(0, 2, mask.shape), mask))
    state, _ = jax.jit(lambda key: jax_ac.train(algorithm, key, 3))(jax.random.key(0))
    every = obs[mask].astype(np.float64)
    assert state.moments.num_frames == len(every) == lengths.sum()
    np.testing.assert_allclose(state.moments.mean, every.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(state.moments.variance, every.var(axis=0), rtol=1e-5)


def test_whole_episodes_count_once():
    env = normalize_observations(time_limit(make_env(far()), 20))
    states, metrics = train(jax_ac.reinforce(env, num_episodes=3, network=small(env)))
    np.testing.assert_array_equal(states.moments.num_frames, np.sum(metrics.env_steps, axis=1))
    assert (states.moments.num_frames < 3 * 3 * 20).all()


def test_without_it_there_are_no_moments():
    algorithm = jax_ac.a2c(make_env(far()), 2, 4)
    assert jax.eval_shape(algorithm.init, jax.random.key(0), algorithm.hyperparams).moments == ()


@pytest.mark.parametrize("after", [flatten, partial(time_limit, max_steps=3), partial(scale_rewards, scale=2.0)])
def test_normalizing_may_come_first(after):
    """The moments are of the observations as the learner gets them: the programs are the same."""

    def program(env):
        algorithm = jax_ac.a2c(env, 2, 4, network=small(env))
        run = lambda key, numbers: algorithm.step(key, algorithm.init(key, numbers), numbers)
        return str(jax.make_jaxpr(run)(jax.random.key(0), jax.tree.map(jnp.float32, algorithm.hyperparams)))

    plain = make_env(image())
    assert program(after(normalize_observations(plain))) == program(normalize_observations(after(plain)))
    assert program(after(normalize_observations(plain))) != program(after(plain))


# all of them


def everything(env):
    env = sticky_actions(time_limit(flatten(env), 30), 0.25)
    return normalize_observations(scale_rewards(env, 0.1))


def backwards(env):
    env = scale_rewards(normalize_observations(env), 0.1)
    return flatten(time_limit(sticky_actions(env, 0.25), 30))


def test_all_of_them_on_pendulum():
    """Gravity, stickiness and scale swept at once: a setting is the environment made with these numbers, and each counts."""

    def algorithm(g, probability, scale):
        env = sticky_actions(time_limit(flatten(make_env("Pendulum-v1", g=g)), 30), probability)
        env = normalize_observations(scale_rewards(env, scale))
        return jax_ac.ppo(env, **PPO, network=small(env))

    base, other = (10.0, 0.25, 0.1), (3.0, 0.75, 1.0)
    numbers = [base, other, *((*base[:i], other[i], *base[i + 1 :]) for i in range(3))]
    gs, probabilities, scales = zip(*numbers, strict=True)
    swept = algorithm(*base)
    settings = {"env_g": gs, "env_sticky_probability": probabilities, "env_reward_scale": scales}
    states, metrics = jax_ac.train_many(swept, 2, 5, jax_ac.zip_settings(swept.hyperparams, **settings))
    assert_same(jax.tree.map(lambda leaf: leaf[1], (states, metrics)), jax_ac.train_many(algorithm(*other), 2, 5))
    kernels = states.params["params"]["critic"]["kernel"].reshape(5, -1)
    assert len(np.unique(kernels, axis=0)) == 5
    assert (states.num_episodes == 2).all()  # 40 steps of two environments, and a limit of 30
    assert (metrics.episode_return[:, :, 3] < -10).all()  # unscaled: a tenth of it would not be


@pytest.mark.parametrize("compose", [everything, backwards])
def test_all_of_them_say_what_they_are(compose):
    plain = make_env("CartPole-v1", length=2.0)
    env = compose(plain)
    for bound in (env, env.bind({}), env.bind({"length": 1.0, "reward_scale": 0.1})):
        assert (bound.name, bound.max_steps, bound.solved_at, bound.truncation_gap) == ("CartPole-v1", 30, None, 30)
        assert bound.params == {**plain.params, "sticky_probability": 0.25, "reward_scale": 0.1}
        assert (bound.normalized, bound.reward_scale, bound.observation_space.shape) == (True, 0.1, (4,))
        assert bound.action_space == plain.action_space
    assert (plain.normalized, plain.reward_scale, "reward_scale" in plain.params) == (False, 1.0, False)


@pytest.mark.parametrize("compose", [*TRANSFORMERS.values(), everything, backwards])
def test_binding_one_number_after_another_is_binding_both(compose):
    """As with what `make_env` makes; a number bound twice is the later one."""
    env = compose(make_env(echo()))
    for bound in (
        env.bind({"offset": 5.0}).bind({"gain": 7.0}),
        env.bind({"offset": 1.0, "gain": 7.0}).bind({"offset": 5.0}),
        env.bind({"offset": 5.0, "gain": 7.0}).bind({}),
    ):
        obs, reward, *_ = play(bound, np.ones((6, 1), int))
        np.testing.assert_array_equal(obs[..., 2], 5.0)
        np.testing.assert_array_equal(reward, 7.0)
        assert bound.params == env.params


def test_binding_keeps_the_transformers_own_numbers():
    env = everything(make_env(echo()))
    assert env.bind({"reward_scale": 2.0}).bind({"gain": 7.0}).reward_scale == 2.0
    assert env.bind({"gain": 7.0}).bind({"reward_scale": 2.0}).bind({"reward_scale": 3.0}).reward_scale == 3.0
    actions = np.tile(np.array([1, 0])[:, None], (10, 50))
    stuck = env.bind({"sticky_probability": 1.0}).bind({"gain": 7.0})
    np.testing.assert_array_equal(play(stuck, actions)[1], 7.0)  # the first action of each episode, for ever
    free = env.bind({"sticky_probability": 1.0, "gain": 7.0}).bind({"sticky_probability": 0.0})
    np.testing.assert_array_equal(play(free, actions)[1], 7.0 * actions)


@pytest.mark.parametrize("compose", [*TRANSFORMERS.values(), everything])
def test_inside_a_trace(compose):
    """Made and bound there, with numbers that are traced."""

    def reset(offset):
        env = compose(make_env(echo())).bind({"offset": offset})
        return env.reset(jax.random.key(0))[0]

    np.testing.assert_array_equal(jax.jit(jax.vmap(reset))(jnp.arange(3.0))[:, 2], [0.0, 1.0, 2.0])
    made = jax.jit(lambda: compose(make_env("Pendulum-v1")).reset(jax.random.key(0))[0])()
    assert made.shape == (3,)


@pytest.mark.parametrize("name", TRANSFORMERS)
@pytest.mark.parametrize(("given", "kind"), [("CartPole-v1", "str"), (None, "NoneType"), (echo(), "Functions")])
def test_other_things_than_environments(name, given, kind):
    with pytest.raises(TypeError, match=f"^{name} takes an environment from make_env, got {kind}.$"):
        TRANSFORMERS[name](given)


def counting():
    step = lambda key, state, action: (state, state, 0.0, jnp.zeros((), bool), jnp.zeros((), bool))
    return make_env(Functions(lambda key: (jnp.int32(0), jnp.int32(0)), step, Discrete(2), Discrete(3), name="counting"))


def with_number(name):
    """An environment that has a number of this name."""
    step = lambda key, state, action, **numbers: (jnp.zeros(1), state, 0.0, jnp.zeros((), bool), jnp.zeros((), bool))
    reset = lambda key, **numbers: (jnp.zeros(1), jnp.zeros(1))
    return make_env(Functions(reset, step, Discrete(2), name="own", params={name: 1.0}))


CARTPOLE = partial(make_env, "CartPole-v1")
BAD = [
    (lambda: flatten(counting()), ValueError, "flatten takes observations that are arrays; those of counting are integers."),
    (
        lambda: normalize_observations(counting()),
        ValueError,
        "normalize_observations takes real observations; those of counting are integers.",
    ),
    (lambda: time_limit(CARTPOLE(), 0), ValueError, "max_steps must be at least 1, got 0."),
    (lambda: time_limit(CARTPOLE(), 2.5), TypeError, "max_steps must be a whole number, got 2.5."),
    (lambda: time_limit(CARTPOLE(), True), TypeError, "max_steps must be a whole number, got True."),
    (lambda: sticky_actions(CARTPOLE(), 1.5), ValueError, r"sticky_probability must be in \[0, 1\], got 1.5."),
    (lambda: sticky_actions(CARTPOLE(), "0.5"), TypeError, "sticky_probability must be a number, got '0.5'."),
    (lambda: scale_rewards(CARTPOLE(), 0), ValueError, "reward_scale must be a finite number greater than 0, got 0."),
    (lambda: scale_rewards(CARTPOLE(), -1), ValueError, "reward_scale must be a finite number greater than 0, got -1."),
    (lambda: scale_rewards(CARTPOLE(), 1e-60), ValueError, "reward_scale must be a finite number greater than 0 also in f"),
    (lambda: scale_rewards(CARTPOLE(), None), TypeError, "reward_scale must be a number, got None."),
    (
        lambda: scale_rewards(normalize_observations(scale_rewards(CARTPOLE(), 0.5)), 0.5),
        ValueError,
        "CartPole-v1 cannot be given the number reward_scale: it has one of that name already.",
    ),
    (
        lambda: sticky_actions(time_limit(sticky_actions(CARTPOLE(), 0.5), 9), 0.5),
        ValueError,
        "CartPole-v1 cannot be given the number sticky_probability: it has one of that name already.",
    ),
    (
        lambda: scale_rewards(with_number("reward_scale"), 0.5),
        ValueError,
        "own cannot be given the number reward_scale: it has one of that name already.",
    ),
    (
        lambda: sticky_actions(with_number("sticky_probability"), 0.5),
        ValueError,
        "own cannot be given the number sticky_probability: it has one of that name already.",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=f"^{message}") as raised:
        call()
    assert "\n" not in str(raised.value)
