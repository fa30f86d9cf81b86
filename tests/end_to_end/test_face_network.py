from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from pipelines.face_network import _figures, class_counts, main
from pipelines.face_settings import FaceSettings, command_of, read_settings
from ravdess_mm.errors import InputError
from ravdess_mm.video.stills.datasets import Stills


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a network that is built and traced in a second."""
    from ravdess_mm.bundles.keras_backend import keras
    from ravdess_mm.video import face_networks

    def build(input_shape: tuple[int, int, int], n_classes: int, *, dtype: str) -> object:
        layers = keras.layers
        inputs = keras.Input(input_shape)
        x = layers.Conv2D(12, 5, strides=4, dtype=dtype)(layers.Rescaling(1 / 255)(inputs))
        x = layers.GlobalMaxPooling2D(name=face_networks.EMBEDDING)(x)
        x = layers.Dense(n_classes, dtype="float32", name=face_networks.LOGITS)(x)
        return keras.Model(inputs, layers.Softmax(dtype="float32")(x), name="tiny")

    monkeypatch.setitem(face_networks.FACE_NETWORKS, "tiny", build)  # type: ignore[arg-type]
    return "tiny"


def write_stripes(path: Path, label: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:48, :48]
    wave = np.sin((rows, columns)[label] + rng.uniform(0, 6))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.clip(128 + 60 * wave + rng.normal(0, 9, (48, 48)), 0, 255).astype(np.uint8))


@pytest.mark.slow
def test_one_command_trains_scores_and_writes_a_bundle(
    tmp_path: Path, tiny: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from ravdess_mm.video.face_bundle import load_face_network

    for number in range(32):
        label = number % 2
        folder = tmp_path / "fer" / "train" / ("happy", "angry")[label]
        write_stripes(folder / f"Training_{number}.png", label, number)
        folder = tmp_path / "fer" / "test" / ("happy", "angry")[label]
        write_stripes(folder / f"PublicTest_{number}.png", label, 100 + number)
    out = tmp_path / "net"
    words = [
        f"FACES={tmp_path / 'fer'}",
        f"OUT={out}",
        f"NET={tiny}",
        "EPOCHS=3",
        "BATCH_SIZE=16",
        "PRECISION=float32",
    ]
    assert main(words) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["images"] == 32
    assert json.loads((out / "scores.json").read_text())["accuracy"] == printed["accuracy"]
    network = load_face_network(out)
    assert network.card["scores"]["accuracy"] == printed["accuracy"]
    assert network.card["training_images"] == 32
    counts = network.card["class_counts"]
    assert {name: counts[name] for name in ("happy", "angry", "sad")} == {"happy": 16, "angry": 16, "sad": 1}
    card = (out / "MODEL_CARD.md").read_text()
    assert 'make face-network FACES=fer NET=tiny ARGS="EPOCHS=3 BATCH_SIZE=16 PRECISION=float32"' in card
    assert "non-commercial" in card
    assert not list(out.glob("training-*"))


@pytest.mark.slow
def test_ck_is_cross_validated_by_subject(tmp_path: Path, tiny: str, capsys: pytest.CaptureFixture[str]) -> None:
    for subject in range(10):
        for label, word in enumerate(("happy", "anger")):
            write_stripes(tmp_path / "ck" / word / f"S{subject:03d}_001_{label:08d}.png", label, subject)
    words = [
        f"FACES={tmp_path / 'ck'}",
        f"OUT={tmp_path / 'out'}",
        f"NET={tiny}",
        "CORPUS=ckplus48",
        "EPOCHS=1",
        "BATCH_SIZE=8",
    ]
    assert main(words) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["images"], printed["subjects"], printed["protocol"]) == (20, 10, "ten folds by subject")
    assert printed["leakage"].startswith("demonstration of leakage, not a result")
    assert set(printed["recall"]) == {"angry", "happy"}
    assert printed["accuracy"] == printed["uar"] == pytest.approx(sum(printed["recall"].values()) / 2)
    for name in ("accuracy", "uar"):
        low, high = printed[f"{name}_interval"]
        assert low <= printed[name] <= high


def test_intervals_of_still_faces_resample_subjects() -> None:
    images, subjects = np.zeros((8, 48, 48), np.uint8), np.repeat(["a", "b"], 4)
    stills = Stills(images, np.zeros(8, np.int64), subjects, ("angry",), pd.DataFrame())
    figures = _figures(stills, np.repeat([0, 1], 4), seed=1)
    assert figures["accuracy"] == figures["recall"]["angry"] == 0.5
    assert figures["accuracy_interval"] == [0, 1]


def test_a_class_counts_what_the_training_made_of_it() -> None:
    labels = np.array([0, 0, 0, 2])
    stills = Stills(np.zeros((4, 48, 48), np.uint8), labels, np.repeat("", 4), ("a", "b", "c"), pd.DataFrame())
    assert class_counts(stills) == {"a": 3, "b": 1, "c": 1}
    assert class_counts(stills, balanced=True) == {"a": 1, "b": 1, "c": 1}


def test_arguments_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = read_settings([f"FACES={tmp_path}/fer.zip", "EPOCHS=5", "LOSS=hinge"])
    assert (settings.epochs, settings.loss) == (5, "hinge")
    assert command_of(settings) == 'make face-network FACES=fer.zip ARGS="EPOCHS=5 LOSS=hinge"'
    for words, message in [
        (["EPOCHS=5"], "FACES=... is missing"),
        (["FACES=x", "EPOCHS=0"], "EPOCHS=0: Input should be greater than or equal to 1"),
        (["FACES=x", "EPOCH=5"], "unknown variable 'EPOCH'; allowed: EPOCHS"),
        (["FACES=x", "epochs=5"], "unknown variable 'epochs'"),
        (["FACES=x", "LOSS=mse"], "LOSS=mse: Input should be 'cross-entropy' or 'hinge'"),
        (["FACES=x", "CORPUS=raf"], "CORPUS=raf"),
    ]:
        with pytest.raises(InputError, match=message):
            read_settings(words)
    assert main([f"FACES={tmp_path / 'missing.zip'}"]) == 2
    assert capsys.readouterr().err.endswith("missing.zip: no such file or folder\n")
    assert main(["--help"]) == 0
    assert "WEIGHT_DECAY" in capsys.readouterr().out


@pytest.mark.slow
def test_a_smoke_run_says_so_and_estimates_a_whole_one(
    tmp_path: Path, tiny: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(40):
        label = number % 2
        for folder, part, seed in (("train", "Training", number), ("test", "PublicTest", 100 + number)):
            place = tmp_path / "fer" / folder / ("happy", "angry")[label]
            write_stripes(place / f"{part}_{number}.png", label, seed)
    words = [f"FACES={tmp_path / 'fer'}", f"OUT={tmp_path / 'out'}", f"NET={tiny}", "EPOCHS=1", "BATCH_SIZE=8"]
    assert main([*words, "LIMIT=10"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["smoke_run"] == "of 10 images: the figures are of no worth"
    assert printed["images"] == 10
    assert printed["estimated_cpu_hours_of_60_epochs"] >= 0
    assert "smoke run of 10 images" in (tmp_path / "out" / "MODEL_CARD.md").read_text()


@pytest.mark.slow
def test_components_and_a_dense_network_write_pictures_and_both_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    lines = ["emotion,pixels,Usage"]
    for number in range(200):
        pixels = " ".join(map(str, rng.integers(0, 256, 48 * 48)))
        lines.append(f"{number % 7},{pixels},{'PublicTest' if number < 35 else 'Training'}")
    (tmp_path / "fer.csv").write_text("\n".join(lines))
    out = tmp_path / "out"
    assert main([f"FACES={tmp_path / 'fer.csv'}", f"OUT={out}", "NET=pca-dense", "EPOCHS=1"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert set(printed["by_components"]) == {"50", "150"}
    for row in printed["by_components"].values():
        assert row["binary_accuracy_always_no"] == pytest.approx(6 / 7)
        assert row["accuracy"] < 0.5  # noise: nothing can be named
        assert row["binary_accuracy"] > 0.7
    for name in ("scree.png", "eigenfaces.png", "index.html", "scores.json"):
        assert (out / name).stat().st_size > 500


def test_make_trains_the_network_that_ships_by_one_command(tmp_path: Path) -> None:
    graph = Path("ravdess_mm", "run", "stages.mk")
    (tmp_path / graph).parent.mkdir(parents=True)
    for name in ("Makefile", graph):
        shutil.copy(Path(__file__).parents[2] / name, tmp_path / name)
    (tmp_path / ".venv").mkdir()
    for name in ("pyproject.toml", "constraints.txt", ".venv/.ready"):
        (tmp_path / name).touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}

    def trained(*words: str) -> FaceSettings:
        command = ["make", "--dry-run", "face-network", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        (line,) = [line for line in done.stdout.splitlines() if " pipelines.face_network " in line]
        return read_settings(shlex.split(line.partition(" pipelines.face_network ")[2]))

    shipped = trained("FACES=my fer.zip")
    assert (str(shipped.faces), shipped.net, shipped.epochs, shipped.seed) == ("my fer.zip", "compact", 60, 20)
    assert shipped == trained("FACES=my fer.zip", "NET=compact", "SEED=20")
    assert trained("FACES=my fer.zip", "NET=vgg19", "ARGS=EPOCHS=2").model_dump(include={"net", "epochs"}) == {
        "net": "vgg19",
        "epochs": 2,
    }
