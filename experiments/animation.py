"""What does an agent learn? The Keras preset on CartPole-v0, early and late, side by side: `results/cartpole.gif`.

    python experiments/animation.py [seed]    # seed 0 where not given; a minute on 2 cores

One seed is trained until it is solved. Its agent is shown untrained, after half of its episodes and after all, each time in
an episode that begins in the same state.
"""

import sys
from pathlib import Path

import jax_ac

PICTURE = Path(__file__).parent / "results" / "cartpole.gif"


def main(seed: int = 0) -> None:
    algorithm = jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0"))
    result = jax_ac.run(algorithm, [seed], max_updates=2000)
    solved = int(result.marks.num_updates[0])
    agents = {
        "untrained": result.agent(seed, update=0),
        f"after {solved // 2} episodes": result.agent(seed, update=solved // 2),
        f"after {solved} episodes, solved": result.agent(seed),
    }
    jax_ac.animate(agents, PICTURE)
    print(f"seed {seed}, solved after {solved} episodes: {PICTURE}, {PICTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
