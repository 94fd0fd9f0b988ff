"""`ppo` against NumPy in float64, the gradient derived by hand, on the batch that JAX acted out."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from by_hand import KEY, Case, as_tree, backward, clipped, close, entropies, flat, float64, forward, norm, targets

import jax_ac
from jax_ac import losses, rollout, update
from jax_ac.types import LossParts

N, T = 2, 16
B = N * T
PPO = jax_ac.PPOHyperparams(learning_rate=0.01, gamma=0.9, gae_lambda=0.8, clip_eps=0.03, max_grad_norm=0.2)


def ppo_gradient(params, steps, target, advantage, h):
    """The parts of PPO's loss on a minibatch, as in `LossParts`, and its gradient."""
    log_probs, value = forward(params, steps.obs)
    size, eps = len(value), h.clip_eps
    log_ratio = log_probs[np.arange(size), steps.action] - steps.log_prob
    ratio = np.exp(log_ratio)
    surrogate = np.minimum(ratio * advantage, np.clip(ratio, 1 - eps, 1 + eps) * advantage)
    stopped = np.where(advantage > 0, ratio > 1 + eps, ratio < 1 - eps)
    near = steps.value + np.clip(value - steps.value, -eps, eps)
    errors = (value - target) ** 2, (near - target) ** 2
    held = (errors[1] > errors[0]) & (np.abs(value - steps.value) > eps)
    entropy = entropies(params, steps.obs).mean()
    parts = (-surrogate.mean(), 0.5 * np.maximum(*errors).mean(), entropy, (ratio - 1 - log_ratio).mean())
    d_log_prob = np.where(stopped, 0.0, -advantage * ratio) / size
    d_value = h.vf_coef * np.where(held, 0.0, value - target) / size
    gradient = backward(params, steps.obs, steps.action, d_log_prob, d_value, -h.ent_coef / size)
    return (*parts, np.mean(np.abs(ratio - 1) > eps)), gradient


def ppo_update(params, steps, h, minibatches, per_rollout=False):
    """Adam over the minibatches: the new parameters, the mean of the parts and of the norms, and the gradients."""
    target, advantage = map(np.ravel, targets(steps, h.gamma, h.gae_lambda))
    steps = flat(steps)
    first = second = jax.tree.map(np.zeros_like, params)
    reports, gradients = [], []
    for count, index in enumerate(minibatches, 1):
        chosen = jax.tree.map(lambda leaf, i=index: leaf[i], steps)
        around = advantage if per_rollout else advantage[index]
        normalized = (advantage[index] - around.mean()) / (around.std() + 1e-8)
        parts, raw = ppo_gradient(params, chosen, target[index], normalized, h)
        gradients.append(clipped(raw, h.max_grad_norm))
        reports.append((*parts, norm(raw)))
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients[-1])
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, second, gradients[-1])
        bias = 1 - 0.9**count, 1 - 0.999**count
        params = jax.tree.map(
            lambda p, m, v, b=bias: p - h.learning_rate * m / b[0] / (np.sqrt(v / b[1]) + h.adam_eps), params, first, second
        )
    return params, np.mean(reports, axis=0), gradients


@pytest.fixture(scope="module")
def annealed():
    """One gradient step per update, five updates."""
    sizes = {"num_envs": N, "num_steps": T, "num_epochs": 1, "num_minibatches": 1}
    return Case(jax_ac.ppo, rollout.unroll(N, T), **sizes, total_steps=5 * B, hyperparams=PPO)


def check_ppo(case, minibatches):
    """One update: the state after it, and of NumPy's the mean report and the gradients."""
    steps = case.acted(case.state)
    assert steps.truncated.any()
    assert steps.terminated.any()
    after, metrics = case.step(KEY, case.state, case.algorithm.hyperparams)
    params, report, gradients = ppo_update(float64(case.state.params), steps, PPO, minibatches)
    jax.tree.map(close, after.params, params)
    names = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction", "grad_norm")
    close([getattr(metrics, name) for name in names], report)
    return after, report, gradients


def test_one_step_of_ppo(annealed):
    """In update 0 the annealed learning rate is the whole of it. Adam's first moment is a tenth of the clipped gradient."""
    after, report, gradients = check_ppo(annealed, [np.arange(B)])
    assert report[-1] > 2 * PPO.max_grad_norm
    jax.tree.map(close, as_tree(10 * optax.tree.get(after.opt_state, "mu"), after.params), gradients[0])
    close(report[3:5], 0.0)  # the policy that acted


def test_two_epochs_of_two_minibatches():
    sizes = {"num_envs": N, "num_steps": T, "num_epochs": 2, "num_minibatches": 2}
    case = Case(jax_ac.ppo, rollout.unroll(N, T), **sizes, hyperparams=PPO)
    epochs = jax.random.split(jax.random.split(KEY)[1], 2)
    minibatches = np.concatenate([np.asarray(update.shuffled(key, B)).reshape(2, -1) for key in epochs])
    _, report, _ = check_ppo(case, minibatches)
    assert 0.05 < report[4] < 0.95  # some ratios are clipped
    _, other, _ = ppo_update(float64(case.state.params), case.acted(case.state), PPO, minibatches, per_rollout=True)
    assert abs(other[0] - report[0]) > 1e-3  # normalizing advantages over the rollout would be seen


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "slope"),
    [(1.5, 2, -2.4, 0), (0.5, 2, -1, -2), (1.5, -2, 3, 2), (0.5, -2, 1.6, 0), (1.1, 2, -2.2, -2), (0.9, -2, 1.8, 2)],
)
def test_clipped_surrogate_by_hand(ratio, advantage, loss, slope):
    """With ε = 0.2 only moves that would gain more are cut off."""
    close(jax.value_and_grad(losses.clipped_surrogate)(ratio, jnp.float32(advantage), 0.2), (loss, slope))


@pytest.mark.parametrize(
    ("value", "target", "loss", "slope"),
    [(1.5, 2, 0.32, 0), (1.5, 0, 1.125, 1.5), (0.5, 0, 0.32, 0), (0.5, 2, 1.125, -1.5), (1.1, 2, 0.405, -0.9)],
)
def test_clipped_squared_error_by_hand(value, target, loss, slope):
    """The value was 1 when acting, ε = 0.2: ½ of the larger of two squares."""
    close(jax.value_and_grad(losses.clipped_squared_error)(value, target, 1.0, 0.2), (loss, slope))
    close(jax.value_and_grad(losses.squared_error)(value, target, 1.0, 0.2), (0.5 * (value - target) ** 2, value - target))


@pytest.mark.parametrize(("gradient", "kept"), [((3.0, 4.0), (0.6, 0.8)), ((0.3, 0.4), (0.3, 0.4))])
def test_the_global_norm_is_clipped(gradient, kept):
    """Element by element (3, 4) would become (1, 1), leaf by leaf as well."""
    params = {"a": jnp.zeros(1), "b": jnp.zeros(1)}
    grads = dict(zip("ab", (jnp.array([g]) for g in gradient), strict=True))
    for optimizer, name, expected in (
        (update.clipped_adam(PPO._replace(max_grad_norm=1.0)), "mu", [0.1 * g for g in kept]),
        (update.clipped_rmsprop(jax_ac.A2CHyperparams(max_grad_norm=1.0)), "nu", [0.01 * g * g for g in kept]),
    ):
        _, state = optimizer.update(grads, optimizer.init(params), params)
        close(optax.tree.get(state, name), expected)


def test_linear_annealing(annealed):
    """The first update takes the whole learning rate, the last none of it; the batch is the same each time."""
    moves = []
    for index in range(5):
        after, _ = annealed.step(KEY, annealed.state._replace(num_updates=jnp.int32(index)), annealed.algorithm.hyperparams)
        moves.append(jax.tree.map(lambda new, old: np.asarray(new - old), after.params, annealed.state.params))
        expected = jax.tree.map(lambda full, share=1 - index / 4: share * full, moves[0])
        jax.tree.map(partial(np.testing.assert_allclose, rtol=0, atol=1e-6), moves[-1], expected)
    assert norm(moves[0]) > 1e-2
    assert norm(moves[4]) == 0


def test_minibatches_of_an_epoch_are_a_partition():
    """Bit b of an example's counter is set in gradient step b, by plain SGD."""
    num_examples, num_epochs, num_minibatches = 24, 3, 4

    def loss(params, examples, hyperparams):
        step = jax.lax.stop_gradient(params["steps"])
        return -params["steps"] - jnp.sum(params["seen"][examples] * 2**step), LossParts(step, 2 * step, 1.0)

    improve = update.gradient_steps(num_epochs, num_minibatches)
    params = {"steps": jnp.zeros(()), "seen": jnp.zeros(num_examples)}
    seen = {}
    for seed in (0, 1):
        key = jax.random.key(seed)
        improved = improve.step(key, loss, optax.sgd(1.0), params, optax.sgd(1.0).init(params), jnp.arange(num_examples), ())
        visits = np.array([[int(bits) >> b & 1 for bits in improved.params["seen"]] for b in range(12)])
        assert improved.params["steps"] == num_epochs * num_minibatches
        np.testing.assert_allclose(improved.parts, [5.5, 11.0, 1.0, np.nan, np.nan])  # means of 0, 1, ..., 11
        assert (visits.sum(axis=1) == num_examples / num_minibatches).all()
        by_epoch = visits.reshape(num_epochs, num_minibatches, num_examples)
        assert (by_epoch.sum(axis=1) == 1).all()
        assert (by_epoch[0] != by_epoch[1]).any()
        seen[seed] = visits
    assert (seen[0] != seen[1]).any()
