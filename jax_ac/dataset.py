"""Datasets: the results of a run with names on every axis, as xarray keeps them and netCDF stores them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jax_ac import files
from jax_ac.lanes import Lanes
from jax_ac.marks import Marks
from jax_ac.types import Metrics

if TYPE_CHECKING:
    import xarray as xr

METRICS = {
    "episode_return": ("mean undiscounted return of the episodes that ended in the update", "reward"),
    "episode_length": ("mean length of the episodes that ended in the update", "steps"),
    "num_episodes": ("episodes that ended in the update", "episodes"),
    "running_return": ("exponential moving average of episode returns", "reward"),
    "env_steps": ("environment steps taken in the update", "steps"),
    "policy_loss": ("the policy's part of the loss", "1"),
    "value_loss": ("the critic's part of the loss", "1"),
    "entropy": ("mean entropy of the policy", "nats"),
    "grad_norm": ("global norm of the gradient before clipping", "1"),
    "approx_kl": ("estimate of KL(behaviour policy, policy)", "nats"),
    "clip_fraction": ("fraction of probability ratios that were clipped", "1"),
    "greedy_return": ("mean undiscounted return of evaluation episodes, most probable actions", "reward"),
    "sampled_return": ("mean undiscounted return of evaluation episodes, drawn actions", "reward"),
}
MARKS = {
    "num_updates": ("updates done", "updates"),
    "num_episodes": ("episodes finished in all", "episodes"),
    "env_steps": ("environment steps taken in all", "steps"),
    "running_return": ("running return at the end", "reward"),
    "solved_update": ("update, from 0, at which the running return first exceeded the threshold; -1: never", "updates"),
    "solved_episode": ("episode, from 0, at which the running return first exceeded the threshold; -1: never", "episodes"),
    "solved_step": ("environment step, from 0, at which the running return first exceeded it; -1: never", "steps"),
    "diverged_update": ("update, from 0, whose loss, gradient or parameters were not finite; -1: never", "updates"),
    "frozen": ("whether the lane has stopped for good: solved, where that stops it, or diverged", "1"),
}
FINAL = {"num_episodes": "total_episodes", "env_steps": "total_env_steps", "running_return": "final_running_return"}
"""What the marks are called whose names are those of metrics."""


def label(lanes: Lanes, marks: Marks, metrics: Metrics, attributes: dict[str, Any]) -> "xr.Dataset":
    """The results with dimensions (setting,) seed, update; hyperparameters are coordinates.

    What a lane has not done is NaN, in the counts too, which are therefore floats.

    Args:
      lanes: L lanes in their order.
      marks: leaves ``[L]``.
      metrics: leaves ``[L, U]``.
      attributes: of the whole.
    """
    import xarray as xr

    dims = ("setting", "seed")[-len(lanes.shape) :]
    num_updates = next(iter(metrics)).shape[1]
    beyond = np.arange(num_updates) >= marks.num_updates[:, None]
    variables = {}
    for name, values in metrics._asdict().items():
        masked = values if np.issubdtype(values.dtype, np.floating) else values.astype(np.float32)
        if masked is not values or np.isfinite(values[beyond]).any():
            masked = np.where(beyond, np.float32(np.nan), masked)
        variables[name] = ((*dims, "update"), masked.reshape(*lanes.shape, num_updates), _described(METRICS, name))
    for name, values in marks._asdict().items():
        variables[FINAL.get(name, name)] = (dims, values.reshape(lanes.shape), _described(MARKS, name))
    coordinates: dict[str, Any] = {
        "seed": ("seed", lanes.seeds.astype(np.int64), {"long_name": "seed", "units": "1"}),
        "update": ("update", np.arange(num_updates), {"long_name": "update, counted from 0", "units": "updates"}),
    }
    for name, values in lanes.settings()._asdict().items():
        described = {"long_name": f"hyperparameter {name}", "units": "1"}
        coordinates[f"hyperparam_{name}" if name in {*variables, *dims, "update"} else name] = (dims[:-1], values, described)
    return xr.Dataset(variables, coordinates, attributes)


def write(dataset: "xr.Dataset", path: Path) -> None:
    """Writes netCDF 4, whole or not at all, compressed. Raises OSError if that fails."""
    encoding = {name: {"zlib": True, "complevel": 1, "shuffle": True} for name, variable in dataset.items() if variable.ndim}
    files.write_whole(
        path, lambda temporary: dataset.to_netcdf(temporary, engine="h5netcdf", encoding=encoding, format="NETCDF4")
    )


def _described(table: dict[str, tuple[str, str]], name: str) -> dict[str, str]:
    long_name, units = table.get(name, (name, "1"))
    return {"long_name": long_name, "units": units}
