"""An annotated film is the film: size, frames, times and sound, with what is seen and heard drawn in."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.predict.annotation import _draw_bars, _Pen, annotate_film
from ravdess_mm.predict.predictor import PRETRAINED_DIR, Predictor


def packets(path: Path, kind: str) -> list[bytes]:
    with av.open(str(path)) as film:
        return [bytes(packet) for packet in film.demux(**{kind: 0}) if packet.size]


def decoded(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as film:
        return list(film.decode(video=0))


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.from_run(PRETRAINED_DIR)


@pytest.mark.real
@pytest.mark.slow
def test_a_film_keeps_its_frames_and_its_sound(predictor: Predictor, real_data: Path, tmp_path: Path) -> None:
    source = real_data / "ravdess" / "speech_video" / "Actor_05" / "01-01-06-02-01-01-05.mp4"
    path = annotate_film(predictor, source, tmp_path / "seen.mp4")
    before, after = decoded(source), decoded(path)
    assert [(frame.width, frame.height, frame.time) for frame in after] == [
        (frame.width, frame.height, frame.time) for frame in before
    ]
    assert packets(path, "audio") == packets(source, "audio")
    with av.open(str(path)) as film:
        assert film.streams.video[0].codec_context.name == "h264"
        assert film.streams.video[0].average_rate == Fraction(30_000, 1001)
    # beside the box and the foot nothing changes
    answer = predictor.predict(source)
    face = answer.faces[0]
    number = len(after) // 2
    was, now = (frames[number].to_ndarray(format="bgr24").astype(int) for frames in (before, after))
    box = face.boxes[int(np.abs(np.array(face.times_s) - after[number].time).argmin())]
    left, middle = round(box.x), round(box.y + box.height / 2)
    assert np.abs(was - now)[middle, left - 30 : left + 30].sum(axis=1).max() > 150
    assert np.abs(was[20:100, 20:200] - now[20:100, 20:200]).mean() < 4
    assert np.abs(was[-60:] - now[-60:]).mean() > 30
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.real
@pytest.mark.slow
def test_an_odd_size_and_sound_that_mp4_lacks(predictor: Predictor, real_data: Path, tmp_path: Path) -> None:
    source = real_data / "ravdess" / "speech_video" / "Actor_01" / "01-01-08-01-01-02-01.mp4"
    odd = tmp_path / "odd.mkv"
    with av.open(str(source)) as given, av.open(str(odd), "w") as film:
        video = film.add_stream("mjpeg", rate=10)
        video.width, video.height, video.pix_fmt = 321, 181, "yuvj444p"
        track = film.add_stream("pcm_s16le", rate=48_000)
        for number, frame in enumerate(list(given.decode(video=0))[::3]):
            small = frame.reformat(321, 181, "yuvj444p")
            small.pts, small.time_base = number, Fraction(1, 10)
            film.mux(video.encode(small))
        film.mux(video.encode())
        given.seek(0)
        for block in given.decode(audio=0):
            block.pts = None
            film.mux(track.encode(block))
        film.mux(track.encode())
    path = annotate_film(predictor, odd, tmp_path / "seen.mp4")
    before, after = decoded(odd), decoded(path)
    assert {(frame.width, frame.height) for frame in after} == {(321, 181)}
    assert [frame.time for frame in after] == pytest.approx([frame.time for frame in before], abs=0.002)
    with av.open(str(path)) as film:
        assert film.streams.audio[0].codec_context.name == "aac"
        sound = np.concatenate([block.to_ndarray()[0] for block in film.decode(audio=0)])
    assert len(sound) / 48_000 == pytest.approx(3.2, abs=0.3)
    assert np.abs(sound).max() > 0.01


@pytest.mark.real
@pytest.mark.slow
def test_what_cannot_be_drawn_on_is_refused(predictor: Predictor, real_data: Path, tmp_path: Path) -> None:
    source = real_data / "ravdess" / "speech_video" / "Actor_05" / "01-01-06-02-01-01-05.mp4"
    sound = next((real_data / "ravdess" / "speech_audio").rglob("*.flac"))
    with pytest.raises(InputError, match=r"with the ending \.mp4"):
        annotate_film(predictor, source, tmp_path / "seen.avi")
    with pytest.raises(InputError, match="another file than the film"):
        annotate_film(predictor, source, source)
    with pytest.raises(MediaError, match="no picture to draw on"):
        annotate_film(predictor, sound, tmp_path / "seen.mp4")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(source.read_bytes()[:-200_000])
    with pytest.raises(MediaError):
        annotate_film(predictor, cut, tmp_path / "seen.mp4")
    assert not (tmp_path / "seen.mp4").exists()


@pytest.mark.parametrize("width", [160, 288, 1280])
def test_bars_leave_the_words_free(width: int) -> None:
    image = np.full((288, width, 3), 200, np.uint8)
    pen = _Pen(image)
    answer = np.eye(8)[7]
    _draw_bars(pen, answer, answer, ["audio", "video"])
    of_words = image[:, : pen.width_px("both: surprised 100 %")]
    assert (of_words == of_words[..., :1]).all()  # white words on black: no colour of a bar among them
    assert (image != image[..., :1]).any() or width < 200
