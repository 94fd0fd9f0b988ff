"""The README's Python runs as it stands."""

import re
from pathlib import Path

import pytest

import jax_ac

README = (Path(__file__).parent.parent / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("one_device")
def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 6
    names = {}
    shapes = []
    for block in blocks:
        exec(block.replace("jax_ac.use_all_cores()", ""), names)  # the tests have their devices already
        shapes.append(names["metrics"].episode_return.shape)
    assert shapes == [(4, 32, 500), *[(8, 4, 200)] * 5]
    states, metrics = jax_ac.train_many(names["alg"], 8, 400)
    returns = metrics.running_return
    assert returns[:, -1].mean() > 2 * returns[:, 20].mean()
    assert states.params["params"]["hidden_1"]["kernel"].shape == (8, 64, 64)


def test_the_readme_holds_both_commands():
    assert "pip install . && jax-ac train" in README
    assert re.search(r"<!-- the test command -->\n```bash\npip install -e '.\[dev\]' && .*pytest -n auto\n```", README)
