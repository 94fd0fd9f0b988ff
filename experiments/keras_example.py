"""The Keras example "Actor Critic Method" (CartPole-v0), ported from gym to gymnasium and nothing else.

The model, the loss, the optimizer and the stopping rule are the example's own lines. Three things are added: the
seed is an argument (it also seeds NumPy and Keras, which the example leaves unseeded), the periodic log is left out,
and one CSV row per seed is printed: seed, episodes until solved, environment steps, seconds.

It needs an environment of its own:

    python -m venv keras-env && keras-env/bin/pip install tensorflow-cpu "gymnasium==1.3.0"
    keras-env/bin/python experiments/keras_example.py --first 0 --count 10
"""

import argparse
import os
import time
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
warnings.filterwarnings("ignore", category=DeprecationWarning)

import gymnasium as gym
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers


def train_until_solved(seed: int) -> tuple[int, int]:
    """Runs the example once. Returns (episodes until solved, environment steps)."""
    keras.utils.set_random_seed(seed)
    gamma = 0.99
    max_steps_per_episode = 10000
    env = gym.make("CartPole-v0")
    env.reset(seed=seed)
    eps = np.finfo(np.float32).eps.item()

    num_inputs = 4
    num_actions = 2
    num_hidden = 128

    inputs = layers.Input(shape=(num_inputs,))
    common = layers.Dense(num_hidden, activation="relu")(inputs)
    action = layers.Dense(num_actions, activation="softmax")(common)
    critic = layers.Dense(1)(common)
    model = keras.Model(inputs=inputs, outputs=[action, critic])

    optimizer = keras.optimizers.Adam(learning_rate=0.01)
    huber_loss = keras.losses.Huber()
    action_probs_history = []
    critic_value_history = []
    rewards_history = []
    running_reward = 0
    episode_count = 0
    num_steps = 0

    while True:
        state, _ = env.reset()
        episode_reward = 0
        with tf.GradientTape() as tape:
            for _ in range(1, max_steps_per_episode):
                state = tf.convert_to_tensor(state)
                state = tf.expand_dims(state, 0)

                action_probs, critic_value = model(state)
                critic_value_history.append(critic_value[0, 0])

                action = np.random.choice(num_actions, p=np.squeeze(action_probs))
                action_probs_history.append(tf.math.log(action_probs[0, action]))

                state, reward, terminated, truncated, _ = env.step(action)
                rewards_history.append(reward)
                episode_reward += reward
                num_steps += 1

                if terminated or truncated:
                    break

            running_reward = 0.05 * episode_reward + (1 - 0.05) * running_reward

            returns = []
            discounted_sum = 0
            for r in rewards_history[::-1]:
                discounted_sum = r + gamma * discounted_sum
                returns.insert(0, discounted_sum)

            returns = np.array(returns)
            returns = (returns - np.mean(returns)) / (np.std(returns) + eps)
            returns = returns.tolist()

            history = zip(action_probs_history, critic_value_history, returns)
            actor_losses = []
            critic_losses = []
            for log_prob, value, ret in history:
                diff = ret - value
                actor_losses.append(-log_prob * diff)
                critic_losses.append(huber_loss(tf.expand_dims(value, 0), tf.expand_dims(ret, 0)))

            loss_value = sum(actor_losses) + sum(critic_losses)
            grads = tape.gradient(loss_value, model.trainable_variables)
            optimizer.apply_gradients(zip(grads, model.trainable_variables))

            action_probs_history.clear()
            critic_value_history.clear()
            rewards_history.clear()

        episode_count += 1
        if running_reward > 195:
            return episode_count, num_steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--count", type=int, default=1, help="number of seeds")
    arguments = parser.parse_args()
    print("seed,episodes,env_steps,seconds", flush=True)
    for seed in range(arguments.first, arguments.first + arguments.count):
        start = time.perf_counter()
        episodes, num_steps = train_until_solved(seed)
        seconds = time.perf_counter() - start
        print(f"{seed},{episodes},{num_steps},{seconds:.1f}", flush=True)


if __name__ == "__main__":
    main()
