"""``jax-ac resume``: goes on with a run, or with all runs of a sweep."""

from jax_ac import remote, tracker_names
from jax_ac.commands import checking
from jax_ac.folder_commands import Resume
from jax_ac.placing import check_placed
from jax_ac.sweeping import announced, finish_sweep
from jax_ac.trainer import finish, host_of, reach, use_devices


def resume(command: Resume) -> int:
    """Runs the command. Returns the exit status."""
    with checking():
        folder = remote.fetched(command.path)
        tracker_names.check(command.tracker, alone=not command.distributed)
        check_placed(command)
        use_devices(command.distributed)
        from jax_ac import run_folder
        from jax_ac.plans import take_up
        from jax_ac.runs import execute

        seeds, updates, steps = command.seeds, command.max_updates, command.total_steps
        folders = run_folder.runs_in(folder)
        reach(command)
        plans = [take_up(path, seeds=seeds, max_updates=updates, total_steps=steps) for path in folders]
        hosts = [host_of(command, path) for path in folders]
    config = plans[0].config
    title = f"{config.env}, {len(config.seeds)} seeds"
    if len(plans) > 1 or len(plans[0].lanes.shape) > 1:
        results = (execute(announced(plan), host) for plan, host in zip(plans, hosts, strict=True))
        return finish_sweep(results, folder, title)
    return finish(execute(announced(plans[0]), hosts[0]), title)
