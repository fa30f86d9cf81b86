"""What is missing is said apart from what is broken, and only the latter is a fault."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from ravdess_mm.corpus.release import release_clips
from ravdess_mm.corpus.verification import VerifyResult, verify_corpus
from ravdess_mm.corpus.verification_text import render_result
from ravdess_mm.errors import InputError

MakeSound = Callable[..., Path]
MakeFilm = Callable[..., Path]


def verify(*folders: Path, deep: bool = False) -> VerifyResult:
    return verify_corpus(folders, deep=deep, jobs=1)


def text_of(result: VerifyResult) -> str:
    console = Console(file=io.StringIO(), width=160)
    render_result(result, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def partial(tmp_path: Path, make_sound: MakeSound) -> Path:
    """All spoken takes of actor 1 as sound, but for one missing and one broken; and one take of actor 2."""
    one = [clip for clip in release_clips() if str(clip).startswith("03-01") and clip.actor == 1]
    for number, clip in enumerate(one[2:]):
        make_sound(tmp_path / "Actor_01" / f"{clip}.wav", seed=number, duration_s=0.002)
    (tmp_path / "Actor_01" / f"{one[0]}.wav").write_bytes(b"")
    make_sound(tmp_path / "Actor_02" / "03-01-05-02-02-02-02.wav", seed=1000)
    return tmp_path


def test_missing_is_said_apart_from_broken(partial: Path) -> None:
    result = verify(partial)
    assert not result.ok
    assert [(item.clip, item.reason) for item in result.broken] == [("03-01-01-01-01-01-01", "zero bytes")]
    missing = list(map(str, result.missing))
    assert "03-01-01-01-01-02-01" in missing
    assert "03-01-01-01-01-01-01" not in missing
    assert len(missing) == 1440 - 59 - 1
    assert len(result.absent_parts) == 5


def test_counts_are_against_the_full_release(partial: Path) -> None:
    counts = verify(partial).to_dict()
    assert counts["clips"] == {"expected": 7356, "found": 59, "broken": 1, "missing": 7296}
    assert counts["parts"]["audio-only speech"] == {"expected": 1440, "found": 59, "broken": 1, "missing": 1380}
    assert counts["parts"]["full-av song"] == {"expected": 1012, "found": 0, "broken": 0, "missing": 1012}
    assert counts["modalities"]["audio-only"]["expected"] == 2452
    assert counts["channels"]["speech"] == {"expected": 4320, "found": 59, "broken": 1, "missing": 4260}
    assert counts["emotions"]["neutral"] == {"expected": 564, "found": 2, "broken": 1, "missing": 561}
    assert counts["actors"]["1"] == {"expected": 312, "found": 58, "broken": 1, "missing": 253}
    assert counts["actors"]["18"]["expected"] == 180
    assert set(counts["actors"]) == {str(actor) for actor in range(1, 25)}
    for name in ("parts", "modalities", "channels", "emotions", "actors"):
        for number, total in counts["clips"].items():
            assert sum(group[number] for group in counts[name].values()) == total


def test_the_result_is_json(partial: Path) -> None:
    record = json.loads(json.dumps(verify(partial).to_dict()))
    assert record["ok"] is False
    assert record["deep"] is False
    assert record["folders"] == [str(partial)]
    assert record["broken"] == [
        {
            "path": str(partial / "Actor_01" / "03-01-01-01-01-01-01.wav"),
            "clip": "03-01-01-01-01-01-01",
            "reason": "zero bytes",
        }
    ]
    assert "full-av speech" in record["absent_parts"]
    assert len(record["missing"]) == 1380


def test_people_read_short_lines_not_thousands(partial: Path) -> None:
    text = text_of(verify(partial))
    lines = text.splitlines()
    assert len(lines) < 70
    assert "missing: all of full-av speech" in lines
    assert "missing: audio-only speech of actors 3-24 (1320 clips)" in lines
    assert any(line.startswith("missing: 60 more of audio-only speech: 03-01-01-01-01-01-02 ") for line in lines)
    assert "and 50 more (--json lists all)" in text
    assert f"broken: {partial}/Actor_01/03-01-01-01-01-01-01.wav: zero bytes" in lines
    assert lines[-1].startswith("59 of 7356 clips of the full release; 1 file is broken")
    assert any(line.split() == ["01", "male", "58/60"] for line in lines)
    assert any(line.split() == ["neutral", "2/96"] for line in lines)
    assert any(line.split() == ["all", "59", "7296", "1", "7356"] for line in lines)


def test_nothing_broken_is_fine(tmp_path: Path, make_sound: MakeSound) -> None:
    make_sound(tmp_path / "03-02-03-01-01-01-05.wav")
    (tmp_path / "notes.txt").write_text("x")
    result = verify(tmp_path)
    assert result.ok
    assert result.to_dict()["ok"] is True
    text = text_of(result)
    assert f"not a clip: {tmp_path}/notes.txt: extension .txt" in text
    assert "1 of 7356 clips of the full release; nothing is broken" in text
    # a song of disgust does not exist, so nothing of it is missing
    assert [line.split() for line in text.splitlines() if line.strip().startswith("happy")] == [["happy", "1/184"]]
    assert not any(line.strip().startswith("disgust") and "/" in line for line in text.splitlines())


def test_song_and_speech_are_both_counted(tmp_path: Path, make_sound: MakeSound) -> None:
    make_sound(tmp_path / "03-02-03-01-01-01-05.wav")
    make_sound(tmp_path / "03-01-03-01-01-01-05.wav", seed=1)
    channels = verify(tmp_path).to_dict()["channels"]
    assert {name: tally["found"] for name, tally in channels.items()} == {"speech": 1, "song": 1}


def test_duplicates_are_no_fault(tmp_path: Path, make_sound: MakeSound) -> None:
    make_sound(tmp_path / "03-01-03-01-01-01-05.wav")
    make_sound(tmp_path / "again" / "03-01-03-01-01-01-05.wav")
    result = verify(tmp_path)
    assert result.ok
    (duplicate,) = result.to_dict()["duplicates"]
    assert duplicate["clip"] == "03-01-03-01-01-01-05"
    assert "identical bytes" in duplicate["reason"]
    assert f"duplicate: {tmp_path}/again/03-01-03-01-01-01-05.wav: of {tmp_path}/03-01" in text_of(result)


def test_a_broken_file_beside_a_sound_copy_is_broken_but_its_clip_is_there(
    tmp_path: Path, make_sound: MakeSound
) -> None:
    make_sound(tmp_path / "03-01-03-01-01-01-05.wav")
    (tmp_path / "03-01-03-01-01-01-05.flac").write_bytes(b"broken")
    result = verify(tmp_path)
    assert not result.ok
    assert result.to_dict()["clips"] == {"expected": 7356, "found": 1, "broken": 0, "missing": 7355}


def test_only_decoding_finds_a_truncated_file(tmp_path: Path, make_sound: MakeSound, make_film: MakeFilm) -> None:
    make_sound(tmp_path / "03-01-03-01-01-01-05.wav")
    path = make_film(tmp_path / "01-01-03-01-01-01-05.mp4", n_pictures=60)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert verify(tmp_path).ok
    result = verify(tmp_path, deep=True)
    assert not result.ok
    assert [item.path for item in result.broken] == [str(path)]
    assert result.broken[0].reason.startswith(("truncated", "damaged"))
    assert result.to_dict()["parts"]["full-av speech"]["broken"] == 1
    assert "every file was decoded to its end" in text_of(result)


def test_decoding_looks_at_duplicates_too(tmp_path: Path, make_sound: MakeSound) -> None:
    path = make_sound(tmp_path / "03-01-03-01-01-01-05.wav", duration_s=1.0)
    make_sound(tmp_path / "again" / "03-01-03-01-01-01-05.wav", duration_s=1.0)
    path.write_bytes(path.read_bytes()[:9000])
    result = verify(tmp_path, deep=True)
    assert [item.path for item in result.broken] == [str(path)]
    assert result.to_dict()["clips"]["found"] == 1


def test_a_clip_that_was_never_published_is_told(tmp_path: Path, make_sound: MakeSound) -> None:
    make_sound(tmp_path / "03-02-03-01-01-01-18.wav")
    result = verify(tmp_path)
    assert result.to_dict()["beyond_release"] == ["03-02-03-01-01-01-18"]
    assert result.to_dict()["clips"]["found"] == 0
    assert "not in the release: 03-02-03-01-01-01-18" in text_of(result)


def test_paths_are_printed_as_they_are(tmp_path: Path, make_sound: MakeSound) -> None:
    folder = tmp_path / "[red]odd[/red] [name"
    make_sound(folder / "03-01-03-01-01-01-05.wav")
    long = folder / ("x" * 200 + ".txt")
    long.write_text("x")
    assert f"not a clip: {long}: extension .txt" in text_of(verify(folder))


def test_tables_named_as_clips_are_counted_in_one_line(tmp_path: Path, make_sound: MakeSound) -> None:
    make_sound(tmp_path / "03-01-03-01-01-01-05.wav")
    for actor in (2, 3, 4, 9):
        (tmp_path / f"01-01-03-01-01-01-{actor:02d}.csv").write_text("frame,success\n")
    (tmp_path / "units.csv").write_text("clip_id\n")
    result = verify(tmp_path)
    assert result.ok
    assert len(result.foreign) == 5
    lines = text_of(result).splitlines()
    assert "tables named as clips, such as of their action units: 4, of actors 2-4, 9" in lines
    assert [line.split(": ")[1] for line in lines if line.startswith("not a clip")] == [str(tmp_path / "units.csv")]
    assert result.to_dict()["clips"]["found"] == 1


def test_only_broken_files_are_an_answer_but_only_foreign_ones_are_unusable(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "03-01-03-01-01-01-05.wav").write_bytes(b"")
    assert not verify(tmp_path / "broken").ok
    assert "0 of 7356" in text_of(verify(tmp_path / "broken"))
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="no usable clip among 1 files"):
        verify(tmp_path / "foreign")
    with pytest.raises(InputError, match="no such folder"):
        verify(tmp_path / "absent")


@pytest.mark.real
def test_the_real_excerpt_is_sound(real_data: Path) -> None:
    result = verify(real_data / "ravdess" / "speech_audio", real_data / "ravdess" / "face_clips")
    assert result.ok
    assert len(result.missing) == 240 + 1440 - 112
    # a quirk of the release itself
    assert result.same_bytes == (("03-01-03-01-02-01-07", "03-01-03-01-02-02-07"),)
    text = text_of(result)
    assert "missing: audio-only speech of actors 21-24 (240 clips)" in text
    assert "missing: full-av speech of actors 2-4, 6-24 (1320 clips)" in text
    assert "missing: 8 more of full-av speech: 01-01-02-01-01-01-01 " in text
