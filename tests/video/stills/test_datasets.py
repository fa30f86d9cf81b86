from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from ravdess_mm.errors import InputError
from ravdess_mm.video.stills.datasets import (
    CK_CLASSES,
    FER_CLASSES,
    Stills,
    find_duplicates,
    read_ckplus48,
    read_fer2013,
    subject_folds,
)


def face(seed: int, *, size: int = 48) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size), dtype=np.uint8)


def write_image(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


def pack(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder.parent))
    return path


def csv_row(code: int | str, image: np.ndarray, usage: str) -> str:
    return f"{code},{' '.join(map(str, image.ravel()))},{usage}"


@pytest.fixture
def fer_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "fer"
    for seed, (part, word, name) in enumerate(
        [
            ("train", "angry", "Training_1.png"),
            ("train", "surprise", "Training_2.png"),
            ("test", "fear", "PublicTest_3.png"),
            ("test", "sad", "PrivateTest_4.png"),
        ]
    ):
        write_image(folder / part / word / name, face(seed))
    return folder


@pytest.mark.parametrize("wrap", [lambda folder: folder, pack], ids=["folder", "zip"])
def test_kaggle_images_carry_class_and_official_part(fer_folder: Path, wrap: Callable[[Path], Path]) -> None:
    stills = read_fer2013(wrap(fer_folder))
    found = {(stills.classes[label], str(part)) for label, part in zip(stills.labels, stills.groups, strict=True)}
    assert found == {
        ("angry", "Training"),
        ("surprised", "Training"),
        ("fearful", "PublicTest"),
        ("sad", "PrivateTest"),
    }
    angry = stills.labels == FER_CLASSES.index("angry")
    np.testing.assert_array_equal(stills.images[angry][0], face(0))
    assert stills.classes == FER_CLASSES
    assert len(stills.part("Training")) == 2
    assert stills.rejected.empty


@pytest.mark.parametrize("zipped", [False, True])
def test_the_original_csv(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "fer2013.csv"
    rows = [csv_row(code, face(code), "Training") for code in range(7)]
    path.write_text("\n".join(["emotion,pixels,Usage", *rows, csv_row(3, face(9), "PublicTest")]))
    if zipped:
        archive = tmp_path / "archive.zip"
        with zipfile.ZipFile(archive, "w") as handle:
            handle.write(path, "fer2013/fer2013.csv")
        path = archive
    stills = read_fer2013(path)
    words = [stills.classes[label] for label in stills.labels[:7]]
    assert words == ["angry", "disgust", "fearful", "happy", "sad", "surprised", "neutral"]
    np.testing.assert_array_equal(stills.images[7], face(9))
    assert list(stills.groups[-2:]) == ["Training", "PublicTest"]


def test_a_bad_row_of_the_csv_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    rows = [
        csv_row(0, face(0), "Training"),
        csv_row(7, face(0), "Training"),
        csv_row(0, face(0), "Validation"),
        "0,1 2 3,Training",
        "0,1 x 3,Training",
        f"0,{' '.join(['256'] * 2304)},Training",
        "0",
    ]
    path.write_text("\n".join(["emotion,pixels,Usage", *rows]))
    stills = read_fer2013(path)
    assert len(stills) == 1
    reasons = list(stills.rejected["reason"])
    assert reasons[0] == "emotion is '7'; allowed: 0 to 6"
    assert reasons[1] == "Usage is 'Validation'; allowed: Training, PublicTest, PrivateTest"
    assert reasons[2] == "3 pixels; allowed: 2304 from 0 to 255"
    assert reasons[3].startswith("pixels are not whole numbers")
    assert "allowed: 2304 from 0 to 255" in reasons[4]
    assert len(reasons) == 6
    assert stills.rejected["path"][0] == f"{path}:3"


def test_a_bad_image_costs_only_itself(fer_folder: Path) -> None:
    (fer_folder / "train" / "angry" / "Training_5.jpg").write_bytes(b"no image")
    (fer_folder / "train" / "angry" / "Training_6.jpg").write_bytes(b"")
    write_image(fer_folder / "train" / "angry" / "Training_7.png", face(0, size=47))
    write_image(fer_folder / "train" / "bored" / "Training_8.png", face(0))
    write_image(fer_folder / "train" / "contempt" / "Training_9.png", face(0))
    write_image(fer_folder / "train" / "angry" / "im0.png", face(0))
    (fer_folder / "train" / "angry" / "readme.txt").touch()
    stills = read_fer2013(fer_folder)
    reasons = {Path(path).stem: reason for path, reason in stills.rejected.to_numpy()}
    assert len(stills) == 4
    assert len(reasons) == 6
    assert reasons["Training_5"] == reasons["Training_6"] == "not a readable image"
    assert reasons["Training_7"] == "is 47x47 pixels; allowed: 48x48"
    assert reasons["Training_8"].startswith("folder 'bored' is no class; allowed: neutral, happy")
    assert "'contempt' is no class" in reasons["Training_9"]
    assert "'im0' does not say its part" in reasons["im0"]


def test_an_entry_that_claims_to_be_huge_is_not_unpacked(fer_folder: Path) -> None:
    with zipfile.ZipFile(pack(fer_folder), "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fer/train/angry/Training_9.png", bytes(2 << 20))
    stills = read_fer2013(fer_folder.with_suffix(".zip"))
    assert list(stills.rejected["reason"]) == ["2097152 bytes are too many for a 48x48 image"]


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    start = int(rng.integers(len(content)))
    if rng.random() < 0.3:
        return bytes(changed[:start])
    for place in rng.integers(len(content), size=int(rng.integers(1, 8))):
        changed[place] = rng.integers(256)
    return bytes(changed)


def test_a_damaged_zip_costs_images_or_is_named(fer_folder: Path, tmp_path: Path) -> None:
    whole = pack(fer_folder).read_bytes()
    images = read_fer2013(fer_folder).images
    rng = np.random.default_rng(8)
    path = tmp_path / "damaged.zip"
    read = []
    for _ in range(300):
        path.write_bytes(damaged(whole, rng))
        with contextlib.suppress(InputError):  # anything else is not said in one line
            read.append(read_fer2013(path))
    assert read
    for stills in read:  # what is left is what was there: a zip knows the checksum of each file
        assert all((images == image).all(axis=(1, 2)).any() for image in stills.images)


def test_a_damaged_table_in_a_zip_is_named(tmp_path: Path) -> None:
    rows = [csv_row(code, face(code), "Training") for code in range(7)]
    with zipfile.ZipFile(tmp_path / "fer.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fer2013.csv", "\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    whole = (tmp_path / "fer.zip").read_bytes()
    path = tmp_path / "damaged.zip"
    rng = np.random.default_rng(9)
    for _ in range(100):
        path.write_bytes(damaged(whole, rng))
        with contextlib.suppress(InputError):
            assert len(read_fer2013(path)) == len(rows)


def test_wrong_usage_is_one_clear_line(tmp_path: Path) -> None:
    for name in ("missing", "missing.zip", "missing.csv"):
        with pytest.raises(InputError, match="o such file"):
            read_fer2013(tmp_path / name)
    with pytest.raises(InputError, match="no usable 48x48 face images"):
        read_ckplus48(tmp_path)
    (tmp_path / "text.zip").write_text("text")
    with pytest.raises(InputError, match="neither a folder of faces nor a readable zip"):
        read_ckplus48(tmp_path / "text.zip")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="no column Usage, emotion, pixels; FER2013 has"):
        read_fer2013(tmp_path / "other.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a CSV table"):
        read_fer2013(tmp_path / "binary.csv")
    with zipfile.ZipFile(tmp_path / "binary.zip", "w") as archive:
        archive.write(tmp_path / "binary.csv", "binary.csv")
    with pytest.raises(InputError, match=r"binary.zip:binary.csv: not a CSV table"):
        read_fer2013(tmp_path / "binary.zip")


def ck_stills(n_subjects: int, images_each: int = 3) -> Stills:
    n = n_subjects * images_each
    return Stills(
        images=np.stack([face(seed) for seed in range(n)]),
        labels=np.arange(n) % 3,
        groups=np.repeat([f"S{subject:03d}" for subject in range(n_subjects)], images_each),
        classes=CK_CLASSES,
        rejected=pd.DataFrame({"path": [], "reason": []}, dtype="str"),
    )


def test_ck_images_carry_their_subject(tmp_path: Path) -> None:
    write_image(tmp_path / "CK+48" / "sadness" / "S010_004_00000017.png", face(1))
    write_image(tmp_path / "CK+48" / "contempt" / "S999_001_00000001.png", face(2))
    write_image(tmp_path / "CK+48" / "contempt" / "image.png", face(2))
    stills = read_ckplus48(tmp_path)
    assert sorted(zip(stills.groups.tolist(), [stills.classes[label] for label in stills.labels], strict=True)) == [
        ("S010", "sad"),
        ("S999", "contempt"),
    ]
    assert "does not say its subject" in stills.rejected["reason"][0]


def test_folds_never_part_a_subject() -> None:
    stills = ck_stills(23)
    folds = subject_folds(stills)
    assert sorted(set(folds.tolist())) == list(range(10))
    for subject in np.unique(stills.groups):
        assert len(set(folds[stills.groups == subject].tolist())) == 1
    shuffled = np.random.default_rng(0).permutation(len(stills))
    np.testing.assert_array_equal(subject_folds(stills.select(shuffled)), folds[shuffled])
    with pytest.raises(InputError, match="10 folds of 4 subjects; allowed: 2 to 4"):
        subject_folds(ck_stills(4))


def test_duplicates_are_found_whatever_their_label() -> None:
    training, test = ck_stills(3), ck_stills(5)
    test.images[9:] = 255 - test.images[9:]
    assert find_duplicates(test, training).tolist() == [True] * 9 + [False] * 6


def test_a_missing_part_says_what_there_is(fer_folder: Path) -> None:
    stills = read_fer2013(fer_folder)
    with pytest.raises(InputError, match="no images of part 'Validation'; this copy has: PrivateTest, PublicTest"):
        stills.part("Validation")


@pytest.mark.real
def test_the_real_fer2013(real_data: Path) -> None:
    stills = read_fer2013(real_data / "faces" / "fer2013.zip")
    training, public = stills.part("Training"), stills.part("PublicTest")
    assert (len(training), len(public), len(stills.rejected)) == (28709, 3589, 0)
    assert find_duplicates(public, training).sum() == 280
    counts = dict(zip(FER_CLASSES, np.bincount(training.labels).tolist(), strict=True))
    assert counts["happy"] == 7215
    assert counts["disgust"] == 436


@pytest.mark.real
def test_the_real_ckplus48(real_data: Path) -> None:
    stills = read_ckplus48(real_data / "faces" / "ckplus48.zip")
    assert (len(stills), len(np.unique(stills.groups)), len(stills.rejected)) == (981, 118, 0)
    assert np.bincount(stills.labels, minlength=8).tolist() == [0, 207, 84, 135, 75, 177, 249, 54]
