from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.config import ChannelChoice
from ravdess_mm.errors import InputError
from ravdess_mm.video.action_unit_files import INTENSITIES, PRESENCES, SCORES, Layout, may_hold_units
from ravdess_mm.video.action_units import (
    LENGTH,
    Transform,
    build_action_unit_table,
    find_tables,
    of_channel,
    tables_among,
    with_lengths,
)

CLIP = "01-01-05-01-02-01-12"
TAKE = CLIP[3:]


def openface_frames(n_frames: int = 10, *, seed: int = 0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    table = pd.DataFrame({"frame": np.arange(1, n_frames + 1), "confidence": 0.98, "success": 1})
    for name in INTENSITIES:
        table[name] = draw.uniform(0, 5, n_frames).round(2)
    for name in PRESENCES:
        table[name] = draw.integers(0, 2, n_frames).astype(float)
    return table


def pyfeat_frames(n_frames: int = 10, *, seed: int = 0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    table = pd.DataFrame({"frame": np.arange(n_frames), "FaceScore": 0.99, "anger": 0.5})
    for name in SCORES:
        table[name] = draw.uniform(0, 1, n_frames)
    return table


def averages(clips: list[str]) -> pd.DataFrame:
    table = pd.DataFrame({"clip_id": clips})
    for position, name in enumerate((*INTENSITIES, *PRESENCES)):
        table[name] = 0.01 * position
    return table


def write(table: pd.DataFrame, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)
    return path


def test_openface_frames_are_pooled_over_tracked_frames_only(tmp_path: Path) -> None:
    frames = openface_frames(12)
    frames.loc[3, "success"] = 0
    frames.loc[4, "confidence"] = 0.3
    frames.loc[[3, 4], "AU12_r"] = 5.0
    kept = frames.drop(index=[3, 4])
    table = build_action_unit_table([write(frames, tmp_path / f"{CLIP}.csv")])
    row = table.features.iloc[0]
    assert table.layout is Layout.OPENFACE_FRAMES
    assert tuple(table.features.columns) == (
        "take",
        "actor",
        "emotion",
        *Layout.OPENFACE_FRAMES.feature_names,
    )
    assert (row["take"], row["actor"], row["emotion"]) == (TAKE, 12, "angry")
    assert row["AU12_r"] == pytest.approx(kept["AU12_r"].mean())
    assert row["AU12_r_std"] == pytest.approx(kept["AU12_r"].std(ddof=0))
    assert row["AU12_r_p90"] == pytest.approx(np.percentile(kept["AU12_r"], 90))
    assert row["AU12_r_max"] == kept["AU12_r"].max()
    assert row["AU28_c"] == pytest.approx(kept["AU28_c"].mean())


def test_column_names_may_carry_leading_spaces_and_a_byte_order_mark(tmp_path: Path) -> None:
    plain = write(openface_frames(), tmp_path / "plain" / f"{CLIP}.csv")
    spaced = tmp_path / "spaced" / f"{CLIP}.csv"
    spaced.parent.mkdir()
    spaced.write_text(plain.read_text().replace(",", ", "), encoding="utf-8-sig")
    pd.testing.assert_frame_equal(build_action_unit_table([plain]).features, build_action_unit_table([spaced]).features)


def test_pyfeat_takes_the_best_face_of_a_frame_and_skips_frames_without_one(tmp_path: Path) -> None:
    frames = pyfeat_frames(8)
    ghost = frames.iloc[[2]].assign(FaceScore=0.9, AU12=1.0)
    lost = frames.iloc[[5]].assign(frame=8, FaceScore=np.nan, **dict.fromkeys(SCORES, np.nan))
    written = pd.concat([ghost, frames, lost])
    table = build_action_unit_table([write(written, tmp_path / f"{CLIP}.csv")])
    assert table.layout is Layout.PYFEAT_FRAMES
    assert tuple(table.features.columns[3:]) == Layout.PYFEAT_FRAMES.feature_names
    assert table.features["AU12"].iloc[0] == pytest.approx(frames["AU12"].mean())
    assert table.features["AU43_max"].iloc[0] == pytest.approx(frames["AU43"].max())
    assert "anger" not in table.features


def test_averages_are_taken_as_they_are(tmp_path: Path) -> None:
    table = build_action_unit_table([write(averages([CLIP, "01-01-03-02-01-01-02"]), tmp_path / "all.csv")])
    assert list(table.features["take"]) == ["01-03-02-01-01-02", TAKE]
    assert tuple(table.features.columns[3:]) == (*INTENSITIES, *PRESENCES)
    assert table.features["AU02_r"].iloc[0] == 0.01


def test_the_square_root_says_so_in_the_names(tmp_path: Path) -> None:
    path = write(averages([CLIP]), tmp_path / "all.csv")
    plain = build_action_unit_table([path]).features
    rooted = build_action_unit_table([path], transform=Transform.SQRT).features
    assert list(rooted.columns[3:]) == [f"sqrt_{name}" for name in plain.columns[3:]]
    np.testing.assert_allclose(rooted.iloc[:, 3:], np.sqrt(plain.iloc[:, 3:].to_numpy()))


def test_a_bad_file_costs_only_itself(tmp_path: Path) -> None:
    write(openface_frames(), tmp_path / f"{CLIP}.csv")
    write(openface_frames().drop(columns=["AU04_r", "AU12_c"]), tmp_path / "01-01-03-01-01-01-01.csv")
    write(openface_frames().assign(success=0), tmp_path / "01-01-03-01-01-01-02.csv")
    write(
        openface_frames().replace({"AU06_r": {openface_frames()["AU06_r"][2]: 7.5}}),
        tmp_path / "01-01-03-01-01-01-03.csv",
    )
    write(openface_frames(), tmp_path / "03-01-03-01-01-01-04.csv")
    write(openface_frames(), tmp_path / "notes.csv")
    write(pd.DataFrame({"a": [1], "b": [2]}), tmp_path / "01-01-03-01-01-01-05.csv")
    (tmp_path / "01-01-03-01-01-01-06.csv").write_bytes(b"")
    (tmp_path / "01-01-03-01-01-01-07.csv").write_bytes(b"\xff\xfe\x00AU01_r")
    write(openface_frames().assign(AU09_r="smile"), tmp_path / "01-01-03-01-01-01-08.csv")
    table = build_action_unit_table([tmp_path])
    assert list(table.features["take"]) == [TAKE]
    assert set(table.rejected["stage"]) == {"video"}
    reasons = {
        Path(path).stem[-2:]: reason
        for path, reason in zip(table.rejected["path"], table.rejected["reason"], strict=True)
    }
    assert "no column AU04_r, AU12_c; a table of OpenFace frames has success" in reasons["01"]
    assert "confidence 0.75 or more in any of 10 frames" in reasons["02"]
    assert reasons["03"] == "line 4: AU06_r is '7.5'; allowed: a number from 0 to 5"
    assert "audio-only" in reasons["04"]
    assert "no action units among the columns (a, b); allowed: OpenFace frames" in reasons["05"]
    assert "not a readable CSV" in reasons["06"]
    assert "not a readable CSV" in reasons["07"]
    assert "line 2: AU09_r is 'smile'" in reasons["08"]
    assert "a RAVDESS name has 7" in reasons["es"]
    assert len(reasons) == 9


def test_a_bad_row_of_the_averages_costs_only_itself(tmp_path: Path) -> None:
    table = averages([CLIP, "01-01-09-01-01-01-01", "01-01-02-01-01-01-01"])
    table.loc[2, "AU05_c"] = np.nan
    built = build_action_unit_table([write(table, tmp_path / "all.csv")])
    assert list(built.features["take"]) == [TAKE]
    assert list(built.rejected["reason"].str.extract(r"^(line \d)")[0]) == ["line 3", "line 4"]
    assert "emotion 09 is out of range" in built.rejected["reason"][0]
    assert "AU05_c is 'nan'" in built.rejected["reason"][1]


def test_a_take_is_used_once_and_full_av_comes_first(tmp_path: Path) -> None:
    silent = write(openface_frames(seed=1), tmp_path / "a" / f"02{CLIP[2:]}.csv")
    full = write(openface_frames(seed=2), tmp_path / "b" / f"{CLIP}.csv")
    copy = write(openface_frames(seed=3), tmp_path / "c" / f"{CLIP}.csv")
    table = build_action_unit_table([copy, silent, full])
    assert table.features["AU12_r"].iloc[0] == pytest.approx(openface_frames(seed=2)["AU12_r"].mean())
    assert list(table.rejected["path"]) == [str(silent), str(copy)]
    assert f"the same take as {CLIP} in {full}" in table.rejected["reason"][0]


def test_a_table_has_one_layout_the_one_with_most_takes(tmp_path: Path) -> None:
    frames = write(openface_frames(), tmp_path / f"{CLIP}.csv")
    write(averages([CLIP, "01-01-03-02-01-01-02"]), tmp_path / "all.csv")
    table = build_action_unit_table([tmp_path])
    assert table.layout is Layout.OPENFACE_AVERAGES
    assert list(table.rejected["path"]) == [str(frames)]
    assert "holds OpenFace frames; the other 2 takes are OpenFace averages" in table.rejected["reason"][0]


def test_neither_order_nor_jobs_matter(tmp_path: Path) -> None:
    paths = [write(openface_frames(seed=actor), tmp_path / f"01-01-03-01-01-01-{actor:02d}.csv") for actor in (1, 2, 3)]
    forward = build_action_unit_table(paths)
    backward = build_action_unit_table([*reversed(paths), tmp_path], jobs=2)
    pd.testing.assert_frame_equal(forward.features, backward.features)
    assert backward.rejected.empty


def test_tables_of_a_folder_are_told_from_its_other_tables(tmp_path: Path) -> None:
    spaced = "frame, face_id, confidence, success, AU01_r, AU45_c\n1, 0, 0.98, 1, 0.2, 0\n"
    meant = {
        "tracking/Actor_12/01-01-05-01-02-01-12.csv": "",  # named as a clip, so that its fault is said
        "tracking/02-01-05-01-02-01-12.CSV": "x\n1\n",
        "all.csv": "\ufeffclip_id,AU01_r\n",
        "named by others.csv": spaced,
        "felt.csv": '"frame","FaceScore","AU01"\n',
    }
    others = {
        "actors.csv": "actor,age\n1,30\n",
        "03-01-05-01-02-01-12.csv": "time,pitch\n",  # audio-only: shows no face
        ".all.csv": spaced,
        ".cache/all.csv": spaced,
        "notes.txt": spaced,
    }
    for name, text in {**meant, **others}.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    folder = tmp_path / "data"
    expected = sorted(folder / name for name in meant)
    assert list(tables_among([folder])) == expected
    # what is named counts whatever is in it, and nothing counts twice
    assert list(tables_among([folder / "actors.csv", folder, folder / "all.csv"])) == sorted(
        [*expected, folder / "actors.csv"]
    )
    assert tables_among([]) == ()
    with pytest.raises(InputError, match="no such file"):
        tables_among([folder, tmp_path / "missing.csv"])


def test_tables_of_another_channel_are_told_by_their_names() -> None:
    speech, song, several = (Path(f"{name}.csv") for name in ("01-01-03-01-01-01-01", "01-02-03-01-01-01-01", "all"))
    tables = (speech, song, several)
    assert of_channel(tables, ChannelChoice.SPEECH) == (speech, several)
    assert of_channel(tables, ChannelChoice.SONG) == (song, several)
    assert of_channel(tables, ChannelChoice.BOTH) == tables


def test_a_file_that_is_no_text_is_not_meant_as_action_units(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00AU01_r,AU02_r")
    assert not may_hold_units(tmp_path / "a.csv")
    assert not may_hold_units(tmp_path / "missing.csv")


def test_wrong_usage_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        find_tables([tmp_path / "missing"])
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(InputError, match=r"is not a \.csv file"):
        find_tables([tmp_path / "clip.mp4"])
    with pytest.raises(InputError, match=r"no \.csv file in"):
        build_action_unit_table([tmp_path])
    with pytest.raises(InputError, match="min_confidence is 2"):
        build_action_unit_table([tmp_path], min_confidence=2)
    write(averages([CLIP]).drop(columns="AU45_r"), tmp_path / "all.csv")
    with pytest.raises(
        InputError, match=r"no usable action units; .*no column AU45_r; .*OpenFace averages has clip_id"
    ):
        build_action_unit_table([tmp_path])
    write(averages([]), tmp_path / "all.csv")
    with pytest.raises(InputError, match="the table has no rows"):
        build_action_unit_table([tmp_path])


@pytest.mark.real
def test_the_published_averages(real_data: Path) -> None:
    table = build_action_unit_table([real_data / "ravdess" / "action_units.csv"])
    assert table.features.shape == (1200, 38)
    assert table.rejected.empty
    assert sorted(table.features["actor"].unique()) == list(range(1, 21))
    assert table.features["take"].is_monotonic_increasing
    assert (table.features["emotion"] == "neutral").sum() == 80


def test_the_length_of_every_take_is_added_from_one_kind_of_clip() -> None:
    features = pd.DataFrame({"take": ["a", "b"], "actor": [1, 1], "emotion": ["sad", "happy"], "AU01_r": [0.1, 0.2]})
    clips = pd.DataFrame(
        {
            "take": ["a", "a", "b", "b"],
            "duration_s": [4.0, 4.1, 3.0, float("nan")],
            "voice": [False, True, False, True],
            "face": [True, False, True, False],
        }
    )
    np.testing.assert_allclose(with_lengths(features, clips)[LENGTH], np.log([4.0, 3.0]))  # b's voice has no length
    clips.loc[3, "duration_s"] = 3.2
    np.testing.assert_allclose(with_lengths(features, clips.iloc[::-1])[LENGTH], np.log([4.1, 3.2]))
    assert with_lengths(features, clips.iloc[:2]) is features


@pytest.mark.real
def test_the_published_averages_are_found_in_their_folder(real_data: Path) -> None:
    folder = real_data / "ravdess"
    tables = tables_among([folder])
    assert folder / "action_units.csv" in tables
    frames = set(folder.glob("action_units_frames/*.csv"))
    assert set(tables) == {folder / "action_units.csv", *frames}
