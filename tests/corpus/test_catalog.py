"""One table of clips, one clip a take and branch, and nothing dropped without a reason."""

from __future__ import annotations

import logging
import os
import random
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pandas as pd
import pytest

from ravdess_mm.config import ChannelChoice
from ravdess_mm.corpus.catalog import CATALOG_SCHEMA, CLIP_COLUMNS, Catalog, build_catalog, data_fingerprint
from ravdess_mm.errors import InputError
from ravdess_mm.store import hash_file, read_table, write_table

MakeSound = Callable[..., Path]
MakeFilm = Callable[..., Path]
TAKE = "01-03-01-02-01-05"

DAMAGED = "unreadable header: no sound or film that can be read, or its beginning is damaged"


def catalog(*folders: Path, channel: ChannelChoice = ChannelChoice.SPEECH) -> Catalog:
    return build_catalog(folders, channel=channel, jobs=1)


def reasons(found: Catalog, base: Path) -> dict[str, str]:
    return {str(Path(row.path).relative_to(base)): str(row.reason) for row in found.rejected.itertuples()}


def test_a_clip_has_a_row_with_all_it_is(tmp_path: Path, make_film: MakeFilm) -> None:
    path = make_film(tmp_path / "Video" / "Actor_12" / "01-01-06-02-02-01-12.MP4", n_pictures=30)
    found = catalog(tmp_path)
    assert tuple(found.clips.columns) == CLIP_COLUMNS
    row = found.clips.iloc[0].to_dict()
    assert row.pop("duration_s") == pytest.approx(1.0, abs=0.05)
    assert row == {
        "path": str(path),
        "clip": "01-01-06-02-02-01-12",
        "take": "01-06-02-02-01-12",
        "modality": "full-av",
        "channel": "speech",
        "emotion": "fearful",
        "intensity": "strong",
        "statement": 2,
        "repetition": 1,
        "actor": 12,
        "sex": "female",
        "size_bytes": path.stat().st_size,
        "sha256": hash_file(path),
        "has_audio": True,
        "has_video": True,
        "voice": True,
        "face": True,
    }
    assert len(found.rejected) == 0


def test_both_tables_can_be_stored(tmp_path: Path, make_sound: MakeSound) -> None:
    make_sound(tmp_path / "data" / f"03-{TAKE}.wav")
    found = catalog(tmp_path / "data")
    for name, table in (("clips", found.clips), ("rejected", found.rejected)):
        write_table(tmp_path / f"{name}.parquet", table, schema=CATALOG_SCHEMA)
        back = read_table(tmp_path / f"{name}.parquet", schema=CATALOG_SCHEMA)
        pd.testing.assert_frame_equal(back, table)
    assert list(found.rejected.columns) == ["path", "reason", "stage"]


@pytest.mark.parametrize(
    ("modalities", "voice", "face"),
    [
        ("03", "03", None),
        ("01", "01", "01"),
        ("02", None, "02"),
        ("01 03", "03", "01"),
        ("02 03", "03", "02"),
        ("01 02", "01", "01"),
        ("01 02 03", "03", "01"),
    ],
)
def test_one_clip_a_take_and_branch(
    modalities: str, voice: str | None, face: str | None, tmp_path: Path, make_sound: MakeSound, make_film: MakeFilm
) -> None:
    # as in the release, the video-only clip carries a sound track; it is never the voice
    for modality in modalities.split():
        path = tmp_path / f"{modality}-{TAKE}"
        make_sound(path.with_suffix(".wav")) if modality == "03" else make_film(path.with_suffix(".mp4"))
    clips = catalog(tmp_path).clips
    assert len(clips) == len(modalities.split())
    assert [clip[:2] for clip in clips.loc[clips["voice"], "clip"]] == ([voice] if voice else [])
    assert [clip[:2] for clip in clips.loc[clips["face"], "clip"]] == ([face] if face else [])


def test_a_clip_without_the_stream_is_not_chosen(tmp_path: Path, make_sound: MakeSound, make_film: MakeFilm) -> None:
    make_film(tmp_path / f"01-{TAKE}.avi", video=False)
    make_film(tmp_path / f"02-{TAKE}.mp4", audio=False)
    make_film(tmp_path / "01-01-04-01-01-01-01.mp4", audio=False)
    make_sound(tmp_path / "01-01-05-01-01-01-01.wav")
    clips = catalog(tmp_path).clips.set_index("clip")
    assert clips[["voice", "face"]].T.to_dict("list") == {
        f"01-{TAKE}": [True, False],
        f"02-{TAKE}": [False, True],
        "01-01-04-01-01-01-01": [False, True],
        "01-01-05-01-01-01-01": [True, False],
    }


def test_a_clip_that_serves_no_branch_is_rejected(tmp_path: Path, make_film: MakeFilm) -> None:
    make_film(tmp_path / f"03-{TAKE}.mp4", audio=False)
    make_film(tmp_path / f"02-{TAKE}.mp4", video=False)
    make_film(tmp_path / f"01-{TAKE}.mp4")
    found = catalog(tmp_path)
    assert found.clips["clip"].tolist() == [f"01-{TAKE}"]
    assert reasons(found, tmp_path) == {
        f"02-{TAKE}.mp4": "a video-only clip without a video stream",
        f"03-{TAKE}.mp4": "an audio-only clip without an audio stream",
    }


def test_bad_files_cost_only_themselves(tmp_path: Path, make_sound: MakeSound) -> None:
    kept = make_sound(tmp_path / f"03-{TAKE}.wav")
    (tmp_path / "03-01-01-01-01-01-01.wav").write_bytes(b"")
    (tmp_path / "03-01-01-01-01-01-02.wav").write_bytes(b"RIFF\x10\x00\x00\x00WAVEfmt ")
    (tmp_path / "01-01-01-01-01-01-03.mp4").write_bytes(b"\0\0\0\x20ftypisom" * 9)
    (tmp_path / "03-01-01-02-01-01-03.wav").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / ".DS_Store").write_bytes(b"x")
    found = catalog(tmp_path)
    assert found.clips["path"].tolist() == [str(kept)]
    assert found.rejected["stage"].tolist() == ["catalog"] * 6
    assert found.rejected["path"].is_monotonic_increasing
    told = reasons(found, tmp_path)
    assert set(told) == {path.name for path in tmp_path.iterdir()} - {kept.name}
    assert told["03-01-01-01-01-01-01.wav"] == "zero bytes"
    assert told["03-01-01-01-01-01-02.wav"].startswith("unreadable header: ")
    assert told["01-01-01-01-01-01-03.mp4"].startswith("unreadable header: ")


def test_a_file_without_permission_is_rejected(
    public_path: Path, make_sound: MakeSound, as_nobody: Callable[[], AbstractContextManager[None]]
) -> None:
    make_sound(public_path / f"03-{TAKE}.wav")
    make_sound(public_path / "03-01-01-01-01-01-01.wav").chmod(0)
    with as_nobody():
        found = catalog(public_path)
    assert reasons(found, public_path) == {"03-01-01-01-01-01-01.wav": "permission denied"}
    assert len(found.clips) == 1


def test_the_kaggle_copy_holds_everything_twice(tmp_path: Path, make_sound: MakeSound) -> None:
    base = tmp_path / "kaggle"
    for actor in (1, 2):
        make_sound(base / f"Actor_{actor:02d}" / f"03-01-01-01-01-01-{actor:02d}.wav", seed=actor)
    shutil.copytree(base, tmp_path / "copy")
    shutil.move(tmp_path / "copy", base / "audio_speech_actors_01-24")
    make_sound(base / "audio_speech_actors_01-24" / "Actor_02" / "03-01-01-01-01-01-02.wav", seed=99)
    found = catalog(base)
    assert [Path(path).parent.parent for path in found.clips["path"]] == [base, base]
    nested = base / "audio_speech_actors_01-24"
    assert reasons(found, nested) == {
        "Actor_01/03-01-01-01-01-01-01.wav": f"duplicate of {base}/Actor_01/03-01-01-01-01-01-01.wav (identical bytes)",
        "Actor_02/03-01-01-01-01-01-02.wav": f"duplicate of {base}/Actor_02/03-01-01-01-01-01-02.wav (different bytes)",
    }


def kept_of(tmp_path: Path) -> str:
    return str(Path(catalog(tmp_path).clips["path"].item()).relative_to(tmp_path))


def test_the_shallowest_duplicate_is_kept_then_the_best_container_then_the_first_path(
    tmp_path: Path, make_sound: MakeSound
) -> None:
    make_sound(tmp_path / "b" / "c" / f"03-{TAKE}.wav")
    make_sound(tmp_path / "b" / f"03-{TAKE}.mp3", duration_s=0.5)
    assert kept_of(tmp_path) == f"b/03-{TAKE}.mp3"
    make_sound(tmp_path / "b" / f"03-{TAKE}.flac")
    assert kept_of(tmp_path) == f"b/03-{TAKE}.flac"
    make_sound(tmp_path / "d" / f"03-{TAKE}.wav")
    assert kept_of(tmp_path) == f"d/03-{TAKE}.wav"
    make_sound(tmp_path / "c" / f"03-{TAKE}.wav")
    assert kept_of(tmp_path) == f"c/03-{TAKE}.wav"


def test_a_film_with_sound_is_kept_before_a_shallower_one_without(tmp_path: Path, make_film: MakeFilm) -> None:
    make_film(tmp_path / f"01-{TAKE}.mp4", audio=False)
    make_film(tmp_path / "deep" / f"01-{TAKE}.avi")
    assert kept_of(tmp_path) == f"deep/01-{TAKE}.avi"


def test_a_sound_copy_replaces_a_broken_one(tmp_path: Path, make_sound: MakeSound) -> None:
    (tmp_path / f"03-{TAKE}.wav").write_bytes(b"broken")
    make_sound(tmp_path / "deep" / f"03-{TAKE}.wav")
    found = catalog(tmp_path)
    assert found.clips["path"].tolist() == [str(tmp_path / "deep" / f"03-{TAKE}.wav")]
    assert reasons(found, tmp_path) == {
        f"03-{TAKE}.wav": "unreadable header: no sound or film that can be read, or its beginning is damaged"
    }


def test_order_of_folders_and_files_does_not_matter(
    tmp_path: Path, make_sound: MakeSound, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / "a", tmp_path / "b", tmp_path / "b" / "deep"]
    for number, folder in enumerate(folders):
        for emotion in (2, 3, 4):
            make_sound(folder / f"03-01-{emotion:02d}-01-01-01-01.wav", seed=number)
        make_sound(folder / f"03-01-05-01-01-01-0{number + 1}.wav", seed=number)
    expected = catalog(*folders)
    assert expected.clips["take"].is_monotonic_increasing
    listed = os.listdir
    for seed in range(5):
        generator = random.Random(seed)

        def shuffled(folder: Path, generator: random.Random = generator) -> list[str]:
            names = listed(folder)
            generator.shuffle(names)
            return names

        monkeypatch.setattr(os, "listdir", shuffled)
        generator.shuffle(folders)
        found = catalog(*folders)
        pd.testing.assert_frame_equal(found.clips, expected.clips)
        pd.testing.assert_frame_equal(found.rejected, expected.rejected)


def test_the_channel_selects_and_is_no_rejection(
    tmp_path: Path, make_sound: MakeSound, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="ravdess_mm")
    make_sound(tmp_path / "03-01-01-01-01-01-01.wav")
    make_sound(tmp_path / "03-02-01-01-01-01-01.wav", seed=1)
    make_sound(tmp_path / "03-02-02-01-01-01-01.wav", seed=2)
    sizes = {}
    for channel in ChannelChoice:
        found = catalog(tmp_path, channel=channel)
        assert found.rejected.empty
        sizes[channel.value] = len(found.clips)
    assert sizes == {"speech": 1, "song": 2, "both": 3}
    assert "2 files are not of channel speech and were not used" in caplog.text
    assert "1 files are not of channel song" in caplog.text
    assert "of channel both" not in caplog.text


def test_speech_is_the_default_channel(tmp_path: Path, make_sound: MakeSound) -> None:
    make_sound(tmp_path / "03-01-01-01-01-01-01.wav")
    make_sound(tmp_path / "03-02-01-01-01-01-01.wav")
    assert build_catalog([tmp_path], jobs=1).clips["channel"].tolist() == ["speech"]


def test_nothing_usable_is_one_line_that_says_why(tmp_path: Path, make_sound: MakeSound) -> None:
    (tmp_path / "void" / "deeper").mkdir(parents=True)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "b.txt").write_text("x")
    (tmp_path / "foreign" / "a.wav").write_text("x")
    make_sound(tmp_path / "song" / "03-02-01-01-01-01-01.wav")
    cases = {
        "void": "no usable clip: there are no files",
        "foreign": f"no usable clip among 2 files; the first, {tmp_path}/foreign/a.wav: 'a' has 1 part",
        "song": "no clip of channel speech, 1 of channel song; choose CHANNEL=song or CHANNEL=both",
        "absent": "no such folder",
    }
    for name, reason in cases.items():
        with pytest.raises(InputError) as caught:
            catalog(tmp_path / name)
        assert str(caught.value).startswith(f"{tmp_path / name}: {reason}")
        assert "\n" not in str(caught.value)


def test_clips_of_equal_bytes_under_two_names_are_told(
    tmp_path: Path, make_sound: MakeSound, caplog: pytest.LogCaptureFixture
) -> None:
    make_sound(tmp_path / "03-01-03-01-02-01-07.wav")
    make_sound(tmp_path / "03-01-03-01-02-02-07.wav")
    assert len(catalog(tmp_path).clips) == 2
    assert "hold the same bytes; all are used: 03-01-03-01-02-01-07 and 03-01-03-01-02-02-07" in caplog.text


def test_the_fingerprint_is_of_content_not_of_place(tmp_path: Path, make_sound: MakeSound) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for emotion in (2, 3):
        make_sound(one / f"03-01-{emotion:02d}-01-01-01-01.wav", seed=emotion)
        make_sound(two / "deep" / f"03-01-{emotion:02d}-01-01-01-01.wav", seed=emotion)
    clips = catalog(one).clips
    assert data_fingerprint(clips) == data_fingerprint(catalog(two).clips)
    assert data_fingerprint(clips) == data_fingerprint(clips.iloc[::-1])
    assert data_fingerprint(clips) != data_fingerprint(clips.iloc[:1])
    assert data_fingerprint(clips) != data_fingerprint(clips.assign(voice=False))
    make_sound(two / "deep" / "03-01-02-01-01-01-01.wav", seed=77)
    assert data_fingerprint(clips) != data_fingerprint(catalog(two).clips)


def test_the_cache_does_not_change_the_tables(tmp_path: Path, make_sound: MakeSound, make_film: MakeFilm) -> None:
    make_sound(tmp_path / "data" / f"03-{TAKE}.wav")
    make_film(tmp_path / "data" / f"01-{TAKE}.mp4")
    (tmp_path / "data" / f"02-{TAKE}.mp4").write_bytes(b"broken")
    expected = catalog(tmp_path / "data")
    for _ in range(2):
        found = build_catalog([tmp_path / "data"], cache_path=tmp_path / "files.parquet", jobs=1)
        pd.testing.assert_frame_equal(found.clips, expected.clips)
        pd.testing.assert_frame_equal(found.rejected, expected.rejected)


@pytest.mark.real
def test_real_voices(real_data: Path, tmp_path: Path) -> None:
    start = time.perf_counter()
    found = build_catalog([real_data / "ravdess" / "speech_audio"], cache_path=tmp_path / "files.parquet")
    assert time.perf_counter() - start < 20  # about 1 s on two idle cores
    assert found.rejected.empty
    clips = found.clips
    assert len(clips) == clips["take"].nunique() == 1200
    assert clips["voice"].all()
    assert not clips["face"].any()
    assert clips["actor"].value_counts().to_dict() == dict.fromkeys(range(1, 21), 60)
    assert clips["emotion"].value_counts()["neutral"] == 80
    assert clips["duration_s"].between(2.5, 6).all()


@pytest.mark.real
def test_real_faces_and_films_beside_each_other(real_data: Path) -> None:
    found = catalog(real_data / "ravdess")
    faces = found.clips[found.clips["face"]]
    assert len(faces) == 112
    assert set(faces["actor"]) == {1, 5}
    # four full films come in 720p too; those are kept, with their sound track, which the voice files outrank
    full = found.clips[found.clips["has_audio"] & found.clips["has_video"]]
    assert sorted(full["modality"]) == ["full-av"] * 4 + ["video-only"] * 2
    assert not full["voice"].any()
    names = [Path(path) for path in found.rejected["path"]]
    assert sorted(path.name for path in names if path.parent.name != "action_units_frames") == [
        "01-01-01-01-01-01-01.avi",
        "01-01-03-01-01-02-05.avi",
        "01-01-06-02-01-01-05.avi",
        "01-01-08-01-01-02-01.avi",
        "action_units.csv",
    ]
