"""A worker of the benchmark: PPO of rejax on gymnax's CartPole-v1, S seeds vmapped in one compiled program.

    rejax-env/bin/python experiments/benchmark/rejax_peer.py --seeds 64 --updates 100

A ``go`` trains S new seeds for U updates from scratch, evaluations left out: the one that rejax insists on, at the end,
returns a constant. With --evaluate every trained agent then plays 4 episodes, outside of the time.

The settings are those of `jax_ac.ppo`'s defaults: 4 environments, 128 steps, 4 epochs of 4 minibatches, two hidden layers
of 64 tanh units for the actor and two for the critic, clipped value loss, a constant learning rate of 2.5e-4. What differs
in the work done (rejax 0.1.3, gymnax 0.0.9):

- the actor and the critic have an Adam each, whose ε is 1e-8 and not 1e-5, and each entry of a gradient is clipped to
  ±0.5, where ours clips the norm of the whole;
- a time limit ends the value: there is no bootstrapping from the last observation of an episode that it cut;
- nothing is measured during training: no returns, losses or norms, which ours has for every update;
- kernels begin with LeCun's normal initialization, where ours are orthogonal.
"""

import vmapped

EPISODES = 4


def make(num_updates: int) -> vmapped.Training:
    """So many updates of rejax's PPO."""
    algorithm = make_algorithm(num_updates)
    return vmapped.Training(lambda key: algorithm.train(key)[0], lambda states: mean_return(algorithm, states))


def make_algorithm(num_updates: int):
    """rejax's PPO, whose `train` does so many updates and then one evaluation that costs nothing."""
    import jax.numpy as jnp
    import rejax

    steps = num_updates * vmapped.STEPS_PER_UPDATE
    algorithm = rejax.PPO.create(
        env="CartPole-v1",
        agent_kwargs={"hidden_layer_sizes": (64, 64), "activation": "tanh"},
        num_envs=vmapped.NUM_ENVS,
        num_steps=vmapped.NUM_STEPS,
        num_epochs=4,
        num_minibatches=4,
        learning_rate=2.5e-4,
        gamma=0.99,
        gae_lambda=0.95,
        clip_eps=0.2,
        vf_coef=0.5,
        ent_coef=0.01,
        max_grad_norm=0.5,
        total_timesteps=steps,
        eval_freq=steps,
        skip_initial_evaluation=True,
    )
    return algorithm.replace(eval_callback=lambda algorithm, state, key: jnp.zeros(()))


def mean_return(algorithm, states) -> float:
    """Of some episodes of every trained agent, actions sampled."""
    import jax
    from rejax.evaluate import evaluate

    def of_one(state):
        limit = algorithm.env_params.max_steps_in_episode
        return evaluate(algorithm.make_act(state), state.rng, algorithm.env, algorithm.env_params, EPISODES, limit)[1]

    return float(jax.jit(jax.vmap(of_one))(states).mean())


if __name__ == "__main__":
    vmapped.serve("rejax", ("rejax", "gymnax", "jax", "jaxlib", "flax", "optax"), make)
