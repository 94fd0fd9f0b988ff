"""Start-up: imports, and one seed from typing the command to its result, each in fresh processes, in turns."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PEERS_IMPORTS = "import jax, flax, optax, gymnax"
OUR_IMPORTS = "import jax_ac; jax_ac.run, jax_ac.train_many, jax_ac.ppo, jax_ac.make_env('CartPole-v1')"


def imports(repetitions: int) -> tuple[list[float], list[float]]:
    """Seconds of importing ours (an environment made), and of jax, flax, optax and gymnax alone."""
    for code in (OUR_IMPORTS, PEERS_IMPORTS):
        _seconds(code)  # so that all is in the disk's cache
    both = [(_seconds(OUR_IMPORTS), _seconds(PEERS_IMPORTS)) for _ in range(repetitions)]
    ours, theirs = zip(*both, strict=True)
    return list(ours), list(theirs)


def _seconds(code: str) -> float:
    timed = f"import time; start = time.perf_counter()\n{code}\nprint(time.perf_counter() - start)"
    return float(subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True).stdout)


def from_typing(repetitions: int) -> tuple[list[float], list[float]]:
    """Seconds from typing ``jax-ac train CartPole-v0 --seeds 1`` to its end, without and with compiled programs on disk."""
    cold, cached = [], []
    for _ in range(repetitions):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(_train(Path(folder)))
            cached.append(_train(Path(folder)))
    return cold, cached


def _train(folder: Path) -> float:
    command = [sys.executable, "-m", "jax_ac.cli", "train", "CartPole-v0", "--seeds", "1", "--out", str(folder / "run")]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    for name in ("JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE"):
        environment.pop(name, None)
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True, env=environment)
    seconds = time.perf_counter() - start
    shutil.rmtree(folder / "run")
    return seconds
