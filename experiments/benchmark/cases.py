"""The pairs of the benchmark, with what the project wants of each."""

import os

from pairs import Pair, Side

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ours(preset: str, seeds: int, updates: int, *more: str) -> Side:
    return Side(None, "ours.py", (preset, "--seeds", str(seeds), "--updates", str(updates), *more))


def rejax(seeds: int, updates: int) -> Side:
    return Side("rejax", "rejax_peer.py", ("--seeds", str(seeds), "--updates", str(updates)))


def sb3(algorithm: str, steps: int) -> Side:
    return Side("sb3", "sb3_peer.py", ("--algorithm", algorithm, "--steps", str(steps)))


KERAS = Side("keras", "keras_peer.py", ("--first", "100"))
NUMPY = Side("numpy", "numpy_peer.py", ("--count", "8"), copies=CORES)
JAXNASIUM = Side("jaxnasium", "jaxnasium_peer.py", ("--seeds", "1", "--updates", "150"))
"""With 16 seeds it waited for ever, whenever it was tried."""
SBX = Side("sbx", "sbx_peer.py", ("--steps", "10240"))
SOLVED = ours("keras", 256, 10_000, "--until-solved")
ONE_PPO, SOME_PPO = ours("ppo", 1, 150, "--width", "1"), ours("ppo", 16, 60, "--width", "8")
ONE_A2C, MANY_A2C = ours("a2c", 1, 1000, "--width", "1"), ours("a2c", 256, 100)

PAIRS = [
    Pair("Keras preset, 256 seeds until solved / plain NumPy on all cores", SOLVED, NUMPY, 15),
    Pair("PPO, 1 seed / rejax", ONE_PPO, rejax(1, 150), 1.5),
    Pair("PPO, 16 seeds / rejax", SOME_PPO, rejax(16, 60), 2.5),
    Pair("PPO, 256 seeds / rejax", ours("ppo", 256, 10), rejax(256, 10), 2.5),
    Pair("PPO, 1 seed / SB3", ONE_PPO, sb3("ppo", 10_240)),
    Pair("PPO, 1 seed / SBX", ONE_PPO, SBX),
    Pair("A2C, 1 seed / SB3", ONE_A2C, sb3("a2c", 25_600), 15),
    Pair("A2C, 256 seeds / SB3", MANY_A2C, sb3("a2c", 25_600), 100),
    Pair("Keras preset, 256 seeds until solved / the Keras script", SOLVED, KERAS, 12_000),
    Pair("PPO, 1 seed / Jaxnasium", ONE_PPO, JAXNASIUM),
]
"""Ours is as a user would run it; with one seed, and with 16 on two cores, the tile is as narrow as the seeds are few."""

LANES = Pair("A2C, cost per lane, 64 lanes / 4,096 lanes", ours("a2c", 64, 200), ours("a2c", 4096, 200), 1 / 1.05)
"""The ratio is that of the rates: 1 where a lane costs the same among many, its beginning and its end included."""

MEMORY = ours("ppo", 2048, 20)
MEMORY_UPDATES = 977  # 500k steps
"""2,048 seeds of PPO: what a run of few updates takes at its peak, and what more updates add."""
