"""Tuned settings: presets as they are best used on particular environments, each found on some seeds and judged on others.

`experiments/learning.py` trains all of them; `experiments/results/learning.csv` says what came out.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jax_ac.errors import unknown_name
from jax_ac.hyperparams import A2CHyperparams, PPOHyperparams


class Setting(NamedTuple):
    """How a preset is built for an environment.

    Attributes:
      shapes: the preset's arguments that fix shapes, such as `num_envs`.
      hyperparams: its numbers.
      transforms: names of functions of `transforms`, with their arguments, applied in order.
    """

    shapes: Mapping[str, int]
    hyperparams: Any
    transforms: tuple[tuple[str, Mapping[str, Any]], ...] = ()


TUNED = {
    ("ppo", "CartPole-v1"): Setting(
        {"num_envs": 4, "num_steps": 128, "num_epochs": 4, "num_minibatches": 4},
        PPOHyperparams(),
    ),
    ("a2c", "CartPole-v1"): Setting({"num_envs": 8, "num_steps": 16}, A2CHyperparams(learning_rate=1e-3)),
}
"""By preset and environment."""


def tuned(preset: str, env: str, *, total_steps: int | None = None) -> Any:
    """The preset on the environment with its tuned settings.

    Args:
      preset: ``"ppo"`` or ``"a2c"``.
      env: the environment's id.
      total_steps: the budget over which the learning rate is annealed; constant where None.

    Returns:
      The `Algorithm`.

    Raises:
      ValueError: if there are no tuned settings for the pair (the sentence names the nearest), or `total_steps` does not
        divide.
    """
    from jax_ac import presets, transforms
    from jax_ac.envs import make_env

    if (preset, env) not in TUNED:
        raise ValueError(unknown_name("tuned pair", f"{preset} {env}", [" ".join(pair) for pair in TUNED]))
    setting = TUNED[preset, env]
    made = make_env(env)
    for name, arguments in setting.transforms:
        made = getattr(transforms, name)(made, **arguments)
    build: Callable = getattr(presets, preset)
    return build(made, **setting.shapes, hyperparams=setting.hyperparams, total_steps=total_steps)
