"""Answers as rows of a table: one a clip, a segment, a frame or a face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ravdess_mm.config import Rows
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.predict.prediction import labelled

if TYPE_CHECKING:
    from ravdess_mm.predict.prediction import Prediction

BOX_COLUMNS: Final = ("box_x", "box_y", "box_w", "box_h")
"""Left, top, width and height of a face in pixels."""


_FIRST: Final = {
    Rows.CLIPS: ("path", "duration_s"),
    Rows.SEGMENTS: ("path", "start_s", "end_s", "speaker", "face"),
    Rows.FRAMES: ("path", "time_s", "face"),
    Rows.FACES: ("path", "time_s", "face", *BOX_COLUMNS, "fused"),
}
_LAST: Final = {
    Rows.CLIPS: ("sources", "faces", "speaker_clips", "face_clips", "notes"),
    Rows.SEGMENTS: ("sources", "notes"),
    Rows.FRAMES: (),
    Rows.FACES: (),
}


def columns(rows: Rows) -> tuple[str, ...]:
    """Return the columns of a table: what tells a row, its label, eight probabilities, what they rest on."""
    return (*_FIRST[rows], "label", *(f"p_{emotion}" for emotion in EMOTIONS), *_LAST[rows])


def rows_of(prediction: Prediction, rows: Rows) -> list[dict[str, Any]]:
    """Return what is said of one clip as rows with these `columns`.

    A clip without segments has one row of its own under ``segments``; one without a face has none under ``frames`` and
    ``faces``. Frames are those that were looked at, each with the face that counts.
    """
    path = str(prediction.path)
    if rows is Rows.CLIPS:
        return [
            {
                "path": path,
                "duration_s": prediction.duration_s,
                **labelled(prediction.probabilities),
                "sources": prediction.sources,
                "faces": len(prediction.faces),
                "speaker_clips": prediction.speaker_clips,
                "face_clips": prediction.face_clips,
                "notes": "; ".join(prediction.notes),
            }
        ]
    if rows is Rows.SEGMENTS:
        return prediction.segment_rows()
    if rows is Rows.FRAMES:
        return [
            {"path": path, "time_s": moment.time_s, "face": moment.face, **labelled(moment.probabilities)}
            for moment in prediction.moments
        ]
    return [
        {
            "path": path,
            "time_s": row["time_s"],
            "face": track.face,
            **dict(zip(BOX_COLUMNS, row["box"], strict=True)),
            "fused": track.is_fused,
            **labelled(row["probabilities"]),
        }
        for track in prediction.faces
        for row in track.rows()
    ]
