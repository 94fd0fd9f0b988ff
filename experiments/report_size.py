"""How large is the report of 4,096 lanes, how long does it take to write, and until a browser has drawn it?

    python experiments/report_size.py [--lanes 4096] [--updates 300] [--folder runs/report_size]

Trains the Keras preset, writes the report, and opens it in headless Chromium from the file, with the network off, where
Chromium and playwright are installed. Leaves ``results/report_size.csv``.
"""

import argparse
import csv
import shutil
import sys
import tempfile
import time
from pathlib import Path

import jax_ac

jax_ac.use_all_cores()

from jax_ac import report, studies

RESULTS = Path(__file__).parent / "results"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lanes", type=int, default=4_096)
    parser.add_argument("--updates", type=int, default=300)
    parser.add_argument(
        "--folder", type=Path, help="an existing run's folder, or where a new one goes; temporary if not given"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "run"
        if not folder.exists():
            algorithm = jax_ac.keras_actor_critic(jax_ac.make_env("CartPole-v0"))
            jax_ac.run(algorithm, options.lanes, max_updates=options.updates, out=folder)
        rows = [*measured(folder), *drawn(folder / "report.html")]
    for name, value in rows:
        print(f"{name:<48} {value}")
    with (RESULTS / "report_size.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("what", "figure"), *rows])


def measured(folder: Path) -> list[tuple[str, str]]:
    """The report is written once more after the imports have been paid for."""
    start = time.perf_counter()
    study = studies.read(folder)
    read = time.perf_counter() - start
    report.write_studies([study], folder / "report.html")
    start = time.perf_counter()
    path = report.write_studies([study], folder / "report.html")
    written = time.perf_counter() - start
    lanes = f"{len(study.runs[0].lanes.seed):,} lanes x {study.config.max_updates:,} updates"
    return [
        ("run", lanes),
        ("reading the folder, seconds", f"{read:.1f}"),
        ("writing the report, seconds", f"{written:.1f}"),
        ("size of the file, MB", f"{path.stat().st_size / 1e6:.2f}"),
    ]


def drawn(path: Path, repetitions: int = 3) -> list[tuple[str, str]]:
    """Seconds until all charts and the table are there; then the longest that the page stood still as the table was used."""
    chromium = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        print("Chromium or playwright is not installed: not opened", file=sys.stderr)
        return []
    seconds, sorting = [], []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        for _ in range(repetitions):
            page = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True).new_page()
            start = time.perf_counter()
            page.goto(path.absolute().as_uri())
            page.wait_for_selector("html[data-drawn]", timeout=120_000)
            seconds.append(time.perf_counter() - start)
            sorting.append(page.evaluate(SORT))
        browser.close()
    return [
        ("until drawn in Chromium, seconds, median of 3", f"{sorted(seconds)[repetitions // 2]:.2f}"),
        ("sorting the table, milliseconds, median of 3", f"{sorted(sorting)[repetitions // 2]:.0f}"),
    ]


SORT = """() => {
  const start = performance.now();
  document.querySelectorAll("#lanes thead button")[4].click();
  document.body.getBoundingClientRect();
  return performance.now() - start;
}"""


if __name__ == "__main__":
    main()
