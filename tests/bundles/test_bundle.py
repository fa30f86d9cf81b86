from __future__ import annotations

import json
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from ravdess_mm.bundles.bundle import CARD_NAME, read_bundle, sklearn_part, write_bundle
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import BundleError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_bundle(
        tmp_path / "model",
        kind="thing",
        card={"feature_names": ("a", "b"), "temperature": np.float64(1.5)},
        files={"weights.bin": b"12345", "note.txt": lambda path: path.write_text("hello") and None},
    )
    return tmp_path / "model"


def edit_record(folder: Path, **changes: object) -> None:
    record = json.loads((folder / CARD_NAME).read_text())
    (folder / CARD_NAME).write_text(json.dumps({**record, **changes}))


def test_bundle_round_trip(folder: Path) -> None:
    bundle = read_bundle(folder)
    assert bundle.kind == "thing"
    assert bundle.card == {"feature_names": ["a", "b"], "temperature": 1.5}
    assert bundle.emotions == EMOTIONS
    assert bundle.versions["ravdess-mm"]
    assert bundle.part("weights.bin").read_bytes() == b"12345"
    assert bundle.part("note.txt").read_text() == "hello"


def test_a_bundle_that_is_replaced_leaves_no_part(tmp_path: Path) -> None:
    write_bundle(tmp_path, kind="svc", card={}, files={"old.npz": b"1", "both.npz": b"2"})
    (tmp_path / "MODEL_CARD.md").write_text("not a part")
    write_bundle(tmp_path, kind="svc", card={}, files={"both.npz": b"3"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["MODEL_CARD.md", "both.npz", CARD_NAME]
    assert read_bundle(tmp_path).part("both.npz").read_bytes() == b"3"


def test_part_that_is_not_listed_is_refused(folder: Path) -> None:
    (folder / "extra.bin").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"no part 'extra\.bin'"):
        read_bundle(folder).part("extra.bin")


def test_changed_part_is_refused(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(b"12346")
    with pytest.raises(BundleError, match=r"weights\.bin: was changed"):
        read_bundle(folder)


def test_missing_part_is_refused(folder: Path) -> None:
    (folder / "weights.bin").unlink()
    with pytest.raises(BundleError, match=r"'weights\.bin' is missing"):
        read_bundle(folder)


def test_linked_part_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder / "weights.bin", tmp_path / "elsewhere")
    (folder / "weights.bin").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="not a name for a part"):
        read_bundle(folder)


def test_part_outside_the_folder_is_refused(folder: Path) -> None:
    (folder.parent / "outside").write_bytes(b"x")
    edit_record(folder, files={"../outside": "0"})
    with pytest.raises(BundleError, match="not a name for a part"):
        read_bundle(folder)


def test_folder_without_record_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a model bundle"):
        read_bundle(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": "bundle/9"}, "schema 'bundle/9'; this version reads 'bundle/1'"),
        ({"files": ["weights.bin"]}, "no usable 'files'"),
        ({"card": None}, "no usable 'card'"),
        ({"emotions": ["joy", *EMOTIONS[1:]]}, "labels are joy"),
    ],
)
def test_unusable_record_is_refused(folder: Path, changes: dict[str, object], message: str) -> None:
    edit_record(folder, **changes)
    with pytest.raises(BundleError, match=message):
        read_bundle(folder)


@pytest.mark.parametrize("text", ["{", "[]", "3"])
def test_record_that_is_not_an_object_is_refused(folder: Path, text: str) -> None:
    (folder / CARD_NAME).write_text(text)
    with pytest.raises(BundleError):
        read_bundle(folder)


def test_order_of_labels_is_read_from_the_bundle(folder: Path) -> None:
    edit_record(folder, emotions=EMOTIONS[::-1])
    assert read_bundle(folder).emotions == EMOTIONS[::-1]


def test_half_written_bundle_is_no_bundle(folder: Path) -> None:
    def fail(path: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_bundle(folder, kind="thing", card={}, files={"note.txt": b"new", "weights.bin": fail})
    with pytest.raises(BundleError, match="not a model bundle"):
        read_bundle(folder)


@pytest.mark.parametrize("name", ["../up", "a/b", CARD_NAME, ".hidden", ""])
def test_part_needs_a_plain_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        write_bundle(tmp_path, kind="thing", card={}, files={name: b""})


class Custom:
    pass


@pytest.mark.parametrize("planted", [Custom(), FunctionTransformer(os.system)], ids=["class", "function"])
def test_skops_part_with_an_untrusted_type_is_refused(tmp_path: Path, planted: object) -> None:
    bundle = write_bundle(tmp_path, kind="thing", card={}, files={"model.skops": sklearn_part(planted)})
    with pytest.raises(BundleError, match=r"not trusted: .*(Custom|system)"):
        bundle.load_sklearn("model.skops")


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.path),)


def test_pickle_is_never_read(tmp_path: Path) -> None:
    pickled = pickle.dumps(Bomb(tmp_path / "ran"))
    (tmp_path / "model.pkl").write_bytes(pickled)
    files = {"model.skops": pickled, "model.ubj": pickled, "model.keras": pickled}
    bundle = write_bundle(tmp_path, kind="thing", card={}, files=files)
    with pytest.raises(BundleError, match="not a readable skops file"):
        bundle.load_sklearn("model.skops")
    with pytest.raises(BundleError, match="not a readable XGBoost model"):
        bundle.load_booster("model.ubj")
    with pytest.raises(BundleError, match="not a readable Keras model"):
        bundle.load_network("model.keras")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("module", "name"), [("os", "system"), ("keras.layers", "Lambda"), ("keras.layers", "TFSMLayer"), (None, "Mine")]
)
def test_network_that_names_foreign_code_is_refused(tmp_path: Path, module: str | None, name: str) -> None:
    layer = {"module": module, "class_name": name, "config": {}}
    config = {"module": "keras", "class_name": "Sequential", "config": {"layers": [layer]}}

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps(config))

    bundle = write_bundle(tmp_path, kind="thing", card={}, files={"model.keras": write})
    for load in (bundle.load_network, bundle.open_network):
        with pytest.raises(BundleError, match=f"names {module}.{name}, which is not trusted"):
            load("model.keras")


def test_equal_models_have_equal_bytes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    X, y = random.normal(size=(60, 4)), np.arange(60) % 3
    kept = []
    for name in ("first", "second"):
        kept.append([object() for _ in range(1000)])  # moves the addresses of what follows
        forest = RandomForestClassifier(5, random_state=0).fit(X, y)
        write_bundle(tmp_path / name, kind="thing", card={}, files={"model.skops": sklearn_part(forest)})
        loaded = read_bundle(tmp_path / name).load_sklearn("model.skops")
        np.testing.assert_array_equal(loaded.predict_proba(X), forest.predict_proba(X))
    first, second = ((tmp_path / name / "model.skops").read_bytes() for name in ("first", "second"))
    assert first == second


def test_part_keeps_what_was_fitted(tmp_path: Path) -> None:
    scaler = StandardScaler().fit([[1.0, 2.0], [3.0, 6.0]])
    bundle = write_bundle(tmp_path, kind="thing", card={}, files={"scaler.skops": sklearn_part(scaler)})
    np.testing.assert_array_equal(bundle.load_sklearn("scaler.skops").mean_, [2.0, 4.0])
