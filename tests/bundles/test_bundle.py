from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from ravdess_mm.bundles.bundle import CARD_NAME, read_bundle, sklearn_part, write_bundle
from ravdess_mm.bundles.keras_file import check_network
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
    with pytest.raises(BundleError, match=r"weights\.bin: is a symbolic link"):
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
        ({"emotions": EMOTIONS[::-1]}, "labels are surprised"),
        ({"emotions": [*EMOTIONS, "sad"]}, "labels are neutral"),
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
    with pytest.raises(BundleError, match=r"model\.skops: not a readable archive"):
        bundle.load_sklearn("model.skops")
    with pytest.raises(BundleError, match="not a readable XGBoost model"):
        bundle.load_booster("model.ubj")
    with pytest.raises(BundleError, match=r"model\.keras: not a readable archive"):
        bundle.load_network("model.keras")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("keras.layers", "Lambda"),
        ("keras.layers", "TFSMLayer"),
        (None, "Mine"),
        ("keras", "layers.Lambda"),
        ("builtins", "function"),
        ("keras.saving", "load_model"),
    ],
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


def test_an_archive_that_would_fill_the_memory_is_not_unpacked(tmp_path: Path) -> None:
    def bomb(path: Path) -> None:
        compressed = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        with compressed as archive, archive.open("config.json", "w", force_zip64=True) as file:
            for _ in range(600):
                file.write(bytes(2**20))

    files = {f"model.{kind}": bomb for kind in ("npz", "skops", "keras")}
    bundle = write_bundle(tmp_path, kind="thing", card={}, files=files)
    tracemalloc.start()
    for load, name in ((bundle.load_arrays, "npz"), (bundle.load_sklearn, "skops"), (bundle.open_network, "keras")):
        with pytest.raises(BundleError, match=rf"model\.{name}: refused, it would unpack to 629,145,600 bytes"):
            load(f"model.{name}")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


@pytest.mark.parametrize("kind", ["npz", "skops"])
def test_an_array_of_another_size_than_it_says_is_refused(tmp_path: Path, kind: str) -> None:
    def lie(path: Path) -> None:
        content = io.BytesIO()
        np.lib.format.write_array_header_1_0(content, {"descr": "<f8", "fortran_order": False, "shape": (10**9,)})
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.npy", content.getvalue())

    bundle = write_bundle(tmp_path, kind="thing", card={}, files={f"a.{kind}": lie})
    load = bundle.load_arrays if kind == "npz" else bundle.load_sklearn
    with pytest.raises(BundleError, match=r"a\.npy says \(1000000000,\) of float64 and holds 0 bytes"):
        load(f"a.{kind}")


def keras_file(path: Path, config: object, weights: dict[str, object]) -> None:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for name, given in weights.items():
            file.create_dataset(name, **given)  # type: ignore[arg-type]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.write(path.with_suffix(".h5"), "model.weights.h5")


def test_weights_are_no_larger_than_their_file_may_be(tmp_path: Path) -> None:
    huge = {"shape": (2**28,), "dtype": "f4", "chunks": (1024,)}
    keras_file(tmp_path / "a.keras", {}, {"w": huge})
    with pytest.raises(BundleError, match=r"its weights would take 1,073,741,824 bytes"):
        check_network(tmp_path / "a.keras")
    (tmp_path / "secret").write_bytes(bytes(64))
    outside = {"shape": (16,), "dtype": "f4", "external": [(str(tmp_path / "secret"), 0, 64)]}
    keras_file(tmp_path / "b.keras", {}, {"w": outside})
    with pytest.raises(BundleError, match="w lies in another file"):
        check_network(tmp_path / "b.keras")
    keras_file(tmp_path / "c.keras", {"units": 10**9}, {})
    with pytest.raises(BundleError, match=r"names a size of 1000000000; allowed: up to 65,536"):
        check_network(tmp_path / "c.keras")
