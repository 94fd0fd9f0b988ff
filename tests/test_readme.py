"""The README's Python runs as it stands."""

import re
from pathlib import Path

import pytest

import jax_ac

README = (Path(__file__).parent.parent / "README.md").read_text()


@pytest.mark.slow
def test_the_python_of_the_readme_runs():
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 2
    code = "\n".join(blocks).replace("jax_ac.use_all_cores()", "")  # the tests have their devices already
    names = {}
    exec(code, names)
    assert names["metrics"].episode_return.shape == (4, 32, 500)
    states, metrics = jax_ac.train_many(names["alg"], 8, 100)
    assert (metrics.num_episodes == 4).all()
    assert metrics.episode_return[:, -10:].mean() > 2 * metrics.episode_return[:, :10].mean()
    assert states.params["params"]["hidden_1"]["kernel"].shape == (8, 64, 64)


def test_the_readme_holds_both_commands():
    assert "pip install . && jax-ac train" in README
    assert re.search(r"<!-- the test command -->\n```bash\npip install -e '.\[dev\]' && .*pytest -n auto\n```", README)
