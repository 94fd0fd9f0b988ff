"""Settings: the order of grids, draws against scipy's distributions, and one sentence for all that cannot be one."""

import itertools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import jax_ac
from jax_ac import choice, grid, log_uniform, make_env, random, transforms, uniform, zip_settings
from jax_ac.settings import Draw

A2C = jax_ac.A2CHyperparams()
NUM_DRAWS = 2000
LIKELY = 1e-3  # that of the draws of one seed; it is fixed, so that these tests do not flicker


@pytest.fixture(scope="module")
def with_env():
    """Numbers of an environment among them, and those of transformers."""
    env = transforms.scale_rewards(transforms.sticky_actions(make_env("CartPole-v1"), 0.1), 0.5)
    return jax_ac.a2c(env, 2, 4).hyperparams


def rows(settings, *names):
    return list(zip(*(getattr(settings, name).tolist() for name in names), strict=True))


def same(ours, theirs):
    assert type(ours) is type(theirs)
    for name, left, right in zip(ours._fields, ours, theirs, strict=True):
        np.testing.assert_array_equal(left, right, err_msg=name)


def test_grid_is_the_product_with_the_first_varying_slowest():
    gammas, coefs, norms = [0.5, 0.75], [0.0, 1.0, 0.5], [2.0, 1.0]
    settings = grid(A2C, gamma=gammas, ent_coef=coefs, max_grad_norm=norms)
    assert rows(settings, "gamma", "ent_coef", "max_grad_norm") == list(itertools.product(gammas, coefs, norms))
    assert rows(grid(A2C, ent_coef=coefs, gamma=gammas), "ent_coef", "gamma") == list(itertools.product(coefs, gammas))


def test_zip_settings_goes_along_the_lists():
    gammas, coefs = [0.5, 0.75, 1.0], [0.25, 0.0, 0.5]
    assert rows(zip_settings(A2C, gamma=gammas, ent_coef=coefs), "gamma", "ent_coef") == [*zip(gammas, coefs, strict=True)]


@pytest.mark.parametrize(
    "settings",
    [
        grid(A2C, gamma=[0.5, 0.6, 0.7]),
        zip_settings(A2C, gamma=[0.5, 0.6, 0.7]),
        random(A2C, 3, gamma=uniform(0.5, 0.7)),
    ],
)
def test_numbers_that_are_not_named_keep_their_defaults(settings):
    assert type(settings) is jax_ac.A2CHyperparams
    for name, column in settings._asdict().items():
        assert (column.shape, column.dtype) == ((3,), np.float32)
        if name != "gamma":
            np.testing.assert_array_equal(column, np.float32(getattr(A2C, name)))


def test_without_names_there_is_one_setting():
    same(grid(A2C), jax_ac.A2CHyperparams(*(np.array([number], np.float32) for number in A2C)))


@pytest.mark.parametrize(
    "numbers",
    [
        (0.25, 0.5),
        np.array([0.25, 0.5]),
        np.array([0.25, 0.5], np.float32),
        jnp.array([0.25, 0.5]),
        (0.25 * i for i in (1, 2)),
    ],
)
def test_what_counts_as_a_list(numbers):
    assert grid(A2C, gamma=numbers).gamma.tolist() == [0.25, 0.5]


@pytest.mark.parametrize("values", [[1, 0.5], (1, 0.5), np.array([1, 0.5]), jnp.array([1, 0.5])])
def test_what_counts_as_choices(values):
    assert choice(values) == Draw("choice", (1.0, 0.5))


DISTRIBUTIONS = {
    "gamma": (uniform(0.2, 0.8), stats.uniform(0.2, 0.6).cdf),
    "learning_rate": (log_uniform(1e-4, 1e-1), stats.loguniform(1e-4, 1e-1).cdf),
    "env_gravity": (uniform(-20.0, 5.0), stats.uniform(-20, 25).cdf),
    "env_length": (log_uniform(0.1, 10.0), stats.loguniform(0.1, 10).cdf),
}


@pytest.fixture(scope="module")
def drawn(with_env):
    draws = {name: draw for name, (draw, _) in DISTRIBUTIONS.items()}
    return random(with_env, NUM_DRAWS, seed=1, vf_coef=choice([0.25, 0.5, 2.0]), **draws)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_marginal_distributions(drawn, name):
    assert stats.kstest(getattr(drawn, name), DISTRIBUTIONS[name][1]).pvalue > LIKELY


def test_choices_are_equally_likely(drawn):
    values, counts = np.unique(drawn.vf_coef, return_counts=True)
    assert values.tolist() == [0.25, 0.5, 2.0]
    assert stats.chisquare(counts).pvalue > LIKELY


def test_draws_are_independent(drawn):
    names = [*DISTRIBUTIONS, "vf_coef"]
    for one, other in itertools.combinations(names, 2):
        assert stats.spearmanr(getattr(drawn, one), getattr(drawn, other)).pvalue > LIKELY


def test_draws_depend_on_the_seed_and_the_names_alone():
    gamma, rate = uniform(0.5, 1.0), log_uniform(1e-4, 1e-2)
    settings = random(A2C, 50, seed=3, gamma=gamma, learning_rate=rate)
    same(settings, random(A2C, 50, seed=3, learning_rate=rate, gamma=gamma))
    np.testing.assert_array_equal(settings.gamma, random(A2C, 50, seed=3, gamma=gamma, ent_coef=uniform(0, 1)).gamma)
    for other in (random(A2C, 50, seed=4, gamma=gamma), random(A2C, 50, gamma=gamma)):
        assert len(np.intersect1d(settings.gamma, other.gamma)) == 0
    alike = random(A2C, 50, seed=3, gamma=gamma, gae_lambda=gamma)
    assert len(np.intersect1d(alike.gamma, alike.gae_lambda)) == 0


def test_the_first_of_many_draws_are_those_of_few():
    draws = {"gamma": uniform(0.5, 1.0), "ent_coef": choice([0.0, 0.1]), "learning_rate": log_uniform(1e-4, 1e-2)}
    many, few = random(A2C, 100, **draws), random(A2C, 7, **draws)
    same(type(many)(*(column[:7] for column in many)), few)


def test_seeds_are_numpys_and_may_be_large():
    big = 2**40 + 1
    same(random(A2C, 3, seed=np.int64(big), gamma=uniform(0, 1)), random(A2C, 3, seed=big, gamma=uniform(0, 1)))


@pytest.mark.parametrize(
    ("draw", "u", "expected"),
    [
        (uniform(-2.0, 6.0), [0.0, 0.25, 0.5, 1 - 2**-53], [-2.0, 0.0, 2.0, 6.0]),
        (log_uniform(0.01, 100.0), [0.0, 0.25, 0.5, 1 - 2**-53], [0.01, 0.1, 1.0, 100.0]),
        (choice([5, 1, 3]), [0.0, 0.3, 0.34, 0.66, 0.67, 1 - 2**-53], [5, 5, 1, 1, 3, 3]),
    ],
)
def test_quantiles_by_hand(draw, u, expected):
    np.testing.assert_allclose(draw.at(np.array(u)), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", [uniform, log_uniform])
def test_draws_stay_within_their_bounds(kind):
    """Though exp(log x) is not x."""
    ends = np.array([0.0, 1 - 2**-53])
    for low, width in np.random.default_rng(5).uniform(0.01, 1, (500, 2)):
        first, last = kind(low, low + width).at(ends)
        assert low <= first < last <= low + width


def test_numbers_are_float32_and_in_their_range_there():
    below = 1 - 2**-24  # the greatest float32 below 1
    assert grid(A2C, second_moment_decay=[below]).second_moment_decay.tolist() == [below]
    drawn = random(A2C, 200, second_moment_decay=uniform(0.9999999, below)).second_moment_decay
    assert drawn.dtype == np.float32
    assert np.unique(drawn).tolist() == [1 - 2 * 2**-24, below]


class Nothing(NamedTuple):
    pass


SWEEPS = [
    ("grid", lambda h: grid(h, gamma=[0.9])),
    ("zip_settings", lambda h: zip_settings(h, gamma=[0.9])),
    ("random", lambda h: random(h, 2, gamma=uniform(0, 1))),
]


@pytest.mark.parametrize(("name", "sweep"), SWEEPS)
@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"gamma": 0.9}, "dict"),
        (None, "NoneType"),
        ((0.9,), "tuple"),
        (jax_ac.A2CHyperparams, "type"),
        (Nothing(), "Nothing"),
    ],
)
def test_other_things_than_hyperparameters(name, sweep, given, kind):
    with pytest.raises(TypeError, match=f"^{name} takes hyperparameters, such as alg.hyperparams, got {kind}.$"):
        sweep(given)


@pytest.mark.parametrize(("name", "sweep"), SWEEPS)
def test_a_whole_algorithm(name, sweep):
    with pytest.raises(TypeError, match=f"^{name} takes hyperparameters, got an Algorithm: pass alg.hyperparams.$"):
        sweep(jax_ac.a2c(make_env("CartPole-v1"), 2, 4))


@pytest.mark.parametrize("sweep", [grid, zip_settings])
@pytest.mark.parametrize(
    "values",
    [0.9, "0.9", b"9", None, {0.9: 1}, {0.9, 0.8}, np.array(0.9), jnp.array(0.9), uniform],
    ids=lambda value: type(value).__name__,
)
def test_values_that_are_no_list(sweep, values):
    with pytest.raises(TypeError, match=f"^{sweep.__name__} takes a list of numbers for gamma, got "):
        sweep(A2C, gamma=values)
    with pytest.raises(TypeError, match=r"^choice takes a list of numbers, got "):
        choice(values)


BAD = [
    (lambda: grid(A2C, gamma=[]), ValueError, "grid needs at least one value for gamma, got none."),
    (lambda: zip_settings(A2C, gamma=[]), ValueError, "zip_settings needs at least one value for gamma, got none."),
    (lambda: choice([]), ValueError, "choice needs at least one value, got none."),
    (lambda: zip_settings(A2C), ValueError, "zip_settings needs a list of numbers for at least one hyperparameter, got no"),
    (
        lambda: zip_settings(A2C, gamma=[0.9], ent_coef=[0.0, 0.1]),
        ValueError,
        r"zip_settings needs lists of one length, got {'gamma': 1, 'ent_coef': 2}.",
    ),
    (lambda: grid(A2C, gama=[0.9]), ValueError, "unknown hyperparameter 'gama'; did you mean 'gamma'"),
    (lambda: random(A2C, 2, gama=uniform(0, 1)), ValueError, "unknown hyperparameter 'gama'; did you mean 'gamma'"),
    (lambda: zip_settings(A2C, num_envs=[1]), ValueError, "num_envs fixes the shape of the compiled program"),
    (lambda: grid(A2C, gamma=[0.9, 1.5]), ValueError, r"gamma must be in \[0, 1\], got 1.5."),
    (lambda: grid(A2C, gamma=["0.9"]), TypeError, "gamma must be a number, got '0.9'."),
    (lambda: grid(A2C, gamma=[True]), TypeError, "gamma must be a number, got True."),
    (lambda: grid(A2C, gamma=np.ones((2, 2))), TypeError, r"gamma must be a number, got array\(\[1., 1.\]\)."),
    (lambda: grid(A2C, ent_coef=[float("nan")]), ValueError, "ent_coef must be a finite number of at least 0, got nan."),
    (lambda: grid(A2C._replace(gamma=2.0), ent_coef=[0.1]), ValueError, r"gamma must be in \[0, 1\], got 2."),
    (
        lambda: grid(A2C, second_moment_decay=[1 - 1e-12]),
        ValueError,
        r"second_moment_decay must be in \[0, 1\) also in float32",
    ),
    (lambda: random(A2C, 2, gamma=uniform(0.5, 1.5)), ValueError, r"gamma must be in \[0, 1\], got 1.5."),
    (lambda: random(A2C, 2, gamma=choice([0.9, -1])), ValueError, r"gamma must be in \[0, 1\], got -1."),
    (
        lambda: random(A2C, 2, eps=log_uniform(1e-60, 1)),
        ValueError,
        "eps must be a finite number greater than 0 also in float32, where 1e-60 is 0.",
    ),
    (lambda: uniform(1.0, 1.0), ValueError, "uniform needs its low bound below its high one, got 1.0 and 1.0."),
    (lambda: uniform(0.0, float("inf")), ValueError, "high must be a finite number, got inf."),
    (lambda: uniform("0", 1.0), TypeError, "low must be a number, got '0'."),
    (lambda: log_uniform(2.0, 1.0), ValueError, "log_uniform needs its low bound below its high one, got 2.0 and 1.0."),
    (lambda: log_uniform(0.0, 1.0), ValueError, "log_uniform needs bounds greater than 0, got 0.0 and 1.0."),
    (lambda: choice([0.1, "a"]), TypeError, "every choice must be a number, got 'a'."),
    (lambda: random(A2C, 2, gamma=[0.9]), TypeError, r"random takes uniform, log_uniform or choice for gamma, got \[0.9\]."),
    (lambda: random(A2C, 2, gamma=uniform), TypeError, "random takes uniform, log_uniform or choice for gamma, got <func"),
    (
        lambda: random(A2C, 2, gamma=Draw("normal", (0.0, 1.0))),
        TypeError,
        r"random takes uniform, log_uniform or choice for gamma, got Draw\(kind='normal'",
    ),
    (lambda: random(A2C, 0, gamma=uniform(0, 1)), ValueError, "num_settings must be at least 1, got 0."),
    (lambda: random(A2C, 2.0, gamma=uniform(0, 1)), TypeError, "num_settings must be a whole number, got 2.0."),
    (lambda: random(A2C, 2, seed=-1, gamma=uniform(0, 1)), ValueError, "seed must be at least 0, got -1."),
    (lambda: random(A2C, 2, seed=0.5, gamma=uniform(0, 1)), TypeError, "seed must be a whole number, got 0.5."),
    (lambda: random(A2C, 2, seed=None, gamma=uniform(0, 1)), TypeError, "seed must be a whole number, got None."),
    (lambda: random(A2C, 2, seed=True, gamma=uniform(0, 1)), TypeError, "seed must be a whole number, got True."),
    (lambda: random(A2C, 2, seed=2**70, gamma=uniform(0, 1)), ValueError, "seed must be at least 0 and less than"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=f"^{message}") as raised:
        call()
    assert str(raised.value).endswith(".")
    assert "\n" not in str(raised.value)


def test_numbers_of_the_environment_have_their_ranges(with_env):
    assert grid(with_env, env_sticky_probability=[0, 1]).env_sticky_probability.tolist() == [0.0, 1.0]
    for name, number in (("env_sticky_probability", 1.5), ("env_reward_scale", 0.0), ("env_reward_scale", -1.0)):
        for sweep in (
            lambda name, number: grid(with_env, **{name: [number]}),
            lambda name, number: zip_settings(with_env, **{name: [0.5, number]}),
            lambda name, number: random(with_env, 2, **{name: choice([number])}),
            lambda name, number: random(with_env, 2, **{name: uniform(number, number + 3)}),
        ):
            with pytest.raises(ValueError, match=f"^{name} must be "):
                sweep(name, number)
    with pytest.raises(ValueError, match=r"^unknown hyperparameter 'env_lenght'; did you mean 'env_length'"):
        grid(with_env, env_lenght=[1.0])


def test_a_draw_made_by_hand_is_checked_as_well():
    with pytest.raises(ValueError, match="log_uniform needs bounds greater than 0, got 0"):
        random(A2C, 3, learning_rate=Draw("log_uniform", (0.0, 1.0)))
