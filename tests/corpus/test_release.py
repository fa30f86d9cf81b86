"""The full release has the numbers of the paper."""

from __future__ import annotations

from collections import Counter

from ravdess_mm.corpus.release import release_clips, release_takes


def test_the_release_has_7356_clips() -> None:
    clips = release_clips()
    assert len(clips) == len(set(clips)) == 7356
    assert Counter((clip.modality.label, clip.channel.label) for clip in clips) == {
        (modality, channel): count
        for modality in ("full-av", "video-only", "audio-only")
        for channel, count in (("speech", 1440), ("song", 1012))
    }
    assert list(clips) == sorted(clips)


def test_actor_18_does_not_sing_and_everybody_speaks_60_takes() -> None:
    takes = release_takes()
    spoken = Counter(take.actor for take in takes if take.channel.label == "speech")
    sung = Counter(take.actor for take in takes if take.channel.label == "song")
    assert spoken == dict.fromkeys(range(1, 25), 60)
    assert sung == {actor: 44 for actor in range(1, 25) if actor != 18}


def test_neutral_has_half_the_takes_of_the_others() -> None:
    spoken = Counter(take.emotion.label for take in release_takes() if take.channel.label == "speech")
    assert spoken.pop("neutral") == 96
    assert set(spoken.values()) == {192}
    assert len(spoken) == 7
