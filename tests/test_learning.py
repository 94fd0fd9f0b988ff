"""It learns as the Keras example does, seen over many seeds: the distribution of episodes until solved.

The recorded samples come from `experiments/keras_example.py` (the real script) and `experiments/fidelity.py` (plain NumPy).
"""

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import jax_ac
from jax_ac.runs import run

RESULTS = Path(__file__).parent.parent / "experiments" / "results"
NUM_SEEDS = 128

pytestmark = pytest.mark.slow


def episodes_until_solved(algorithm):
    marks = run(algorithm, NUM_SEEDS, max_updates=5000).marks
    assert (marks.solved_episode >= 0).all()
    return marks.solved_episode + 1


@pytest.fixture(scope="module")
def numpy_sample():
    with (RESULTS / "fidelity.csv").open() as file:
        return np.array([int(row["episodes"]) for row in csv.DictReader(file) if row["implementation"] == "plain NumPy"])


@pytest.fixture(scope="module")
def keras_sample():
    with (RESULTS / "keras_example.csv").open() as file:
        return np.array([int(row["episodes"]) for row in csv.DictReader(file)])


def test_episodes_until_solved_are_distributed_as_those_of_numpy_and_of_keras(keras, numpy_sample, keras_sample):
    ours = episodes_until_solved(keras)
    assert len(numpy_sample) == 256
    assert len(keras_sample) >= 10
    assert stats.ks_2samp(ours, numpy_sample).pvalue > 0.01
    assert stats.ks_2samp(ours, keras_sample).pvalue > 0.01


def test_the_textbook_version_is_told_apart(cartpole, numpy_sample):
    """The same comparison sees one stop-gradient, so that it would see other mistakes of that size; and it learns faster."""
    textbook = episodes_until_solved(jax_ac.keras_actor_critic(cartpole, stop_gradient=True))
    assert stats.ks_2samp(textbook, numpy_sample).pvalue < 1e-4
    assert 0.55 < np.median(textbook) / np.median(numpy_sample) < 0.85
