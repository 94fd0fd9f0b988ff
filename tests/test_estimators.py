"""Estimators that bootstrap: against rlax, naive float64 loops, closed forms, numbers by hand, and one another."""

from itertools import islice
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import rlax
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from jax_ac import returns

TERMINATED, TRUNCATED = 1, 2  # how a step ends; their sum is both at once
ENDS = np.array([[*"001020033000"], [*"000000100002"], [*"200010000001"]]).astype(int).T  # three trajectories side by side
SHAPES = [(1,), (2, 3), (3,), (7,), (16, 3), (40,)]  # a few, because each is compiled anew
UNIT = st.sampled_from([0.0, 0.5, 0.97, 1.0])


class Case(NamedTuple):
    """All that any of the estimators takes."""

    steps: returns.Steps
    log_ratio: jax.Array
    gamma: float = 0.9
    lambda_: float = 0.8
    n: int = 3
    rho_bar: float = 1.3
    c_bar: float = 0.9


def make_case(ends, seed=0, **changes):
    """Random rewards, values and ratios; `next_value` is the following `value` within an episode, at its end another."""
    reward, value, after, log_ratio = np.random.default_rng(seed).normal(size=(4, *ends.shape)).astype(np.float32)
    last = np.arange(len(ends)).reshape(-1, *(1,) * (ends.ndim - 1)) == len(ends) - 1
    next_value = np.where((ends > 0) | last, after, np.roll(value, -1, axis=0))
    steps = returns.Steps(reward, value, next_value, terminated=(ends & TERMINATED) > 0, truncated=(ends & TRUNCATED) > 0)
    return Case(*jax.tree.map(jnp.asarray, (steps, log_ratio)), **changes)


@st.composite
def cases(draw):
    shape = draw(st.sampled_from(SHAPES))
    ends = draw(npst.arrays(int, shape, elements=st.sampled_from([0, 0, 0, TERMINATED, TRUNCATED, TERMINATED + TRUNCATED])))
    n = draw(st.integers(1, shape[0] + 5))
    return make_case(ends, draw(st.integers(0, 99)), gamma=draw(UNIT), lambda_=draw(UNIT), n=n)


def vtrace(c):
    return returns.vtrace(c.steps, c.log_ratio, c.gamma, c.lambda_, c.rho_bar, c.c_bar)


ESTIMATORS = {
    "lambda_returns": lambda c: returns.lambda_returns(c.steps, c.gamma, c.lambda_),
    "monte_carlo_returns": lambda c: returns.monte_carlo_returns(c.steps, c.gamma),
    "n_step_returns": lambda c: returns.n_step_returns(c.steps, c.gamma, c.n),
    "gae": lambda c: returns.gae(c.steps, c.gamma, c.lambda_),
    "vtrace_value_target": lambda c: vtrace(c).value_target,
    "vtrace_advantage": lambda c: vtrace(c).advantage,
}
every_estimator = pytest.mark.parametrize("name", ESTIMATORS)


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=5e-5)


# The naive estimators: one step t of one trajectory, in the forward view, with float64 leaves [T].


def episode_from(c, t):
    """t and the later steps of its episode."""
    for s in range(t, len(c.steps.reward)):
        yield s
        if c.steps.terminated[s] or c.steps.truncated[s]:
            return


def bootstrap(c, s):
    return 0.0 if c.steps.terminated[s] else c.steps.next_value[s]


def td_error(c, s):
    return c.steps.reward[s] + c.gamma * bootstrap(c, s) - c.steps.value[s]


def naive_n_step_return(c, t):
    total, weight = 0.0, 1.0
    for s in islice(episode_from(c, t), c.n):
        total, weight = total + weight * c.steps.reward[s], weight * c.gamma
    return total + weight * bootstrap(c, s)


def naive_lambda_return(c, t):
    """Sutton & Barto (2018), eq. 12.3: the n-step returns, weighted."""
    length = len(list(episode_from(c, t)))
    weights = [(1 - c.lambda_) * c.lambda_**k for k in range(length - 1)] + [c.lambda_ ** (length - 1)]
    return sum(weight * naive_n_step_return(c._replace(n=k + 1), t) for k, weight in enumerate(weights))


def naive_vtrace_target(c, t):
    """Espeholt et al. (2018), eq. 1."""
    total, weight = c.steps.value[t], 1.0
    for s in episode_from(c, t):
        ratio = np.exp(c.log_ratio[s])
        total += weight * min(c.rho_bar, ratio) * td_error(c, s)
        weight *= c.gamma * c.lambda_ * min(c.c_bar, ratio)
    return total


def naive_vtrace_advantage(c, t):
    goes_on = len(list(episode_from(c, t))) > 1
    following = naive_vtrace_target(c, t + 1) if goes_on else bootstrap(c, t)
    return min(c.rho_bar, np.exp(c.log_ratio[t])) * (c.steps.reward[t] + c.gamma * following - c.steps.value[t])


NAIVE = {
    "lambda_returns": naive_lambda_return,
    "monte_carlo_returns": lambda c, t: naive_n_step_return(c._replace(n=None), t),
    "n_step_returns": naive_n_step_return,
    "gae": lambda c, t: sum((c.gamma * c.lambda_) ** k * td_error(c, s) for k, s in enumerate(episode_from(c, t))),
    "vtrace_value_target": naive_vtrace_target,
    "vtrace_advantage": naive_vtrace_advantage,
}


@settings(deadline=None, max_examples=100)
@given(cases())
def test_estimators_are_the_naive_loops(case):
    for name, estimator in ESTIMATORS.items():
        result = estimator(case)
        assert (result.shape, result.dtype) == (case.steps.reward.shape, np.float32)
        for column in np.ndindex(result.shape[1:]):
            arrays = jax.tree.map(lambda x, at=column: np.asarray(x)[:, *at].astype(float), case[:2])
            alone = Case(*arrays, *case[2:])
            np.testing.assert_allclose(
                result[:, *column], [NAIVE[name](alone, t) for t in range(len(result))], rtol=2e-5, atol=5e-5, err_msg=name
            )


RLAX = {  # of one trajectory that no truncation interrupts, and its discounts
    "lambda_returns": lambda c, discount: rlax.lambda_returns(c.steps.reward, discount, c.steps.next_value, c.lambda_),
    "monte_carlo_returns": lambda c, discount: rlax.discounted_returns(c.steps.reward, discount, c.steps.next_value[-1]),
    "n_step_returns": lambda c, discount: rlax.n_step_bootstrapped_returns(
        c.steps.reward, discount, c.steps.next_value, c.n
    ),
    "gae": lambda c, discount: rlax.truncated_generalized_advantage_estimation(
        c.steps.reward, discount, c.lambda_, jnp.append(c.steps.value, c.steps.next_value[-1])
    ),
    "vtrace_value_target": lambda c, discount: c.steps.value + rlax_vtrace(c, discount).errors,
    "vtrace_advantage": lambda c, discount: rlax_vtrace(c, discount).pg_advantage,
}


def rlax_vtrace(c, discount):
    rho = jnp.exp(c.log_ratio)
    return rlax.vtrace_td_error_and_advantage(
        c.steps.value, c.steps.next_value, c.steps.reward, discount, rho, c.lambda_, c.rho_bar, c.rho_bar
    )


@every_estimator
def test_estimators_are_those_of_rlax(name):
    lambda_ = 1.0 if name == "vtrace_advantage" else 0.8  # where rlax mixes in the values, the paper does not
    case = make_case(ENDS, lambda_=lambda_, c_bar=1.0)
    result = ESTIMATORS[name](case)
    for column in range(ENDS.shape[1]):
        for part in np.split(np.arange(len(ENDS)), np.flatnonzero(ENDS[:-1, column] == TRUNCATED) + 1):
            segment = Case(*jax.tree.map(lambda x, at=(part, column): x[at], case[:2]), *case[2:])
            close(result[part, column], RLAX[name](segment, segment.gamma * (1.0 - segment.steps.terminated)))


@every_estimator
def test_constant_reward_that_never_ends_is_worth_ten(name):
    ten = jnp.full(50, 10.0)
    steps = returns.Steps(jnp.ones(50), ten, ten, jnp.zeros(50, bool), jnp.zeros(50, bool).at[20].set(True))
    close(ESTIMATORS[name](Case(steps, jnp.linspace(-1, 1, 50))), 0.0 if name in ("gae", "vtrace_advantage") else 10.0)


@every_estimator
@pytest.mark.parametrize("known", [0.0, 1.0])
def test_terminated_chain_is_the_geometric_sum(name, known):
    worth = (1 - 0.9 ** np.arange(6, 0, -1)) / (1 - 0.9)  # ..., 1 + γ + γ², 1 + γ, 1
    value = jnp.asarray(known * worth, np.float32)
    last = jnp.arange(6) == 5
    steps = returns.Steps(jnp.ones(6), value, jnp.append(value[1:], 77.0), last, ~last & False)
    result = ESTIMATORS[name](Case(steps, jnp.zeros(6), lambda_=1.0, n=6, c_bar=1.0))
    close(result, worth - value if name in ("gae", "vtrace_advantage") else worth)


BY_HAND = {  # γ = λ = n/4 = ρ = 1/2
    "lambda_returns": [19.0, 52.0, 39.0, 104.0],
    "monte_carlo_returns": [27.0, 52.0, 55.0, 104.0],
    "n_step_returns": [27.0, 52.0, 55.0, 104.0],
    "gae": [9.0, 32.0, 9.0, 64.0],
    "vtrace_value_target": [12.5, 36.0, 30.5, 72.0],
    "vtrace_advantage": [4.5, 16.0, 4.5, 32.0],
}


@every_estimator
def test_truncated_and_last_steps_bootstrap_from_their_next_value(name):
    truncated = jnp.array([False, True, False, False])
    reward, value, next_value = jnp.array([[1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0], [20.0, 100.0, 40.0, 200.0]])
    steps = returns.Steps(reward, value, next_value, jnp.zeros(4, bool), truncated)
    close(ESTIMATORS[name](Case(steps, jnp.full(4, np.log(0.5)), gamma=0.5, lambda_=0.5, n=2)), BY_HAND[name])


@settings(deadline=None, max_examples=60)
@given(cases())
def test_estimators_meet_at_the_ends_of_lambda_and_n(case):
    steps, gamma, lambda_ = case.steps, case.gamma, case.lambda_
    target = steps.reward + gamma * np.where(steps.terminated, 0.0, steps.next_value)
    monte_carlo = returns.monte_carlo_returns(steps, gamma)
    lambda_returns = returns.lambda_returns(steps, gamma, lambda_)
    close(steps.td_target(gamma), target)
    close(returns.gae(steps, gamma, 0.0), target - steps.value)
    close(returns.gae(steps, gamma, 1.0), monte_carlo - steps.value)
    close(lambda_returns, returns.gae(steps, gamma, lambda_) + steps.value)
    close(returns.n_step_returns(steps, gamma, 1), target)
    for n in (len(target), len(target) + 3):
        close(returns.n_step_returns(steps, gamma, n), monte_carlo)
    for n, error in ((0, ValueError), (1.5, TypeError)):
        with pytest.raises(error, match="n must be"):
            returns.n_step_returns(steps, gamma, n)
    for log_ratio in (jnp.zeros_like(target), jnp.abs(case.log_ratio)):  # on-policy, and all of it clipped to that
        close(returns.vtrace(steps, log_ratio, gamma, lambda_).value_target, lambda_returns)
        close(returns.vtrace(steps, log_ratio, gamma, 1.0).advantage, returns.gae(steps, gamma, 1.0))


@every_estimator
def test_an_episode_moves_its_own_estimates_and_no_others(name):
    case, other = make_case(ENDS, n=4), make_case(ENDS, seed=1)
    before = ESTIMATORS[name](case)
    episode = np.cumsum(np.vstack([0 * ENDS[:1], ENDS[:-1] > 0]), axis=0)
    for column, k in {(column, k) for (_, column), k in np.ndenumerate(episode)}:
        inside = (episode == k) & (np.arange(ENDS.shape[1]) == column)
        mixed = jax.tree.map(lambda x, y, inside=inside: jnp.where(inside, y, x), case[:2], other[:2])
        after = ESTIMATORS[name](Case(*mixed, *case[2:]))
        np.testing.assert_array_equal(before != after, inside)  # to the last bit


@every_estimator
def test_next_value_of_a_terminal_state_is_never_read(name):
    case = make_case(ENDS)
    poisoned = case.steps._replace(next_value=jnp.where(case.steps.terminated, jnp.nan, case.steps.next_value))
    result = ESTIMATORS[name](case._replace(steps=poisoned))
    assert np.all(np.isfinite(result))
    np.testing.assert_array_equal(result, ESTIMATORS[name](case))
