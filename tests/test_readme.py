"""The README's Python runs as it stands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("one_device")
def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 4
    names = {}
    shapes = []
    for block in blocks:
        exec(block.replace("jax_ac.use_all_cores()", ""), names)  # the tests have their devices already
        shapes.append(names["metrics"].episode_return.shape)
    assert shapes == [*[(4, 32, 500)] * 3, (8, 400)]
    returns = names["metrics"].running_return
    assert returns[:, -1].mean() > 2 * returns[:, 20].mean()
    assert names["states"].params["params"]["hidden_1"]["kernel"].shape == (8, 64, 64)
    assert {path.name for path in tmp_path.iterdir()} >= {"agent.safetensors", "curves.png", "late.gif", "runs"}


def test_the_pictures_of_the_readme_are_there():
    pictures = re.findall(r"!\[[^]]*\]\(([^)]*)\)", README)
    assert len(pictures) == 4
    assert all((ROOT / picture).stat().st_size < 600_000 for picture in pictures)


def test_the_readme_holds_both_commands():
    assert "pip install . && jax-ac train" in README
    assert re.search(r"<!-- the test command -->\n```bash\npip install -e '.\[dev\]' && .*pytest -n auto\n```", README)
