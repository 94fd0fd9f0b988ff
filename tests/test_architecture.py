"""The house stands: imports go down the floors, files and functions stay small, nothing is pickled."""

import ast
from pathlib import Path

import pytest

FLOORS = [
    {"errors"},
    {
        "aborts",
        "asking",
        "batching",
        "circumstances",
        "colors",
        "devices",
        "distributions",
        "files",
        "interruption",
        "joining",
        "lines",
        "moments",
        "object_store",
        "products",
        "samples",
        "stats",
        "types",
    },
    {
        "agent_file",
        "canvas",
        "checks",
        "curves",
        "hosts",
        "hyperparams",
        "intervals",
        "lease",
        "marks",
        "numerics",
        "program_cache",
        "programs",
        "protocols",
        "spending",
        "store",
        "trackers",
        "tree",
    },
    {
        "budget",
        "clusters",
        "comparisons",
        "contracts",
        "curve_plots",
        "doors",
        "gymnax_envs",
        "lanes",
        "layers",
        "locks",
        "mirror",
        "placing",
        "policies",
        "profiles",
        "returns",
        "selection",
        "settings",
        "solving",
        "sweep_plots",
        "tracing",
        "tracked_runs",
        "update",
    },
    {"folder_commands", "networks", "remote"},
    {
        "accounts",
        "advantages",
        "comparison_plots",
        "evaluation",
        "losses",
        "memory",
        "pictures",
        "recipes",
        "rollout",
        "run_folder",
        "solving_plots",
        "tracker_services",
    },
    {"algorithms", "envs", "snippets", "tiles"},
    {"bench", "exporting", "orders", "presets", "retraining", "training", "transforms"},
    {"schedule"},
    {"brax_envs", "dataset", "evaluator", "progress", "recordings", "saving", "tracking", "tuning"},
    {"panels", "restoring", "tracker_files", "workers"},
    {"crews", "plans", "readings", "rendering", "tracker_names"},
    {"agent", "commands", "loop", "studies"},
    {"agent_plots", "bench_command", "charts", "findings", "provenance", "remote_workers", "results"},
    {"contrasts", "films", "learning_charts", "plots", "ray_crew", "rosters", "shared_runs"},
    {"runs", "sections", "summaries"},
    {"report", "trainer"},
    {"benching", "filming", "sweeping", "watching"},
    {"reporting", "resuming"},
    {"cli"},
]
KNOWN_ONLY_TO = {"gymnax": "gymnax_envs", "brax": "brax_envs"}
FLOOR_OF = {module: floor for floor, modules in enumerate(FLOORS) for module in modules}
PACKAGE = Path(__file__).parent.parent / "jax_ac"
MODULES = sorted(path for path in PACKAGE.glob("*.py") if path.stem != "__init__")


def imported_modules(path: Path) -> set[str]:
    """The modules of jax_ac that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "jax_ac":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jax_ac."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("jax_ac.")}
    return found


def all_imports(path: Path) -> set[str]:
    """Everything that a file imports, anywhere in it, ``importlib.import_module`` of a string included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "import_module":
            found |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
    return found


def functions(path: Path):
    """(function, how many functions it is nested in)."""

    def visit(node, depth):
        for child in ast.iter_child_nodes(node):
            inner = isinstance(child, ast.FunctionDef)
            if inner:
                yield child, depth
            yield from visit(child, depth + inner)

    return visit(ast.parse(path.read_text()), 0)


def body_lines(function: ast.FunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_every_module_has_a_floor():
    assert {path.stem for path in MODULES} == set(FLOOR_OF)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_imports_go_down(path):
    for module in imported_modules(path):
        assert FLOOR_OF[module] < FLOOR_OF[path.stem], f"{path.stem} imports {module}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_files_and_functions_stay_small(path):
    assert len(path.read_text().splitlines()) <= 250
    for function, depth in functions(path):
        assert body_lines(function) <= 45, function.name
        assert depth <= 1, f"{function.name} is nested too deep"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_one_file_knows_each_library_of_environments_and_nothing_is_pickled(path):
    packages = {name.split(".")[0] for name in all_imports(path)}
    for library, home in KNOWN_ONLY_TO.items():
        assert (library in packages) == (path.stem == home), library
    assert not packages & {"pickle", "cloudpickle", "dill", "joblib", "shelve"}
