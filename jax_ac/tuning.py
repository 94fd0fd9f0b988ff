"""Tuned settings: each preset as it is best used on particular environments, found on some seeds and judged on others.

`experiments/learning.py` trains them; `experiments/results/learning.csv` says what came out. Looking one up needs no JAX.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from jax_ac.checks import check_positive
from jax_ac.errors import unknown_name
from jax_ac.hyperparams import A2CHyperparams, KerasHyperparams, OneStepHyperparams, PPOHyperparams, ReinforceHyperparams


class Setting(NamedTuple):
    """How a preset is built for an environment.

    Attributes:
      shapes: the preset's arguments that fix shapes, such as `num_envs`.
      hyperparams: its numbers.
      transforms: names of functions of `transforms` with their arguments, in the order in which they are applied.
    """

    shapes: Mapping[str, int]
    hyperparams: Any
    transforms: tuple[tuple[str, Mapping[str, Any]], ...] = ()


DEFAULTS = {
    "keras": Setting({}, KerasHyperparams()),
    "reinforce": Setting({"num_episodes": 8}, ReinforceHyperparams()),
    "one_step": Setting({"num_envs": 16}, OneStepHyperparams()),
    "a2c": Setting({"num_envs": 8, "num_steps": 16}, A2CHyperparams()),
    "ppo": Setting({"num_envs": 4, "num_steps": 128, "num_epochs": 4, "num_minibatches": 4}, PPOHyperparams()),
}
"""The presets' own defaults, which solve CartPole-v1 (the Keras example's: CartPole-v0)."""

TUNED: dict[tuple[str, str], Setting] = {
    ("a2c", "Acrobot-v1"): Setting(
        {"num_envs": 8, "num_steps": 16},
        A2CHyperparams(ent_coef=0.01),
        (("normalize_observations", {}),),
    ),
    ("ppo", "Breakout-MinAtar"): Setting(
        {"num_envs": 64, "num_steps": 128, "num_epochs": 4, "num_minibatches": 8},
        PPOHyperparams(learning_rate=1e-3),
    ),
    ("ppo", "MountainCarContinuous-v0"): Setting(
        {"num_envs": 8, "num_steps": 128, "num_epochs": 10, "num_minibatches": 8},
        PPOHyperparams(learning_rate=1e-3, gamma=0.999, ent_coef=0.0),
        (("normalize_observations", {}),),
    ),
    ("ppo", "Pendulum-v1"): Setting(
        {"num_envs": 8, "num_steps": 128, "num_epochs": 10, "num_minibatches": 8},
        PPOHyperparams(learning_rate=5e-4, gamma=0.98, ent_coef=0.0),
        (("scale_rewards", {"scale": 0.1}), ("normalize_observations", {})),
    ),
}
"""By preset and environment, where the defaults are not the best known."""

ANNEALED = ("a2c", "ppo")
"""The presets whose learning rate falls to 0 over a budget of environment steps."""


def setting(preset: str, env: str) -> Setting:
    """The settings of a preset for the environment of this id: tuned ones where there are, else the defaults.

    Raises:
      ValueError: if the preset is not known (the sentence names the nearest that is).
    """
    if preset not in DEFAULTS:
        raise ValueError(unknown_name("algorithm", preset, DEFAULTS))
    return TUNED.get((preset, env), DEFAULTS[preset])


def change(chosen: Setting, preset: str, numbers: Mapping[str, float], shapes: Mapping[str, int]) -> Setting:
    """`chosen` with some numbers and shapes replaced.

    Raises:
      ValueError: if the preset has no such number or shape, or a shape is below 1.
    """
    for name in numbers:
        if name not in chosen.hyperparams._fields:
            raise ValueError(unknown_name(f"hyperparameter of {preset}", name, chosen.hyperparams._fields))
    for name, value in shapes.items():
        if name not in chosen.shapes:
            raise ValueError(f"{preset} has no {name}; it has {', '.join(chosen.shapes) or 'no argument of this kind'}.")
        check_positive(name, value)
    return chosen._replace(shapes={**chosen.shapes, **shapes}, hyperparams=chosen.hyperparams._replace(**numbers))


def transformed(env: Any, chosen: Setting) -> Any:
    """The environment with the setting's transformers applied."""
    from jax_ac import transforms

    for name, arguments in chosen.transforms:
        env = getattr(transforms, name)(env, **arguments)
    return env


def build(preset: str, env: Any, chosen: Setting, **arguments: Any) -> Any:
    """The `Algorithm` of a preset on an environment from `make_env`, with a setting and further arguments of the preset."""
    from jax_ac import presets

    makers = {
        "keras": presets.keras_actor_critic,
        "reinforce": presets.reinforce,
        "one_step": presets.one_step,
        "a2c": presets.a2c,
        "ppo": presets.ppo,
    }
    return makers[preset](transformed(env, chosen), **chosen.shapes, hyperparams=chosen.hyperparams, **arguments)


def tuned(preset: str, env: str, *, total_steps: int | None = None) -> Any:
    """The preset on the environment of this id, with its tuned settings where there are some, else with its defaults.

    Args:
      preset: ``"keras"``, ``"reinforce"``, ``"one_step"``, ``"a2c"`` or ``"ppo"``.
      env: the environment's id.
      total_steps: for ``"a2c"`` and ``"ppo"`` the budget over which the learning rate is annealed; constant where None.

    Returns:
      The `Algorithm`.

    Raises:
      TypeError: if `env` is not an id.
      ValueError: if a name is not known, or `total_steps` does not divide or is not for this preset.
    """
    from jax_ac.envs import make_env

    if not isinstance(env, str):
        raise TypeError(f"env must be an environment's id, such as 'CartPole-v1', got {type(env).__name__}.")
    chosen = setting(preset, env)
    if total_steps is not None and preset not in ANNEALED:
        raise ValueError(
            f"total_steps is for {' and '.join(ANNEALED)}, whose learning rate is annealed over it, not {preset}."
        )
    budget = {} if total_steps is None else {"total_steps": total_steps}
    return build(preset, make_env(env), chosen, **budget)
