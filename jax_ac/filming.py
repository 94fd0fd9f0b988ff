"""``jax-ac render``: an agent of a run, as it was early, in the middle and at the end of its training."""

from pathlib import Path
from typing import TYPE_CHECKING

from jax_ac.checks import check_positive, check_whole
from jax_ac.commands import checking
from jax_ac.files import check_picture
from jax_ac.folder_commands import Render
from jax_ac.trainer import say, use_devices

if TYPE_CHECKING:
    from jax_ac.agent import Agent
    from jax_ac.results import Result


def film(command: Render) -> int:
    """Runs the command. Returns the exit status."""
    with checking():
        asked = _asked(command.updates)
        if command.max_steps is not None:
            check_positive("--max-steps", command.max_steps)
        if command.out is not None:
            check_picture(command.out)
        _check_folder(command.path)
        use_devices()
        from jax_ac.rendering import play, save
        from jax_ac.results import Result

        result = Result.load(command.path)
        seed = int(result.lanes.seeds[0]) if command.seed is None else command.seed
        late = result.agent(seed, command.setting)
    ...


def _asked(updates: str | None) -> list[int] | None:
    """The updates that ``--updates`` names."""
    if updates is None:
        return None
    texts = [text.strip() for text in updates.split(",")]
    if not all(text.isdecimal() for text in texts):
        raise ValueError(f"--updates takes whole numbers with commas between them, such as 0,50, got {updates!r}.")
    return sorted({int(text) for text in texts})
