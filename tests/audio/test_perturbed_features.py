"""Perturbed clips: who is heard behind whom, the same whatever the jobs, from the cache when they are there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from ravdess_mm.audio.mfcc_delta_rms import ANALYSIS_SR as SR
from ravdess_mm.audio.mfcc_delta_rms import extract_features
from ravdess_mm.audio.perturbation import Perturbation, apply
from ravdess_mm.audio.perturbed_features import (
    PerturbationSpec,
    VoiceClip,
    choose_babble_clips,
    derive_seed,
    extract_perturbed,
    voice_clips,
)
from ravdess_mm.audio.voice_features import ClassicFeatures
from ravdess_mm.errors import InputError
from ravdess_mm.store import hash_file
from tests.audio.voices import harmonic_tone, silence

CLASSIC = ClassicFeatures()


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> tuple[VoiceClip, ...]:
    """Two takes of each of four actors."""
    folder = tmp_path_factory.mktemp("voices")
    found = []
    for actor in (1, 2, 3, 4):
        for statement in (1, 2):
            take = f"01-03-01-{statement:02d}-01-{actor:02d}"
            path = folder / f"03-{take}.wav"
            y = np.concatenate(
                [silence(0.1), harmonic_tone(90 + 40 * actor + 9 * statement, seconds=0.4), silence(0.1)]
            )
            soundfile.write(path, y, SR)
            found.append(VoiceClip(take, str(path), hash_file(path), actor, "happy"))
    return tuple(found)


def test_a_babble_never_holds_the_speaker_and_holds_the_others_equally(voices: tuple[VoiceClip, ...]) -> None:
    for voice in voices:
        others = choose_babble_clips(voice, voices, seed=derive_seed(20, voice.take))
        assert len(others) == 6
        assert voice.actor not in {other.actor for other in others}
        assert sorted(np.unique([other.actor for other in others], return_counts=True)[1]) == [2, 2, 2]
        assert len(set(others)) == 6  # two different clips of each
        assert choose_babble_clips(voice, voices[::-1], seed=derive_seed(20, voice.take)) == others
    seeds = range(8)
    assert len({choose_babble_clips(voices[0], voices, seed=seed) for seed in seeds}) > 1


def test_a_babble_of_nobody_else_is_refused(voices: tuple[VoiceClip, ...]) -> None:
    with pytest.raises(InputError, match="needs clips of another actor"):
        choose_babble_clips(voices[0], voices[:2], seed=1)


def test_features_are_those_of_the_changed_samples(voices: tuple[VoiceClip, ...], tmp_path: Path) -> None:
    change = PerturbationSpec(Perturbation.BABBLE, 5.0, seed=3, others=voices[2:5])
    (table,), failed = extract_perturbed(
        {voices[0]: [change]}, features=CLASSIC, cache_dir=tmp_path, description="", jobs=1
    )
    assert failed == {}
    y, *others = (soundfile.read(one.path, dtype="float32")[0] for one in (voices[0], *voices[2:5]))
    expected = extract_features(apply(y, SR, Perturbation.BABBLE, 3, amount=5.0, others=others), SR)
    np.testing.assert_allclose(table.drop(columns=["take", "actor", "emotion"]).to_numpy()[0], expected)
    assert table[["take", "actor", "emotion"]].to_numpy().tolist() == [[voices[0].take, 1, "happy"]]


def wanted_of(voices: tuple[VoiceClip, ...]) -> dict[VoiceClip, list[PerturbationSpec]]:
    return {
        voice: [
            PerturbationSpec(Perturbation.WHITE, 10.0, seed=derive_seed(1, voice.take)),
            PerturbationSpec(
                Perturbation.BABBLE,
                0.0,
                seed=derive_seed(1, voice.take),
                others=choose_babble_clips(voice, voices, seed=1),
            ),
        ]
        for voice in voices
    }


def test_results_depend_neither_on_jobs_nor_on_order_nor_on_the_cache(
    voices: tuple[VoiceClip, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = extract_perturbed(wanted_of(voices), features=CLASSIC, cache_dir=tmp_path, description="", jobs=1)
    backwards = dict(reversed(wanted_of(voices).items()))
    other, _ = extract_perturbed(backwards, features=CLASSIC, cache_dir=tmp_path / "other", description="", jobs=2)
    monkeypatch.setattr("ravdess_mm.audio.perturbed_features.decode_audio", None)  # nothing is decoded again
    again, _ = extract_perturbed(wanted_of(voices), features=CLASSIC, cache_dir=tmp_path, description="", jobs=1)
    for one, two, three in zip(first, other, again, strict=True):
        pd.testing.assert_frame_equal(one, two, check_exact=True)
        pd.testing.assert_frame_equal(one, three, check_exact=True)
    assert not first[0].equals(first[1])


def test_a_clip_that_is_gone_is_named_and_tried_again(voices: tuple[VoiceClip, ...], tmp_path: Path) -> None:
    gone = VoiceClip("01-01-01-01-01-01", str(tmp_path / "gone.wav"), "0" * 64, 1, "neutral")
    wanted = {
        voices[0]: [PerturbationSpec(Perturbation.WHITE, 10.0)],
        gone: [PerturbationSpec(Perturbation.WHITE, 10.0)],
    }
    (table,), failed = extract_perturbed(wanted, features=CLASSIC, cache_dir=tmp_path, description="", jobs=1)
    assert table["take"].tolist() == [voices[0].take]
    assert failed == {gone.take: "no such file"}
    Path(gone.path).write_bytes(Path(voices[1].path).read_bytes())
    (table,), failed = extract_perturbed(wanted, features=CLASSIC, cache_dir=tmp_path, description="", jobs=1)
    assert len(table) == 2
    assert failed == {}


def test_usable_voices_are_the_clips_behind_the_features(voices: tuple[VoiceClip, ...]) -> None:
    clips = pd.DataFrame([vars(voice) for voice in voices[::-1]]).assign(voice=True)
    clips.loc[clips["take"] == voices[3].take, "voice"] = False
    found = voice_clips(clips, [voice.take for voice in voices[1:]])
    assert found == tuple(sorted((*voices[1:3], *voices[4:]), key=lambda voice: voice.take))
