"""What the work of a stage runs is found in its file, name by name, and stages in one file stay apart."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from ravdess_mm.import_graph import ImportGraph
from ravdess_mm.source_code import UsedCode, code_fingerprint

TOY = ("books", "lines", "drawing", "colours", "numbers", "unused")

STAGES = '''
from functools import partial
from typing import TYPE_CHECKING

from toy.books import Run
from toy.lines import line
from toy_stages import shared
from toy_stages.common import helper, twice

if TYPE_CHECKING:
    from toy.unused import Nothing

WIDTH = 3
HEIGHT = 4
lines = 5


class Copies:
    """A helper."""

    def make(self):
        """Make them."""
        from toy.colours import colour

        return colour


def first(run: Run, copies: Copies, nothing: "Nothing" = None):
    """One stage."""
    from toy.drawing import draw

    other = helper(1)
    lines = [HEIGHT for HEIGHT in range(2)]

    def work():
        """Do it."""
        return draw(WIDTH, copies.make(), lines)

    return work, other


def second(run: Run):
    """Another one."""
    return lambda: twice(HEIGHT) + line(lines)


def third(run: Run):
    """One more, of which another file's function does all."""
    return partial(shared.all_of_it, run)
'''

COMMON = '''
from toy.numbers import number


def helper(count):
    """Not used by any work."""
    from toy.unused import x

    return x


def twice(count):
    """Double."""
    return number * count
'''

SHARED = '''
import toy.colours


def all_of_it(run):
    """Do it."""
    return again(run)


def again(run):
    """Call back."""
    return toy.colours.colour if run else all_of_it(run)
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "__init__.py").touch()
    names = {"books": "Run", "lines": "line", "drawing": "draw", "colours": "colour", "numbers": "number"}
    for name in TOY:
        (tmp_path / "toy" / f"{name}.py").write_text(f"{names.get(name, 'x')} = abs\n")
    (tmp_path / "toy_stages").mkdir()
    for name, text in {"__init__": "", "stages": STAGES, "common": COMMON, "shared": SHARED}.items():
        (tmp_path / "toy_stages" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return tmp_path


@pytest.fixture
def stages(folder: Path) -> ModuleType:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("toy", "toy_stages")]:
        del sys.modules[name]
    return importlib.import_module("toy_stages.stages")


def graph_of(folder: Path) -> ImportGraph:
    return ImportGraph("toy", folder / "toy")


def found(work: Callable[..., object], folder: Path) -> set[str]:
    return {name.removeprefix("toy.") for name in UsedCode.of(work, graph=graph_of(folder)).modules}


def test_only_what_the_work_uses_counts(stages: ModuleType, folder: Path) -> None:
    assert found(stages.first(None, stages.Copies())[0], folder) == {"drawing", "colours"}
    assert found(stages.second(None), folder) == {"numbers", "lines"}
    assert found(stages.third(None), folder) == {"colours"}
    assert found(partial(stages.first, None), folder) == {"books", "colours", "drawing", "unused"}
    assert found(stages.Copies().make, folder) == {"colours"}


@pytest.mark.parametrize(
    ("file", "old", "new", "changes_first", "changes_second"),
    [
        ("toy_stages/stages.py", "WIDTH = 3", "WIDTH = 33", True, False),
        ("toy_stages/stages.py", "HEIGHT = 4", "HEIGHT = 44", False, True),
        ("toy_stages/stages.py", "lines = 5", "lines = 55", False, True),
        ("toy_stages/stages.py", "range(2)", "range(22)", True, False),
        ("toy_stages/stages.py", "return colour", "return colour or 1", True, False),
        ("toy_stages/stages.py", "    other = helper(1)", "    other = helper(2)", False, False),
        ("toy_stages/stages.py", "class Copies:", "# for people\nclass Copies:", False, False),
        ("toy_stages/stages.py", "Do it.", "Does it.", False, False),
        ("toy_stages/common.py", "number * count", "number * count * 1", False, True),
        ("toy_stages/common.py", "return x", "return x or 1", False, False),
        ("toy/drawing.py", "abs", "max", True, False),
        ("toy/numbers.py", "abs", "max", False, True),
        ("toy/books.py", "abs", "max", False, False),
        ("toy/unused.py", "abs", "max", False, False),
    ],
)
def test_a_change_reaches_those_who_run_it(
    stages: ModuleType, folder: Path, file: str, old: str, new: str, changes_first: bool, changes_second: bool
) -> None:
    def fingerprints() -> list[str]:
        works = (stages.first(None, stages.Copies())[0], stages.second(None))
        return [code_fingerprint(work, graph=graph_of(folder)) for work in works]

    before = fingerprints()
    assert old in (folder / file).read_text()
    (folder / file).write_text((folder / file).read_text().replace(old, new))
    importlib.reload(stages)
    assert [now != then for now, then in zip(fingerprints(), before, strict=True)] == [changes_first, changes_second]


DRAWING = '''
from toy.lines import base
from toy import drawing

DEPTH = 1
print(1)


def draw(*arguments):
    return pen(base)


def pen(width):
    class Pen(Ink):
        depth = DEPTH

    return Pen


class Ink:
    def flow(self):
        return 3


def erase():
    """Rub out."""
    return drawing.draw
'''


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("return pen(base)", "return pen(base) or 1", True),
        ("import base", "import ground as base", True),
        ("DEPTH = 1", "DEPTH = 2", True),
        ("print(1)", "print(2)", True),
        ("return 3", "return 33", True),
        ("def erase", "def erase_it", False),
        ("Rub out", "Erase", False),
    ],
)
def test_by_name_only_what_is_used_of_the_package_counts(
    stages: ModuleType, folder: Path, old: str, new: str, changes: bool
) -> None:
    work = stages.first(None, stages.Copies())[0]
    (folder / "toy" / "lines.py").write_text("base = abs\nground = max\n")
    (folder / "toy" / "drawing.py").write_text(DRAWING)
    before = code_fingerprint(work, by_name=True, graph=graph_of(folder))
    assert old in DRAWING
    (folder / "toy" / "drawing.py").write_text(DRAWING.replace(old, new))
    assert (code_fingerprint(work, by_name=True, graph=graph_of(folder)) != before) == changes


def test_a_module_can_be_left_out(stages: ModuleType, folder: Path) -> None:
    work = partial(stages.first, None)
    with_books = code_fingerprint(work, apart_from="toy.books", graph=graph_of(folder))
    (folder / "toy" / "books.py").write_text("Run = max\n")
    assert code_fingerprint(work, apart_from="toy.books", graph=graph_of(folder)) == with_books
    (folder / "toy" / "drawing.py").write_text("from toy.books import Run\ndraw = abs\n")
    once = code_fingerprint(work, apart_from="toy.books", graph=graph_of(folder))
    (folder / "toy" / "books.py").write_text("Run = min\n")
    assert code_fingerprint(work, apart_from="toy.books", graph=graph_of(folder)) != once


def test_a_module_that_is_not_there_is_refused(stages: ModuleType, folder: Path) -> None:
    (folder / "toy" / "lines.py").unlink()
    with pytest.raises(ValueError, match=r"'toy\.lines' is not a module of toy"):
        code_fingerprint(stages.second(None), graph=graph_of(folder))
