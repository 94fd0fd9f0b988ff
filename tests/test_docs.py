"""The documentation says what is true: its Python runs, its commands parse, its examples hold, it builds, its links lead."""

import contextlib
import doctest
import importlib
import io
import pkgutil
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import tyro

import jax_ac
from jax_ac import cli
from jax_ac.bench_command import Bench, checked_bench
from jax_ac.commands import Sweep, Train, checked_sweep, checked_train

DOCS = Path(__file__).parent.parent / "docs"
TEXTS = {path.stem: path.read_text() for path in sorted(DOCS.glob("*.md"))}
SHOWN = re.compile(r"(\w\S*|\w\S*\(.*\)) +# ([\d.]+|True|False|\([\d, ]+\))")
"""A line of Python that shows a value, and in a comment what it is."""
PENDING: tuple[str, ...] = ()
"""Commands that the pages tell of and that are not there yet."""


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_examples_in_docstrings_hold():
    tried = 0
    for module in pkgutil.iter_modules(jax_ac.__path__):
        found = doctest.testmod(importlib.import_module(f"jax_ac.{module.name}"))
        assert not found.failed, module.name
        tried += found.attempted
    assert tried >= 20


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page, text in TEXTS.items() if blocks(text, "python")])
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks(TEXTS[page], "python"):
        exec(block, names)
        for line in block.splitlines():
            if shown := SHOWN.fullmatch(line):
                assert str(eval(shown[1], names)) == shown[2], line


COMMANDS = [
    shlex.split(line)[shlex.split(line).index("jax-ac") + 1 :]
    for text in TEXTS.values()
    for block in blocks(text, "bash")
    for line in block.splitlines()
    if "jax-ac" in shlex.split(line)
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_commands_can_be_typed(arguments):
    if arguments[0] in PENDING:
        assert arguments[0] not in help_of_the_command(), "it is there now: not pending any more"
        return
    command = tyro.cli(cli.COMMANDS, args=arguments, prog="jax-ac")
    if isinstance(command, Train):
        checked_train(command)
    elif isinstance(command, Sweep):
        checked_sweep(command)
    elif isinstance(command, Bench):
        checked_bench(command)


def help_of_the_command() -> str:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), pytest.raises(SystemExit):
        tyro.cli(cli.COMMANDS, args=["--help"], prog="jax-ac")
    return shown.getvalue()


class Page(HTMLParser):
    """What a page of the site loads, where it links to, and which places in it can be linked to."""

    LOADED = (("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.loads += [given[name] for kind, name in self.LOADED if kind == tag and given.get(name)]
        self.links += [given["href"]] if tag == "a" and given.get("href") else []
        self.places |= {given["id"]} if given.get("id") else set()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The pages of the site by their paths, built with warnings as errors."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(DOCS), str(folder)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert built.returncode == 0, built.stderr
    return {path: Page(path.read_text()) for path in folder.rglob("*.html")}


@pytest.mark.slow
def test_the_site_needs_no_network(site):
    for path, page in site.items():
        assert not [url for url in page.loads if urlsplit(url).scheme or url.startswith("//")], path.name
    for sheet in next(iter(site)).parent.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", sheet.read_text()), sheet.name


@pytest.mark.slow
def test_links_within_the_site_lead_somewhere(site):
    checked = 0
    for path, page in site.items():
        for url in (*page.links, *page.loads):
            parts = urlsplit(url)
            if parts.scheme or url.startswith("//"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.name}: {url}"
            if parts.fragment and target in site:
                assert unquote(parts.fragment) in site[target].places, f"{path.name}: {url}"
            checked += 1
    assert checked > 500


@pytest.mark.slow
def test_every_public_name_is_in_the_reference(site):
    places = set().union(*(page.places for page in site.values()))
    assert {f"jax_ac.{name}" for name in jax_ac.__all__} <= places
    for name in ("intervals.bootstrap", "solving.kaplan_meier", "plots.solved_curves", "Result.summary", "Agent.act"):
        assert f"jax_ac.{name}" in places, name


def test_the_tables_of_settings_are_complete():
    """Each hyperparameter and each argument that fixes shapes stands in its preset's table, with the code's default."""
    sys.path.insert(0, str(DOCS))
    import facts

    from jax_ac import tuning

    for preset, setting in tuning.DEFAULTS.items():
        rows = {line.split("|")[1].strip("` "): line for line in facts.settings_table(preset).splitlines()[2:]}
        for name, default in {**setting.hyperparams._asdict(), **setting.shapes}.items():
            cells = [cell.strip() for cell in rows[name].split("|")]
            assert float(cells[2]) == default, name
            assert cells[3], f"{preset} does not say what {name} is"
            assert cells[4] == ("one program each" if name in setting.shapes else "in one program"), name
