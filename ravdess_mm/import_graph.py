"""Which module imports which, read from the source files: nothing is run, and nobody has to keep a list.

What depends on code is made again when that code changes. An import inside a function counts like one at the top of
a file; one for type checkers alone does not. A package's own ``__init__`` counts where a name is taken from it, not
where one of its modules is imported by its full name. A name that is put together while the program runs is not seen.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from ravdess_mm.store import fingerprint, hash_file


@dataclass(frozen=True)
class Import:
    """One imported name.

    Attributes
    ----------
    module : str
        Full name of the module that is imported, or from which `name` is taken.
    name : str or None
        What is taken from it; None for ``import module``.
    bound : str
        What the importing module calls it.
    is_lazy : bool
        Whether it is imported when a function runs, not when the importing module is.
    """

    module: str
    name: str | None
    bound: str
    is_lazy: bool


def imports_of(node: ast.stmt, *, package: str, is_lazy: bool = False) -> Iterator[Import]:
    """Yield what a statement imports; nothing where it is not an import.

    Parameters
    ----------
    package : str
        The package that the statement's module is in: what a relative import starts from.
    """
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, None, alias.asname or alias.name.partition(".")[0], is_lazy)
    elif isinstance(node, ast.ImportFrom):
        parents = package.split(".")
        base = parents[: len(parents) - node.level + 1] if node.level else []
        module = ".".join([*base, *([node.module] if node.module else [])])
        for alias in node.names:
            yield Import(module, alias.name, alias.asname or alias.name, is_lazy)


def parts_that_run(node: ast.AST) -> Iterator[ast.AST]:
    """Return the children of a node, without those under ``if TYPE_CHECKING:``."""
    if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
        return iter(node.orelse)
    return ast.iter_child_nodes(node)


def _statements(node: ast.AST, *, is_lazy: bool = False) -> Iterator[tuple[ast.stmt, bool]]:
    for child in parts_that_run(node):
        if isinstance(child, ast.stmt):
            yield child, is_lazy
        inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
        yield from _statements(child, is_lazy=is_lazy or inside)


class ImportGraph:
    """The modules of a package, and what each imports.

    Parameters
    ----------
    package : str
        Its name.
    folder : Path
        Where its files are.
    """

    def __init__(self, package: str, folder: Path) -> None:
        self.package = package
        self.folder = folder
        self._imports: dict[str, tuple[Import, ...]] = {}

    @cached_property
    def modules(self) -> Mapping[str, Path]:
        """Full name of each module, the package itself included, to its file."""
        files = {path: path.relative_to(self.folder).with_suffix("").parts for path in self.folder.rglob("*.py")}
        named = {
            ".".join([self.package, *(parts[:-1] if parts[-1] == "__init__" else parts)]): path
            for path, parts in files.items()
        }
        return dict(sorted(named.items()))

    def imports(self, module: str) -> tuple[Import, ...]:
        """Return everything that a module imports, of other packages too."""
        if module not in self._imports:
            path = self._file(module)
            package = module if path.stem == "__init__" else module.rpartition(".")[0]
            tree = ast.parse(path.read_bytes(), str(path))
            self._imports[module] = tuple(
                found
                for node, is_lazy in _statements(tree)
                for found in imports_of(node, package=package, is_lazy=is_lazy)
            )
        return self._imports[module]

    def _file(self, module: str) -> Path:
        if module not in self.modules:
            raise ValueError(f"{module!r} is not a module of {self.package}; allowed: {', '.join(self.modules)}")
        return self.modules[module]

    def named_by(self, found: Import) -> frozenset[str]:
        """Return the modules of this package that an import names; none where it is of another package.

        Raises
        ------
        ValueError
            If it names a module that this package does not have.
        """
        if found.module.partition(".")[0] != self.package:
            return frozenset()
        self._file(found.module)
        inner = f"{found.module}.{found.name}"
        return frozenset({found.module, inner} if inner in self.modules else {found.module})

    def direct(self, module: str, *, lazily: bool = True) -> frozenset[str]:
        """Return the modules of this package that a module imports itself.

        Parameters
        ----------
        module : str
            Its full name.
        lazily : bool
            Whether imports inside functions count.
        """
        found = [one for one in self.imports(module) if lazily or not one.is_lazy]
        return frozenset().union(*map(self.named_by, found)) - {module}

    def reached(self, *modules: str) -> frozenset[str]:
        """Return these modules and all that they import, directly or through others.

        Raises
        ------
        ValueError
            If a module is unknown.
        """
        done: set[str] = set()
        left = set(modules)
        while left:
            module = left.pop()
            done.add(module)
            left |= self.direct(module) - done
        return frozenset(done)

    def fingerprint(self, *modules: str) -> str:
        """Return a fingerprint of the source code of `reached`."""
        return fingerprint({module: hash_file(self.modules[module]) for module in self.reached(*modules)})

    def circles(self) -> list[tuple[str, ...]]:
        """Return the groups of modules that import each other in a circle, inside functions or not; best none."""
        reached = {module: self.reached(*self.direct(module)) for module in self.modules}
        groups = {
            tuple(sorted(other for other in reached[module] if module in reached[other]))
            for module in self.modules
            if module in reached[module]
        }
        return sorted(groups)


@lru_cache(maxsize=1)
def package_graph() -> ImportGraph:
    """Return the import graph of this package."""
    return ImportGraph(__name__.partition(".")[0], Path(__file__).parent)


@lru_cache(maxsize=64)
def source_fingerprint(*modules: str) -> str:
    """Return a fingerprint of this package's own source code behind some modules, with all that they import.

    Parameters
    ----------
    *modules : str
        Full names, such as ``ravdess_mm.audio.feature_table``; a module that asks for itself says ``__name__``.

    Raises
    ------
    ValueError
        If a module is unknown.
    """
    return package_graph().fingerprint(*modules)
