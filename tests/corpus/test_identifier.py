"""Names and identifiers are inverse; everything else is refused with the field and what is allowed."""

from __future__ import annotations

from itertools import product
from pathlib import Path, PurePath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravdess_mm.corpus.identifier import (
    ACTORS,
    EMOTIONS,
    Emotion,
    Identifier,
    Intensity,
    Modality,
    Repetition,
    Sex,
    Statement,
    Take,
    VocalChannel,
)
from ravdess_mm.errors import IdentifierError, InputError

FIELDS = ("modality", "channel", "emotion", "intensity", "statement", "repetition", "actor")
LARGEST = (3, 2, 8, 2, 2, 2, 24)


def is_recorded(codes: tuple[int, ...]) -> bool:
    """Say from the paper, not from the code under test, whether a combination of codes in range exists."""
    _, channel, emotion, intensity, *_ = codes
    return not (emotion == 1 and intensity == 2) and not (channel == 2 and emotion in (7, 8))


def name_of(codes: tuple[int, ...]) -> str:
    return "-".join(f"{code:02d}" for code in codes)


ALL_CODES = list(product(*(range(1, largest + 1) for largest in LARGEST)))
VALID = [codes for codes in ALL_CODES if is_recorded(codes)]
valid_codes = st.sampled_from(VALID)


def test_every_valid_name_round_trips() -> None:
    assert len(VALID) == 3 * 24 * (60 + 44)
    parsed = [Identifier.parse(name_of(codes)) for codes in VALID]
    assert [str(identifier) for identifier in parsed] == [name_of(codes) for codes in VALID]
    assert len(set(parsed)) == len(VALID)
    for codes, identifier in zip(VALID, parsed, strict=True):
        got = tuple(int(getattr(identifier, field)) for field in FIELDS)
        assert got == codes


def test_every_combination_that_was_never_recorded_is_refused() -> None:
    refused = [codes for codes in ALL_CODES if not is_recorded(codes)]
    assert refused
    for codes in refused:
        with pytest.raises(IdentifierError, match="allowed"):
            Identifier.parse(name_of(codes))


@given(
    codes=valid_codes,
    folder=st.sampled_from(["", "Actor_01/", "/data/a b/c.d/", "x-y/", "../"]),
    suffix=st.sampled_from(["", ".wav", ".MP4", ".Flac", ".mkv"]),
)
def test_folders_and_suffix_do_not_matter(codes: tuple[int, ...], folder: str, suffix: str) -> None:
    name = folder + name_of(codes) + suffix
    assert str(Identifier.parse(name)) == name_of(codes)
    assert Identifier.parse(PurePath(name)) == Identifier.parse(name)


@given(codes=valid_codes)
def test_clips_of_one_performance_share_the_take(codes: tuple[int, ...]) -> None:
    clips = [Identifier(modality, Identifier.parse(name_of(codes)).take) for modality in Modality]
    assert len(set(clips)) == 3
    assert {clip.take for clip in clips} == {Take.parse(name_of(codes[1:]))}
    assert {str(clip.take) for clip in clips} == {name_of(codes[1:])}
    assert clips == sorted(clips)


@given(codes=valid_codes)
def test_odd_actors_are_men(codes: tuple[int, ...]) -> None:
    identifier = Identifier.parse(name_of(codes))
    assert identifier.sex is (Sex.MALE if codes[6] in range(1, 24, 2) else Sex.FEMALE)


@given(codes=valid_codes, place=st.integers(0, 6), data=st.data())
def test_a_code_out_of_range_names_field_value_and_allowed(
    codes: tuple[int, ...], place: int, data: st.DataObject
) -> None:
    wrong = data.draw(st.one_of(st.just(0), st.integers(LARGEST[place] + 1, 99)))
    name = name_of((*codes[:place], wrong, *codes[place + 1 :]))
    with pytest.raises(IdentifierError) as caught:
        Identifier.parse(name)
    message = str(caught.value)
    assert f"{name!r}: {FIELDS[place]} {wrong:02d} is out of range; allowed: 01" in message
    assert f"{LARGEST[place]:02d}" in message


@given(
    codes=valid_codes,
    place=st.integers(0, 6),
    part=st.text(max_size=4).filter(
        lambda text: not (len(text) == 2 and set(text) <= set("0123456789")) and not set(text) & set("-./")
    ),
)
def test_a_part_that_is_not_two_digits_is_refused(codes: tuple[int, ...], place: int, part: str) -> None:
    parts = name_of(codes).split("-")
    parts[place] = part
    with pytest.raises(IdentifierError) as caught:
        Identifier.parse("-".join(parts) + ".wav")
    assert f"{FIELDS[place]} {part!r} is not two digits; allowed: 01" in str(caught.value)


@pytest.mark.parametrize("part", ["٠١", "０１", "1", "001", "+1", " 1", "1\n", "0x", "-1", "", "1.", "²1"])
def test_digits_are_ascii_digits(part: str) -> None:
    with pytest.raises(IdentifierError):
        Take.parse(f"01-{part}-01-01-01-01")


@given(codes=valid_codes, n_parts=st.integers(1, 12).filter(lambda n: n != 7))
def test_a_wrong_number_of_parts_is_refused(codes: tuple[int, ...], n_parts: int) -> None:
    name = "-".join((name_of(codes) + "-01-01-01-01-01").split("-")[:n_parts])
    with pytest.raises(IdentifierError, match=rf"has {n_parts} parts?; a RAVDESS name has 7: modality-.*-actor$"):
        Identifier.parse(name)


@given(text=st.text(max_size=40))
def test_any_text_is_an_identifier_or_refused(text: str) -> None:
    try:
        identifier = Identifier.parse(text)
    except IdentifierError:
        return
    assert str(identifier) in text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("03-01-01-02-01-01-05", ["'03-01-01-02-01-01-05'", "intensity 02", "neutral", "allowed: 01"]),
        ("03-02-07-01-01-01-05", ["'03-02-07-01-01-01-05'", "emotion 07", "disgust", "song", "06 (fearful)"]),
        ("03-02-08-01-01-01-05", ["'03-02-08-01-01-01-05'", "emotion 08", "surprised", "song"]),
        ("04-01-01-01-01-01-05", ["modality 04", "01 (full-av), 02 (video-only), 03 (audio-only)"]),
        ("03-01-01-01-03-01-05", ["statement 03", "01 (kids), 02 (dogs)"]),
        ("03-01-01-01-01-01-25", ["actor 25", "allowed: 01-24"]),
        ("holiday.mp4", ["'holiday' has 1 part;"]),
        ("03-01-01-01-01-01-05 (1).wav", ["actor '05 (1)' is not two digits"]),
        ("03-01-01-01-01-01-05-01.wav", ["8 parts"]),
    ],
)
def test_refusals_are_one_clear_line(name: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        Identifier.parse(name)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    with pytest.raises(ValueError, match=r"part|is not|out of range|exist|sung"):
        Identifier.parse(name)


def test_take_refuses_a_clip_name_and_says_what_a_take_is() -> None:
    with pytest.raises(IdentifierError, match="a RAVDESS take has 6: channel-emotion-"):
        Take.parse("03-01-01-01-01-01-05")


@pytest.mark.parametrize("actor", [0, 25, -1, True, 5.5, "05", None])
def test_built_by_hand_the_actor_is_checked(actor: object) -> None:
    with pytest.raises(IdentifierError, match=r"actor .* is out of range; allowed: 01-24"):
        Take(VocalChannel.SPEECH, Emotion.SAD, Intensity.NORMAL, Statement.KIDS, Repetition.FIRST, actor)  # type: ignore[arg-type]


def test_built_by_hand_fields_are_checked_and_become_enums() -> None:
    take = Take(1, 4, 1, 2, 1, np.int64(7))  # type: ignore[arg-type]
    assert take == Take.parse("01-04-01-02-01-07")
    assert take.emotion is Emotion.SAD
    assert type(take.actor) is int
    with pytest.raises(IdentifierError, match="emotion 9 is out of range"):
        Take(1, 9, 1, 2, 1, 7)  # type: ignore[arg-type]
    with pytest.raises(IdentifierError, match="modality 4 is out of range"):
        Identifier(4, take)  # type: ignore[arg-type]


def test_identifiers_cannot_be_changed() -> None:
    identifier = Identifier.parse(Path("02-01-06-01-02-01-12.mp4"))
    with pytest.raises(AttributeError):
        identifier.modality = Modality.FULL_AV  # type: ignore[misc]
    with pytest.raises(AttributeError):
        identifier.take.actor = 3  # type: ignore[misc]


def test_words_are_those_of_the_release() -> None:
    identifier = Identifier.parse("02-01-06-01-02-01-12.mp4")
    assert identifier.modality.label == "video-only"
    assert identifier.channel.label == "speech"
    assert identifier.emotion.label == "fearful"
    assert identifier.intensity.label == "normal"
    assert identifier.statement.text == "Dogs are sitting by the door"
    assert identifier.repetition is Repetition.FIRST
    assert (identifier.actor, identifier.sex) == (12, Sex.FEMALE)
    assert EMOTIONS == ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
    assert list(ACTORS) == list(range(1, 25))
