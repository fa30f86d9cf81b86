from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from ravdess_mm.corpus.identifier import Identifier, Modality
from ravdess_mm.errors import InputError
from ravdess_mm.sample import files
from ravdess_mm.sample.face import FRAME_SIZE_PX, draw_faces
from ravdess_mm.sample.files import (
    FRAME_RATE,
    MANIFEST_NAME,
    README_NAME,
    SAMPLE_ACTORS,
    SYNTHETIC_NOTE,
    clip_path,
    ensure_sample,
    write_clips,
)
from ravdess_mm.sample.script import Script, sample_scripts
from ravdess_mm.sample.voice import SAMPLE_RATE, synthesize_voice
from ravdess_mm.store import hash_file

ACTOR = 2


def few_scripts(actors: Iterable[int]) -> list[Script]:
    """Write a third of the scripts: enough to see what is made again, and quick."""
    return sample_scripts(actors)[::3]


@pytest.fixture(scope="module", autouse=True)
def few_takes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "sample_scripts", few_scripts)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the sample of one actor; tests only read it."""
    return ensure_sample(tmp_path_factory.mktemp("whole") / "sample", actors=[ACTOR], jobs=1)


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """Return a copy of the sample that a test may change."""
    return Path(shutil.copytree(whole, tmp_path / "sample"))


def clips_of(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in sorted(folder.glob("Actor_*/*"))}


def stamps(folder: Path) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in folder.rglob("*.*")}


def hashes(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): hash_file(path) for path in folder.rglob("*") if path.is_file()}


def files_in_manifest(folder: Path) -> dict[str, str]:
    files: dict[str, str] = json.loads((folder / MANIFEST_NAME).read_text("utf-8"))["files"]
    return files


def test_every_planned_clip_is_there(whole: Path) -> None:
    planned = {str(Identifier(m, script.take)) for script in few_scripts([ACTOR]) for m in script.modalities}
    assert {str(Identifier.parse(path)) for path in clips_of(whole).values()} == planned


def test_manifest_lists_every_clip_with_its_hash(whole: Path) -> None:
    found = {f"{path.parent.name}/{path.name}": hash_file(path) for path in clips_of(whole).values()}
    assert files_in_manifest(whole) == found


def test_readme_says_that_it_is_synthetic(whole: Path) -> None:
    assert (whole / README_NAME).read_text("utf-8").startswith(SYNTHETIC_NOTE.upper())
    assert SYNTHETIC_NOTE in (whole / MANIFEST_NAME).read_text("utf-8")


def test_twelve_actors_stay_under_40_mb(whole: Path) -> None:
    size_bytes = sum(path.stat().st_size for path in clips_of(whole).values())
    share = len(few_scripts([ACTOR])) / len(sample_scripts(SAMPLE_ACTORS))
    assert size_bytes / share < 40e6


def test_a_whole_sample_is_left_alone(folder: Path) -> None:
    before = stamps(folder)
    assert ensure_sample(folder, actors=[ACTOR], jobs=1) == folder
    assert stamps(folder) == before


def test_only_altered_and_missing_files_are_made_again(folder: Path, whole: Path) -> None:
    altered, missing, *others = clips_of(folder).values()
    altered.write_bytes(altered.read_bytes()[:-1] + b"x")
    missing.unlink()
    (folder / README_NAME).write_text("?", encoding="utf-8")
    before = {path: path.stat().st_mtime_ns for path in others}
    ensure_sample(folder, actors=[ACTOR], jobs=1)
    assert hashes(folder) == hashes(whole)
    assert {path: path.stat().st_mtime_ns for path in others} == before


def test_files_do_not_depend_on_jobs(folder: Path, whole: Path) -> None:
    for path in clips_of(folder).values():
        path.unlink()
    ensure_sample(folder, actors=[ACTOR], jobs=2)
    assert hashes(folder) == hashes(whole)


def test_another_generator_makes_all_again(folder: Path, whole: Path) -> None:
    manifest = folder / MANIFEST_NAME
    stale = json.loads(manifest.read_text("utf-8")) | {"generator": "older"}
    stale["files"]["Actor_09/03-01-01-01-01-01-09.wav"] = "0"
    stale["files"]["../outside.wav"] = "0"
    manifest.write_text(json.dumps(stale), encoding="utf-8")
    leftover, outside = folder / "Actor_09/03-01-01-01-01-01-09.wav", folder.parent / "outside.wav"
    for path in (leftover, outside):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"RIFF")
    before = stamps(folder)
    ensure_sample(folder, actors=[ACTOR], jobs=1)
    assert hashes(folder) == hashes(whole)
    after = stamps(folder)
    assert all(after[name] > before[name] for name in files_in_manifest(folder))
    assert outside.exists()  # a manifest cannot make us delete elsewhere


def test_a_damaged_manifest_is_no_obstacle(folder: Path, whole: Path) -> None:
    (folder / MANIFEST_NAME).write_text("{", encoding="utf-8")
    ensure_sample(folder, actors=[ACTOR], jobs=1)
    assert hashes(folder) == hashes(whole)


def _make_until_killed(folder: Path) -> None:
    files.sample_scripts = few_scripts  # this runs in a process of its own
    ensure_sample(folder, actors=[ACTOR], jobs=1)


def test_a_killed_sample_is_completed(tmp_path: Path, whole: Path) -> None:
    folder = tmp_path / "sample"
    process = multiprocessing.get_context("spawn").Process(target=_make_until_killed, args=(folder,))
    process.start()
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s and not ((folder / MANIFEST_NAME).exists() and files_in_manifest(folder)):
        time.sleep(0.005)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    listed = files_in_manifest(folder)
    assert 0 < len(listed) < len(files_in_manifest(whole))
    assert all(hash_file(folder / name) == digest for name, digest in listed.items())
    before = {name: (folder / name).stat().st_mtime_ns for name in listed}
    (folder / f"Actor_{ACTOR:02d}" / ".03-half-written.wav").write_bytes(b"RI")
    ensure_sample(folder, actors=[ACTOR], jobs=1)
    assert hashes(folder) == hashes(whole)
    assert {name: (folder / name).stat().st_mtime_ns for name in listed} == before


def test_a_folder_with_other_things_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"thesis.txt.*allowed: a folder that is missing, empty or a sample"):
        ensure_sample(tmp_path, actors=[ACTOR], jobs=1)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_where_the_folder_is_due(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="cannot hold the synthetic sample"):
        ensure_sample(path, actors=[ACTOR], jobs=1)


def test_a_folder_without_permission(public_path: Path, as_nobody: Callable[[], AbstractContextManager[None]]) -> None:
    with as_nobody(), pytest.raises(InputError, match="Permission denied"):
        ensure_sample(public_path / "sample", actors=[ACTOR], jobs=1)


@pytest.mark.parametrize("actors", [[], [0], [3, 25]])
def test_wrong_actors(tmp_path: Path, actors: list[int]) -> None:
    with pytest.raises(InputError, match="allowed: one or more of 1-24"):
        ensure_sample(tmp_path / "sample", actors=actors, jobs=1)
    assert not (tmp_path / "sample").exists()


@pytest.fixture(scope="module")
def script() -> Script:
    return sample_scripts([5])[3]


@pytest.fixture(scope="module")
def clips(script: Script, tmp_path_factory: pytest.TempPathFactory) -> dict[Modality, Path]:
    folder = tmp_path_factory.mktemp("clips")
    written = write_clips(script, folder, Modality)
    return {modality: folder / path for modality, path in zip(Modality, written, strict=True)}


def test_names_are_ravdess_names(script: Script, clips: dict[Modality, Path]) -> None:
    for modality, path in clips.items():
        assert Identifier.parse(path) == Identifier(modality, script.take)
        assert path.parent.name == f"Actor_{script.take.actor:02d}"
        assert path.suffix == (".wav" if modality is Modality.AUDIO_ONLY else ".mp4")


def test_voice_is_16_bit_mono(script: Script, clips: dict[Modality, Path]) -> None:
    info = soundfile.info(clips[Modality.AUDIO_ONLY])
    assert (info.samplerate, info.channels, info.subtype) == (SAMPLE_RATE, 1, "PCM_16")
    samples, _ = soundfile.read(clips[Modality.AUDIO_ONLY])
    np.testing.assert_allclose(samples, synthesize_voice(script), atol=1e-4)


@pytest.mark.parametrize("modality", [Modality.FULL_AV, Modality.VIDEO_ONLY])
def test_face_is_a_real_film(script: Script, clips: dict[Modality, Path], modality: Modality) -> None:
    with av.open(str(clips[modality])) as container:
        video = container.streams.video[0]
        assert video.codec_context.name in {"h264", "mpeg4"}
        assert video.average_rate == FRAME_RATE
        frames = list(container.decode(video))
    assert {(frame.width, frame.height) for frame in frames} == {(FRAME_SIZE_PX, FRAME_SIZE_PX)}
    assert len(frames) == int(script.duration_s * FRAME_RATE) > 80
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(len(frames)) / float(FRAME_RATE), atol=1e-4)


def test_decoded_pictures_show_the_face(script: Script, clips: dict[Modality, Path]) -> None:
    with av.open(str(clips[Modality.VIDEO_ONLY])) as container:
        first = next(container.decode(video=0)).to_ndarray(format="gray")
    drawn = next(draw_faces(script, np.array([0.0])))
    assert np.abs(first.astype(int) - drawn).mean() < 8


def test_only_full_av_clips_have_a_sound_track(script: Script, clips: dict[Modality, Path]) -> None:
    with av.open(str(clips[Modality.VIDEO_ONLY])) as container:
        assert not container.streams.audio
    with av.open(str(clips[Modality.FULL_AV])) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        track = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    voice = synthesize_voice(script)
    assert len(track) >= len(voice)
    assert np.corrcoef(track[: len(voice)], voice)[0, 1] > 0.9


def test_same_script_same_bytes(script: Script, clips: dict[Modality, Path], tmp_path: Path) -> None:
    write_clips(script, tmp_path, Modality)
    for modality, path in clips.items():
        assert (tmp_path / clip_path(script, modality)).read_bytes() == path.read_bytes()


def test_a_failed_clip_leaves_nothing(script: Script, tmp_path: Path) -> None:
    (tmp_path / clip_path(script, Modality.AUDIO_ONLY)).mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        write_clips(script, tmp_path, [Modality.AUDIO_ONLY])
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
