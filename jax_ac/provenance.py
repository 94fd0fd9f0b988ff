"""Provenance: what was run, on what, with which versions, and what it cost."""

from jax_ac.run_folder import Config
from jax_ac.studies import Study

COSTS = [
    "run",
    "compiling, s",
    "training, s",
    "updates/s",
    "steps/s",
    "devices",
    "lanes per tile",
    "utilisation",
    "evaluating",
]


def facts(config: Config) -> list[tuple[str, str]]:
    """What was run, by what it is called."""
    made, seeds = config.made, config.seeds
    contiguous = seeds == list(range(seeds[0], seeds[0] + len(seeds)))
    packages = made.get("packages")
    versions = packages.items() if isinstance(packages, dict) else ()
    evaluated = f"every {config.eval_every:,} updates, {config.eval_episodes} episodes" if config.eval_every else "no"
    result = {
        "environment": config.env,
        "solved above": "no threshold" if config.solved_at is None else f"{config.solved_at:g}",
        "seeds": f"{len(seeds):,}: {seeds[0]} to {seeds[-1]}" if contiguous else ", ".join(map(str, seeds)),
        "updates at most": f"{config.max_updates:,}{', until solved' if config.until_solved else ''}",
        "evaluated": evaluated,
        "lanes per tile": str(config.tile_width),
        "updates per segment": str(config.segment_updates),
        "device": made.get("device"),
        "begun": made.get("time"),
        "git commit": made.get("git_commit"),
        "Python": made.get("python"),
        "platform": made.get("platform"),
        "packages": ", ".join(f"{name} {version}" for name, version in versions if version),
    }
    return [(name, str(value)) for name, value in result.items() if value]


def cost_rows(study: Study) -> list[list[str]]:
    """What each run of a study cost, by the names in `COSTS`."""
    rows = []
    for run, shape in zip(study.runs, study.programs, strict=True):
        spent, name = run.spent, ", ".join(filter(None, (study.name, shape)))
        if not spent.num_devices:
            rows.append([name, *["–"] * 5, str(run.config.tile_width), "–", "–"])
            continue
        rates = [f"{number / max(spent.run_seconds, 1e-9):,.0f}" for number in (spent.updates, spent.env_steps)]
        seconds = [f"{spent.compile_seconds:,.1f}", f"{spent.run_seconds:,.1f}"]
        places = [str(spent.num_devices), str(run.config.tile_width)]
        rows.append([name, *seconds, *rates, *places, f"{spent.utilisation:.0%}", f"{spent.evaluating:.1%}"])
    return rows
