"""Sphinx: the documentation site. ``sphinx-build -W docs docs/_build`` makes it, without a network.

The pages are Markdown (MyST). Docstrings are those of the code: Google's sections, a name in single backticks is looked up.
"""

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import facts
import flax.linen as nn

import jax_ac

project, version, release = "jax_ac", jax_ac.__version__, jax_ac.__version__
author = "the jax_ac authors"
language = "en"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["substitution", "colon_fence"]
myst_heading_anchors = 3
myst_substitutions = facts.substitutions()

default_role = "py:obj"
autodoc_default_options = {"members": True, "member-order": "bysource", "no-value": True}
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
napoleon_use_rtype = False
napoleon_preprocess_types = False
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "jax_ac"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"light_css_variables": {"color-brand-primary": "#0072B2", "color-brand-content": "#0072B2"}}


def skip_strangers(app: Any, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """The fields of a NamedTuple stand in its docstring already; the functions in a network's fields are others' work."""
    home = getattr(member, "__module__", None) or "jax_ac"
    return True if type(member).__name__ == "_tuplegetter" or not home.startswith(("jax_ac", "builtins")) else None


def own_fields(app: Any, what: str, name: str, obj: Any, options: Any, signature: str, returned: str) -> tuple | None:
    """The fields of a network, without those that Flax adds to each."""
    if what != "class" or not issubclass(obj, nn.Module):
        return None
    fields = [field for field in obj.__dataclass_fields__ if field not in ("parent", "name")]
    return f"({', '.join(fields)})", None


def spare_bars(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """A bar outside of code, as in π(a|s), is a bar, and no reStructuredText."""
    lines[:] = [re.sub(r"(`+[^`]*`+)|\|", lambda found: found[1] or r"\|", line) for line in lines]


def setup(app: Any) -> None:
    app.connect("autodoc-skip-member", skip_strangers)
    app.connect("autodoc-process-signature", own_fields)
    app.connect("autodoc-process-docstring", spare_bars)
