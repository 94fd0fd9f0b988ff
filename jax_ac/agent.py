"""Agents: what training leaves, to act, to be evaluated, kept in a file and taken elsewhere."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jax_ac
from jax_ac import agent_file, recipes
from jax_ac.checks import check_hyperparams
from jax_ac.evaluation import Evaluation, check_limits, choose, env_and_policy, evaluate
from jax_ac.exporting import NumpyPolicy, batch_shape, numpy_policy, stablehlo
from jax_ac.hyperparams import or_defaults
from jax_ac.policies import repeat_memory
from jax_ac.protocols import Algorithm, Policy, check_algorithm
from jax_ac.rendering import animate
from jax_ac.types import Box, Env, PyTree

_evaluate = jax.jit(evaluate, static_argnames=("algorithm", "num_episodes", "greedy", "max_steps"))


class Agent(NamedTuple):
    """A trained agent.

    Attributes:
      algorithm: that trained it.
      params, moments: of one lane's `TrainState`.
      hyperparams: the scalars of its setting.
      seed: of its lane.
    """

    algorithm: Algorithm
    params: PyTree
    moments: PyTree
    hyperparams: Any
    seed: int

    def act(self, key: jax.Array, obs: Any, *, memory: PyTree = None, greedy: bool = False) -> Any:
        """What it does on seeing `obs`; pure, and quick under `jit`.

        Args:
          key: of the sample; unused where greedy.
          obs: one observation or a batch, ``[..., *observation shape]``, as the environment gives them.
          memory: for a network with a memory, from `begin` or from the step before, leaves ``[..., M]``.
          greedy: whether it takes the mode of its distribution, instead of a sample.

        Returns:
          The action ``[...]``, or ``[..., *action shape]`` clipped to the action space; for a network with a memory
          ``(action, next memory)``.

        Raises:
          ValueError: if `obs` or `memory` is not of that shape.
          TypeError: if a network with a memory gets none, or another gets one.
        """
        env, policy = self._parts()
        obs = jnp.asarray(obs)
        batch = batch_shape(obs.shape, env.observation_space)
        _check_memory(policy, memory, batch)
        before = () if memory is None else memory
        distribution, _, after = policy.act(obs, before, jnp.zeros(batch, bool))
        action = choose(greedy, distribution, key)
        if isinstance(env.action_space, Box):
            space = env.action_space
            action = action.reshape(*batch, *space.shape)
            bounds = (jnp.broadcast_to(jnp.asarray(bound, action.dtype), action.shape) for bound in space[1:])
            action = jnp.clip(action, *bounds)
        return action if memory is None else (action, after)

    def begin(self, num: int | None = None) -> PyTree:
        """The memory at an episode's start, or that of N episodes, leaves ``[N, ...]``; TypeError if it has none."""
        policy = self._parts()[1]
        if not _has_memory(policy):
            raise TypeError("the network of this agent has no memory to begin; call act(key, obs).")
        return policy.initial_memory if num is None else repeat_memory(policy, num)

    def evaluate(
        self, key: jax.Array, num_episodes: int = 100, *, greedy: bool = False, max_steps: int | None = None
    ) -> Evaluation:
        """Plays N whole episodes in its environment, in one compiled program; see `evaluation.evaluate`."""
        check_algorithm(self.algorithm)
        limits = check_limits(self.algorithm, num_episodes, max_steps)
        return _evaluate(self.algorithm, self.params, self.moments, self.hyperparams, key, limits[0], greedy, limits[1])

    def render(self, path: str | Path, **options: Any) -> Path:
        """Plays an episode in its environment and writes it as a GIF or MP4. Returns the path.

        Args:
          path: ends in .gif or .mp4; what is there is replaced.
          options: of `rendering.animate`, such as ``greedy=True``; it raises what that does.
        """
        return animate({f"seed {self.seed}": self}, path, **options)

    def save(self, path: str | Path) -> None:
        """Writes it to one file, whole or not at all; see `agent_file` for the format.

        Raises:
          ValueError: if its parts do not fit each other, or the file cannot be written.
          TypeError: if its hyperparameters are not the algorithm's, or not scalars.
        """
        check_algorithm(self.algorithm)
        hyperparams = check_hyperparams(or_defaults(self.hyperparams, self.algorithm.hyperparams))
        arrays = agent_file.named(jax.tree.map(np.asarray, {"params": self.params, "moments": self.moments}))
        agent_file.fit(arrays, _like(self.algorithm), "the agent")
        texts = {
            "jax_ac": jax_ac.__version__,
            "jax": jax.__version__,
            "seed": str(int(self.seed)),
            "hyperparams": json.dumps(hyperparams._asdict()),
        }
        if self.algorithm.recipe is not None:
            texts["recipe"] = self.algorithm.recipe
        agent_file.write(Path(path), texts, arrays)

    @staticmethod
    def load(path: str | Path, algorithm: Algorithm | None = None) -> "Agent":
        """The agent that `save` wrote; its hyperparameters are floats.

        Args:
          path: the file.
          algorithm: that trained it; made again from its recipe where None.

        Raises:
          ValueError: if the file cannot be read, is not an agent's, is of another schema or damaged, holds no recipe that
            this version can follow where `algorithm` is None, or does not fit the algorithm.
          TypeError: if `algorithm` is not one.
        """
        texts, arrays = agent_file.read(Path(path))
        if algorithm is None:
            algorithm = _remake(path, texts.get("recipe"))
        check_algorithm(algorithm)
        parts = jax.tree.map(jnp.asarray, agent_file.fit(arrays, _like(algorithm), str(path)))
        numbers, fields = json.loads(texts["hyperparams"]), algorithm.hyperparams._fields
        if set(numbers) != set(fields):
            given, wanted = ", ".join(numbers), ", ".join(fields)
            raise ValueError(f"{path} does not fit the algorithm: its hyperparameters are {given}, not {wanted}.")
        hyperparams = type(algorithm.hyperparams)(**numbers)
        return Agent(algorithm, parts["params"], parts["moments"], hyperparams, int(texts["seed"]))

    def to_numpy(self) -> NumpyPolicy:
        """Its policy and value as a function in NumPy, ``(obs [..., *shape]) -> (parameters, value [...])``.

        The parameters of the distribution are ``{"logits"}`` for discrete actions, ``{"mean", "log_std"}`` for real ones,
        ``[..., A]`` each. A call needs no JAX.

        Raises:
          TypeError: unless the network is a `SharedActorCritic` or a `SeparateActorCritic`.
          ValueError: unless its activation is relu or tanh.
        """
        return numpy_policy(self.algorithm, self.params, self.moments)

    def export(self, path: str | Path | None = None) -> bytes:
        """Its policy and value as StableHLO, also written to `path` if one is given. Any JAX calls it, with no other code:

        >>> policy = jax.export.deserialize(pathlib.Path("agent.stablehlo").read_bytes())  # doctest: +SKIP
        >>> parameters, value = policy.call(obs)  # doctest: +SKIP

        `obs` is ``[b, *shape]`` for any b, of the type that the environment gives. A network with a memory takes and returns
        it, ``parameters, value, memory = policy.call(obs, memory)``, from that of ``begin(b)``. The programs are for CPU,
        CUDA and TPU; see `exporting.stablehlo`.

        Raises:
          ImportError: if the package flatbuffers is missing, which `jax.export` needs.
          ValueError: if the file cannot be written.
        """
        artifact = stablehlo(*self._parts())
        if path is not None:
            agent_file.write_bytes(Path(path), artifact)
        return artifact

    def _parts(self) -> tuple[Env, Policy]:
        check_algorithm(self.algorithm)
        return env_and_policy(self.algorithm, self.params, self.moments, self.hyperparams)


def _has_memory(policy: Policy) -> bool:
    return bool(jax.tree.leaves(policy.initial_memory))


def _check_memory(policy: Policy, memory: PyTree, batch: tuple[int, ...]) -> None:
    if not _has_memory(policy):
        if memory is not None:
            raise TypeError("the network of this agent has no memory; call act without one.")
        return
    if memory is None:
        raise TypeError("the network of this agent has a memory; give act that of begin, then what act returns.")
    expected, given = (
        jax.tree.map(lambda leaf: (*batch, *leaf.shape), policy.initial_memory),
        jax.tree.map(jnp.shape, memory),
    )
    if given != expected:
        raise ValueError(f"memory must have the shape {expected}, as obs has the batch axes {batch}, got {given}.")


def _like(algorithm: Algorithm) -> PyTree:
    """The shapes and types of an agent's arrays."""
    state = jax.eval_shape(algorithm.init, jax.eval_shape(lambda: jax.random.key(0)), algorithm.hyperparams)
    return {"params": state.params, "moments": state.moments}


def _remake(path: str | Path, recipe: str | None) -> Algorithm:
    if recipe is None:
        raise ValueError(f"{path} holds no recipe, as its algorithm had none; pass the algorithm that trained the agent.")
    try:
        return recipes.make(recipe)
    except recipes.NoRecipe as error:
        raise ValueError(
            f"{path} holds a recipe that cannot be followed; pass the algorithm that trained it: {error}"
        ) from None
