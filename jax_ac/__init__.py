"""jax_ac: actor-critic agents as pure functions, hundreds of seeds and settings in one compiled program.

The names below are loaded at first use, so that ``jax-ac --help`` need not wait for JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

from jax_ac.errors import unknown_name

if TYPE_CHECKING:
    from jax_ac.agent import Agent as Agent
    from jax_ac.algorithms import actor_critic as actor_critic
    from jax_ac.brax_envs import from_brax as from_brax
    from jax_ac.clusters import RayCluster as RayCluster
    from jax_ac.devices import use_all_cores as use_all_cores
    from jax_ac.envs import make_env as make_env
    from jax_ac.hyperparams import A2CHyperparams as A2CHyperparams
    from jax_ac.hyperparams import KerasHyperparams as KerasHyperparams
    from jax_ac.hyperparams import OneStepHyperparams as OneStepHyperparams
    from jax_ac.hyperparams import PPOHyperparams as PPOHyperparams
    from jax_ac.hyperparams import ReinforceHyperparams as ReinforceHyperparams
    from jax_ac.presets import a2c as a2c
    from jax_ac.presets import keras_actor_critic as keras_actor_critic
    from jax_ac.presets import one_step as one_step
    from jax_ac.presets import ppo as ppo
    from jax_ac.presets import reinforce as reinforce
    from jax_ac.rendering import animate as animate
    from jax_ac.results import Result as Result
    from jax_ac.runs import resume as resume
    from jax_ac.runs import run as run
    from jax_ac.settings import choice as choice
    from jax_ac.settings import grid as grid
    from jax_ac.settings import log_uniform as log_uniform
    from jax_ac.settings import random as random
    from jax_ac.settings import uniform as uniform
    from jax_ac.settings import zip_settings as zip_settings
    from jax_ac.training import train as train
    from jax_ac.training import train_many as train_many
    from jax_ac.tuning import tuned as tuned
    from jax_ac.types import Box as Box
    from jax_ac.types import Discrete as Discrete
    from jax_ac.types import Functions as Functions

__version__ = "0.1.0"

_HOMES = {
    "A2CHyperparams": "hyperparams",
    "Agent": "agent",
    "Box": "types",
    "Discrete": "types",
    "Functions": "types",
    "KerasHyperparams": "hyperparams",
    "OneStepHyperparams": "hyperparams",
    "PPOHyperparams": "hyperparams",
    "ReinforceHyperparams": "hyperparams",
    "RayCluster": "clusters",
    "Result": "results",
    "a2c": "presets",
    "actor_critic": "algorithms",
    "animate": "rendering",
    "choice": "settings",
    "from_brax": "brax_envs",
    "grid": "settings",
    "keras_actor_critic": "presets",
    "log_uniform": "settings",
    "make_env": "envs",
    "one_step": "presets",
    "ppo": "presets",
    "random": "settings",
    "reinforce": "presets",
    "resume": "runs",
    "run": "runs",
    "train": "training",
    "train_many": "training",
    "tuned": "tuning",
    "uniform": "settings",
    "use_all_cores": "devices",
    "zip_settings": "settings",
}

__all__ = [
    "A2CHyperparams",
    "Agent",
    "Box",
    "Discrete",
    "Functions",
    "KerasHyperparams",
    "OneStepHyperparams",
    "PPOHyperparams",
    "RayCluster",
    "ReinforceHyperparams",
    "Result",
    "a2c",
    "actor_critic",
    "animate",
    "choice",
    "from_brax",
    "grid",
    "keras_actor_critic",
    "log_uniform",
    "make_env",
    "one_step",
    "ppo",
    "random",
    "reinforce",
    "resume",
    "run",
    "train",
    "train_many",
    "tuned",
    "uniform",
    "use_all_cores",
    "zip_settings",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(unknown_name("name in jax_ac", name, _HOMES))
    return getattr(importlib.import_module(f"jax_ac.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
