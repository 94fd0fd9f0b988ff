"""Snippets: what repeats a run, from what its folder says: the command, and a program in Python."""

import json
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

import jax_ac
from jax_ac import recipes
from jax_ac.run_folder import Config

WIDTH = 80
"""Characters of a call on one line."""

OWN = "...  # it has parts of your own, which no file can hold: make it here"


def command(config: Config) -> str | None:
    """The command line that trained the run, or None where that was a program."""
    name, _, arguments = str(config.made.get("command", "")).partition(" ")
    return f"jax-ac {arguments}" if Path(name).name in ("jax-ac", "cli.py") else None


def program(config: Config) -> str:
    """A program that repeats the run; where parts of the algorithm are the user's own, it says where those go."""
    modules = {"jax_ac"}
    algorithm = OWN if config.recipe is None else source(json.loads(config.recipe), modules)
    arguments: dict[str, Any] = {
        "seeds": len(config.seeds) if config.seeds == list(range(len(config.seeds))) else config.seeds,
        "max_updates": config.max_updates,
        "until_solved": config.until_solved,
        "tile_width": config.tile_width,
        "segment_updates": config.segment_updates,
    }
    if config.eval_every is not None:
        arguments |= {"eval_every": config.eval_every, "eval_episodes": config.eval_episodes}
    lines = [f"algorithm = {algorithm}"]
    changed = _changed(config)
    if changed:
        modules.add("numpy as np")
        fields = [f"{name}=np.float32({_numbers(values)})" for name, values in changed.items()]
        lines.append(f"hyperparams = {_call('algorithm.hyperparams._replace', fields)}")
    given = [f"{name}={value!r}" for name, value in arguments.items()] + ["hyperparams=hyperparams"] * bool(changed)
    lines += [f"result = {_call('jax_ac.run', ['algorithm', *given])}", "print(result.summary())"]
    return "\n".join([*(f"import {module}" for module in sorted(modules)), "", *lines])


def name_of(recipe: str) -> str:
    """What the algorithm is called: the name of the function that made it."""
    return str(json.loads(recipe).get("call", "")).partition(":")[2]


def source(said: Any, modules: set[str]) -> str:
    """The Python of a recipe (`recipes`), or of a part of one; what it must import is added to `modules`."""
    match said:
        case {"call": str(name), "arguments": dict(arguments)} | {"make": str(name), "arguments": dict(arguments)}:
            return _call(_named(name, modules), _keywords(arguments, modules))
        case {"partial": str(name), "positional": list(positional), "keywords": dict(keywords)}:
            modules.add("functools")
            given = [source(item, modules) for item in positional]
            return _call("functools.partial", [_named(name, modules), *given, *_keywords(keywords, modules)])
        case {"array": list(numbers), "shape": list(shape), "dtype": str(dtype)}:
            modules.add("numpy as np")
            row = ", ".join(f"float({number!r})" for number in numbers)
            return f"np.array([{row}], {dtype!r}).reshape({shape})" + ".item()" * (not shape)
        case {"tuple": list(items)}:
            return f"({''.join(source(item, modules) + ', ' for item in items)})"
        case {"name": str(name)}:
            return _named(name, modules)
    return repr(said)


def _keywords(arguments: dict[str, Any], modules: set[str]) -> list[str]:
    return [f"{name}={source(value, modules)}" for name, value in arguments.items()]


def _call(function: str, arguments: list[str]) -> str:
    """A call on one line, or a line for each argument where that would be long."""
    line = f"{function}({', '.join(arguments)})"
    if len(line) <= WIDTH and "\n" not in line:
        return line
    lines = textwrap.indent("".join(f"{argument},\n" for argument in arguments), "    ")
    return f"{function}(\n{lines})"


def _named(full: str, modules: set[str]) -> str:
    """``module:name`` as it is written after the import; what is public by its public name."""
    module, _, name = full.partition(":")
    if module == f"jax_ac.{jax_ac._HOMES.get(name)}":
        return f"jax_ac.{name}"
    modules.add(module)
    return f"{module}.{name}"


def _changed(config: Config) -> dict[str, Any]:
    """The hyperparameters that are not the algorithm's defaults, as far as those are known."""
    given = config.hyperparams
    try:
        defaults = recipes.make(config.recipe or "").hyperparams._asdict()
    except (recipes.NoRecipe, AttributeError):
        return {name: values for name, values in given.items() if isinstance(values, list)}
    return {name: values for name, values in given.items() if (np.float32(values) != np.float32(defaults.get(name))).any()}


def _numbers(values: Any) -> str:
    """The shortest decimals of which float32 makes the same numbers."""
    if isinstance(values, list):
        return f"[{', '.join(str(np.float32(value)) for value in values)}]"
    return str(np.float32(values))
