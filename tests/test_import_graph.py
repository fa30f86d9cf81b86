"""What a module depends on is read from its source, wherever in it the imports stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from ravdess_mm.import_graph import ImportGraph, source_fingerprint

FILES = {
    "__init__.py": "",
    "low.py": "import json\n",
    "side.py": "",
    "lazy.py": "def f():\n    if True:\n        from toy.low import x\n        return x\n",
    "types.py": "import typing\nif typing.TYPE_CHECKING:\n    from toy.low import X\nelse:\n    import toy.side\n",
    "room/__init__.py": "from toy.room.inner import name\n",
    "room/inner.py": "from ..low import x\nfrom . import other\n",
    "room/other.py": "",
    "door.py": "from toy.room import name\n",
    "by_full_name.py": "import toy.room.other as other\n",
    "there.py": "def f():\n    import toy.back\n",
    "back.py": "import toy.there\n",
}


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    folder = tmp_path / "toy"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("module", "reached"),
    [
        ("low", {"low"}),
        ("lazy", {"lazy", "low"}),
        ("types", {"types", "side"}),
        ("room.inner", {"room.inner", "room.other", "low", "room"}),
        ("door", {"door", "room", "room.inner", "room.other", "low"}),
        ("by_full_name", {"by_full_name", "room.other"}),
        ("there", {"there", "back"}),
    ],
)
def test_imports_are_followed(toy: Path, module: str, reached: set[str]) -> None:
    assert ImportGraph("toy", toy).reached(f"toy.{module}") == {f"toy.{name}" for name in reached}


def test_a_fingerprint_changes_with_what_is_reached_and_with_nothing_else(toy: Path) -> None:
    graph = ImportGraph("toy", toy)
    reached = graph.reached("toy.door")
    before = graph.fingerprint("toy.door")
    for module, path in graph.modules.items():
        text = path.read_text()
        path.write_text(text + "# changed\n")
        assert (ImportGraph("toy", toy).fingerprint("toy.door") != before) == (module in reached), module
        path.write_text(text)
    assert ImportGraph("toy", toy).fingerprint("toy.door") == before


def test_imports_inside_functions_are_told_apart(toy: Path) -> None:
    graph = ImportGraph("toy", toy)
    assert graph.direct("toy.lazy") == {"toy.low"}
    assert graph.direct("toy.lazy", lazily=False) == frozenset()
    assert [(one.module, one.is_lazy) for one in graph.imports("toy.low")] == [("json", False)]


def test_a_circle_is_found_even_through_a_function(toy: Path) -> None:
    graph = ImportGraph("toy", toy)
    assert graph.circles() == [("toy.back", "toy.there"), ("toy.room", "toy.room.inner")]
    (toy / "there.py").write_text("")
    (toy / "room" / "inner.py").write_text("import toy.room.other\n")
    assert ImportGraph("toy", toy).circles() == []


def test_an_unknown_module_is_refused(toy: Path) -> None:
    with pytest.raises(ValueError, match=r"'toy\.nowhere' is not a module of toy; allowed: toy, toy\.back"):
        ImportGraph("toy", toy).reached("toy.nowhere")
    (toy / "low.py").write_text("from toy.gone import x\n")
    with pytest.raises(ValueError, match=r"'toy\.gone' is not a module"):
        ImportGraph("toy", toy).reached("toy.low")
    with pytest.raises(ValueError, match=r"no_such_module.py' is not a module of ravdess_mm"):
        source_fingerprint("ravdess_mm.audio", "no_such_module.py")


def test_the_fingerprint_of_this_package() -> None:
    assert source_fingerprint("ravdess_mm.store") != source_fingerprint("ravdess_mm.config")
    assert source_fingerprint("ravdess_mm.store") == source_fingerprint("ravdess_mm.store", "ravdess_mm.errors")
