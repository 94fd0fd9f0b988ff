"""What other libraries say of the same arrays: rliable, lifelines and statsmodels, in an environment of their own.

Writes `tests/data/statistics.json`: the arrays and the answers, against which `tests/test_oracles.py` holds ours.
rliable ignores the seed that it is given; its intervals are of 50,000 resamples, so that chance is small beside them.

    python experiments/statistics_oracles.py
"""

import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

OUT = Path(__file__).parent.parent / "tests" / "data" / "statistics.json"
PEERS = ("rliable", "lifelines", "statsmodels")


def arrays() -> dict:
    """Scores of two algorithms, and times until solved of both, some censored, with ties."""
    import numpy as np

    draw = np.random.default_rng(2021)
    times = {name: np.ceil(scale * draw.weibull(1.5, 60)) for name, scale in (("ours", 400), ("theirs", 550))}
    limits = {name: draw.choice([300.0, 600.0, 1000.0], 60, p=[0.1, 0.2, 0.7]) for name in times}
    return {
        "ours": (500 - draw.exponential(60, 30)).round(2).tolist(),
        "theirs": (470 - draw.exponential(80, 25)).round(2).tolist(),
        "paired": (480 - draw.exponential(70, 30)).round(2).tolist(),
        "time": {name: np.minimum(times[name], limits[name]).tolist() for name in times},
        "solved": {name: (times[name] <= limits[name]).tolist() for name in times},
    }


def of_rliable(data: dict) -> dict:
    import numpy as np
    from rliable import library, metrics

    scores = {name: np.array(data[name])[:, None] for name in ("ours", "theirs")}
    functions = {"iqm": metrics.aggregate_iqm, "mean": metrics.aggregate_mean}
    found = {}
    for name, function in functions.items():
        point, bounds = library.get_interval_estimates(scores, lambda x, f=function: np.array([f(x)]), reps=50_000)
        found[name] = {side: [float(point[side][0]), *bounds[side][:, 0].tolist()] for side in scores}
    pairs = {"pair": (scores["ours"], scores["theirs"])}
    improvement = lambda x, y: np.array([metrics.probability_of_improvement(x, y)])
    point, bounds = library.get_interval_estimates(pairs, improvement, reps=20_000)
    found["probability_of_improvement"] = [float(point["pair"][0]), *bounds["pair"][:, 0].tolist()]
    thresholds = np.linspace(200, 500, 13)
    profile, bounds = library.create_performance_profile(scores, thresholds, reps=20_000)
    found["thresholds"] = thresholds.tolist()
    found["profile"] = {side: [profile[side].tolist(), *bounds[side].tolist()] for side in scores}
    return found


def of_lifelines(data: dict) -> dict:
    from lifelines import KaplanMeierFitter
    from lifelines.statistics import logrank_test
    from lifelines.utils import median_survival_times, restricted_mean_survival_time

    found: dict = {}
    for side in ("ours", "theirs"):
        fitted = KaplanMeierFitter().fit(data["time"][side], data["solved"][side])
        median = median_survival_times(fitted.confidence_interval_).iloc[0].tolist()
        found[side] = {
            "time": fitted.survival_function_.index.tolist()[1:],
            "unsolved": fitted.survival_function_.iloc[1:, 0].tolist(),
            "bounds": fitted.confidence_interval_.iloc[1:].to_numpy().T.tolist(),
            "median": [float(fitted.median_survival_time_), *median],
            "restricted_mean_until_800": float(restricted_mean_survival_time(fitted, t=800)),
        }
    pairs = [(data["time"][side], data["solved"][side]) for side in ("ours", "theirs")]
    test = logrank_test(pairs[0][0], pairs[1][0], pairs[0][1], pairs[1][1])
    return {**found, "log_rank": float(test.p_value)}


def of_statsmodels(data: dict) -> dict:
    import numpy as np
    from statsmodels.stats.multitest import multipletests
    from statsmodels.stats.power import TTestIndPower
    from statsmodels.stats.proportion import proportion_confint
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    ours, theirs, paired = (np.array(data[name]) for name in ("ours", "theirs", "paired"))
    two = CompareMeans(DescrStatsW(ours), DescrStatsW(theirs))
    differences = DescrStatsW(ours - paired)
    p_values = [0.001, 0.04, 0.03, 0.005, 0.9]
    powers = [(0.3, 1.0, 20), (0.5, 1.0, 64), (12.0, 30.0, 100)]
    solve = TTestIndPower()
    return {
        "wilson": [[s, n, *map(float, proportion_confint(s, n, method="wilson"))] for s, n in ((0, 8), (5, 8), (243, 256))],
        "welch": [*two.tconfint_diff(usevar="unequal"), two.ttest_ind(usevar="unequal")[1]],
        "paired": [*differences.tconfint_mean(), differences.ttest_mean()[1]],
        "p_values": p_values,
        "holm": multipletests(p_values, method="holm")[1].tolist(),
        "power": [[e, sd, n, float(solve.power(e / sd, n, 0.05))] for e, sd, n in powers],
        "seeds_needed": [[e, float(np.ceil(solve.solve_power(e, power=0.8, alpha=0.05)))] for e in (0.2, 0.5, 0.8, 1.2)],
    }


def record() -> None:
    data = arrays()
    answers = {"rliable": of_rliable(data), "lifelines": of_lifelines(data), "statsmodels": of_statsmodels(data)}
    versions = {name: version(name) for name in PEERS}
    OUT.write_text(json.dumps({"versions": versions, "arrays": data, **answers}, default=float) + "\n")
    print(f"{OUT.name}: {versions}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = f"{folder}/bin/python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True)
        subprocess.run([python, __file__, "--record"], check=True)


if __name__ == "__main__":
    record() if "--record" in sys.argv else main()
