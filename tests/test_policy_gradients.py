"""`a2c`, `one_step` and `reinforce` against NumPy in float64 and Python loops, gradients derived by hand."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from by_hand import (
    KEY,
    Case,
    as_tree,
    backward,
    clipped,
    close,
    flat,
    float64,
    forward,
    norm,
    policy_gradient,
    ragged,
    targets,
)

import jax_ac
from jax_ac import advantages, losses, rollout, transforms


def test_two_updates_of_a2c():
    """RMSProp as PyTorch's: v = a v + (1 - a) g², θ -= α g / (√v + ε)."""
    h = jax_ac.A2CHyperparams(learning_rate=0.01, gamma=0.9, gae_lambda=0.7, ent_coef=0.1, max_grad_norm=0.2)
    case = Case(jax_ac.a2c, rollout.unroll(2, 16), num_envs=2, num_steps=16, hyperparams=h)
    state, params = case.state, float64(case.state.params)
    second = jax.tree.map(np.zeros_like, params)
    for key in jax.random.split(KEY, 2):
        steps = case.acted(state, key)
        state, metrics = case.step(key, state, case.algorithm.hyperparams)
        estimates = map(np.ravel, targets(steps, h.gamma, h.gae_lambda))
        raw = policy_gradient(params, flat(steps), *estimates, h.vf_coef, h.ent_coef)
        close(metrics.grad_norm, norm(raw))
        gradient = clipped(raw, h.max_grad_norm)
        assert norm(gradient) < 0.5 * norm(raw)
        second = jax.tree.map(lambda v, g: 0.99 * v + 0.01 * g**2, second, gradient)
        params = jax.tree.map(lambda p, v, g: p - h.learning_rate * g / (np.sqrt(v) + h.eps), params, second, gradient)
        jax.tree.map(close, state.params, params)


def sgd(h):
    return optax.sgd(h.learning_rate)


def one_step(num_envs):
    h = jax_ac.OneStepHyperparams(learning_rate=0.03, gamma=0.9, trace_lambda=0.9)
    return Case(jax_ac.one_step, rollout.unroll(num_envs, 1), num_envs=num_envs, optimizer=sgd, hyperparams=h)


@pytest.fixture(scope="module")
def two():
    return one_step(2)


@pytest.mark.parametrize("num_envs", [1, 2])
def test_one_step_is_the_textbook_with_traces(two, num_envs):
    """Sutton & Barto (2018), section 13.6, without γᵗ, for each environment; θ ← θ + α δ z, z being the mean of theirs."""
    case = two if num_envs == 2 else one_step(1)
    h, transition, state = case.algorithm.hyperparams, jax.jit(case.env.transition), case.state
    params = float64(state.params)
    nothing = jax.tree.map(np.zeros_like, params)
    trace, resets, move = [nothing] * num_envs, 0, None
    for key in jax.random.split(KEY, 30):
        steps, move = case.acted(state, key), nothing
        for n, (obs, action) in enumerate(zip(steps.obs[0], steps.action[0], strict=True)):
            next_obs, _, reward, terminated, truncated = float64(transition(KEY, state.acting.env_state[n], action))
            ahead = 0.0 if terminated else forward(params, next_obs[None])[1][0]
            td_error = reward + h.gamma * ahead - forward(params, obs[None])[1][0]
            ascent = backward(params, obs[None], action[None], np.ones(1), h.vf_coef * np.ones(1))
            trace[n] = jax.tree.map(lambda z, g: h.gamma * h.trace_lambda * z + g, trace[n], ascent)
            move = jax.tree.map(lambda total, z, delta=td_error: total + delta * z / num_envs, move, trace[n])
            if terminated or truncated:
                trace[n], resets = nothing, resets + 1
        params = jax.tree.map(lambda p, step: p + h.learning_rate * step, params, move)
        state, metrics = case.step(key, state, h)
        close(metrics.grad_norm, norm(move), rtol=1e-4)
    assert resets >= 5
    jax.tree.map(close, state.params, params)


def test_without_traces_it_is_the_one_step_actor_critic(two):
    """The gradient of -log π δ + c ½ (v - G)², of all environments' steps together."""
    h = jax_ac.A2CHyperparams(learning_rate=0.03, gamma=0.9, ent_coef=0.0)
    parts = {"advantage": advantages.td_error, "loss": losses.policy_gradient_loss, "optimizer": sgd}
    unrolled = rollout.unroll(2, 1)
    plain = Case(jax_ac.actor_critic, unrolled, **parts, rollout=unrolled, hyperparams=h)
    ours, theirs = two.state, plain.state
    for key in jax.random.split(KEY, 6):
        ours, _ = two.step(key, ours, two.algorithm.hyperparams._replace(trace_lambda=0.0))
        theirs, _ = plain.step(key, theirs, plain.algorithm.hyperparams)
        jax.tree.map(partial(close, rtol=1e-5, atol=1e-6), ours.params, theirs.params)


@pytest.mark.parametrize("baseline", [True, False])
def test_one_update_of_reinforce(baseline):
    """Without a baseline there is no critic: its parameters stay, and it has no loss to report."""
    h = jax_ac.ReinforceHyperparams(learning_rate=0.01, gamma=0.9, max_grad_norm=0.2)
    env = transforms.time_limit(ragged(), 4)
    case = Case(jax_ac.reinforce, rollout.episodes(6), env=env, num_episodes=6, baseline=baseline, hyperparams=h)
    steps, params, transition = case.acted(case.state), float64(case.state.params), jax.jit(env.transition)
    rows = []  # obs, action, return, baseline
    for n in range(6):
        state, episode = transforms.Timed(jnp.asarray(steps.obs[0, n], jnp.float32), jnp.int32(0)), []
        ended = False
        while not ended:
            obs, action = state.inner, steps.action[len(episode), n]
            final_obs, state, reward, terminated, truncated = transition(KEY, state, action)
            episode.append((float64(obs), action, float(reward)))
            ended = terminated or truncated
        assert len(episode) == steps.mask[:, n].sum()
        value = 0.0 if terminated or not baseline else forward(params, float64(final_obs)[None])[1][0]
        for obs, action, reward in reversed(episode):
            value = reward + h.gamma * value
            rows.append((obs, action, value, forward(params, obs[None])[1][0] if baseline else 0.0))
    obs, action, target, value = (np.stack(column) for column in zip(*rows, strict=True))
    vf_coef = h.vf_coef if baseline else 0.0
    raw = policy_gradient(params, steps._replace(obs=obs, action=action), target, target - value, vf_coef, 0.0)
    after, metrics = case.step(KEY, case.state, case.algorithm.hyperparams)
    gradient = clipped(raw, h.max_grad_norm)
    close(metrics.grad_norm, norm(raw))
    jax.tree.map(close, as_tree(10 * optax.tree.get(after.opt_state, "mu"), after.params), gradient)
    new = jax.tree.map(lambda p, g: p - h.learning_rate * g / (np.abs(g) + 1e-8), params, gradient)
    jax.tree.map(close, after.params, new)
    assert np.isnan(metrics.value_loss) == (not baseline)
    assert np.isfinite([metrics.policy_loss, metrics.entropy]).all()
    critics = [name for name in params["params"] if "critic" in name]
    kept = [
        (after.params["params"][name]["kernel"] == case.state.params["params"][name]["kernel"]).all() for name in critics
    ]
    assert kept == [not baseline] * 2
