from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from ravdess_mm.corpus.identifier import Identifier, Modality
from ravdess_mm.corpus.sample_clip import FRAME_RATE, clip_path, write_clips
from ravdess_mm.corpus.sample_face import FRAME_SIZE_PX
from ravdess_mm.corpus.sample_script import Script, sample_scripts
from ravdess_mm.corpus.sample_voice import SAMPLE_RATE, synthesize_voice


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
    assert [frame.width for frame in frames] == [FRAME_SIZE_PX] * len(frames)
    assert [frame.height for frame in frames] == [FRAME_SIZE_PX] * len(frames)
    assert len(frames) == int(script.duration_s * FRAME_RATE) > 80
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(len(frames)) / float(FRAME_RATE), atol=1e-4)


def test_decoded_pictures_show_the_face(script: Script, clips: dict[Modality, Path]) -> None:
    from ravdess_mm.corpus.sample_face import draw_faces
    from ravdess_mm.corpus.sample_pose import face_poses

    with av.open(str(clips[Modality.VIDEO_ONLY])) as container:
        first = next(container.decode(video=0)).to_ndarray()
    (drawn,) = draw_faces(script, face_poses(script, np.array([0.0, 0.1]))[:1])
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
