"""A worker of `gpu.py`: does training on this device learn, and which numbers are the same bits. Lines of JSON.

python experiments/benchmark/gpu_checks.py all     # the Keras preset until solved, bits, an interrupted run gone on with
python experiments/benchmark/gpu_checks.py solved  # only the first
python experiments/benchmark/gpu_checks.py digest  # only digests, to compare with those of another process
"""

import argparse
import hashlib
import itertools
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

from serving import say, timed

import jax_ac

PRESETS = ("keras", "a2c", "ppo")
SEGMENT = 50
"""Updates per call of a run until solved."""


def algorithms_of(*presets: str) -> dict[str, Any]:
    """The presets at their defaults, which go on when solved."""
    import ours

    return {preset: ours.make(jax_ac, SimpleNamespace(preset=preset, until_solved=False)) for preset in presets}


def solver() -> Any:
    """The Keras preset, which stops when solved."""
    return jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0"))


def compile_beside(*wanted: tuple[Any, int, int, int | None]) -> None:
    """Compiles programs at the same time: of an algorithm, for so many lanes and updates per call, in tiles of a width."""
    from jax_ac.tiles import make_tiles

    def compiled(algorithm: Any, lanes: int, updates: int, width: int | None) -> None:
        make_tiles(algorithm, lanes, updates, width=width).compile()

    with ThreadPoolExecutor(len(wanted)) as pool:
        list(pool.map(lambda each: compiled(*each), wanted))


def solved(algorithm: Any, seeds: int, updates: int) -> None:
    """The Keras preset until solved: how many seeds solve CartPole-v0, and after how many episodes."""
    import numpy as np

    result = jax_ac.run(algorithm, seeds, max_updates=updates, progress=False)
    marks = result.marks
    done = marks.solved_update >= 0
    episodes = (np.asarray(marks.solved_episode)[done] + 1).tolist()
    quartiles = np.percentile(episodes, [0, 25, 50, 75, 100]).tolist() if episodes else []
    figures = {"seeds": seeds, "updates": updates, "solved": int(done.sum()), "quartiles": quartiles, "episodes": episodes}
    diverged = int((marks.diverged_update >= 0).sum())
    say({"kind": "solved", "diverged": diverged, "seconds": result.spent.run_seconds} | figures)


def bits(preset: str, algorithm: Any, width: int, updates: int) -> None:
    """Whether a lane's states and metrics are the same bits again, in another place, alone, in more tiles, and by `run`."""
    import jax
    import numpy as np

    train = lambda seeds: jax_ac.train_many(algorithm, seeds, updates, tile_width=width)
    base = train(range(width))
    more = width + width // 2
    again, backwards = train(range(width)), train(range(width)[::-1])
    alone, tiled = train([width // 2]), train(range(more)[::-1])
    row = lambda tree, places: jax.tree.map(lambda leaf: np.asarray(leaf)[places], tree)
    ran = jax_ac.run(
        algorithm, width, max_updates=updates, until_solved=False, segment_updates=updates, tile_width=width, progress=False
    )
    found = {
        "again": differing(again, base),
        "another place": differing(row(backwards, slice(None, None, -1)), base),
        "alone": differing(row(alone, [0]), row(base, [width // 2])),
        "more tiles": differing(row(tiled, slice(None, None, -1)), base, rows=width),
        "by run": differing((ran.states, ran.metrics), base),
    }
    say({"kind": "bits", "preset": preset, "width": width, "updates": updates, "differing": found, "digest": digest(base)})


def differing(some: Any, others: Any, rows: int | None = None) -> list[str]:
    """The leaves that are not the same bits, of the first rows."""
    import jax
    import numpy as np

    named = jax.tree_util.tree_leaves_with_path(some)
    pairs = zip(named, jax.tree.leaves(others), strict=True)
    same = lambda left, right: np.asarray(left)[:rows].tobytes() == np.asarray(right).tobytes()
    return [jax.tree_util.keystr(path) for (path, left), right in pairs if not same(left, right)]


def digest(tree: Any) -> str:
    """Of all leaves' bytes."""
    import jax
    import numpy as np

    return hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree))).hexdigest()[:16]


def resumed(algorithm: Any, width: int, updates: int) -> None:
    """Whether a run that was interrupted and gone on with gives the bits of one that was not."""
    settings = {"max_updates": 2 * updates, "until_solved": False, "segment_updates": updates, "tile_width": width}
    seeds = width + 1
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "run")
        first = jax_ac.run(algorithm, seeds, out=path, progress=stop_after(2), **settings)
        second = jax_ac.resume(path, algorithm, progress=False)
    whole = jax_ac.run(algorithm, seeds, progress=False, **settings)
    found = differing((second.states, second.metrics), (whole.states, whole.metrics))
    say({"kind": "resumed", "interrupted": first.interrupted, "differing": found})


def stop_after(calls: int) -> Callable[[Any], None]:
    """A progress function that does what Ctrl-C does, once."""
    count = itertools.count(1)

    def stop(_: Any) -> None:
        if next(count) == calls:
            raise KeyboardInterrupt

    return stop


def digests(width: int, updates: int) -> None:
    """What `bits` gives as the digest, in this process."""
    algorithms = algorithms_of(*PRESETS)
    compile_beside(*((algorithm, width, updates, width) for algorithm in algorithms.values()))
    for preset, algorithm in algorithms.items():
        result, seconds = timed(lambda it=algorithm: jax_ac.train_many(it, width, updates, tile_width=width))
        say({"kind": "digest", "preset": preset, "digest": digest(result), "seconds": seconds})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["all", "solved", "digest"])
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    width, updates = (4, 5) if options.tiny else (256, 20)
    if os.environ.get("JAX_PLATFORMS") == "cpu":
        jax_ac.use_all_cores()
    if options.part == "digest":
        digests(width, updates)
        return
    keras, seeds, limit = solver(), *((4, 100) if options.tiny else (64, 1500))
    if options.part == "all":
        everything(keras, seeds, limit, width, updates)
    else:
        solved(keras, seeds, limit)


def everything(keras: Any, seeds: int, limit: int, width: int, updates: int) -> None:
    algorithms = algorithms_of(*PRESETS)
    wanted = [(algorithm, width, updates, width) for algorithm in algorithms.values()]
    compile_beside((keras, seeds, SEGMENT, None), *wanted)
    solved(keras, seeds, limit)
    for preset, algorithm in algorithms.items():
        bits(preset, algorithm, width, updates)
    resumed(algorithms["ppo"], width, updates)


if __name__ == "__main__":
    main()
