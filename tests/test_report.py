"""The report without a browser: its numbers are those of the run, its words safe, its file small."""

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from made_runs import made

from jax_ac import lines, report, snippets, solving, studies
from jax_ac.intervals import bootstrap, iqm
from jax_ac.readings import Reading


def page_of(*runs, names=("demo", "other", "third")):
    return report.page([studies.of({"": run}, name) for run, name in zip(runs, names, strict=False)])


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def unpacked(values):
    """A row of numbers in a figure, packed as plotly.js takes them, or a list."""
    return (
        np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]) if isinstance(values, dict) else np.array(values)
    )


class Words(HTMLParser):
    """All that a reader reads, and all elements with their attributes."""

    def __init__(self, page):
        super().__init__()
        self.words, self.tags = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def run():
    return made()


@pytest.fixture(scope="module")
def page(run):
    return page_of(run)


def traces_of(page, chart="learning"):
    return data_of(page)["charts"][chart]["figure"]["data"]


def test_the_lines_are_the_metrics(run, page):
    chart = data_of(page)["charts"]["learning"]
    drawn = [(i, trace) for i, trace in enumerate(chart["figure"]["data"]) if trace["meta"] == "seed"]
    assert len(drawn) == 12
    for lane, (i, trace) in enumerate(drawn):
        assert f"seed {lane}<" in trace["hovertemplate"]
        values = run.metrics.running_return[lane]
        known = np.flatnonzero(~np.isnan(values))
        np.testing.assert_array_equal(unpacked(trace["y"]), values[known])
        along = {axis: unpacked(chart["switch"][axis][i]["x"]) for axis in lines.AXES}
        np.testing.assert_array_equal(along["updates"], known + 1)
        np.testing.assert_array_equal(along["episodes"], np.cumsum(run.metrics.num_episodes[lane])[known])
        np.testing.assert_array_equal(
            along["environment steps"], np.cumsum(np.nan_to_num(run.metrics.env_steps[lane]))[known]
        )


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("axis", lines.AXES)
def test_the_median_is_of_all_seeds_at_each_place(axis, ended):
    """A naive loop: the last number of each seed when it had come so far; of one still training, only as far as it is."""
    run = made(ended=ended)
    page = page_of(run)
    chart = data_of(page)["charts"]["learning"]
    place = [trace["meta"] for trace in chart["figure"]["data"]].index("median")
    counts = {"updates": np.ones((12, 60)), "episodes": run.metrics.num_episodes, "environment steps": run.metrics.env_steps}
    x, y = (unpacked(chart["switch"][axis][place][name]) for name in "xy")
    assert 50 < len(x) <= 200
    for at, median in zip(x.tolist(), y.tolist(), strict=True):
        values = []
        for lane in range(12):
            total, last = 0, np.nan
            for update in range(run.marks.num_updates[lane]):
                total += counts[axis][lane, update]
                if total <= at and not np.isnan(run.metrics.running_return[lane, update]):
                    last = run.metrics.running_return[lane, update]
            at_work = not ended and run.marks.num_updates[lane] < 60
            values.append(np.nan if at_work and at > total else last)
        assert median == pytest.approx(np.nanmedian(values), rel=1e-5)


def test_the_interquartile_mean_has_its_interval(run, page):
    chart = data_of(page)["charts"]["learning"]
    parts = [trace["meta"] for trace in chart["figure"]["data"]]
    middle, band = (chart["switch"]["updates"][parts.index(f"interquartile mean{part}")] for part in ("", " band"))
    last = unpacked(middle["y"])[-1]
    ends = np.array([row[~np.isnan(row)][-1] for row in run.metrics.running_return])
    assert last == pytest.approx(iqm(ends.astype(float)), rel=1e-5)
    outline = unpacked(band["y"])
    low, high = outline[len(outline) // 2 - 1], outline[len(outline) // 2]
    expected = bootstrap(ends.astype(float), resamples=1_000)
    assert (low, high) == (pytest.approx(expected.low, rel=1e-5), pytest.approx(expected.high, rel=1e-5))


def test_lanes_that_have_not_ended_do_not_go_on_in_the_median():
    chart = data_of(page_of(made(ended=False)))["charts"]["learning"]
    parts = [trace["meta"] for trace in chart["figure"]["data"]]
    y = unpacked(chart["switch"]["updates"][parts.index("median")]["y"])
    run = made(ended=False)
    full = run.marks.num_updates == 60
    assert full.sum() == 5
    assert y[-1] == pytest.approx(np.median(run.metrics.running_return[full, 59]), rel=1e-6)
    assert parts.count("seed") == 11  # seed 0 has not begun


def test_long_curves_are_thinned_to_exact_points():
    run = made(4, 3_000)
    for lane, trace in enumerate(trace for trace in traces_of(page_of(run)) if trace["meta"] == "seed"):
        y = unpacked(trace["y"])
        assert len(y) <= lines.POINTS
        assert np.isin(y, run.metrics.running_return[lane]).all()
        assert y[-1] == run.metrics.running_return[lane, run.marks.num_updates[lane] - 1]


def test_of_many_seeds_some_are_drawn_and_that_is_said():
    page = page_of(made(700, 20))
    seeds = [trace for trace in traces_of(page) if trace["meta"] == "seed"]
    assert len(seeds) == 256
    assert "256 of 700 seeds drawn, evenly chosen" in " ".join(Words(page).words)
    numbers = [int(re.search(r"seed (\d+)", trace["hovertemplate"])[1]) for trace in seeds]
    assert (numbers[0], numbers[-1]) == (0, 699)
    assert set(np.diff(numbers)) <= {2, 3}


def test_the_verdict_is_in_words(run, page):
    time, solved = studies.of({"": run}, "demo").cohorts[0].times
    assert 3 < solved.sum() < 12
    words = " ".join(Words(page).words)
    assert solving.verdict(time, solved, "(running return above 195)") in words
    assert re.search(r"\d+ of 12 solved \[\d+%, \d+%\]", words)
    unfinished = " ".join(Words(page_of(made(ended=False))).words)
    assert re.search(r"So far: \d+ of 12 solved \(running", unfinished)
    assert "lanes have ended" in unfinished
    untitled = " ".join(Words(page_of(made(solved_at=None))).words)
    ends = made(solved_at=None).marks.running_return.astype(float)
    ends[-1] = ends.min()  # the lane that diverged counts as the worst
    assert f"interquartile mean {iqm(ends):.4g} [" in untitled


def test_the_survival_curve_is_that_of_kaplan_and_meier(run, page):
    """By hand: the fraction still unsolved is multiplied at each time by what share of those at risk stays so."""
    time, solved = studies.of({"": run}, "demo").cohorts[0].times
    curve = next(trace for trace in traces_of(page, "solved") if trace["meta"] == "fraction")
    unsolved, expected = 1.0, {0.0: 0.0}
    for at in np.unique(time):
        unsolved *= 1 - (solved & (time == at)).sum() / (time >= at).sum()
        expected[at] = 1 - unsolved
    x, y = unpacked(curve["x"]), unpacked(curve["y"])
    assert x.tolist() == list(expected)
    np.testing.assert_allclose(y, list(expected.values()), rtol=1e-5)
    censored = next(trace for trace in traces_of(page, "solved") if trace["meta"] == "censored")
    assert sum(censored["customdata"]) == (~solved).sum()
    counts = next(trace for trace in traces_of(page, "distribution") if trace["meta"] == "counts")
    assert unpacked(counts["y"]).sum() == solved.sum()


def test_the_table_of_lanes_is_the_marks(run, page):
    data = data_of(page)
    columns = dict(zip(data["roster"]["columns"], data["roster"]["values"], strict=True))
    marks = run.marks
    assert columns["seed"] == list(range(12))
    names = [data["status"][index] for index in columns["status"]]
    expected = np.where(marks.diverged_update >= 0, "diverged", np.where(marks.solved_update >= 0, "solved", "unsolved"))
    assert names == expected.tolist()
    assert {"diverged", "solved"} < set(names)
    assert columns["updates"] == marks.num_updates.tolist()
    assert columns["episodes"] == marks.num_episodes.tolist()
    assert columns["environment steps"] == marks.env_steps.tolist()
    for lane, episodes in enumerate(columns["episodes to solve"]):
        assert episodes == (marks.solved_episode[lane] + 1 if marks.solved_episode[lane] >= 0 else None)
    np.testing.assert_allclose(columns["return at the end"], marks.running_return, rtol=1e-4)
    waiting = data_of(page_of(made(ended=False)))
    index = dict(zip(waiting["roster"]["columns"], waiting["roster"]["values"], strict=True))
    assert {waiting["status"][i] for i in index["status"]} >= {"waiting", "training"}
    assert index["return at the end"][0] is None


@pytest.mark.parametrize("swept", [{"rates": (0.01, 0.003, 0.001)}, {"rates": (0.01, 0.003), "gammas": (0.9, 0.99, 1.0)}])
def test_a_sweep_shows_its_settings_best_first(swept):
    run = made(12, 40, **swept)
    data, words = data_of(page_of(run)), " ".join(Words(page_of(run)).words)
    ends = run.marks.running_return.reshape(-1, 12).astype(float)
    ends[:, -1] = ends.min()  # diverged
    scores = iqm(ends)
    figure = data["charts"]["sweep-0"]["figure"]["data"][0]
    numbers = unpacked(figure["z"]).ravel() if figure["type"] == "heatmap" else unpacked(figure["y"])
    np.testing.assert_allclose(numbers, scores, rtol=1e-5)
    assert "Chosen by half of the seeds: learning_rate" in words
    names = [value for tag, value in Words(page_of(run)).tags if tag == "input" and value.get("name") == "cohort"]
    rate, gamma = run.config.hyperparams["learning_rate"], run.config.hyperparams["gamma"]
    best = int(np.argmax(scores))
    assert names[0]["value"].startswith(f"learning_rate {rate[best]:.6g}")
    assert len(set(gamma)) == 1 or f"gamma {gamma[best]:.6g}" in names[0]["value"]


def test_several_runs_are_compared():
    ours, theirs = made(draw=0), made(draw=1)
    page = page_of(theirs, ours)
    words = " ".join(Words(page).words)
    times = [studies.of({"": run}, "x").cohorts[0].times for run in (ours, theirs)]
    assert f"{solving.log_rank(*times):.2g}" in words
    fractions = [trace for trace in traces_of(page, "solved") if trace["meta"] == "fraction"]
    assert {trace["legendgroup"] for trace in fractions} == {"demo", "other"}
    better = np.mean([(a > b) + (a == b) / 2 for a in _ends(ours, theirs)[0] for b in _ends(ours, theirs)[1]])
    assert f"{better:.2f} [" in words
    other = " ".join(Words(page_of(ours, made(env="Acrobot-v1"))).words)
    assert "Runs of another environment than the first are not compared" in other


def _ends(*runs):
    """The last lane of each diverged: it counts as the worst of its run."""
    ends = [run.marks.running_return.astype(float).copy() for run in runs]
    for values in ends:
        values[-1] = values.min()
    return ends


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;../../x </script>"


def test_a_hostile_name_is_inert(run):
    config = run.config._replace(
        env=HOSTILE, recipe=json.dumps({"call": f"m:{HOSTILE}", "arguments": {"env": HOSTILE}}),
        made={**run.config.made, "command": f"jax-ac train {HOSTILE}", "device": HOSTILE, "packages": {HOSTILE: HOSTILE}},
    )  # fmt: skip
    sweep = made(8, 20, rates=(0.1, 0.2))._replace(config=config._replace(hyperparams={HOSTILE: [0.1, 0.2]}))
    plain = page_of(run)
    for runs, names in (([run._replace(config=config)], [HOSTILE]), ([run, sweep], ["a", HOSTILE])):
        found = report.page([studies.of({"": one}, name) for one, name in zip(runs, names, strict=True)])
        parsed = Words(found)
        assert [tag for tag, _ in parsed.tags].count("script") == [tag for tag, _ in Words(plain).tags].count("script")
        assert not [attrs for tag, attrs in parsed.tags if "onerror" in attrs or attrs.get("src", "data:")[:5] != "data:"]
        assert HOSTILE in "".join(parsed.words)
        charts = data_of(found)["charts"]
        for chart in charts.values():
            for trace in chart["figure"]["data"]:
                assert "<script" not in trace.get("hovertemplate", "") + trace.get("name", "")
            axes = (chart["figure"]["layout"][axis]["title"].get("text") or "" for axis in ("xaxis", "yaxis"))
            assert not any("<" in text for text in axes)


def test_the_policy_names_every_script_and_forbids_the_network(page):
    import hashlib

    policy = next(
        attrs["content"] for tag, attrs in Words(page).tags if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'unsafe-inline'" not in policy
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 3
    for script in scripts:
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    assert not re.search(r"<(link|script|img|iframe)[^>]+(src|href)=\"(?!data:)", page)


def test_the_command_and_the_program(run):
    assert snippets.command(run.config) == "jax-ac train CartPole-v0 --seeds 3"
    assert snippets.command(run.config._replace(made={"command": "train.py --lr 3"})) is None
    assert "parts of your own" in snippets.program(run.config)
    assert "learning_rate" in " ".join(Words(page_of(made(rates=(0.1, 0.2)))).words)


def test_what_it_cost_is_said(page):
    words = " ".join(" ".join(Words(page).words).split())
    assert "demo 3.5 20.0 200 20,000 2 16 80% 0.0%" in words


def test_nothing_saved_yet():
    run = made(ended=False)
    none = run.marks._replace(
        num_updates=np.zeros(12, int),
        solved_update=np.full(12, -1),
        diverged_update=np.full(12, -1),
        num_episodes=np.zeros(12, int),
    )
    empty = page_of(run._replace(marks=none))
    assert "Nothing saved yet." in " ".join(Words(empty).words)
    assert data_of(empty)["charts"] == {}


def test_written_by_name_or_in_a_row(run, tmp_path):
    assert report.write(run, tmp_path / "one.html") == tmp_path / "one.html"
    titles = {}
    for name, runs in {"row": [run, run], "names": {"a": run, "b": run}}.items():
        report.write(runs, tmp_path / f"{name}.html")
        titles[name] = re.search("<h1>(.*?)</h1>", (tmp_path / f"{name}.html").read_text())[1]
    assert titles == {"row": "CartPole-v0 (1) and CartPole-v0 (2)", "names": "a and b"}
    with pytest.raises(ValueError, match="at least one result, got none"):
        report.write([], tmp_path / "x.html")
    with pytest.raises(ValueError, match="is a folder"):
        report.write(run, tmp_path)
    with pytest.raises(ValueError, match="is in no folder that exists"):
        report.write(run, tmp_path / "no" / "x.html")
    assert not (tmp_path / "no").exists()


@pytest.mark.slow
def test_4096_lanes_stay_small():
    page = page_of(made(4_096, 1_000))
    assert len(page.encode()) < 15e6
    assert len(data_of(page)["roster"]["values"][0]) == 4_096


def test_a_single_seed_has_a_report(run):
    lane = slice(0, 1)
    marks = type(run.marks)(*(mark[lane] for mark in run.marks))
    metrics = type(run.metrics)(*(values[lane] for values in run.metrics))
    lanes = run.lanes._replace(seed=run.lanes.seed[lane], shape=(1,))
    alone = Reading(run.config._replace(seeds=[0]), lanes, marks, metrics, run.spent, None)
    assert "of 1 solved" in " ".join(Words(page_of(alone)).words)
