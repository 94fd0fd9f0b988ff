"""How often 95 % intervals hold the truth: 2,000 simulated studies of 10, 30 and 100 runs for each statistic.

The populations are of the kinds that reinforcement learning makes: normal, skewed (lognormal, with a deviation of 0.75 in
its logarithm) and two-humped (nine runs of ten near the top, one that never learned). Prints the table and writes
`results/coverage.csv`.

    python experiments/coverage.py
"""

import csv
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats as scipy_stats
from scipy.integrate import quad

from jax_ac import comparisons, intervals, profiles, selection, solving
from jax_ac.intervals import Interval

STUDIES, RESAMPLES, SIZES = 2_000, 1_000, (10, 30, 100)
OUT = Path(__file__).parent / "results" / "coverage.csv"


class Population(NamedTuple):
    """Runs to draw, ``(generator, shape) -> runs``, and what is true of all of them."""

    draw: Callable
    mean: float
    median: float
    iqm: float


def of(distribution) -> Population:
    """The population of a scipy distribution."""
    middle = 2 * quad(distribution.ppf, 0.25, 0.75)[0]
    draw = lambda generator, shape: distribution.rvs(shape, random_state=generator)
    return Population(draw, distribution.mean(), distribution.median(), middle)


def two_humped() -> Population:
    """Nine of ten runs normal (480, 15), one of ten uniform on [10, 100]."""
    good, bad = scipy_stats.norm(480, 15), scipy_stats.uniform(10, 90)

    def draw(generator: np.random.Generator, shape: tuple) -> np.ndarray:
        fails = generator.random(shape) < 0.1
        return np.where(fails, bad.rvs(shape, random_state=generator), good.rvs(shape, random_state=generator))

    quantile = lambda q: good.ppf((q - 0.1) / 0.9)  # above the failures
    return Population(draw, 0.9 * 480 + 0.1 * 55, quantile(0.5), 2 * quad(quantile, 0.25, 0.75)[0])


POPULATIONS = {"normal": of(scipy_stats.norm()), "skewed": of(scipy_stats.lognorm(0.75)), "two-humped": two_humped()}


def bootstraps(runs: int, draw: np.random.Generator) -> Iterator[tuple[str, float, list]]:
    for population, truth in POPULATIONS.items():
        studies = truth.draw(draw, (STUDIES, runs))
        for statistic in (intervals.mean, intervals.median, intervals.iqm):
            found = [intervals.bootstrap(study, statistic, resamples=RESAMPLES, seed=i) for i, study in enumerate(studies)]
            yield f"bootstrap, {statistic.__name__}, {population}", getattr(truth, statistic.__name__), found


def fractions(runs: int, draw: np.random.Generator) -> Iterator[tuple[str, float, list]]:
    for share in (0.5, 0.9):
        yield f"Wilson, {share:.0%} solved", share, [intervals.wilson(s, runs) for s in draw.binomial(runs, share, STUDIES)]
    scores = draw.normal(size=(STUDIES, runs))
    found = [profiles.profile(study, np.array([0.0]), resamples=RESAMPLES, seed=i) for i, study in enumerate(scores)]
    yield "performance profile, at the median", 0.5, [Interval(*(side[0] for side in one)) for one in found]


def survivals(runs: int, draw: np.random.Generator) -> Iterator[tuple[str, float, list]]:
    """Weibull times to solve, of which about a quarter is censored."""
    truth = scipy_stats.weibull_min(1.5, scale=400)
    times, limits = truth.rvs((STUDIES, runs), random_state=draw), draw.uniform(200, 1600, (STUDIES, runs))
    curves = [solving.kaplan_meier(np.minimum(t, c), t <= c) for t, c in zip(times, limits, strict=True)]
    yield "Kaplan-Meier, median", truth.median(), [solving.median_time(curve) for curve in curves]
    found = []
    for curve in curves:
        at = np.searchsorted(curve.time, 300, side="right") - 1
        found.append(
            Interval(curve.unsolved[at], curve.low[at], curve.high[at]) if at >= 0 else Interval(1.0, np.nan, np.nan)
        )
    yield "Kaplan-Meier, fraction unsolved at 300", truth.sf(300), found


def differences(runs: int, draw: np.random.Generator) -> Iterator[tuple[str, float, list]]:
    ours, theirs = draw.normal(1, 2, (STUDIES, runs)), draw.normal(0, 1, (STUDIES, runs))
    pairs = list(zip(ours, theirs, strict=True))
    yield "Welch, unequal variances", 1.0, [comparisons.welch(*pair)[:3] for pair in pairs]
    seeds = draw.normal(0, 3, (STUDIES, runs))
    yield "paired", 1.0, [comparisons.paired(a + s, b + s)[:3] for (a, b), s in zip(pairs, seeds, strict=True)]
    skewed = draw.lognormal(0, 0.75, (2, STUDIES, runs))
    yield "Welch, skewed", 0.0, [comparisons.welch(*pair)[:3] for pair in zip(*skewed, strict=True)]
    found = [comparisons.difference(*pair, resamples=RESAMPLES, seed=i) for i, pair in enumerate(pairs)]
    yield "difference of IQM, bootstrap", 1.0, found
    found = [intervals.probability_of_improvement(*pair, resamples=RESAMPLES, seed=i) for i, pair in enumerate(pairs)]
    yield "probability of improvement", float(scipy_stats.norm.cdf(1 / np.sqrt(5))), found


def selections(runs: int, draw: np.random.Generator) -> Iterator[tuple[str, float, list]]:
    """Ten settings of equal worth: whichever is chosen, 0 is the truth; and what the half that chose would have said."""
    studies = draw.normal(size=(STUDIES, 10, 2 * runs))
    chosen = [selection.choose(study, halvings=1, resamples=RESAMPLES, seed=i) for i, study in enumerate(studies)]
    yield "chosen of 10, judged by as many other seeds", 0.0, [choice.score for choice in chosen]
    best = [max(study[:, :runs], key=intervals.iqm) for study in studies]
    found = [intervals.bootstrap(study, resamples=RESAMPLES, seed=i) for i, study in enumerate(best)]
    yield "chosen of 10, judged by the seeds that chose", 0.0, found


def covered(truth: float, found: list) -> float:
    """How often it is inside; an interval without a bound (NaN) does not hold it, one that is open (inf) may."""
    return float(np.mean([low <= truth <= high for _, low, high in found]))


def main() -> None:
    warnings.simplefilter("error")
    rows: dict[str, list[str]] = {}
    for runs in SIZES:
        draw = np.random.default_rng(runs)
        for study in (bootstraps, fractions, survivals, differences, selections):
            for name, truth, found in study(runs, draw):
                rows.setdefault(name, []).append(f"{covered(truth, found):.1%}")
                print(f"{runs:4} runs  {rows[name][-1]:>6}  {name}", flush=True)
    with OUT.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["interval at 95 %", *(f"{runs} runs" for runs in SIZES)])
        writer.writerows([name, *shares] for name, shares in rows.items())


if __name__ == "__main__":
    main()
