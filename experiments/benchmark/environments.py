"""The peers' virtual environments: one each, made when first asked for, of pinned packages. Standard library only.

    python experiments/benchmark/environments.py FOLDER rejax sb3     # makes these two now; without names, all of them

Needs `venv` and pip, which takes its configuration and its variables from the user as ever. PyTorch, which sb3 and sbx
need, is one to think of: on Linux pip's default is a build for CUDA of several GB. It works, and computes on the CPU here;
where the small CPU build is wanted, tell pip where to find it with its own means (`PIP_EXTRA_INDEX_URL`, `PIP_FIND_LINKS`
or its configuration file): a CPU build of the pinned version is preferred where both are found.

What the pinned packages need in turn is not pinned.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

JAX = ("jax==0.10.2", "jaxlib==0.10.2", "numpy==2.4.6")
TORCH = ("stable-baselines3==2.9.2", "torch==2.13.0", "gymnasium==1.4.0", "numpy==2.4.6")
REQUIREMENTS = {
    "keras": ("tensorflow-cpu==2.21.0", "keras==3.15.1", "gymnasium==1.3.0", "numpy==2.4.6"),
    "numpy": ("numpy==2.4.6",),
    "sb3": TORCH,
    "sbx": ("sbx-rl==0.28.0", "flax==0.12.8", "optax==0.2.8", *TORCH, *JAX),
    "rejax": ("rejax==0.1.3", "gymnax==0.0.9", "flax==0.12.8", "optax==0.2.8", "distrax==0.1.9", *JAX),
    "jaxnasium": ("jaxnasium[algs]==0.1.1", "equinox==0.13.8", "optax==0.2.8", "distrax==0.1.9", *JAX),
}
RECORD = "benchmark-requirements.txt"


def python_of(peer: str, folder: Path) -> Path:
    """The interpreter of the peer's environment in ``folder/peer``, which is made if it is not there or of other versions.

    It is made under another name and renamed when whole: an interrupted making leaves nothing half-made behind that name.

    Raises:
      ValueError: if there is no such peer.
      RuntimeError: if the environment cannot be made, or something else lies there; the message is one sentence.
    """
    if peer not in REQUIREMENTS:
        raise ValueError(f"There is no peer {peer!r}; there are {', '.join(REQUIREMENTS)}.")
    home = folder.absolute() / peer
    if not is_current(peer, home):
        check_replaceable(peer, home)
        make(peer, home)
    return interpreter(home)


def is_current(peer: str, home: Path) -> bool:
    """Whether a whole environment of today's requirements lies there."""
    record = home / RECORD
    return record.is_file() and record.read_text() == recorded(peer)


def check_replaceable(peer: str, home: Path) -> None:
    """RuntimeError if what lies there was not made here, and so must not be replaced."""
    if home.exists() and not (home / RECORD).exists():
        raise RuntimeError(f"The environment of {peer} cannot be made in {home}: something else lies there.")


def make(peer: str, home: Path) -> None:
    """Makes the environment, in place of what lies there; RuntimeError if it cannot be made."""
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{peer}-", dir=home.parent) as scratch:
            unfinished = Path(scratch) / peer
            run([sys.executable, "-m", "venv", str(unfinished)])
            run([str(interpreter(unfinished)), "-m", "pip", "install", "--quiet", *REQUIREMENTS[peer]])
            (unfinished / RECORD).write_text(recorded(peer))
            if home.exists():
                home.rename(Path(scratch) / "old")
            unfinished.rename(home)
    except OSError as error:
        raise RuntimeError(f"The environment of {peer} could not be made in {home}: {error}.") from error
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"The environment of {peer} could not be made in {home}: {complaint(error)}") from error


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def complaint(error: subprocess.CalledProcessError) -> str:
    """What a failed command said last, rather an error than a notice."""
    lines = [line for line in (error.stderr + error.stdout).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    last = (errors or lines or ["it failed without a word"])[-1]
    return last.removeprefix("ERROR: ").strip().rstrip(".") + "."


def interpreter(home: Path) -> Path:
    return home / "bin" / "python"


def recorded(peer: str) -> str:
    return "\n".join(REQUIREMENTS[peer]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the environments lie, one folder per peer")
    parser.add_argument("peers", nargs="*", metavar="peer", help=", ".join(REQUIREMENTS))
    arguments = parser.parse_args()
    for peer in arguments.peers or REQUIREMENTS:
        try:
            print(peer, python_of(peer, arguments.folder), flush=True)
        except (RuntimeError, ValueError) as error:
            raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
