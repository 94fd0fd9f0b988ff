"""jax_ac: actor-critic agents as pure functions, hundreds of seeds and settings in one compiled program.

The names below are loaded at first use, so that ``jax-ac --help`` need not wait for JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

from jax_ac.errors import unknown_name

if TYPE_CHECKING:
    from jax_ac.algorithms import actor_critic as actor_critic
    from jax_ac.algorithms import keras_actor_critic as keras_actor_critic
    from jax_ac.devices import use_all_cores as use_all_cores
    from jax_ac.envs import make_env as make_env
    from jax_ac.hyperparams import KerasHyperparams as KerasHyperparams
    from jax_ac.lanes import grid as grid
    from jax_ac.training import train as train
    from jax_ac.training import train_many as train_many

__version__ = "0.1.0"

_HOMES = {
    "KerasHyperparams": "hyperparams",
    "actor_critic": "algorithms",
    "grid": "lanes",
    "keras_actor_critic": "algorithms",
    "make_env": "envs",
    "train": "training",
    "train_many": "training",
    "use_all_cores": "devices",
}

__all__ = [
    "KerasHyperparams",
    "actor_critic",
    "grid",
    "keras_actor_critic",
    "make_env",
    "train",
    "train_many",
    "use_all_cores",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(unknown_name("name in jax_ac", name, _HOMES))
    return getattr(importlib.import_module(f"jax_ac.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
