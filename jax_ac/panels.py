"""Panels: episodes side by side, each with its name, its step and its return above."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jax_ac.pictures import Artist, needed
from jax_ac.recordings import Recording

HEIGHT, WIDTH = 200, 220
"""Pixels of a picture at most, and of a panel at least: a higher picture is made smaller, a low one larger."""

CAPTION, MARGIN, LETTER = 44, 6, 13
"""Pixels above a picture, around it, and of a letter."""

EDGE = (200, 200, 200)


class Panel(NamedTuple):
    """An episode of an agent, to be drawn.

    Attributes:
      name: of the agent.
      recording: the episode.
      artist: who draws its states.
      picture: the shape of what the artist draws.
      size: of the panel, width and height in pixels.
    """

    name: str
    recording: Recording
    artist: Artist
    picture: tuple[int, ...]
    size: tuple[int, int]


def make_panel(name: str, recording: Recording, artist: Artist) -> Panel:
    """A panel as large as its picture and its name need. Raises as the artist, and ValueError if it draws no picture."""
    picture = _checked(artist.draw(recording.states[0]))
    fitted = _fitted(picture)
    width = max(WIDTH, fitted.width, round(_font().getlength(name))) + 2 * MARGIN
    height = CAPTION + fitted.height + 2 * MARGIN
    return Panel(name, recording, artist, picture.shape, (width + width % 2, height + height % 2))  # as MP4 wants it


def frame(panels: Sequence[Panel], step: int) -> np.ndarray:
    """All panels after so many steps, or at their end if that was before: uint8 ``[height, width, 3]``."""
    widths, heights = zip(*(panel.size for panel in panels), strict=True)
    whole = needed("PIL.Image").new("RGB", (sum(widths), max(heights)), "white")
    for i, panel in enumerate(panels):
        whole.paste(_drawn(panel, step), (sum(widths[:i]), 0))
    return np.asarray(whole)


def shown_steps(panels: Sequence[Panel], every: int = 1) -> list[int]:
    """The start, every so many steps, and the end of the longest episode."""
    last = max(len(panel.recording.states) for panel in panels) - 1
    return [*range(0, last, every), last]


def frames(panels: Sequence[Panel], every: int = 1) -> np.ndarray:
    """The frames of `shown_steps`: uint8 ``[F, height, width, 3]``."""
    return np.stack([frame(panels, step) for step in shown_steps(panels, every)])


def caption(panel: Panel, step: int) -> str:
    """What stands above a panel after so many steps, two lines."""
    states, returns, ended = panel.recording
    at = min(step, len(states) - 1)
    over = ", ended" if ended and at == len(states) - 1 else ""
    return f"{panel.name}\nstep {at:,}, return {returns[at]:,.1f}".removesuffix(".0") + over


def _drawn(panel: Panel, step: int) -> Any:
    states = panel.recording.states
    picture = _checked(panel.artist.draw(states[min(step, len(states) - 1)]))
    if picture.shape != panel.picture:
        raise ValueError(f"draw must give pictures of one shape, got {panel.picture} and {picture.shape}.")
    fitted = _fitted(picture)
    image = needed("PIL.Image").new("RGB", panel.size, "white")
    pen = needed("PIL.ImageDraw").Draw(image)
    left, top = (panel.size[0] - fitted.width) // 2, CAPTION + MARGIN
    pen.multiline_text((left, MARGIN), caption(panel, step), "black", _font(), spacing=4)
    pen.rectangle((left - 1, top - 1, left + fitted.width, top + fitted.height), outline=EDGE)
    image.paste(fitted, (left, top))
    return image


def _fitted(picture: np.ndarray) -> Any:
    """The picture as an image of at most `HEIGHT`, and at least half of that."""
    image = needed("PIL.Image").fromarray(picture)
    if image.height > HEIGHT:
        return image.resize((max(1, round(image.width * HEIGHT / image.height)), HEIGHT), resample=4)
    factor = HEIGHT // image.height
    return image.resize((image.width * factor, image.height * factor), resample=0)


def _checked(picture: Any) -> np.ndarray:
    array = np.asarray(picture)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ValueError(f"draw must give a picture, uint8 [height, width, 3], got {array.dtype} {list(array.shape)}.")
    return array


def _font() -> Any:
    return needed("PIL.ImageFont").load_default(LETTER)
