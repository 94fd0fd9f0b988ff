"""An agent acts, is evaluated, survives a file and leaves for NumPy and StableHLO as it was, or says what is wrong."""

import contextlib
import hashlib
import json
import subprocess
import sys
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from by_hand import KEY, close, forward, ragged, small

import jax_ac
from jax_ac import Agent, Box, Discrete, Functions, make_env
from jax_ac.agent_file import DIGEST_SIZE, decode
from jax_ac.distributions import Categorical
from jax_ac.evaluation import evaluate_lanes
from jax_ac.moments import Moments
from jax_ac.networks import KERAS, ConvActorCritic, RecurrentActorCritic, SeparateActorCritic, SharedActorCritic
from jax_ac.policies import init_params
from jax_ac.transforms import normalize_observations, scale_rewards, sticky_actions

M = 3


def noise(like, seed):
    """In every leaf, so that biases and log σ count as well."""
    numbers = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(0.7 * numbers.normal(size=leaf.shape), leaf.dtype), like)


def agent_of(env, network=None, seed=0):
    network = network or small(env)
    algorithm = jax_ac.a2c(env, 2, 3, network=network)
    moments, shape = (), getattr(env.observation_space, "shape", ())
    if env.normalized:
        numbers = np.random.default_rng(seed + 1)
        moments = Moments(jnp.float32(9), *(jnp.asarray(numbers.uniform(0.5, 2, shape), jnp.float32) for _ in range(2)))
    params = jax.eval_shape(lambda: init_params(network, KEY, env))
    return Agent(algorithm, noise(params, seed), moments, algorithm.hyperparams._replace(learning_rate=np.float32(0.1)), 7)


THREE = Discrete(3)


def observing(obs, action_space=THREE, observation_space=None):
    """An environment that shows nothing but `obs`; only its spaces count."""
    step = lambda key, state, action: (obs, state, 0.0, jnp.ones((), bool), jnp.zeros((), bool))
    return make_env(Functions(lambda key: (obs, ()), step, action_space, observation_space))


def recurrent(env):
    return RecurrentActorCritic(env.observation_space, env.action_space, (4,), M, initialization=KERAS)


def chancy():
    return scale_rewards(normalize_observations(sticky_actions(ragged(longest=6), 0.3)), 7.0)


def as_seen(agent, obs):
    mean, variance = np.asarray(agent.moments.mean), np.asarray(agent.moments.variance)
    return np.clip((obs - mean) / np.sqrt(variance), -10, 10)


def played_by_hand(agent, key, num_episodes, greedy, max_steps):
    """Episode by episode, from the same keys."""
    env = agent.algorithm.env(agent.hyperparams)
    reset, transition = jax.jit(env.reset), jax.jit(env.transition)
    key_reset, key_action, key_env = jax.random.split(key, 3)
    actions = [np.asarray(jax.random.gumbel(jax.random.fold_in(key_action, t), (num_episodes, 2))) for t in range(max_steps)]
    chances = [jax.random.split(jax.random.fold_in(key_env, t), num_episodes) for t in range(max_steps)]
    for n, key_begin in enumerate(jax.random.split(key_reset, num_episodes)):
        obs, state = reset(key_begin)
        total, ended, t = 0.0, False, 0
        while not ended and t < max_steps:
            log_probs, _ = forward(jax.device_get(agent.params), as_seen(agent, np.asarray(obs))[None])
            action = np.argmax(log_probs[0] + (0 if greedy else actions[t][n]))
            obs, state, reward, terminated, truncated = transition(chances[t][n], state, action)
            total, ended, t = total + float(reward), bool(terminated | truncated), t + 1
        yield total, t, ended


@pytest.fixture(scope="module")
def chancy_agent():
    return agent_of(chancy())


@pytest.mark.parametrize(("greedy", "max_steps"), [(False, 4), (True, 9)])
def test_evaluation_is_episodes_played_one_by_one(chancy_agent, greedy, max_steps):
    played = chancy_agent.evaluate(KEY, 12, greedy=greedy, max_steps=max_steps)
    total, length, ended = map(np.array, zip(*played_by_hand(chancy_agent, KEY, 12, greedy, max_steps), strict=True))
    close(played.episode_return, total)
    np.testing.assert_array_equal(played.episode_length, length)
    np.testing.assert_array_equal(played.finished, ended)
    assert ended.all() == (max_steps == 9)
    assert len(set(length)) > 2
    assert [leaf.dtype for leaf in played] == [jnp.float32, jnp.int32, bool]


def counting(length=4, **arguments):
    """Rewards 1, 2, 3, ... up to `length`; the observation is the step."""

    def step(key, state, action):
        state = state + 1
        return state[None], state, state, state >= length, jnp.zeros((), bool)

    return Functions(lambda key: (jnp.zeros(1), jnp.zeros(())), step, Discrete(2), **arguments)


def test_it_stops_when_all_have_ended():
    """Long before `max_steps`, or at it, and says which."""
    played = agent_of(make_env(counting())).evaluate(KEY, 3, max_steps=2**31 - 1)
    np.testing.assert_array_equal(played, [[10.0] * 3, [4] * 3, [True] * 3])
    played = agent_of(make_env(counting(max_steps=5))).evaluate(KEY, 3)
    np.testing.assert_array_equal(played, [[10.0] * 3, [4] * 3, [True] * 3])
    played = agent_of(make_env(counting(max_steps=5))).evaluate(KEY, 3, max_steps=3)
    np.testing.assert_array_equal(played, [[6.0] * 3, [3] * 3, [False] * 3])


def stacked(*trees):
    return jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *trees)


def test_lanes_are_evaluated_as_each_alone(chancy_agent):
    chances, params = (0.0, 0.3, 0.9), [noise(chancy_agent.params, seed) for seed in range(3)]
    settings = [chancy_agent.hyperparams._replace(env_sticky_probability=chance) for chance in chances]
    agents = [chancy_agent._replace(params=p, hyperparams=h) for p, h in zip(params, settings, strict=True)]
    alone = [agent.evaluate(KEY, 12, max_steps=4) for agent in agents]
    states = stacked(*params), stacked(*[chancy_agent.moments] * 3)
    lanes = evaluate_lanes(chancy_agent.algorithm, states, stacked(*settings), KEY, 12, max_steps=4)
    jax.tree.map(lambda lane, *rows: close(lane, np.stack(rows)), lanes, *alone)
    assert len(np.unique(np.asarray(lanes.episode_return), axis=0)) == 3


def test_all_have_the_same_chances():
    """Where actions do not matter, any agent plays the same episodes with the same key, and others with another."""

    def step(key, state, action):
        key_length, key_reward = jax.random.split(key)
        obs = state + jax.random.normal(key_reward, (1,))
        return obs, obs, obs[0], jax.random.bernoulli(key_length, 0.3), jnp.zeros((), bool)

    reset = lambda key: (jax.random.normal(key, (1,)),) * 2
    agent = agent_of(make_env(Functions(reset, step, Discrete(2), max_steps=50)))
    states, numbers = (stacked(agent.params, noise(agent.params, 1)), ()), stacked(*[agent.hyperparams] * 2)
    first, other = (evaluate_lanes(agent.algorithm, states, numbers, key, 8) for key in (KEY, jax.random.key(9)))
    np.testing.assert_array_equal(first.episode_return[0], first.episode_return[1])
    assert len(np.unique(first.episode_return)) == len(np.unique(other.episode_return)) == 8
    assert len(np.unique(first.episode_length)) > 2
    assert not np.isin(first.episode_return, other.episode_return).any()


def test_another_key_or_setting_is_not_compiled_again():
    traced = []

    def step(key, state, action, *, pay=1.0):
        traced.append(1)
        return state, state, pay, jnp.ones((), bool), jnp.zeros((), bool)

    reset = lambda key, *, pay=1.0: (jnp.zeros(1), jnp.zeros(1))
    agent = agent_of(make_env(Functions(reset, step, Discrete(2), max_steps=2, params={"pay": 1.0})))
    assert agent.evaluate(KEY, 2).episode_return.tolist() == [1, 1]
    before = len(traced)
    other = agent._replace(params=noise(agent.params, 3), hyperparams=agent.hyperparams._replace(env_pay=5.0))
    assert other.evaluate(jax.random.key(8), 2).episode_return.tolist() == [5, 5]
    assert len(traced) == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, r"^max_steps must be given, as a whole number of at least 1: custom has no time limit\.$"),
        ({"max_steps": 0}, r"^max_steps must be at least 1, got 0\.$"),
        ({"max_steps": 5, "num_episodes": 0}, r"^num_episodes must be at least 1, got 0\.$"),
    ],
)
def test_evaluation_checks_its_numbers(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        agent_of(make_env(counting())).evaluate(KEY, **arguments)


def test_acting_is_the_distribution_s_sample_or_mode():
    agent = agent_of(normalize_observations(ragged()))
    obs = np.random.default_rng(0).normal(size=(2, 3, 4))
    logits, _ = forward(jax.device_get(agent.params), as_seen(agent, obs).reshape(6, 4))
    greedy = jax.jit(partial(agent.act, greedy=True))(KEY, obs)
    np.testing.assert_array_equal(greedy, np.argmax(logits, axis=1).reshape(2, 3))
    drawn = jax.jit(agent.act)(KEY, obs)
    np.testing.assert_array_equal(drawn, Categorical(jnp.float32(logits.reshape(2, 3, 2))).sample(KEY))
    assert (drawn != greedy).any()
    assert agent.act(KEY, obs[0, 1].tolist(), greedy=True) == greedy[0, 1]
    many = jax.jit(jax.vmap(partial(agent.act, obs=obs[0, 0])))(jax.random.split(KEY, 2000))
    close(np.mean(many), np.exp(logits[0, 1]), rtol=0, atol=0.04)


def test_real_actions_stay_within_the_box():
    space = Box((2,), np.array([-0.5, -2.0]), np.array([0.1, 2.0]))
    agent = agent_of(observing(jnp.zeros(2), space))
    actions = jax.jit(agent.act)(KEY, np.zeros((200, 2)))
    assert actions.shape == (200, 2)
    close(actions.min(axis=0)[0], -0.5)
    close(actions.max(axis=0)[0], 0.1)
    assert actions[:, 1].max() > 0.5


def test_acting_checks_observations():
    for shape in ((3,), (4, 1), ()):
        with pytest.raises(ValueError, match=r"^obs must have the shape \(4,\), after any batch axes, got \(.*\)\.$"):
            agent_of(ragged()).act(KEY, np.zeros(shape))


def test_memory_is_carried_by_the_caller():
    agent = agent_of(ragged(), recurrent(ragged()))
    apply, numbers = jax.jit(recurrent(ragged()).apply), np.random.default_rng(0)
    act = jax.jit(lambda obs, memory: agent.act(KEY, obs, memory=memory))
    for batch in ((), (3,)):
        memory, expected = agent.begin(*batch), np.zeros((*batch, M), np.float32)
        for _ in range(3):
            close(memory, expected)
            obs = jnp.asarray(numbers.normal(size=(*batch, 4)), jnp.float32)
            distribution, _, expected = apply(agent.params, obs, expected)
            action, memory = act(obs, memory)
            np.testing.assert_array_equal(action, distribution.sample(KEY))
        assert np.abs(memory).max() > 0.1


def test_memory_is_refused_or_asked_for():
    plain, remembering = agent_of(ragged()), agent_of(ragged(), recurrent(ragged()))
    with pytest.raises(TypeError, match=r"has a memory; give act that of begin, then what act returns\.$"):
        remembering.act(KEY, np.zeros(4))
    with pytest.raises(TypeError, match=r"has no memory; call act without one\.$"):
        plain.act(KEY, np.zeros(4), memory=np.zeros(M))
    with pytest.raises(TypeError, match=r"has no memory to begin; call act\(key, obs\)\.$"):
        plain.begin()
    with pytest.raises(
        ValueError, match=r"^memory must have the shape \(2, 3\), as obs has the batch axes \(2,\), got \(3,\)\.$"
    ):
        remembering.act(KEY, np.zeros((2, 4)), memory=remembering.begin())


def test_memory_begins_anew_in_every_evaluated_episode():
    """Greedy, in an environment of constant observations: actions follow from the memory alone."""
    step = lambda key, t, action: (jnp.ones(1), t + 1, action * 10.0**t, t >= 4, jnp.zeros((), bool))
    env = make_env(Functions(lambda key: (jnp.ones(1), jnp.zeros(())), step, Discrete(2), max_steps=5))
    agent = agent_of(env, recurrent(env), seed=29)
    act = jax.jit(lambda memory: agent.act(KEY, np.ones(1), memory=memory, greedy=True))
    memory, total = agent.begin(), 0
    for t in range(5):
        action, memory = act(memory)
        total += int(action) * 10**t
    assert total not in (0, 11111)  # what acting without a memory would give
    assert agent.evaluate(KEY, 3, greedy=True).episode_return.tolist() == [total] * 3


@pytest.fixture(scope="module")
def pendulum():
    """An agent that a recipe makes again, with moments."""
    return agent_of(normalize_observations(make_env("Pendulum-v1")))


@pytest.fixture
def saved(pendulum, tmp_path):
    pendulum.save(tmp_path / "agent")
    return tmp_path / "agent"


def assert_identical(agent, other):
    assert jax.tree.structure(agent[1:4]) == jax.tree.structure(other[1:4])
    for leaf, copy in zip(jax.tree.leaves(agent[1:3]), jax.tree.leaves(other[1:3]), strict=True):
        assert isinstance(copy, jax.Array)
        assert (leaf.dtype, leaf.shape) == (copy.dtype, copy.shape)
        assert np.asarray(leaf).tobytes() == np.asarray(copy).tobytes()
    assert list(map(np.float32, agent.hyperparams)) == list(map(np.float32, other.hyperparams))
    assert type(agent.hyperparams) is type(other.hyperparams)
    assert agent.seed == other.seed


def test_a_saved_agent_is_the_same_agent(pendulum, saved):
    loaded = Agent.load(str(saved))
    assert_identical(pendulum, loaded)
    assert loaded.algorithm.recipe == pendulum.algorithm.recipe
    assert sorted(path.name for path in saved.parent.iterdir()) == ["agent"]
    played = [agent.evaluate(KEY, 2, max_steps=5) for agent in (pendulum, loaded)]
    jax.tree.map(np.testing.assert_array_equal, *played)


def test_the_file_is_what_its_format_says(pendulum, saved):
    """Read as the safetensors format has it."""
    content = saved.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, buffer = json.loads(content[8 : 8 + length]), content[8 + length :]
    texts, end = header.pop("__metadata__"), 0
    for place in header.values():
        assert place["data_offsets"][0] == end
        end = place["data_offsets"][1]
    assert end == len(buffer)
    start, end = header["['params']['params']['actor']['kernel']"]["data_offsets"]
    kernel = np.frombuffer(buffer[start:end], "<f4").reshape(6, 1)
    np.testing.assert_array_equal(kernel, pendulum.params["params"]["actor"]["kernel"])
    assert header["['moments'].mean"]["shape"] == [3]
    assert list(header)[-1] == "sha256"
    assert buffer[-DIGEST_SIZE:] == hashlib.sha256(content[:-DIGEST_SIZE]).digest()
    assert texts["recipe"] == pendulum.algorithm.recipe
    assert (texts["jax"], texts["jax_ac"], texts["seed"]) == (jax.__version__, jax_ac.__version__, "7")
    assert json.loads(texts["hyperparams"])["gamma"] == 0.99


def refusal(path, algorithm=None):
    """The one sentence with which `load` refuses a file."""
    with pytest.raises(ValueError) as refused:
        Agent.load(path, algorithm)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_no_byte_can_change_unseen(saved):
    """Every byte, every length; and of the file on disk every 97th byte and twenty lengths."""
    content = saved.read_bytes()
    assert len(content) < 5000
    bits = [(place, bit) for place in range(len(content)) for bit in (1 << place % 8, 255)]
    flip = lambda place, bit: content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]
    for changed in (*(flip(*where) for where in bits), *(content[:end] for end in range(len(content))), content + b"\0"):
        with contextlib.suppress(ValueError):
            decode(saved, changed)
            pytest.fail("it was read")
    for changed in (*(flip(*where) for where in bits[::97]), *(content[:end] for end in range(0, len(content), 150))):
        saved.write_bytes(changed)
        assert refusal(saved) in (
            f"{saved} is not the file of an agent.",
            f"{saved} is damaged: its digest is not that of its bytes.",
        )


def rewritten(path, old, new):
    """A file in which a text is another of the same length, with the digest that belongs to it."""
    content = path.read_bytes()[:-DIGEST_SIZE].replace(old, new)
    path.write_bytes(content + hashlib.sha256(content).digest())


def test_other_files_are_refused(saved, tmp_path):
    rewritten(saved, b'"jax_ac agent 1"', b'"jax_ac agent 2"')
    assert refusal(saved).endswith("is of the schema 'jax_ac agent 2'; this version of jax_ac reads 'jax_ac agent 1'.")
    saved.write_text("seed,return\n0,195.0\n")
    assert refusal(saved).endswith("is not the file of an agent.")
    assert refusal(tmp_path / "none") == f"cannot read the file {tmp_path / 'none'}: No such file or directory."
    assert refusal(tmp_path) == f"cannot read the file {tmp_path}: Is a directory."


def test_an_agent_that_does_not_fit_is_refused(pendulum, saved):
    env = normalize_observations(make_env("Pendulum-v1"))
    wider = SeparateActorCritic(env.observation_space, env.action_space, (7,))
    assert "array ['params']['params']['actor']['kernel'] is float32 (6, 1), not float32 (7, 1)." in refusal(
        saved, jax_ac.a2c(env, network=wider)
    )
    plain = jax_ac.a2c(make_env("Pendulum-v1"), network=small(env))
    assert refusal(saved, plain).endswith("it should not have the array ['moments'].mean.")
    deeper = SeparateActorCritic(env.observation_space, env.action_space, (6, 6))
    assert refusal(saved, jax_ac.a2c(env, network=deeper)).endswith(
        "it lacks the array ['params']['params']['actor_hidden_1']['bias']."
    )
    assert "its hyperparameters are learning_rate, gamma," in refusal(saved, jax_ac.ppo(env, network=small(env)))
    with pytest.raises(TypeError, match="algorithm must come from a preset or actor_critic"):
        Agent.load(saved, pendulum)
    same = jax_ac.a2c(env, network=small(env))
    assert Agent.load(saved, same).algorithm is same


def test_without_a_recipe_the_algorithm_is_asked_for(tmp_path):
    agent, path = agent_of(ragged()), tmp_path / "agent"
    agent.save(path)
    assert refusal(path).endswith("holds no recipe, as its algorithm had none; pass the algorithm that trained the agent.")
    assert_identical(agent, Agent.load(path, agent.algorithm))
    gone = agent._replace(algorithm=agent.algorithm._replace(recipe='{"call": "jax_ac.presets:gone", "arguments": {}}'))
    gone.save(path)
    assert "holds a recipe that cannot be followed; pass the algorithm that trained it: " in refusal(path)


class Half(nn.Module):
    """A network in bfloat16."""

    @nn.compact
    def __call__(self, obs):
        outputs = nn.Dense(3, param_dtype=jnp.bfloat16)(obs)
        return Categorical(outputs[..., :2]), outputs[..., 2]


def test_bfloat16_survives(tmp_path):
    agent = agent_of(ragged(), Half())
    assert {leaf.dtype for leaf in jax.tree.leaves(agent.params)} == {jnp.dtype(jnp.bfloat16)}
    agent.save(tmp_path / "agent")
    assert_identical(agent, Agent.load(tmp_path / "agent", agent.algorithm))


def test_saving_refuses_what_could_not_be_loaded(pendulum, tmp_path):
    path = tmp_path / "agent"
    lanes = pendulum._replace(params=jax.tree.map(lambda leaf: leaf[None], pendulum.params))
    wide = pendulum._replace(moments=jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), pendulum.moments))
    for agent, fault in (
        (lanes, r"is float32 \(1, 1\), not float32 \(1,\)\.$"),
        (wide, r"is float64 \(\), not float32 \(\)\.$"),
    ):
        with pytest.raises(ValueError, match=rf"^the agent does not fit the algorithm: its array \['.*{fault}"):
            agent.save(path)
    with pytest.raises(ValueError, match=r"^gamma must be in \[0, 1\], got 2\.$"):
        pendulum._replace(hyperparams=pendulum.hyperparams._replace(gamma=2.0)).save(path)
    with pytest.raises(TypeError, match=r"^hyperparams must be a A2CHyperparams"):
        pendulum._replace(hyperparams=jax_ac.PPOHyperparams()).save(path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match=r"^cannot write the file .*/no/agent: No such file or directory\.$"):
        pendulum.save(tmp_path / "no" / "agent")


VECTOR, IMAGE, WHOLE = observing(jnp.zeros(3)), observing(jnp.zeros((2, 4, 1))), Discrete(5)
CASES = {
    "shared": (SharedActorCritic, nn.relu, VECTOR),
    "separate": (SeparateActorCritic, nn.tanh, observing(jnp.zeros(3), Box((2,), -1.0, 1.0))),
    "image": (SharedActorCritic, nn.tanh, observing(jnp.zeros((2, 4, 1)), Box((1,), -1.0, 1.0))),
    "integers": (SeparateActorCritic, nn.relu, observing(jnp.zeros((), jnp.int32), observation_space=WHOLE)),
    "normalized": (SeparateActorCritic, nn.relu, normalize_observations(IMAGE)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
def test_numpy_says_what_the_network_says(case, batch):
    kind, activation, env = CASES[case]
    network = kind(env.observation_space, env.action_space, (5, 4), activation)
    agent, numbers = agent_of(env, network), np.random.default_rng(1)
    if case == "integers":
        obs = seen = numbers.integers(0, 5, batch)
    else:
        obs = numbers.normal(size=(*batch, *env.observation_space.shape))
        obs[..., 0] *= 1e3 if env.normalized else 1  # where normalized it is cut off at 10
        seen = as_seen(agent, obs) if env.normalized else obs
    distribution, value = jax.jit(network.apply)(agent.params, jnp.asarray(seen))
    parameters, said = agent.to_numpy()(obs)
    assert parameters.keys() == distribution._asdict().keys()
    for name, parameter in parameters.items():
        assert type(parameter) is np.ndarray
        assert parameter.dtype == np.float32
        close(parameter, getattr(distribution, name))
    assert np.shape(said) == batch
    close(said, value)


def test_numpy_calls_no_jax(pendulum):
    policy, called = pendulum.to_numpy(), set()
    sys.setprofile(lambda frame, event, argument: called.add(frame.f_globals["__name__"].split(".")[0]))
    try:
        policy(np.zeros((2, 3)))
    finally:
        sys.setprofile(None)
    assert "jax_ac" in called
    assert not called & {"jax", "jaxlib", "flax"}


def test_numpy_refuses_what_it_cannot_say():
    space, actions = VECTOR.observation_space, VECTOR.action_space
    image = observing(jnp.zeros((4, 4, 1)))
    for env, network in (
        (VECTOR, recurrent(VECTOR)),
        (image, ConvActorCritic(image.observation_space, actions, (2,), (3,))),
        (ragged(), Half()),
    ):
        sentence = f"^to_numpy takes SharedActorCritic and SeparateActorCritic, got {type(network).__name__}; export takes"
        with pytest.raises(TypeError, match=sentence):
            agent_of(env, network).to_numpy()
    with pytest.raises(ValueError, match=r"^to_numpy takes the activations relu and tanh, got gelu; export takes any\.$"):
        agent_of(VECTOR, SharedActorCritic(space, actions, (4,), nn.gelu)).to_numpy()
    with pytest.raises(ValueError, match=r"^obs must have the shape \(3,\)"):
        agent_of(VECTOR).to_numpy()(np.zeros(2))


FRESH = """
import pathlib, sys
import jax, numpy as np
for name in sys.argv[1:]:
    policy = jax.export.deserialize(pathlib.Path(name + ".stablehlo").read_bytes())
    inputs = np.load(name + ".in.npz")
    np.savez(name + ".out.npz", *jax.tree.leaves(policy.call(*inputs.values())))
    assert policy.platforms == ("cpu", "cuda", "tpu"), policy.platforms
assert not {"jax_ac", "flax", "optax"} & {module.split(".")[0] for module in sys.modules}
"""


def test_stablehlo_says_the_same_in_a_process_without_jax_ac(pendulum, tmp_path):
    pytest.importorskip("flatbuffers", reason="jax.export needs it")
    remembering, numbers = agent_of(ragged(), recurrent(ragged())), np.random.default_rng(2)
    one, many = (numbers.normal(size=(b, 3)).astype(np.float32) for b in (1, 5))
    seen, memory = (numbers.normal(size=(4, size)).astype(np.float32) for size in (4, M))
    apply, plain = jax.jit(small(make_env("Pendulum-v1")).apply), pendulum.params
    cases = {
        "one": (pendulum, (one,), apply(plain, as_seen(pendulum, one))),
        "many": (pendulum, (many,), apply(plain, as_seen(pendulum, many))),
        "memory": (remembering, (seen, memory), recurrent(ragged()).apply(remembering.params, seen, memory)),
    }
    for name, (agent, inputs, _) in cases.items():
        written = tmp_path / f"{name}.stablehlo"
        assert agent.export(written) == written.read_bytes()
        np.savez(tmp_path / f"{name}.in.npz", *inputs)
    subprocess.run([sys.executable, "-c", FRESH, *(str(tmp_path / name) for name in cases)], check=True)
    for name, (_, _, expected) in cases.items():
        with np.load(tmp_path / f"{name}.out.npz") as file:
            said = list(file.values())
        for leaf, other in zip(said, jax.tree.leaves((expected[0]._asdict(), *expected[1:])), strict=True):
            close(leaf, other)


def test_export_says_which_package_is_missing(pendulum, monkeypatch):
    def serialize(exported):
        raise ImportError("Please install 'flatbuffers'")

    monkeypatch.setattr(jax.export.Exported, "serialize", serialize)
    with pytest.raises(ImportError, match=r"^export needs the package flatbuffers, which jax\.export uses: pip install"):
        pendulum.export()
