"""Results: what a run came to: labelled curves, and the trained agents."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np

from jax_ac import dataset, remote, restoring, retraining, run_folder, solving, spending, stats
from jax_ac.agent import Agent
from jax_ac.checks import check_positive, check_whole
from jax_ac.errors import unknown_name
from jax_ac.lanes import Lanes
from jax_ac.marks import Marks, episodes_to_solve
from jax_ac.protocols import Algorithm
from jax_ac.run_folder import Config, Records
from jax_ac.schedule import Schedule
from jax_ac.spending import Spent
from jax_ac.tiles import make_tiles
from jax_ac.types import Metrics, TrainState

if TYPE_CHECKING:
    import xarray as xr


class Result(NamedTuple):
    """A run, finished or stopped on the way.

    Attributes:
      algorithm: that trained.
      config: what was trained, as ``run.json`` says it.
      lanes: seeds and hyperparameters, L lanes.
      marks: where each lane stands, leaves ``[L]``.
      metrics: leaves ``[L, max_updates]``; updates not done are NaN, counts 0.
      states: each lane's whole state, leaves ``[L, ...]``, on the host; as it was last kept where the lane is not done.
      spent: what it cost: of `resume` what it did itself, of `load` what all did.
      interrupted: whether the user stopped it.
      folder: where it is on disk, or None; what stands here for a URL, which goes with the process (`remote`).
    """

    algorithm: Algorithm
    config: Config
    lanes: Lanes
    marks: Marks
    metrics: Metrics
    states: TrainState
    spent: Spent = Spent()
    interrupted: bool = False
    folder: Path | None = None

    @property
    def data(self) -> "xr.Dataset":
        """All curves and marks as an xarray.Dataset, dims (setting,) seed, update; what was not done is NaN (`dataset`)."""
        attributes = {
            "title": f"{self.config.env}: {len(self.lanes.seed)} lanes",
            "source": f"jax_ac {self.config.made['packages']['jax_ac']}",
            "recipe": self.config.recipe or "",
            "solved_at": np.nan if self.config.solved_at is None else self.config.solved_at,
        }
        return dataset.label(self.lanes, self.marks, self.metrics, attributes)

    def agent(self, seed: int = 0, setting: int | None = None, update: int | None = None) -> Agent:
        """The agent of a lane, as the run left it, or as it was on its way.

        Args:
          seed: the seed itself, not its place in the list.
          setting: the index of the setting, where there are several.
          update: after so many updates, 0 being untrained. The lane is trained again up to there, which takes as long as
            one tile took to get there, and gives the same bits (`retraining`).

        Raises:
          ValueError: if there is no such lane, it has not begun, or has not done so many updates.
          TypeError: if `update` is not a whole number.
        """
        lane = self.lane(seed, setting)
        done = int(self.states.num_updates[lane])
        if update is None or check_whole("update", update) == done > 0:
            return self._agent_of(lane)
        if update > done:
            raise ValueError(f"update must be in [0, {done}], which the lane of seed {seed} has done, got {update}.")
        hyperparams = jax.tree.map(lambda column: column[lane], self.lanes.hyperparams)
        width, per_call = self.config.tile_width, self.config.segment_updates
        state = retraining.state_after(self.algorithm, seed, hyperparams, update, width=width, per_call=per_call)
        return Agent(self.algorithm, state.params, state.moments, hyperparams, int(seed))

    def best(self, metric: str = "running_return") -> Agent:
        """The agent of the lane whose last value of a metric is highest. It flatters: the luckiest of many is chosen.

        Raises:
          ValueError: if there is no such metric, or no lane has a value of it.
        """
        if metric not in self.metrics._fields:
            raise ValueError(unknown_name("metric", metric, self.metrics._fields))
        values = np.where(np.arange(len(self.metrics.running_return[0])) < self.marks.num_updates[:, None],
                          getattr(self.metrics, metric), np.nan)  # fmt: skip
        last = np.nan_to_num(stats.last_known(values.astype(float)), nan=-np.inf)
        last[self.marks.diverged_update >= 0] = -np.inf
        if not np.isfinite(last).any():
            raise ValueError(f"no lane has a value of {metric}.")
        return self._agent_of(int(np.argmax(last)))

    def evaluate(self, num_episodes: int = 100, *, greedy: bool = False, seed: int = 0) -> "xr.Dataset":
        """Every lane's agent on the same episodes: `episode_return`, `episode_length`, dims (setting,) seed, episode.

        A lane that has not begun has no agent: NaN.

        Args:
          num_episodes: per lane.
          greedy: whether agents take their most probable action instead of drawing one.
          seed: of the evaluation's own randomness, the same for all agents; it is apart from that of training.
        """
        import xarray as xr

        from jax_ac.evaluation import evaluate_lanes, evaluation_key

        num_episodes = check_positive("num_episodes", num_episodes)
        states = (self.states.params, self.states.moments)
        played = evaluate_lanes(self.algorithm, states, self.lanes.hyperparams, evaluation_key(seed), num_episodes, greedy)
        dims = (*("setting", "seed")[-len(self.lanes.shape) :], "episode")
        described = {"episode_return": ("undiscounted return", "reward"), "episode_length": ("length", "steps")}
        begun = self.states.num_updates[:, None] > 0
        variables = {}
        for name, (what, units) in described.items():
            values = np.where(begun, getattr(played, name), np.float32(np.nan)).reshape(*self.lanes.shape, num_episodes)
            variables[name] = (dims, values, {"long_name": f"{what} of an evaluation episode", "units": units})
        seeds = self.lanes.seeds.astype(np.int64)
        return xr.Dataset(variables, {"seed": seeds}, {"actions": "most probable" if greedy else "drawn"})

    @property
    def episodes_to_solve(self) -> tuple[np.ndarray, np.ndarray]:
        """Per lane, ``[L]``: the episodes it needed, or had when it was last seen, and whether it was solved (`solving`).

        A lane that diverged will not be solved: it counts as seen for as long as the one that was seen longest.
        """
        return episodes_to_solve(self.marks)

    @property
    def has_intervals(self) -> bool:
        """Whether the lanes are seeds of one setting, all trained as far as they were to be: a sample of such seeds."""
        return len(self.lanes.shape) == 1 and bool(restoring.ends_of(self.config).reached(self.marks).all())

    def summary(self) -> str:
        """In words: what was trained, how many lanes were solved and after how much, and what diverged.

        With one setting 95 % confidence intervals stand in brackets (`intervals.wilson`, `solving.median_time`).
        """
        marks, config = self.marks, self.config
        lines = [f"{config.env}: {len(marks.frozen):,} lanes, {marks.num_updates.sum(dtype=np.int64):,} updates."]
        if config.solved_at is not None:
            threshold = f"(running return above {config.solved_at:g})"
            lines.append(solving.verdict(*self.episodes_to_solve, threshold, intervals=self.has_intervals))
        known = marks.running_return[~np.isnan(marks.running_return)]
        if len(known):
            quartiles = np.quantile(known, [0.25, 0.5, 0.75])
            lines.append("Running return at the end: median {1:,.1f}, quartiles {0:,.1f} to {2:,.1f}.".format(*quartiles))
        lines += self.quarantined()
        return "\n".join(lines)

    def quarantined(self) -> list[str]:
        """A line for each lane that diverged: its seed, its setting, and when."""
        setting, seed = self.lanes.setting, self.lanes.seed
        where = np.flatnonzero(self.marks.diverged_update >= 0)
        return [
            f"Diverged at update {self.marks.diverged_update[lane]:,}: seed {seed[lane]}, setting {setting[lane]}."
            for lane in where
        ]

    def save(self, path: str | Path) -> Path:
        """Writes a run folder, here or at a URL, from which `load` and `resume` go on. Returns its path.

        Raises:
          ValueError: if there is something already, or it cannot be written to.
        """
        with remote.told():
            return self._save(remote.at(path))

    def _save(self, path: Path) -> Path:
        width, per_segment = self.config.tile_width, self.config.segment_updates
        fingerprint = make_tiles(self.algorithm, 1, per_segment, width=width).fingerprint()
        run_folder.create(path, self.config._replace(algorithm=fingerprint))
        begun = np.flatnonzero((self.states.num_updates > 0) | self.states.frozen)
        whole = Records(self.lanes.setting, self.lanes.seed, self.states, self.metrics)
        run_folder.save(path, jax.tree.map(lambda leaf: leaf[begun], whole) if len(begun) else None, None)
        spending.write(path, [self.spent] if self.spent.num_devices else [])
        dataset.write(self.data, path / run_folder.RESULTS)
        return remote.push(path, all_files=True)

    @staticmethod
    def load(path: str | Path, algorithm: Algorithm | None = None) -> "Result":
        """What a run left in its folder, finished or not.

        Args:
          path: the run folder, or its URL.
          algorithm: the one that trained, where it cannot be made from ``run.json``: where parts of it are the user's own.

        Raises:
          ValueError: if the folder is not that of a run, is damaged, or is of another algorithm.
        """
        with remote.told():
            return Result._loaded(remote.fetched(path), algorithm)

    @staticmethod
    def _loaded(path: Path, algorithm: Algorithm | None) -> "Result":
        config = run_folder.read_config(path)
        algorithm = restoring.algorithm_of(path, config, algorithm)
        lanes = restoring.lanes_of(path, config, algorithm)
        like = restoring.shapes_of(algorithm, config)
        schedule = Schedule(lanes, (1, 1), restoring.ends_of(config), like)
        restoring.restore(schedule, restoring.records_of(path, like))
        spent = spending.total(spending.read(path))
        return Result(algorithm, config, lanes, schedule.marks, schedule.metrics, schedule.states, spent, folder=path)

    def lane(self, seed: int, setting: int | None = None) -> int:
        """The place of a lane among all; seed and setting as in `agent`. Raises ValueError if there is no such lane."""
        seeds = self.lanes.seeds.tolist()
        if seed not in seeds:
            shown = f"{seeds[0]} ... {seeds[-1]}" if len(seeds) > 8 else ", ".join(map(str, seeds))
            raise ValueError(f"there is no seed {seed!r} in this run; it has {shown}.")
        num_settings = len(self.lanes.seed) // len(seeds)
        if setting is None and num_settings > 1:
            raise ValueError(f"the run has {num_settings} settings: say which, from 0.")
        if not 0 <= (setting or 0) < num_settings:
            raise ValueError(f"setting must be in [0, {num_settings - 1}], got {setting}.")
        return (setting or 0) * len(seeds) + seeds.index(seed)

    def _agent_of(self, lane: int) -> Agent:
        if self.states.num_updates[lane] == 0:
            raise ValueError(f"the lane of seed {self.lanes.seed[lane]} has not been trained.")
        params, moments, hyperparams = jax.tree.map(
            lambda leaf: leaf[lane], (self.states.params, self.states.moments, self.lanes.hyperparams)
        )
        return Agent(self.algorithm, params, moments, hyperparams, int(self.lanes.seed[lane]))
