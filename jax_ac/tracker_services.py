"""Trackers that feed TensorBoard, Weights & Biases and MLflow: what they are told is `rows`, a function of `trackers`.

The x axis is the update. NaN is left out. A run that is resumed from a checkpoint makes new tracked runs, and may tell some
updates again, with equal numbers.

The packages come with ``pip install 'jax_ac[trackers]'``. Two of them tell their makers of errors and usage, however local
the tracker, unless the environment holds ``WANDB_ERROR_REPORTING=false`` and ``MLFLOW_DISABLE_TELEMETRY=true``.
"""

import functools
import json
import re
import socket
import struct
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jax_ac.errors import unknown_name
from jax_ac.tracked_runs import Service, TrackedRuns, by_update, load
from jax_ac.trackers import Curve, Rows, Tracker, aggregated

WANDB_MODES = ("online", "offline", "disabled")
MLFLOW_METRICS, MLFLOW_PARAMS = 1000, 100
"""The most that one call takes."""


def tensorboard(folder: str | Path, *, rows: Rows = aggregated) -> Tracker:
    """TensorBoard: an event file in `folder`, and in its sub-folder ``<run>`` for each tracked run that has a name.

    The files are open only while they are written to: any number of lanes is fine. Numbers are rounded to float32 there.

    Raises:
      ImportError: if tensorboardX is not installed.
    """
    protos = load("tensorboard", "tensorboardX.proto.event_pb2"), load("tensorboard", "tensorboardX.proto.summary_pb2")
    text = load("tensorboard", "tensorboardX.summary").text
    append = functools.partial(_append, load("tensorboard", "tensorboardX.record_writer").masked_crc32c)
    file_name = f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}.{uuid.uuid4().hex}"

    def open_run(name: str, config: dict[str, Any]) -> Path:
        path = Path(folder, name, file_name)
        path.parent.mkdir(parents=True, exist_ok=True)
        described = text("config", f"```json\n{json.dumps(config, indent=2)}\n```")
        append(path, [protos[0].Event(file_version="brain.Event:2"), protos[0].Event(summary=described)])
        return path

    def write(path: Path, curve: Curve) -> None:
        append(path, [_event(*protos, update, numbers) for update, numbers in by_update(curve)])

    return TrackedRuns(rows, Service(open_run, write, lambda path: None))


def wandb(project: str, *, mode: str | None = None, folder: str | Path | None = None, rows: Rows = aggregated) -> Tracker:
    """Weights & Biases: the tracked runs of one training are a group there.

    They stay open until the end, a file each, and take 0.1 s to open: `per_lane` is for tens of lanes, not for thousands.

    Args:
      project: its name there.
      mode: ``"online"``, ``"offline"`` (files that ``wandb sync`` sends later) or ``"disabled"``; where None what the
        environment says, else online.
      folder: where its files go; where None what the environment says, else ``wandb`` in the working folder.
      rows: what it is told.

    Raises:
      ImportError: if wandb is not installed.
      ValueError: if `mode` is not known.
    """
    if mode is not None and mode not in WANDB_MODES:
        raise ValueError(unknown_name("mode of wandb", mode, WANDB_MODES))
    package = load("wandb", "wandb")
    group = _new_group()
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)

    def open_run(name: str, config: dict[str, Any]) -> Any:
        run = package.init(
            project=project,
            mode=mode,
            dir=folder,
            name=name or None,
            group=group,
            config=config,
            reinit="create_new",  # a run that the caller has open stays as it is
            settings=package.Settings(console="off"),
        )
        run.define_metric("*", step_metric="update")
        return run

    def write(run: Any, curve: Curve) -> None:
        for update, numbers in by_update(curve):
            run.log({"update": update, **numbers})

    return TrackedRuns(rows, Service(open_run, write, lambda run: run.finish()))


def mlflow(uri: str, *, experiment: str = "jax_ac", rows: Rows = aggregated) -> Tracker:
    """MLflow: the tracked runs of one training share the tag ``group``; their description becomes parameters.

    A database in a file takes seconds to make and some 5,000 numbers per second, while training waits. MLflow also makes a
    folder ``mlruns`` in the working folder then, which stays empty.

    Args:
      uri: of the store: a database such as ``"sqlite:///mlflow.db"``, or a server. A folder, ``"file:<path>"``, works where
        the environment holds ``MLFLOW_ALLOW_FILE_STORE=true``.
      experiment: its name there; made if there is none.
      rows: what it is told.

    Raises:
      ImportError: if mlflow is not installed, or what it needs for a database.
      mlflow.MlflowException: if the store cannot be reached.
    """
    package, entities = load("mlflow", "mlflow"), load("mlflow", "mlflow.entities")
    for needed in ("sqlalchemy", "alembic") if uri.startswith("sqlite") else ():
        load("mlflow", needed)
    client = package.MlflowClient(tracking_uri=uri)
    known = client.get_experiment_by_name(experiment)
    experiment_id = known.experiment_id if known else client.create_experiment(experiment)
    group = _new_group()

    def open_run(name: str, config: dict[str, Any]) -> str:
        run_id = client.create_run(experiment_id, run_name=name or None, tags={"group": group}).info.run_id
        params = [entities.Param(key, value) for key, value in _params(config).items()]
        for start in range(0, len(params), MLFLOW_PARAMS):
            client.log_batch(run_id, params=params[start : start + MLFLOW_PARAMS])
        return run_id

    def write(run_id: str, curve: Curve) -> None:
        now = int(time.time() * 1000)
        points = ((update, *number) for update, numbers in by_update(curve) for number in numbers.items())
        metrics = [entities.Metric(name, value, now, update) for update, name, value in points]
        for start in range(0, len(metrics), MLFLOW_METRICS):
            client.log_batch(run_id, metrics=metrics[start : start + MLFLOW_METRICS])

    return TrackedRuns(rows, Service(open_run, write, client.set_terminated))


def _new_group() -> str:
    return f"jax_ac-{uuid.uuid4().hex[:8]}"


def _event(events: Any, summaries: Any, update: int, numbers: dict[str, float]) -> Any:
    values = [summaries.Summary.Value(tag=name, simple_value=number) for name, number in numbers.items()]
    return events.Event(step=update, summary=summaries.Summary(value=values))


def _append(checksum: Callable[[bytes], int], path: Path, events: list[Any]) -> None:
    """Appends events as TFRecords: length, its checksum, the event, its checksum."""
    now = time.time()
    with path.open("ab") as file:
        for event in events:
            event.wall_time = now
            data = event.SerializeToString()
            length = struct.pack("<Q", len(data))
            file.write(length + struct.pack("<I", checksum(length)) + data + struct.pack("<I", checksum(data)))


def _params(config: Mapping[str, Any]) -> dict[str, str]:
    """Nested names joined by dots, in the characters that MLflow allows; one that is taken gets underscores behind it."""
    params: dict[str, str] = {}
    for name, value in _flat(config):
        while name in params:
            name += "_"
        params[name] = str(value)
    return params


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        name = prefix + (re.sub(r"[^\w\- ]", "_", name) or "_")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        else:
            yield name[:200], value
