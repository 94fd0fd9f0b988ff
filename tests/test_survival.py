"""A run that is killed and resumed has the bits of one left alone; `experiments/survival.py` kills it more often."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import survival

pytestmark = pytest.mark.slow


UPDATES = 200


@pytest.fixture(scope="module")
def survived(tmp_path_factory, flags_of_users):
    """The folder of both runs, and how they differ."""
    folder = tmp_path_factory.mktemp("survival")
    return folder, survival.survive(folder, kills=3, max_updates=UPDATES)


def test_killed_and_resumed(survived):
    assert survived[1] == []


def test_a_difference_would_be_seen(survived, tmp_path, monkeypatch):
    monkeypatch.setattr(survival, "CHILD", survival.CHILD.replace("24,", "[*range(23), 99],"))
    survival.undisturbed(tmp_path / "another", UPDATES)
    wrong = survival.differences(survived[0] / "undisturbed", tmp_path / "another")
    assert {"episode_return", "total_env_steps"} <= set(wrong)


def can_mount() -> bool:
    command = ["unshare", "--user", "--map-root-user", "--mount", "true"]
    return shutil.which("unshare") is not None and subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="a file system of one's own needs Linux's user namespaces")
def test_a_disk_that_is_really_full(tmp_path):
    """A small tmpfs, until the run cannot be saved; one sentence, then more room, then the bits of an undisturbed run."""
    tests = Path(__file__).parent
    command = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, str(tests / "full_disk.py"), str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(tests)}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    said, kept, end = result.stdout.splitlines()
    assert said.endswith("(No space left on device); what was saved before is whole: mend that, then resume it.")
    assert int(kept.split()[0]) > 0
    assert end == "the same bits"
