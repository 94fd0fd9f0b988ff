"""A run that is killed and resumed has the bits of one left alone; `experiments/survival.py` kills it more often."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

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


def can_mount() -> bool:
    command = ["unshare", "--user", "--map-root-user", "--mount", "true"]
    return shutil.which("unshare") is not None and subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="a file system of one's own needs Linux's user namespaces")
def test_a_disk_that_is_really_full(tmp_path):
    """A small tmpfs, until the run cannot be saved; one sentence, then more room, then the bits of `train_many`."""
    tests = Path(__file__).parent
    command = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, str(tests / "full_disk.py"), str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(tests)}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    said, kept, end = result.stdout.splitlines()
    assert said.endswith("(No space left on device); what was saved before is whole: mend that, then resume it.")
    assert int(kept.split()[0]) > 0
    assert end == "the same bits"
