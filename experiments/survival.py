"""Does a run survive `kill -9`? Killed at random moments, saving included, and resumed each time: are the bits the same?

    python experiments/survival.py [kills]    # 20 where not given; minutes on 2 cores

An undisturbed run in one process, on two devices. The same run again, killed at a random moment after it has begun to train
or save, and resumed, now with one device, now with two, until it has been killed so often and ends. Every variable of both
datasets and every leaf of both states must be equal, bit for bit. Checkpoints are written after every segment, so that many
kills fall into one. Prints a line per kill; exits with 1 if anything differs.
"""

import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHILD = """
import os, sys
from jax_ac.devices import xla_environment
os.environ.update(xla_environment())
import jax
jax.config.update("jax_num_cpu_devices", int(sys.argv[2]))
import jax_ac
from jax_ac.runs import resume, run

def say(progress):
    print("segment", flush=True)

folder = sys.argv[1]
options = {"progress": say, "save_seconds": 0.0}
if os.path.exists(folder):
    resume(folder, **options)
else:
    algorithm = jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0"))
    run(algorithm, 24, max_updates=int(sys.argv[3]), segment_updates=10, tile_width=4, out=folder, **options)
print("ended", flush=True)
"""


def child(folder: Path, num_devices: int, max_updates: int) -> subprocess.Popen:
    command = [sys.executable, "-c", CHILD, str(folder), str(num_devices), str(max_updates)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def undisturbed(folder: Path, max_updates: int) -> None:
    with child(folder, 2, max_updates) as process:
        process.communicate()
    assert process.returncode == 0


def killed(folder: Path, num_devices: int, max_updates: int, seconds: float) -> str:
    """Lets the run work, kills it so long after its first segment, and says what it left: what it was doing is by chance."""
    with child(folder, num_devices, max_updates) as process:
        line = process.stdout.readline() if process.stdout else ""
        time.sleep(seconds)
        process.kill()
        rest = process.communicate()[0]
    if "ended" in line + rest:
        return "had ended"
    partial = [path.name for path in folder.rglob("*.partial")]
    return f"left {', '.join(partial)}" if partial else "left nothing half-written"


def differences(ours: Path, theirs: Path) -> list[str]:
    """What is not the same in two run folders, by name."""
    import jax
    import numpy as np

    from jax_ac.results import Result

    one, two = Result.load(ours), Result.load(theirs)
    wrong = [str(name) for name in one.data if not one.data[name].identical(two.data[name])]
    leaves = jax.tree_util.tree_leaves_with_path((one.states, one.metrics, one.marks))
    pairs = zip(leaves, jax.tree.leaves((two.states, two.metrics, two.marks)), strict=True)
    wrong += [jax.tree_util.keystr(path) for (path, leaf), other in pairs if leaf.tobytes() != np.asarray(other).tobytes()]
    import xarray as xr

    for path in (ours, theirs):
        with xr.open_dataset(path / "results.nc") as dataset:
            wrong += [
                f"{name} in {path}/results.nc"
                for name in one.data
                if not np.array_equal(dataset[name], one.data[name], equal_nan=True)
            ]
    return wrong


def survive(folder: Path, kills: int, max_updates: int, seed: int = 0) -> list[str]:
    """The differences after so many kills."""
    undisturbed(folder / "undisturbed", max_updates)
    chance = random.Random(seed)
    for number in range(kills):
        num_devices, seconds = chance.choice([1, 2]), chance.uniform(0.0, 0.6)
        what = killed(folder / "killed", num_devices, max_updates, seconds)
        print(f"kill {number + 1}: {num_devices} device(s), {seconds:.2f} s after the first segment: {what}", flush=True)
    with child(folder / "killed", 2, max_updates) as process:
        process.communicate()
    assert process.returncode == 0
    return differences(folder / "killed", folder / "undisturbed")


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    folder = Path(tempfile.mkdtemp())
    wrong = survive(folder, kills, max_updates=100 * kills)
    print(f"{kills} kills; different: {', '.join(wrong) or 'nothing'}")
    shutil.rmtree(folder)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
