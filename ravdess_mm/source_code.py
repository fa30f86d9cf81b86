"""Which source code a function runs: what it uses, followed name by name.

A stage is a function in a file beside other stages. Of such files only the functions, classes and constants count that
the work uses, directly or through others, so that stages in one file do not depend on each other. Of the package, the
modules count that these import, with all that those import; see `import_graph`. What is cached clip by clip takes
longer to make again: for it names are followed through the package as well, and only what they stand for counts.

Nothing is run. Not seen are names that are put together while the program runs, and what the caller hands over, but for
the class that a parameter says it is of.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

from ravdess_mm.import_graph import ImportGraph, imports_of, package_graph, parts_that_run
from ravdess_mm.store import fingerprint

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_SCOPES: Final = (*_FUNCTIONS, ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def code_fingerprint(
    work: Callable[..., Any],
    *,
    by_name: bool = False,
    apart_from: str | None = None,
    graph: ImportGraph | None = None,
) -> str:
    """Return a fingerprint of the source code that a function runs.

    Parameters
    ----------
    work : callable
        A function, nested or not, a method, or a ``functools.partial`` of one, from a file of source code.
    by_name : bool
        Whether of modules of the package only the definitions count whose names are used, not all that is in them.
    apart_from : str, optional
        A module of the package that does not count by itself, only where another module imports it.
    graph : ImportGraph, optional
        Of the package; default: this one.

    Raises
    ------
    ValueError
        If an import names a module of the package that does not exist.
    """
    graph = graph or package_graph()
    code = UsedCode.of(work, graph=graph, by_name=by_name)
    return fingerprint(sorted(code.parts), graph.fingerprint(*sorted(code.modules - {apart_from})))


class UsedCode:
    """What a function uses.

    Attributes
    ----------
    parts : set of str
        Definitions and assignments, without comments, docstrings and layout.
    modules : set of str
        Modules of the package that these name, and that count as a whole.
    """

    def __init__(self, graph: ImportGraph, folder: Path, *, by_name: bool) -> None:
        self.parts: set[str] = set()
        self.modules: set[str] = set()
        self._graph = graph
        self._by_name = by_name
        self._folder = folder
        self._files: dict[Path, _Scope] = {}
        self._seen: set[int] = set()
        self._followed: set[tuple[int, str]] = set()

    @classmethod
    def of(cls, work: Callable[..., Any], *, graph: ImportGraph, by_name: bool = False) -> UsedCode:
        """Collect what a function uses; parameters as for `code_fingerprint`."""
        while isinstance(work, partial):
            work = work.func
        work = inspect.unwrap(work)
        code = getattr(work, "__func__", work).__code__
        path = Path(code.co_filename)
        found = cls(graph, path.parent, by_name=by_name)
        for node, scope in _defined_at(found._file(path), code.co_firstlineno):
            found._add(node, scope)
        return found

    def _add(self, node: ast.AST, scope: _Scope) -> None:
        """Count a definition or assignment that stands in a scope."""
        if id(node) not in self._seen:
            self._seen.add(id(node))
            self.parts.add(ast.dump(node))
            self._visit(node, scope)

    def _visit(self, node: ast.AST, scope: _Scope) -> None:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                self._import(node, alias, scope)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            self._follow(node.id, scope)
        for child in parts_that_run(node):
            self._visit(child, scope.inside(node, child))

    def _follow(self, name: str, scope: _Scope) -> None:
        """Count what a name stands for where it is used; a name that nothing binds is one of Python's own."""
        home: _Scope | None = scope
        while home is not None and name not in home.bindings:
            home = home.parent
        if home is None or (id(home), name) in self._followed:
            return
        self._followed.add((id(home), name))
        for node in home.bindings[name]:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                for alias in node.names:
                    if name == (alias.asname or alias.name.partition(".")[0]):
                        self._import(node, alias, home)
            elif isinstance(node, ast.arg):
                if node.annotation is not None:
                    self._visit(node.annotation, home.parent or home)
            else:
                self._add(node, home)

    def _import(self, node: ast.Import | ast.ImportFrom, alias: ast.alias, scope: _Scope) -> None:
        only = ast.Import([alias]) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, [alias], node.level)
        for found in imports_of(only, package=package_of(scope.path.parent)):
            named = self._graph.named_by(found)
            file = self._followed_file(found.module)
            inner = self._followed_file(f"{found.module}.{found.name}")
            if inner is not None:
                self._add(inner.node, inner)
            elif file is None:
                self.modules |= named
            elif found.name is None:
                self._add(file.node, file)
            else:
                self._follow(found.name, file)

    def _followed_file(self, module: str) -> _Scope | None:
        """Return the file of a module of which only what is used counts."""
        if self._by_name and module in self._graph.modules:
            return self._file(self._graph.modules[module])
        package, _, name = module.rpartition(".")
        path = self._folder / f"{name}.py"
        return self._file(path) if package and package == package_of(self._folder) and path.is_file() else None

    def _file(self, path: Path) -> _Scope:
        if path not in self._files:
            tree = ast.parse(path.read_bytes(), str(path))
            for node in ast.walk(tree):
                _drop_docstrings(node)
            self._files[path] = _Scope(tree, path)
            for node in tree.body:
                if isinstance(node, ast.Expr):  # what a module does when it is imported
                    self._add(node, self._files[path])
        return self._files[path]


def package_of(folder: Path) -> str:
    """Return the full name of the package that a folder is, empty where it is none."""
    names = []
    while (folder / "__init__.py").is_file():
        names.append(folder.name)
        folder = folder.parent
    return ".".join(reversed(names))


def _drop_docstrings(node: ast.AST) -> None:
    body = getattr(node, "body", None)
    if isinstance(body, list):
        node.body = [  # type: ignore[attr-defined]
            one
            for one in body
            if not (
                isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) and isinstance(one.value.value, str)
            )
        ]


class _Scope:
    """A module, class, function or comprehension, and the nodes that bind its names."""

    def __init__(self, node: ast.AST, path: Path, parent: _Scope | None = None) -> None:
        self.node = node
        self.path = path
        self.parent = parent
        self._inner: dict[int, _Scope] = {}

    def inside(self, node: ast.AST, child: ast.AST) -> _Scope:
        """Return the scope that a child of a node of this scope is in."""
        if not isinstance(node, _SCOPES) or node is self.node:
            return self
        # decorators, defaults and annotations are looked up where the function stands
        is_outside = isinstance(node, _FUNCTIONS) and not isinstance(child, (ast.stmt, ast.expr))
        is_outside = is_outside or child in getattr(node, "decorator_list", ()) or child is getattr(node, "returns", 0)
        return self if is_outside else self._inner.setdefault(id(node), _Scope(node, self.path, self))

    @cached_property
    def bindings(self) -> dict[str, list[ast.AST]]:
        """Name to what it is bound to: imports, definitions, parameters, and the statements that assign it."""
        found: dict[str, list[ast.AST]] = {}
        for name, node in _bound(self.node):
            found.setdefault(name, []).append(node)
        return found


def _bound(scope: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(scope, _FUNCTIONS):
        given = scope.args
        for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg):
            if argument is not None:
                yield argument.arg, argument
    left = [(child, scope) for child in parts_that_run(scope)]
    while left:
        node, value = left.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], node
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name, node
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id, value
        elif isinstance(node, ast.ExceptHandler) and node.name and node.type:
            yield node.name, node.type
        if not isinstance(node, _SCOPES):
            left += [(child, _value_of(node, value)) for child in parts_that_run(node)]


def _value_of(node: ast.AST, outer: ast.AST) -> ast.AST:
    """Return what the names that a node binds get their values from."""
    if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
        return node.iter
    if isinstance(node, ast.withitem):
        return node.context_expr
    return node if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr)) else outer


def _defined_at(module: _Scope, line: int) -> Iterator[tuple[ast.AST, _Scope]]:
    left = [(module.node, module)]
    while left:
        node, scope = left.pop()
        if isinstance(node, _FUNCTIONS) and line == _first_line(node):
            yield node, scope
        left += [(child, scope.inside(node, child)) for child in parts_that_run(node)]


def _first_line(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> int:
    decorators = () if isinstance(function, ast.Lambda) else function.decorator_list
    return min([function.lineno, *(decorator.lineno for decorator in decorators)])
