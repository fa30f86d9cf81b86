"""The order of the rooms: a lower room imports no higher one, nobody imports in a circle, heavy libraries load late."""

from __future__ import annotations

from pathlib import Path

import pytest

from ravdess_mm.import_graph import ImportGraph, package_graph

ROOMS = (
    ("_version", "arrays", "config", "errors", "extras", "schemas"),
    ("store",),
    ("import_graph", "source_code", "versions"),
    ("parallel",),
    ("corpus",),
    ("calibration", "predictions"),
    ("bundles", "run", "sample"),
    ("audio", "classifiers", "video"),
    ("evaluation",),
    ("fusion",),
    ("experiments",),
    ("report",),
    ("predict",),
    ("api",),
    ("app",),
    ("cli",),
    ("__main__",),
)
"""From the lowest to the highest. Rooms of one line do not know each other."""

HEAVY = ("keras", "sklearn", "statsmodels", "tensorflow", "xgboost")
"""Libraries that an answer and ``--help`` do without; `ravdess_mm.bundles.keras_backend` imports Keras at once."""

TRAINERS = (
    "classifiers.boosting",
    "classifiers.dense",
    "classifiers.estimators",
    "classifiers.kernel_machine",
    "classifiers.corpora_voice",
    "experiments.cross_corpus",
    "video.face_networks",
    "video.gradcam",
    "video.networks",
    "video.stills",
    "video.training",
)
"""Modules and rooms that may load them at once: who imports these builds or trains a model."""


def rank(module: str) -> int:
    """Return the place of a module's room in `ROOMS`."""
    room = module.partition(".")[0]
    found = [place for place, rooms in enumerate(ROOMS) if room in rooms]
    assert found, f"{module}: in no room; allowed: {', '.join(room for rooms in ROOMS for room in rooms)}"
    return found[0]


@pytest.fixture(scope="module")
def graph() -> ImportGraph:
    return package_graph()


def short(module: str) -> str:
    return module.partition(".")[2]


def edges(graph: ImportGraph) -> list[tuple[str, str]]:
    """Return who imports whom, but for the front door itself: it opens into every room."""
    return [
        (short(module), short(other))
        for module in graph.modules
        if short(module)
        for other in sorted(graph.direct(module))
    ]


def loaded_with(graph: ImportGraph, module: str) -> set[str]:
    """Return what is imported at once where a module is."""
    done: set[str] = set()
    left = {module}
    while left:
        done.add(next_one := left.pop())
        left |= graph.direct(next_one, lazily=False) - done
    return done


def test_every_module_is_in_a_room(graph: ImportGraph) -> None:
    for module in graph.modules:
        if short(module):
            rank(short(module))


def test_no_room_imports_a_higher_one(graph: ImportGraph) -> None:
    wrong = []
    for module, other in edges(graph):
        if not other:
            wrong.append(f"{module} imports the front door")
            continue
        own, its = module.partition(".")[0], other.partition(".")[0]
        is_beside = rank(module) == rank(other) and "." in module and own != its
        if rank(other) > rank(module) or is_beside:
            wrong.append(f"{module} imports {other}")
    assert not wrong, "\n".join(wrong)


def test_settings_need_nothing_of_the_package(graph: ImportGraph) -> None:
    assert {short(module) for module in graph.reached(f"{graph.package}.config")} <= {"config", "errors"}


def test_nobody_imports_in_a_circle(graph: ImportGraph) -> None:
    assert graph.circles() == []


def test_the_package_does_not_know_the_stages(graph: ImportGraph) -> None:
    assert not [
        module
        for module in graph.modules
        for one in graph.imports(module)
        if one.module.partition(".")[0] == "pipelines"
    ]


def test_heavy_libraries_are_imported_where_models_are_built(graph: ImportGraph) -> None:
    door = f"{graph.package}.bundles.keras_backend"
    loads = {
        module
        for module in graph.modules
        if any(one.module.partition(".")[0] in HEAVY and not one.is_lazy for one in graph.imports(module))
    }
    wrong = []
    for module in sorted(set(graph.modules) - {door}):
        if not any(f"{short(module)}.".startswith(f"{trainer}.") for trainer in TRAINERS):
            found = loaded_with(graph, module) & (loads | {door})
            wrong += [f"{short(module)} loads {short(other)}" for other in sorted(found)]
    assert not wrong, "\n".join(wrong)


def test_tests_mirror_modules(graph: ImportGraph) -> None:
    folder = Path(__file__).parent
    rooms = {short(module).replace(".", "/") for module in graph.modules} | {"end_to_end", "fuzz"}
    for path in folder.rglob("test_*.py"):
        room = path.parent.relative_to(folder).as_posix()
        assert room == "." or room in rooms, f"{path}: there is no such room"
