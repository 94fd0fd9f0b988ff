"""A run that is killed and resumed has the bits of one left alone; `experiments/survival.py` kills it more often."""

import pytest
import survival

pytestmark = pytest.mark.slow


def test_killed_and_resumed(tmp_path):
    assert survival.survive(tmp_path, kills=3, max_updates=200) == []


def test_a_difference_would_be_seen(tmp_path, monkeypatch):
    survival.undisturbed(tmp_path / "one", 10)
    monkeypatch.setattr(survival, "CHILD", survival.CHILD.replace("24,", "[*range(23), 99],"))
    survival.undisturbed(tmp_path / "two", 10)
    wrong = survival.differences(tmp_path / "one", tmp_path / "two")
    assert {"episode_return", "total_env_steps"} <= set(wrong)
