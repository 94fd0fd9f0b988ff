"""The notebooks run from the first cell to the last, say what is so, and are kept without outputs."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
NUMBER = r"([+-]?\d+\.?\d*(?:e-\d+)?)"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the notebook machinery; nothing of ours runs here
]


def numbers(pattern, text):
    """The numbers where `pattern` has #, in the one place where it is found."""
    found = re.findall(re.escape(pattern).replace(r"\#", NUMBER), text)
    assert len(found) == 1, f"{pattern!r} is there {len(found)} times in:\n{text}"
    return [float(number) for number in (found[0] if isinstance(found[0], tuple) else found)]


def check_quickstart(text):
    (solved,) = numbers("# of 256 solved", text)
    assert solved > 225
    example, low, high = numbers("Keras example: median # episodes until solved [#, #]", text)
    assert 300 < low < example < high < 500  # the example's own script: 418 (experiments/results/fidelity.csv)
    textbook, *_ = numbers("textbook: median # episodes until solved [#, #]", text)
    assert textbook < low
    (p_value,) = numbers("log-rank test, p = #", text)
    assert p_value < 1e-3
    counts = re.findall(rf"learning rate {NUMBER}, gamma {NUMBER}: (\d+) of 16 seeds", text)
    assert len(counts) == 8
    by_setting = {(float(rate), float(gamma)): int(count) for rate, gamma, count in counts}
    assert by_setting[0.01, 0.99] > by_setting[0.001, 0.99] + 4
    (greedy,) = numbers("greedy episodes of seed 3: #", text)
    assert greedy > 150


def check_extend(text):
    chance, hand = numbers("by chance #, steered by hand #", text)
    assert chance < 20 < 80 < hand < 100
    *_, high = numbers("plain network: mean return # [#, #]", text)
    _, low, _ = numbers("mirrored network: mean return # [#, #]", text)
    assert low > high + 10
    for floor in ("0.5", "0.8"):
        (entropy, *_) = numbers(f"floor {floor} nats: entropy at the end #, return # [#, #]", text)
        assert float(floor) - 0.05 < entropy < float(floor) + 0.2
    assert numbers("floor 0.0 nats: entropy at the end #, return # [#, #]", text)[0] < 0.5
    *_, high = numbers("rate fixed, from 0.0001: # at the end, return # [#, #]", text)
    rate, _, low, _ = numbers("rate learned, from 0.0001: # at the end, return # [#, #]", text)
    assert rate > 0.003
    assert low > high + 30
    for generation in range(1, 6):
        *_, compiling = numbers(f"generation {generation}: best #, median #; # s, of which # s compiling", text)
        assert compiling == 0
    *_, began = numbers("as we began: mean return # [#, #]", text)
    _, evolved, _ = numbers("evolved: mean return # [#, #]", text)
    assert evolved > began + 5
    chose, honest, *_ = numbers("on the seeds that chose it #, on the others # [#, #]", text)
    assert min(chose, honest) > began


def check_ladder(text):
    """Each swap does what its cell says: verdicts of 64 seeds, and PPO ends near the 200 that is perfect."""
    verdicts = dict(re.findall(r"^.* -> (.*?): .*\] (gains|loses|cannot be told apart)$", text, re.MULTILINE))
    expected = {"one-step": "loses", "A2C": "gains", "+ epochs": "loses", "PPO": "gains"}
    assert {rung: verdicts[rung] for rung in expected} == expected
    assert len(verdicts) == 6
    rows = re.findall(
        rf"^(\S.*?) +{NUMBER} \[ *{NUMBER}, *{NUMBER}\] +{NUMBER} \[ *{NUMBER}, *{NUMBER}\]$", text, re.MULTILINE
    )
    at_the_end = {name: tuple(map(float, columns[3:])) for name, *columns in rows}
    assert len(at_the_end) == 7
    assert at_the_end["PPO"][1] > 180 > at_the_end["REINFORCE"][2] > 140  # its lower bound, and REINFORCE's upper one
    rates = re.findall(rf"^(.*?) +at its best rate, {NUMBER}: +{NUMBER}$", text, re.MULTILINE)
    best = {name: (float(rate), float(score)) for name, rate, score in rates}
    assert best["+ epochs"][0] < 0.01
    assert best["PPO"][1] == max(score for _, score in best.values())


CLAIMS = {"extend": check_extend, "ladder": check_ladder, "quickstart": check_quickstart}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path, flags_of_users):
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "strip the outputs"
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert "image/png" in kinds
    assert ("image/gif" in kinds) == (path.stem == "quickstart")
    CLAIMS[path.stem]("".join(output.get("text", "") for output in outputs if output.get("name") == "stdout"))
