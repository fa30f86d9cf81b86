"""Of several people the one who speaks counts, else the largest, and everybody is answered for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.predict.faces import SeenFaces, concatenate, look_through, note_on_faces
from ravdess_mm.predict.prediction import FrameScores
from ravdess_mm.predict.predictor import PRETRAINED_DIR, Predictor
from ravdess_mm.video.faces import Box
from tests.films import beside


def scores(side: float, *times_s: float, n_found: int | None = None) -> FrameScores:
    n = len(times_s)
    even = np.full((n, 8), 1 / 8)
    boxes = (Box(0, 0, side, side),) * n
    return FrameScores(
        times_s, np.zeros((n, 2, 2), np.uint8), even[0], even, EMOTIONS, boxes, n if n_found is None else n_found
    )


def test_who_is_told_to_speak_counts_else_the_largest() -> None:
    seen = SeenFaces(
        ((0, {1: scores(50, 0, 1), 2: scores(60, 0, 1)}), (None, {1: scores(50, 2)}), (1, {2: scores(60, 3)}))
    )
    assert seen.fused([None, None]) == [(0, 2), (None, 1), (1, 2)]
    assert seen.fused([1, 1]) == [(0, 1), (None, 1), (1, 2)]
    assert seen.faces == [2, 1]
    first, second = seen.tracks([1, None])
    assert (first.face, first.is_fused, first.speaks, first.times_s) == (2, True, False, (0, 1, 3))
    assert (second.face, second.is_fused, second.speaks) == (1, True, True)
    assert concatenate([part[2] for _, part in seen.parts if 2 in part]).n_found == 3


def test_a_face_seen_once_is_left_out() -> None:
    parts = [(0, {1: scores(50, 0, 1, 2), 2: scores(80, 1)}), (1, {3: scores(20, 3, 4, n_found=1)})]
    seen = look_through(iter(parts))
    assert seen.faces == [1]
    assert [number for number, _ in seen.parts] == [0]


def test_a_note_says_that_there_were_others() -> None:
    assert note_on_faces(2, [2], is_heard=True).endswith("the one whose mouth moves with the voice is fused with it")
    assert "in 1 of 2 segments, else the largest" in note_on_faces(2, [2, None], is_heard=True)
    assert "cannot be told" in note_on_faces(3, [None], is_heard=True)
    assert note_on_faces(3, [None], is_heard=False) == "face: 3 faces are seen; the largest counts"


@pytest.mark.real
@pytest.mark.slow
def test_of_two_people_the_one_who_speaks_is_fused(real_data: Path, tmp_path: Path) -> None:
    films = real_data / "ravdess" / "speech_video"
    one = str(films / "Actor_01" / "01-01-08-01-01-02-01.mp4")
    other = str(films / "Actor_05" / "01-01-06-02-01-01-05.mp4")
    predictor = Predictor.from_run(PRETRAINED_DIR)
    for left, right in ((one, other), (other, one)):
        answer = predictor.predict(beside(left, right, tmp_path / "two.mp4", delay_s=1.5))
        alone = predictor.predict(left)
        assert list(answer.video.values()) == pytest.approx(list(alone.video.values()), abs=0.1)
        assert "face: 2 faces are seen; the one whose mouth moves with the voice is fused with it" in answer.notes
        told = answer.to_dict()["faces"]
        assert [(face["fused"], face["speaks"]) for face in told] == [
            (face["frames"][0]["box"][0] < 640,) * 2 for face in told
        ]
        assert len({face["face"] for face in told}) == 2
        assert sum(told[0]["frames"][0]["probabilities"].values()) == pytest.approx(1)
    # where they speak at the same time nobody can tell, and the largest counts
    answer = predictor.predict(beside(one, other, tmp_path / "two.mp4"))
    assert [track.is_fused for track in answer.faces] == [True, False]
    assert any("cannot be told" in note for note in answer.notes)
