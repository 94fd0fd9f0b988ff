"""How good can a policy for Pendulum-v1 be? Optimal control by dynamic programming, as a mark for what is learned.

    python experiments/pendulum_optimum.py    # a minute on 2 cores

Backward induction over the 200 steps of an episode on a grid of angles, speeds and torques, interpolated; then
the policy that looks one step ahead with these values is played in gymnasium's own Pendulum-v1 from 1,000 random starts.
Its mean return is what a policy can reach; no policy does much better, as the grid is fine.
"""

import gymnasium
import numpy as np
from scipy.ndimage import map_coordinates

ANGLES, SPEEDS, TORQUES = 301, 241, np.linspace(-2, 2, 25)
STEPS, EPISODES = 200, 1000


def transition(angle, speed, torque):
    """One step of gymnasium's pendulum: the next angle and speed, and the reward."""
    wrapped = (angle + np.pi) % (2 * np.pi) - np.pi
    reward = -(wrapped**2 + 0.1 * speed**2 + 0.001 * torque**2)
    speed = np.clip(speed + (15 * np.sin(angle) + 3 * torque) * 0.05, -8, 8)
    return angle + speed * 0.05, speed, reward


def interpolate(values, angle, speed):
    """`values` is ``[ANGLES, SPEEDS]``; angles wrap around."""
    column = (angle + np.pi) % (2 * np.pi) / (2 * np.pi) * (ANGLES - 1)
    return map_coordinates(values, [column, (speed + 8) / 16 * (SPEEDS - 1)], order=1, mode="nearest")


def main() -> None:
    angle, speed = np.meshgrid(np.linspace(-np.pi, np.pi, ANGLES), np.linspace(-8, 8, SPEEDS), indexing="ij")
    following = [transition(angle, speed, torque) for torque in TORQUES]
    values = np.zeros((STEPS + 1, ANGLES, SPEEDS))
    for t in reversed(range(STEPS)):
        values[t] = np.max([reward + interpolate(values[t + 1], a, s) for a, s, reward in following], axis=0)

    env, torques = gymnasium.make("Pendulum-v1"), np.linspace(-2, 2, 81)
    returns = np.zeros(EPISODES)
    for episode in range(EPISODES):
        env.reset(seed=episode)
        for t in range(STEPS):
            a, s, reward = transition(*env.unwrapped.state, torques)
            best = np.argmax(reward + interpolate(values[t + 1], a, s))
            _, reward, *_ = env.step(np.array([torques[best]], np.float32))
            returns[episode] += reward
    error = returns.std(ddof=1) / np.sqrt(EPISODES)
    print(f"mean return {returns.mean():.1f} ± {1.96 * error:.1f} (95 %), median {np.median(returns):.1f}")


if __name__ == "__main__":
    main()
