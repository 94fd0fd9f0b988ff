"""A worker of the benchmark: PPO of Jaxnasium on its own CartPole-v1, S seeds vmapped in one compiled program.

    jaxnasium-env/bin/python experiments/benchmark/jaxnasium_peer.py --seeds 1 --updates 150

A ``go`` trains S new seeds for U updates from scratch, without log. With --evaluate, `mean_return` is that of the episodes
that ended in the last tenth of the updates, which training measures anyway.

The settings are those of `jax_ac.ppo`'s defaults: 4 environments, 128 steps, 4 epochs of 4 minibatches, two hidden layers
of 64 tanh units for the actor and two for the critic, clipped value loss, orthogonal initialization, a constant learning
rate of 2.5e-4, one Adam for both after clipping the gradient's global norm; normalization of observations and rewards off.
A time limit bootstraps from the last observation, as ours does. (`vf_coef` is 0.25 since there is no ½ in its squared
error.) What differs in the work done (jaxnasium 0.1.1):

- Adam's ε is 1e-4, which cannot be chosen, where ours is 1e-5;
- at every step the critic also values the next observation, where ours values each observation once;
- one step in each environment is made and thrown away before training (the least that its warm-up can be);
- of the training only the mean return per update is kept, where ours has losses and norms too.
"""

import vmapped


def make(num_updates: int) -> vmapped.Training:
    """So many updates of Jaxnasium's PPO."""
    import jaxnasium

    algorithm = make_algorithm(num_updates)
    env = jaxnasium.make("CartPole-v1")
    last = max(1, num_updates // 10)
    return vmapped.Training(lambda key: algorithm.train(key, env), lambda results: mean_return(results[1], last))


def make_algorithm(num_updates: int):
    """Jaxnasium's PPO."""
    import jax
    from jaxnasium.algorithms import PPO
    from jaxnasium.algorithms.architectures import MLP

    network = {"body": MLP.with_params(hidden_sizes=(64, 64), activation=jax.nn.tanh)}
    return PPO(
        total_timesteps=num_updates * vmapped.STEPS_PER_UPDATE,
        num_envs=vmapped.NUM_ENVS,
        num_steps=vmapped.NUM_STEPS,
        num_epochs=4,
        num_minibatches=4,
        learning_rate_start=2.5e-4,
        learning_rate_end=None,
        ent_coef_start=0.01,
        ent_coef_end=None,
        gamma=0.99,
        gae_lambda=0.95,
        clip_coef=0.2,
        clip_coef_vf=0.2,
        vf_coef=0.25,
        max_grad_norm=0.5,
        warmup_steps=0,
        normalize_observations=False,
        normalize_rewards=False,
        actor_kwargs=network,
        critic_kwargs=network,
        log_function=None,
    )


def mean_return(returns, last: int) -> float:
    """Over the seeds and the last updates in which an episode ended, of ``returns [S, U]``."""
    import numpy as np

    return float(np.nanmean(np.asarray(returns)[:, -last:]))


if __name__ == "__main__":
    vmapped.serve("jaxnasium.algorithms", ("jaxnasium", "jax", "jaxlib", "equinox", "optax", "distrax"), make)
