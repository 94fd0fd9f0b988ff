"""A run on a file system that is full, really: to be called with its folder in a mount namespace of its own."""

import subprocess
import sys
from pathlib import Path

import conftest  # noqa: F401  the devices of the tests
import jax
import numpy as np

import jax_ac

disk = Path(sys.argv[1])
options = ["mount", "-t", "tmpfs", "-o"]
subprocess.run([*options, "size=500k", "tmpfs", disk], check=True)
algorithm = jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0"))
training = {"max_updates": 300, "segment_updates": 5, "progress": False}
try:
    jax_ac.run(algorithm, 16, out=disk / "run", save_seconds=0.0, **training)
except OSError as error:
    print(error)
subprocess.run([*options, "remount,size=64m", "tmpfs", disk], check=True)
assert not list(disk.rglob("*partial"))
before = jax_ac.Result.load(disk / "run")
print(int(before.marks.num_updates.sum()), "updates were kept")
resumed = jax_ac.resume(disk / "run", progress=False)
expected = jax_ac.run(algorithm, 16, **training)
jax.tree.map(np.testing.assert_array_equal, (resumed.states, resumed.metrics), (expected.states, expected.metrics))
print("the same bits")
