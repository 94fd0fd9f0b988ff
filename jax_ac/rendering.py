"""Rendering: episodes of agents side by side, as pictures, a GIF or an MP4."""

import io
import math
from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from pathlib import Path

import jax
import numpy as np

from jax_ac.checks import Range, check_number, check_whole
from jax_ac.evaluation import env_and_policy, evaluation_key
from jax_ac.files import check_file, write_whole
from jax_ac.hyperparams import env_numbers
from jax_ac.panels import Panel, frame, make_panel, shown_steps
from jax_ac.pictures import Artist, Draw, artist, needed
from jax_ac.protocols import check_algorithm
from jax_ac.recordings import Player, record
from jax_ac.transforms import innermost

MOST_FRAMES = 25.0
"""Frames in a second at most: of a faster episode only some steps are shown, evenly apart."""

LAST = 1.5
"""Seconds for which the last frame stays."""

SPEED = 25.0
"""Steps in a second, where the environment says nothing about it."""

PACE = Range(0.1, 1000)
"""Steps in a second that can be asked for."""


def animate(
    agents: Mapping[str, Player],
    path: str | Path,
    *,
    seed: int = 0,
    max_steps: int | None = None,
    greedy: bool = False,
    draw: Draw | None = None,
    fps: float | None = None,
) -> Path:
    """Plays an episode with each agent in its own environment, and writes them side by side to one GIF or MP4.

    Above each stand its name, the step, and the return so far. The last frame of an episode that ends earlier stays.

    Args:
      agents: by their names, such as ``{"early": result.agent(3, update=10), "late": result.agent(3)}``.
      path: ends in .gif or .mp4; what is there is replaced.
      fps: environment steps in a second, as many as the environment's own time has where None. At most 25 frames a second
        are written, of steps evenly apart, and the last step.
      The others as in `play`.

    Returns:
      The path.

    Raises:
      ImportError: if a package of the extra `render` is missing; the sentence names it.
      ValueError: if the path ends otherwise or cannot be written; and as `play`.
      TypeError: as `play`.
    """
    path = check_path(path)
    if fps is not None:
        check_number("fps", fps, PACE)
    panels = play(agents, seed=seed, max_steps=max_steps, greedy=greedy, draw=draw)
    return save(panels, path, fps)


def play(
    agents: Mapping[str, Player],
    *,
    seed: int = 0,
    max_steps: int | None = None,
    greedy: bool = False,
    draw: Draw | None = None,
) -> list[Panel]:
    """An episode of each agent, in its own environment, ready to be drawn: by `gif`, or as arrays by `panels.frames`.

    Classic control is drawn by gymnasium, MinAtar as gymnax shows it.

    Args:
      agents: by their names.
      seed: of what happens by chance, apart from that of training; the same for all agents, which begin in the same state.
      max_steps: where an episode is left; the environment's time limit where None.
      greedy: whether agents take their most probable action instead of drawing one.
      draw: ``(state) -> uint8 [height, width, 3]``, given the environment's state under all transformers (`transforms`);
        needed where the environment has no picture of its own.

    Raises:
      ImportError: if a package of the extra `render` is missing.
      ValueError: if there is no agent, an environment has no picture, or has no time limit where `max_steps` is None.
      TypeError: if `agents` are not agents by name, or a number is of another type.
    """
    if not isinstance(agents, Mapping):
        raise TypeError(f"agents must be agents by name, such as {{'late': agent}}, got {type(agents).__name__}.")
    if not agents:
        raise ValueError("agents must hold at least one agent, got none.")
    for name, agent in agents.items():
        if not isinstance(agent, Player):
            raise TypeError(f"agents must be agents by name, got {type(agent).__name__} for {name!r}.")
    artists = [artist_of(agent, draw) for agent in agents.values()]
    key = evaluation_key(check_whole("seed", seed, limit=2**32))
    recordings = [record(agent, key, greedy=greedy, max_steps=max_steps) for agent in agents.values()]
    return [make_panel(*parts) for parts in zip(agents, recordings, artists, strict=True)]


def gif(panels: list[Panel], fps: float | None = None) -> bytes:
    """The content of a GIF that repeats itself, in one palette; `fps` as in `animate`."""
    image = needed("PIL.Image")
    every, seconds = _pace(panels, fps)
    steps = shown_steps(panels, every)
    sample = np.concatenate([frame(panels, step) for step in steps[:: math.ceil(len(steps) / 8)]])
    palette = image.fromarray(sample).quantize(64, image.Quantize.MAXCOVERAGE)
    images = (image.fromarray(frame(panels, step)).quantize(palette=palette, dither=image.Dither.NONE) for step in steps)
    durations = [10 * round(100 * seconds)] * (len(steps) - 1) + [round(1000 * LAST)]  # in ms; a GIF counts in 10
    file = io.BytesIO()
    next(images).save(file, "GIF", save_all=True, append_images=images, duration=durations, loop=0)
    return file.getvalue()


def save(panels: list[Panel], path: Path, fps: float | None = None) -> Path:
    """Writes a GIF or an MP4, whole or not at all; path and `fps` as in `animate`."""
    try:
        write_whole(path, partial(SUFFIXES[path.suffix.lower()], panels, fps))
    except OSError as error:
        raise ValueError(f"cannot write the file {path}: {error.strerror or error}.") from None
    return path


def check_path(path: str | Path) -> Path:
    """The path, if a picture can be put there. Raises ValueError if not, ImportError if a package is missing for it."""
    path = Path(path)
    check_file(path, SUFFIXES)
    if path.suffix.lower() == ".mp4":
        needed("av")
    return path


def artist_of(agent: Player, draw: Draw | None = None) -> Artist:
    """Who draws an agent's environment: `draw`, or gymnasium or gymnax. Raises as `play`."""
    needed("PIL.Image")
    check_algorithm(agent.algorithm)
    if draw is not None:
        return Artist(draw, SPEED)
    env = env_and_policy(agent.algorithm, agent.params, agent.moments, agent.hyperparams)[0]
    state = innermost(jax.eval_shape(env.reset, evaluation_key(0))[1])
    found = artist(env.name, env_numbers(agent.hyperparams), state)
    if found is None:
        raise ValueError(
            f"{env.name} has no picture of its own: pass draw=, a function (state) -> uint8 [height, width, 3]."
        )
    return found


def _write_gif(panels: list[Panel], fps: float | None, path: Path) -> None:
    path.write_bytes(gif(panels, fps))


def _write_mp4(panels: list[Panel], fps: float | None, path: Path) -> None:
    av = needed("av")
    every, seconds = _pace(panels, fps)
    steps = shown_steps(panels, every)
    steps += steps[-1:] * round(LAST / seconds)
    with av.open(str(path), "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=Fraction(1 / seconds).limit_denominator(1000))
        stream.height, stream.width = frame(panels, 0).shape[:2]
        for step in steps:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(frame(panels, step), "rgb24")))
        film.mux(stream.encode())


SUFFIXES = {".gif": _write_gif, ".mp4": _write_mp4}
"""How files are written, by the ends of their names."""


def _pace(panels: list[Panel], fps: float | None) -> tuple[int, float]:
    """Every which step is shown, and for how many seconds."""
    speed = panels[0].artist.speed if fps is None else check_number("fps", fps, PACE)
    every = math.ceil(speed / MOST_FRAMES)
    return every, every / speed
