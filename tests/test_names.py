"""One name, one meaning: no public class, function or type of the top level of a module is there twice."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import ravdess_mm

PACKAGE = Path(ravdess_mm.__file__).parent
FRONT_DOORS = ("api", "app", "cli")
"""Rooms whose names are those of what they call and answer."""


def public_names(path: Path) -> list[str]:
    """Return the classes, functions and type aliases of a module that do not begin with an underscore."""
    names = []
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign) and "TypeVar(" not in ast.unparse(node.value):
            names += [target.id for target in node.targets if isinstance(target, ast.Name) and target.id != "logger"]
    return [name for name in names if not name.startswith("_")]


def test_no_name_stands_for_two_things() -> None:
    modules = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE).with_suffix("").as_posix()
        if module.partition("/")[0] not in FRONT_DOORS:
            for name in public_names(path):
                modules[name].append(module)
    doubled = {name: where for name, where in modules.items() if len(where) > 1}
    assert not doubled, doubled
