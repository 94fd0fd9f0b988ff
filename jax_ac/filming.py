"""``jax-ac render``: an agent of a run, as it was early, in the middle and at the end of its training."""

from pathlib import Path
from typing import TYPE_CHECKING

from jax_ac import files, remote
from jax_ac.checks import check_positive
from jax_ac.commands import checking
from jax_ac.folder_commands import Render
from jax_ac.trainer import say, use_devices

if TYPE_CHECKING:
    from jax_ac.results import Result

KINDS = (".gif", ".mp4")


def film(command: Render) -> int:
    """Runs the command. Returns the exit status."""
    with checking():
        asked = _updates(command.updates)
        if command.max_steps is not None:
            check_positive("--max-steps", command.max_steps)
        path, out = remote.fetched(command.path), command.out and remote.at(command.out)
        if out is not None:
            files.check_file(out, KINDS)
        _check_is_run(path)
        use_devices()
        from jax_ac.results import Result

        result = Result.load(path)
        seed = int(result.lanes.seeds[0]) if command.seed is None else command.seed
        done = int(result.states.num_updates[result.lane(seed, command.setting)])
        out = out or path / _name(result, seed, command.setting)
        _check_can_draw(result, seed, command.setting, out)
    updates = sorted({done // 10, done // 2, done}) if asked is None else asked
    with checking():
        _film(command, result, seed, updates, out)
        remote.push(out)
    say(f"written: {out}")
    return 0


def _film(command: Render, result: "Result", seed: int, updates: list[int], out: Path) -> None:
    from jax_ac.panels import caption
    from jax_ac.rendering import play, save

    texts = [f"{update:,}" for update in updates]
    say(f"{result.config.env}, seed {seed}: training it again up to update {', '.join(texts)} ...")
    latest_first = [result.agent(seed, command.setting, update) for update in reversed(updates)]
    agents = zip((f"update {text}" for text in texts), reversed(latest_first), strict=True)
    panels = play(dict(agents), greedy=command.greedy, max_steps=command.max_steps)
    for panel in panels:
        say(caption(panel, len(panel.recording.states)).replace("\n", ": "))
    save(panels, out)


def _updates(text: str | None) -> list[int] | None:
    """The updates that ``--updates`` names."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ValueError(f"--updates takes whole numbers with commas between them, such as 0,50, got {text!r}.")
    return sorted({int(part) for part in parts})


def _check_is_run(path: Path) -> None:
    """Raises ValueError if it is the folder of a sweep, whose programs are runs."""
    from jax_ac.run_folder import runs_in

    programs = runs_in(path)
    if programs != [path]:
        names = ", ".join(map(str, programs))
        raise ValueError(f"{path} is the folder of a sweep; name that of one of its programs: {names}.")


def _name(result: "Result", seed: int, setting: int | None) -> str:
    return f"seed-{seed}.gif" if setting is None else f"seed-{seed}-setting-{setting}.gif"


def _check_can_draw(result: "Result", seed: int, setting: int | None, out: Path) -> None:
    """Raises ValueError if the environment cannot be drawn, or a package is missing for that."""
    from jax_ac.rendering import artist_of, check_path

    try:
        check_path(out)
        artist_of(result.agent(seed, setting))
    except ImportError as error:
        raise ValueError(error) from None
