"""``jax-ac report``: a file, or a page that is served while a run goes on."""

import dataclasses
from pathlib import Path

from jax_ac import program_cache, remote
from jax_ac.commands import checking
from jax_ac.folder_commands import Report
from jax_ac.trainer import use_devices


def check(command: Report) -> None:
    """Raises ValueError if the options cannot be meant so, or a folder is not there."""
    if not command.paths:
        raise ValueError("report needs the folder of a run.")
    if command.watch and command.out is not None:
        raise ValueError("give --out or --watch, not both: a page that is served is not written.")
    if not 0 <= command.port < 2**16:
        raise ValueError(f"--port must be in [0, 65535], got {command.port}.")
    if command.port and not command.watch:
        raise ValueError("--port is for --watch.")
    for path in command.paths:
        if not path.is_dir():
            raise ValueError(f"there is no run folder {path}.")


def report(command: Report) -> int:
    """Runs the command. Returns the exit status."""
    with checking():
        command = dataclasses.replace(command, paths=tuple(map(remote.fetched, command.paths)))
        check(command)
    if command.watch:
        from jax_ac import watching

        _leave_devices()
        with checking():
            server = watching.open_server(command.paths, command.port)
        print(f"watching {', '.join(map(remote.shown, command.paths))} at {server.address} (Ctrl-C ends it)", flush=True)
        watching.serve(server)
        return 0
    from jax_ac.report import write_studies
    from jax_ac.studies import read_all

    with checking():
        _choose_devices(command.paths)
        out = remote.at(command.out) if command.out else default_file(command.paths)
        path = remote.push(write_studies(read_all(command.paths), out))
    print(f"report: {remote.shown(path)}")
    return 0


def _choose_devices(paths: tuple[Path, ...]) -> None:
    """Those that the runs had, so that agents can be trained again; the CPU alone where a run still needs them."""
    from jax_ac import run_folder

    if any(run_folder.at_work(folder) for path in paths for folder in run_folder.runs_in(path)):
        _leave_devices()
    else:
        use_devices()


def _leave_devices() -> None:
    """To a run that is at work: a report needs none but the CPU."""
    import jax

    jax.config.update("jax_platforms", "cpu")
    program_cache.use()


def default_file(paths: tuple[Path, ...]) -> Path:
    """Where a report goes that was given no place."""
    return (paths[0] if len(paths) == 1 else paths[0].resolve().parent) / "report.html"
