"""Can an agent learn its own learning rate by gradient descent, while it learns? (Xu et al. 2018.)

A2C on CartPole. After every update the policy gradient loss on a fresh rollout is differentiated through that update with
respect to the logarithm of the learning rate, on which Adam then takes a step. One update is a short horizon: what helps the
next rollout most is not always what helps in the end.

    python experiments/meta_gradients.py    # prints a table, writes results/meta_gradients.csv and .png
"""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

import jax_ac
from jax_ac import advantages, losses, networks, policies, rollout, tree

RESULTS = Path(__file__).parent / "results"
RUNS = [(rate, learned) for rate in (1e-5, 1e-3, 1e-2) for learned in (0.0, 1.0)]
NUM_SEEDS, NUM_UPDATES, META = 16, 600, optax.adam(0.05)
ENV = jax_ac.make_env("CartPole-v1")
NETWORK = networks.SeparateActorCritic(ENV.observation_space, ENV.action_space, hidden_sizes=(32,))
A2C = jax_ac.a2c(ENV, 16, 16, network=NETWORK, hyperparams=jax_ac.A2CHyperparams(gae_lambda=0.95))


def validation_loss(key, state):
    """The policy gradient loss on a fresh rollout, which is held constant."""
    params, acting = jax.lax.stop_gradient((state.params, state.acting))
    trajectory = rollout.unroll(16, 16).act(key, ENV, policies.make_policy(NETWORK, params), acting)[1].trajectory
    steps, estimate = tree.flatten_time((trajectory, advantages.gae(trajectory, A2C.hyperparams)))
    distribution, _ = NETWORK.apply(state.params, steps.obs)
    return jnp.mean(losses.policy_gradient(distribution.log_prob(steps.action), estimate.advantage))


def update(learned, carry, key):
    """An update of the agent, then one of its learning rate, unless `learned` is 0. Gives the rate and the return."""
    (state, log_rate, meta_state), (key_step, key_validation) = carry, jax.random.split(key)

    def validate(log_rate):
        after, metrics = A2C.step(key_step, state, A2C.hyperparams._replace(learning_rate=jnp.exp(log_rate)))
        return validation_loss(key_validation, after), (after, metrics.running_return)

    gradient, (state, running_return) = jax.grad(validate, has_aux=True)(log_rate)
    step, meta_state = META.update(gradient, meta_state)
    return (state, log_rate + learned * step, meta_state), (jnp.exp(log_rate), running_return)


def main() -> None:
    def train(run, seed):
        key, (rate, learned) = jax.random.key(seed), run
        begin = (A2C.init(key, A2C.hyperparams), jnp.log(rate), META.init(rate))
        return jax.lax.scan(partial(update, learned), begin, jax.random.split(key, NUM_UPDATES))[1]

    train_all = jax.jit(jax.vmap(jax.vmap(train, (None, 0)), (0, None)))
    results = np.array(train_all(jnp.array(RUNS), jnp.arange(NUM_SEEDS)))  # [2, run, seed, update]
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    for axes, title, curves in zip(figure.subplots(1, 2), ("learning rate", "running return"), results, strict=True):
        for i, (rate, learned) in enumerate(RUNS):
            style, name = ("-", "learned") if learned else (":", "fixed")
            axes.plot(np.median(curves[i], axis=0), style, color=f"C{i // 2}", label=f"{name}, from {rate:g}")
        axes.set(title=f"{title}, median over {NUM_SEEDS} seeds", xlabel="update", yscale="log")
    figure.axes[1].legend(loc="upper left", fontsize="small")
    figure.savefig(RESULTS / "meta_gradients.png", dpi=110)
    rows = np.column_stack([RUNS, *np.quantile(results[..., -1], [0.25, 0.5, 0.75], axis=2).reshape(6, -1)[[2, 1, 3, 5]]])
    header = "first rate,learned (0: fixed),last rate (median),last running return: lower quartile,median,upper quartile"
    np.savetxt(RESULTS / "meta_gradients.csv", rows, fmt="%.4g", delimiter=",", header=header, comments="")
    lines = [header.split(","), ["---"] * 6, *[[f"{number:.3g}" for number in row] for row in rows]]
    print(*[f"| {' | '.join(line)} |" for line in lines], sep="\n")


if __name__ == "__main__":
    main()
