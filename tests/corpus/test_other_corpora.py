from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from ravdess_mm.corpus.discovery import FoundFile, Rejection, list_files
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.other_corpora import find_corpora, find_corpus
from ravdess_mm.errors import InputError


def make(folder: Path, names: Iterable[str]) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def test_clips_are_sorted_with_speaker_sex_emotion_and_language(tmp_path: Path) -> None:
    found = find_corpus("emodb", make(tmp_path, ["wav/16b10Wb.wav", "wav/03a01Fa.wav", "wav/03a02Lc.wav", "a.txt"]))
    assert found.corpus.name == "emodb"
    assert found.clips.to_dict("records") == [
        {
            "path": str(tmp_path / "wav" / "03a01Fa.wav"),
            "speaker": "03",
            "sex": "male",
            "emotion": "happy",
            "language": "German",
        },
        {
            "path": str(tmp_path / "wav" / "16b10Wb.wav"),
            "speaker": "16",
            "sex": "female",
            "emotion": "angry",
            "language": "German",
        },
    ]
    assert (found.other_emotions, found.n_misnamed, found.n_duplicates) == ({"boredom": 1}, 0, 0)
    assert found.left_out == "1 boredom"


def test_other_names_are_counted_and_what_is_no_sound_or_hidden_is_not(tmp_path: Path) -> None:
    make(tmp_path, ["03a01Fa.wav", "mine.wav", "03a01Fa.txt", "._03a01Wa.wav", ".03a01Wa.wav", ".Trash/03a02Wa.wav"])
    found = find_corpus("emodb", tmp_path)
    assert (len(found.clips), found.n_misnamed, found.n_duplicates) == (1, 1, 0)
    assert found.left_out == "1 with other names"


def test_every_sound_suffix_is_found_in_any_case(tmp_path: Path) -> None:
    make(tmp_path, ["03a01Fa.WAV", "03a02Fc.flac", "03a04Fd.ogg", "03a05Fc.mp3", "03a07Fa.avi"])
    assert len(find_corpus("emodb", tmp_path).clips) == 4


def test_a_nested_second_copy_is_dropped_and_the_outer_one_kept(tmp_path: Path) -> None:
    names = ["03a01Fa.wav", "08a01Wa.wav"]
    make(tmp_path, [*names, *(f"copy/wav/{name}" for name in names)])
    found = find_corpus("emodb", tmp_path)
    assert found.clips["path"].tolist() == [str(tmp_path / name) for name in names]
    assert found.n_duplicates == 2


def test_of_two_formats_the_lossless_one_is_kept(tmp_path: Path) -> None:
    make(tmp_path, ["AudioMP3/1001_DFA_ANG_XX.mp3", "deeper/AudioWAV/1001_DFA_ANG_XX.wav"])
    found = find_corpus("crema-d", tmp_path)
    assert found.clips["path"].tolist() == [str(tmp_path / "deeper/AudioWAV/1001_DFA_ANG_XX.wav")]
    assert found.n_duplicates == 1


def test_equal_names_of_two_speakers_are_two_clips(tmp_path: Path) -> None:
    found = find_corpus("savee", make(tmp_path, ["DC/a01.wav", "JE/a01.wav"]))
    assert found.clips["speaker"].tolist() == ["DC", "JE"]
    assert found.n_duplicates == 0


def test_unknown_sex_is_none(tmp_path: Path) -> None:
    assert find_corpus("aesdd", make(tmp_path, ["anger/a01 (1).wav"])).clips["sex"].tolist() == [None]


def test_the_order_of_files_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, ["wav/03a01Fa.wav", "wav/08a01Wa.wav", "copy/03a01Fa.wav", "copy/16b10Wb.wav"])
    before = find_corpus("emodb", tmp_path)

    def backwards(folders: list[Path]) -> tuple[list[FoundFile], list[Rejection]]:
        files, rejections = list_files(folders)
        return files[::-1], rejections

    monkeypatch.setattr("ravdess_mm.corpus.other_corpora.list_files", backwards)
    assert find_corpus("emodb", tmp_path).clips.equals(before.clips)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["mine.wav", "yours.wav"], "0 clips of other emotions, 2 sound files of other names"),
        (["03a01La.wav"], "1 clips of other emotions, 0 sound files of other names"),
        (["README.txt"], "0 clips of other emotions, 0 sound files of other names"),
    ],
)
def test_a_folder_without_a_usable_name_is_one_clear_line(tmp_path: Path, names: list[str], said: str) -> None:
    with pytest.raises(InputError, match="no clip of emodb shows one of the eight emotions") as caught:
        find_corpus("emodb", make(tmp_path, names))
    assert said in str(caught.value)
    assert "its names are like wav/03a01Fa.wav" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        find_corpus("emodb", tmp_path / "absent")
    with pytest.raises(InputError, match="the folder is empty"):
        find_corpus("emodb", tmp_path)
    with pytest.raises(InputError, match="unknown corpus 'berlin'; allowed: emodb, nemo"):
        find_corpus("berlin", tmp_path)


def test_a_broken_link_stays_a_clip_so_that_its_reader_can_say_why(tmp_path: Path) -> None:
    os.symlink(tmp_path / "gone", tmp_path / "03a01Fa.wav")
    assert len(find_corpus("emodb", tmp_path).clips) == 1


def test_several_corpora_come_sorted_and_none_twice(tmp_path: Path) -> None:
    emodb, nemo = make(tmp_path / "a", ["03a01Fa.wav"]), make(tmp_path / "b", ["EB0_anger_49.wav"])
    assert list(find_corpora([("nemo", nemo), ("EMO-DB", emodb)])) == ["emodb", "nemo"]
    with pytest.raises(InputError, match="corpus emodb is named 2 times"):
        find_corpora([("emodb", emodb), ("EMODB", nemo)])
    (tmp_path / "link").symlink_to(emodb)
    with pytest.raises(InputError, match="named for more than one corpus"):
        find_corpora([("emodb", emodb), ("nemo", tmp_path / "link")])


@pytest.mark.real
@pytest.mark.parametrize(("name", "n_clips", "n_speakers"), [("emodb", 454, 10), ("nemo", 371, 9)])
def test_real_corpora(real_data: Path, name: str, n_clips: int, n_speakers: int) -> None:
    folder = real_data / "corpora" / name
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    found = find_corpus(name, folder)
    assert (len(found.clips), found.clips["speaker"].nunique()) == (n_clips, n_speakers)
    assert set(found.clips["emotion"]) <= set(EMOTIONS)
    assert found.clips["sex"].notna().all()
    assert found.left_out == ""
