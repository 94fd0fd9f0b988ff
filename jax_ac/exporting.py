"""Exporting: a policy as functions that need no jax_ac, one in NumPy and one in StableHLO."""

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from jax_ac.algorithms import Parts
from jax_ac.moments import Moments
from jax_ac.networks import SeparateActorCritic, SharedActorCritic
from jax_ac.protocols import Algorithm, Policy
from jax_ac.types import Box, Discrete, Env, PyTree

PLATFORMS = ("cpu", "cuda", "tpu")
ACTIVATIONS: dict[Callable, Callable] = {jax.nn.relu: lambda x: np.maximum(x, 0), jax.nn.tanh: np.tanh}
"""In NumPy, what they are in JAX."""

NumpyPolicy = Callable[[Any], tuple[dict[str, np.ndarray], np.ndarray]]
"""``(obs [..., *shape]) -> (the distribution's parameters by name [..., A], value [...])``."""


def batch_shape(shape: tuple[int, ...], space: Box | Discrete) -> tuple[int, ...]:
    """The batch axes of observations of this shape; ValueError if those that follow are not the space's."""
    expected = space.shape if isinstance(space, Box) else ()
    num_axes = len(shape) - len(expected)
    if num_axes < 0 or shape[num_axes:] != expected:
        raise ValueError(f"obs must have the shape {expected}, after any batch axes, got {shape}.")
    return shape[:num_axes]


def numpy_policy(algorithm: Algorithm, params: PyTree, moments: PyTree) -> NumpyPolicy:
    """The policy on raw observations, in NumPy alone, float32.

    Raises:
      TypeError: unless the network is a `SharedActorCritic` or a `SeparateActorCritic`.
      ValueError: unless its activation is relu or tanh.
    """
    network = _network(algorithm)
    if type(network) not in (SharedActorCritic, SeparateActorCritic):
        kind = "one that is hidden" if network is None else type(network).__name__
        raise TypeError(f"to_numpy takes SharedActorCritic and SeparateActorCritic, got {kind}; export takes any network.")
    activation = ACTIVATIONS.get(network.activation)
    if activation is None:
        name = getattr(network.activation, "__name__", repr(network.activation))
        raise ValueError(f"to_numpy takes the activations relu and tanh, got {name}; export takes any.")
    layers = jax.tree.map(partial(np.array, dtype=np.float32), jax.device_get(params))["params"]
    observed = jax.device_get(moments)
    shared, num_hidden = isinstance(network, SharedActorCritic), len(network.hidden_sizes)

    def policy(obs: Any) -> tuple[dict[str, np.ndarray], np.ndarray]:
        inputs = _features(obs, network.observation_space, observed)
        for_actor = _hidden(inputs, layers, activation, "" if shared else "actor_", num_hidden)
        for_critic = for_actor if shared else _hidden(inputs, layers, activation, "critic_", num_hidden)
        outputs, value = _dense(for_actor, layers["actor"]), _dense(for_critic, layers["critic"])[..., 0]
        if isinstance(network.action_space, Discrete):
            return {"logits": outputs}, value
        return {"mean": outputs, "log_std": np.broadcast_to(layers["log_std"]["log_std"], outputs.shape)}, value

    return policy


def stablehlo(env: Env, policy: Policy) -> bytes:
    """The policy on raw observations as a `jax.export` artifact, for any batch b ≥ 1 and the `PLATFORMS`.

    It is ``(obs [b, *shape]) -> (the distribution's parameters by name [b, A], value [b])``, or for a network with a memory
    ``(obs, memory [b, ...]) -> (parameters, value, next memory)``.

    Raises:
      ImportError: if the package flatbuffers is missing.
    """

    def remembering(obs: jax.Array, memory: PyTree) -> tuple[dict[str, jax.Array], jax.Array, PyTree]:
        distribution, value, memory = policy.act(obs, memory, jnp.zeros((), bool))
        fields: Any = distribution
        return fields._asdict(), value, memory

    def forgetting(obs: jax.Array) -> tuple[dict[str, jax.Array], jax.Array]:
        return remembering(obs, ())[:2]

    obs, _ = jax.eval_shape(env.reset, jax.eval_shape(lambda: jax.random.key(0)))
    has_memory = bool(jax.tree.leaves(policy.initial_memory))
    inputs = (obs, policy.initial_memory) if has_memory else (obs,)
    (batch,) = export.symbolic_shape("b")
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((batch, *leaf.shape), leaf.dtype), inputs)
    # networks ask whether they see more than one observation, which b cannot tell: under vmap they see one
    function = jax.jit(jax.vmap(remembering if has_memory else forgetting))
    exported = export.export(function, platforms=PLATFORMS)(*shapes)
    try:
        return bytes(exported.serialize())
    except ImportError:
        raise ImportError("export needs the package flatbuffers, which jax.export uses: pip install flatbuffers.") from None


def _network(algorithm: Algorithm) -> Any:
    """The network of an algorithm that `actor_critic` assembled; None for another."""
    match algorithm.policy:
        case partial(args=(Parts(network=network),)):
            return network
    return None


def _features(obs: Any, space: Box | Discrete, moments: PyTree) -> np.ndarray:
    """As `layers.features` and `moments.normalize`, but features last: ``[..., *shape] -> [..., features]``."""
    batch = batch_shape(np.shape(obs), space)
    if isinstance(space, Discrete):
        return (np.asarray(obs)[..., None] == np.arange(space.n)).astype(np.float32)
    frame = np.asarray(obs, np.float32)
    if isinstance(moments, Moments):
        frame = np.clip((frame - moments.mean) / np.sqrt(moments.variance + 1e-8), -10.0, 10.0)
    return frame.reshape(*batch, prod(space.shape))


def _hidden(features: np.ndarray, layers: dict, activation: Callable, prefix: str, num_layers: int) -> np.ndarray:
    for layer in range(num_layers):
        features = activation(_dense(features, layers[f"{prefix}hidden_{layer}"]))
    return features


def _dense(features: np.ndarray, layer: dict) -> np.ndarray:
    return features @ layer["kernel"] + layer["bias"]
