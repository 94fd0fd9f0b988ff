"""Reports: what runs came to, on one page of HTML that needs neither network nor server.

Jinja fills the template, and escapes all that it is given; numbers travel as JSON. No script runs but the page's own,
and none reaches beyond the page: its policy (Content-Security-Policy) names the digest of each.
"""

import base64
import hashlib
import importlib.resources
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from plotly.offline import get_plotlyjs

import jax_ac
from jax_ac import charts, files, findings, learning_charts, lines, provenance, remote, rosters, sections, snippets, studies
from jax_ac.findings import Table
from jax_ac.studies import Study, Trained

PAGE = importlib.resources.files("jax_ac") / "page"
LATE = ("charts.js", "lanes.js", "watch.js")


class Watch(NamedTuple):
    """What a watched page knows of its folder: a tag of what it shows, and when that changed, in seconds since 1970."""

    tag: str
    changed: float


def write(results: Trained | Sequence[Trained] | Mapping[str, Trained], path: str | Path) -> Path:
    """Writes the report on one run, or on several beside each other. Returns its path.

    Args:
      results: a `Result`, several, or several by name; those without a name have that of their folder.
      path: the file.

    Raises:
      ValueError: if there is no result, or the file cannot be written.
    """
    found = named(results)
    if not found:
        raise ValueError("a report needs at least one result, got none.")
    with remote.told():
        written = write_studies([studies.of({"": run}, name) for name, run in found.items()], remote.at(path))
        return remote.push(written)


def named(results: Trained | Sequence[Trained] | Mapping[str, Trained]) -> dict[str, Trained]:
    """The runs by their names, which differ."""
    if isinstance(results, Mapping):
        return dict(results)
    runs: list[Any] = list(results) if isinstance(results, list | tuple) and not hasattr(results, "config") else [results]
    names = [run.folder.resolve().name if run.folder else run.config.env for run in runs]
    return dict(zip(studies.distinct(names), runs, strict=True))


def write_studies(found: Sequence[Study], path: Path) -> Path:
    """Writes the report on studies. Returns its path. Raises ValueError if it cannot be written."""
    if path.is_dir() or not path.parent.is_dir():
        why = "is a folder" if path.is_dir() else "is in no folder that exists"
        raise ValueError(f"the report cannot be written to {path}: it {why}.")
    text = page(found)
    try:
        files.write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"the report cannot be written to {path}: {error.strerror or error}.") from None
    return path


def page(found: Sequence[Study], watch: Watch | None = None) -> str:
    """The page, as HTML.

    Args:
      found: one study, or several to compare.
      watch: where the page is served and renews itself. It shows no agents then, whose early selves must be trained again.
    """
    parts = sections.of(found) + ([] if watch else sections.film_views(found))
    data = {
        "charts": {part.id: part.chart._asdict() for part in parts if part.chart},
        "roster": rosters.roster(found),
        "status": rosters.STATUS,
        "swept": sorted({name for study in found for name in study.swept}),
        "watch": watch and watch._asdict(),
    }
    scripts = {"early": _asset("early.js"), "plotly": get_plotlyjs(), "late": "\n".join(map(_asset, LATE))}
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_asset("report.html")).render(
        policy=_policy(scripts.values(), watched=watch is not None),
        style=_asset("report.css"),
        title=" and ".join(study.name for study in found),
        subtitle=_subtitle(found),
        verdicts=[_verdict(study, rank, len(found) > 1) for rank, study in enumerate(found)],
        notes=list(dict.fromkeys(note for study in found for note in findings.notes(study))),
        figures=findings.figures(found[0]) if len(found) == 1 else [],
        sections=parts,
        cost=sections.cost_view(found),
        axes=lines.AXES,
        parts=list(learning_charts.PARTS),
        runs=[run for study in found for run in _runs(study, len(found) > 1)],
        data=data,
        version=jax_ac.__version__,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        **scripts,
    )


def _asset(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def _policy(scripts: Any, *, watched: bool) -> str:
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    connect = "'self'" if watched else "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; connect-src {connect}; "
        "base-uri 'none'; form-action 'none'"
    )


def _subtitle(found: Sequence[Study]) -> str:
    names = dict.fromkeys(f"{study.config.env}{_algorithm(study.config.recipe)}" for study in found)
    return "; ".join(names)


def _algorithm(recipe: str | None) -> str:
    return f", {snippets.name_of(recipe)}" if recipe else ", an algorithm of one's own"


def _verdict(study: Study, rank: int, several: bool) -> dict[str, str]:
    color = charts.PALETTE[rank] if rank < charts.COLOURED else charts.GREY
    return {"name": study.name if several else "", "text": findings.verdict(study), "color": color}


def _runs(study: Study, several: bool) -> list[dict[str, Any]]:
    """What was run, and how to repeat it."""
    result = []
    for run, shape in zip(study.runs, study.programs, strict=True):
        numbers = [[name, _numbers(values)] for name, values in run.config.hyperparams.items()]
        result.append({
            "name": ", ".join(filter(None, (study.name if several else "", shape))),
            "facts": provenance.facts(run.config),
            "command": snippets.command(run.config),
            "program": snippets.program(run.config),
            "hyperparams": Table(["name", "value"], numbers),
        })  # fmt: skip
    return result


def _numbers(values: Any) -> str:
    distinct = list(dict.fromkeys(map(studies.shown, values if isinstance(values, list) else [values])))
    return ", ".join(distinct[:12]) + (f", ... ({len(distinct):,} values)" if len(distinct) > 12 else "")
