"""The cached, parallel feature table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from ravdess_mm.audio import feature_cache as cache_module
from ravdess_mm.audio import feature_table as table_module
from ravdess_mm.audio.feature_table import FeatureTable, build_feature_table
from ravdess_mm.audio.mfcc_delta_rms import extract_features, mfcc_feature_names
from ravdess_mm.corpus.identifier import Identifier
from ravdess_mm.errors import InputError
from ravdess_mm.store import hash_file

SR = 16000


def write_clip(folder: Path, name: str, *, y: np.ndarray | None = None) -> Path:
    path = folder / name
    seed = int(name[:20].replace("-", ""))
    samples = 0.1 * np.random.default_rng(seed).standard_normal(SR // 4) if y is None else y
    soundfile.write(path, samples, SR, subtype="FLOAT", format="WAV")
    return path


def catalog(paths: list[Path], *, voices: list[bool] | None = None) -> pd.DataFrame:
    rows = []
    for path, voice in zip(paths, voices or [True] * len(paths), strict=True):
        clip = Identifier.parse(path)
        rows.append(
            {
                "path": str(path),
                "clip": str(clip),
                "take": str(clip.take),
                "modality": clip.modality.label,
                "emotion": clip.emotion.label,
                "actor": clip.actor,
                "sha256": hash_file(path),
                "has_audio": True,
                "voice": voice,
            }
        )
    return pd.DataFrame(rows)


def build(clips: pd.DataFrame, folder: Path, *, jobs: int = 1) -> FeatureTable:
    return build_feature_table(clips, cache_dir=folder, jobs=jobs)


@pytest.fixture
def clips(tmp_path: Path) -> pd.DataFrame:
    names = [f"03-01-0{emotion}-01-01-01-{actor:02d}.wav" for actor in (2, 1) for emotion in (3, 5, 1)]
    return catalog([write_clip(tmp_path, name) for name in names])


def test_rows_are_takes_in_order_with_their_own_features(clips: pd.DataFrame, tmp_path: Path) -> None:
    result = build(clips, tmp_path / "cache")
    assert list(result.features.columns) == ["take", "actor", "emotion", *mfcc_feature_names()]
    assert list(result.features["take"]) == sorted(clips["take"])
    assert result.n_computed == 6
    assert result.rejected.empty
    assert list(result.rejected.columns) == ["path", "reason", "stage"]
    for row in clips.itertuples():
        found = result.features[result.features["take"] == row.take].iloc[0]
        assert (found["actor"], found["emotion"]) == (row.actor, row.emotion)
        y, sr = soundfile.read(row.path, dtype="float32")
        expected = extract_features(y, sr)
        np.testing.assert_array_equal(found[list(mfcc_feature_names())].to_numpy(dtype=float), expected)


def test_bytes_depend_neither_on_jobs_nor_on_order_nor_on_the_cache(clips: pd.DataFrame, tmp_path: Path) -> None:
    first = build(clips, tmp_path / "a", jobs=1)
    shuffled = clips.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(build(shuffled, tmp_path / "b", jobs=2).features, first.features, check_exact=True)
    pd.testing.assert_frame_equal(build(shuffled, tmp_path / "a").features, first.features, check_exact=True)


def test_second_run_computes_what_is_new_only(clips: pd.DataFrame, tmp_path: Path) -> None:
    assert build(clips.iloc[:-1], tmp_path / "cache").n_computed == 5
    assert build(clips, tmp_path / "cache").n_computed == 1
    assert build(clips, tmp_path / "cache").n_computed == 0
    moved = clips.assign(path="elsewhere/" + clips["clip"])
    assert build(moved, tmp_path / "cache").n_computed == 0
    assert len(list((tmp_path / "cache").rglob("*.parquet"))) == 1


def test_killed_run_keeps_its_parts(clips: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "VECTORS_PER_PART", 2)
    done: list[None] = []

    def killed_at_the_fifth(*arguments: Any, **options: Any) -> Any:
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(None)
        return extract_features(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(table_module, "extract_features", killed_at_the_fifth)
        with pytest.raises(KeyboardInterrupt):
            build(clips, tmp_path / "cache")
    resumed = build(clips, tmp_path / "cache")
    assert resumed.n_computed == 2
    pd.testing.assert_frame_equal(resumed.features, build(clips, tmp_path / "fresh").features, check_exact=True)


def test_bad_clip_costs_only_itself_and_is_not_tried_again(clips: pd.DataFrame, tmp_path: Path) -> None:
    silent = write_clip(tmp_path, "03-01-08-01-01-01-05.wav", y=np.zeros(SR))
    every = pd.concat([clips, catalog([silent])], ignore_index=True)
    result = build(every, tmp_path / "cache", jobs=2)
    assert list(result.features["take"]) == sorted(clips["take"])
    assert result.rejected.to_dict("records") == [
        {
            "path": str(silent),
            "reason": "silent: no sample is larger than one step of 16-bit audio; the take has no other sound",
            "stage": "audio",
        }
    ]
    again = build(every, tmp_path / "cache")
    assert again.n_computed == 0
    pd.testing.assert_frame_equal(again.rejected, result.rejected)


def test_file_that_is_gone_is_tried_again(clips: pd.DataFrame, tmp_path: Path) -> None:
    path = Path(clips["path"].iloc[0])
    content = path.read_bytes()
    path.unlink()
    assert build(clips, tmp_path / "cache").rejected["reason"].str.startswith("the file is gone").tolist() == [True]
    path.write_bytes(content)
    result = build(clips, tmp_path / "cache")
    assert result.rejected.empty
    assert result.n_computed == 1


def test_other_sound_of_the_take_steps_in(tmp_path: Path) -> None:
    voice = write_clip(tmp_path, "03-01-03-01-01-01-07.wav", y=np.zeros(SR))
    film = write_clip(tmp_path, "01-01-03-01-01-01-07.wav")
    silent_film = write_clip(tmp_path, "02-01-03-01-01-01-07.wav", y=np.ones(SR))
    clips = catalog([film, silent_film, voice], voices=[False, False, True])
    result = build(clips, tmp_path / "cache")
    y, sr = soundfile.read(film, dtype="float32")
    expected = extract_features(y, sr)
    np.testing.assert_array_equal(result.features[list(mfcc_feature_names())].to_numpy()[0], expected)
    assert result.rejected["path"].tolist() == [str(voice)]
    assert result.rejected["reason"].iloc[0].endswith("; tried instead: 01-01-03-01-01-01-07")


def test_take_without_voice_has_no_row(clips: pd.DataFrame, tmp_path: Path) -> None:
    mute = clips.assign(voice=clips["actor"] == 1)
    result = build(mute, tmp_path / "cache")
    assert set(result.features["actor"]) == {1}
    assert result.rejected.empty


def test_no_voice_at_all_gives_an_empty_table(clips: pd.DataFrame, tmp_path: Path) -> None:
    result = build(clips.assign(voice=False), tmp_path / "cache")
    assert result.features.empty
    assert list(result.features.columns) == ["take", "actor", "emotion", *mfcc_feature_names()]


def test_table_without_a_column_is_refused(clips: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column sha256, voice"):
        build(clips.drop(columns=["voice", "sha256"]), tmp_path / "cache")
