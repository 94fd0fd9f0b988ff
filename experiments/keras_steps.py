"""Records three consecutive updates of the real Keras example, as an oracle for the tests.

For each update: the weights before, the episode (observations, actions), and the weights after it, as Keras computes them.

    keras-env/bin/python experiments/keras_steps.py tests/data/keras_steps.npz

needs the environment of `keras_example.py`.
"""

import os
import sys
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
warnings.filterwarnings("ignore", category=DeprecationWarning)

import gymnasium as gym
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers


def main(path: str) -> None:
    keras.utils.set_random_seed(0)
    env = gym.make("CartPole-v0")
    env.reset(seed=0)
    eps = np.finfo(np.float32).eps.item()
    inputs = layers.Input(shape=(4,))
    common = layers.Dense(128, activation="relu")(inputs)
    action = layers.Dense(2, activation="softmax")(common)
    critic = layers.Dense(1)(common)
    model = keras.Model(inputs=inputs, outputs=[action, critic])
    optimizer = keras.optimizers.Adam(learning_rate=0.01)
    huber_loss = keras.losses.Huber()

    arrays = {f"weights_0_{i}": weight for i, weight in enumerate(model.get_weights())}
    for update in range(3):
        observations, actions, log_probs, values, rewards = [], [], [], [], []
        state, _ = env.reset()
        with tf.GradientTape() as tape:
            while True:
                action_probs, critic_value = model(tf.expand_dims(tf.convert_to_tensor(state), 0))
                values.append(critic_value[0, 0])
                chosen = np.random.choice(2, p=np.squeeze(action_probs))
                log_probs.append(tf.math.log(action_probs[0, chosen]))
                observations.append(state)
                actions.append(chosen)
                state, reward, terminated, truncated, _ = env.step(chosen)
                rewards.append(reward)
                if terminated or truncated:
                    break
            returns, discounted_sum = [], 0
            for r in rewards[::-1]:
                discounted_sum = r + 0.99 * discounted_sum
                returns.insert(0, discounted_sum)
            returns = np.array(returns)
            returns = ((returns - np.mean(returns)) / (np.std(returns) + eps)).tolist()
            actor_losses, critic_losses = [], []
            for log_prob, value, ret in zip(log_probs, values, returns, strict=True):
                actor_losses.append(-log_prob * (ret - value))
                critic_losses.append(huber_loss(tf.expand_dims(value, 0), tf.expand_dims(ret, 0)))
            loss = sum(actor_losses) + sum(critic_losses)
        grads = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(grads, model.trainable_variables, strict=True))
        arrays[f"observations_{update}"] = np.array(observations, np.float32)
        arrays[f"actions_{update}"] = np.array(actions, np.int32)
        arrays[f"loss_{update}"] = np.float32(loss)
        arrays |= {f"weights_{update + 1}_{i}": weight for i, weight in enumerate(model.get_weights())}
    np.savez_compressed(path, **arrays)
    print({name: array.shape for name, array in arrays.items()})


if __name__ == "__main__":
    main(sys.argv[1])
