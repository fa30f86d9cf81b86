"""Copies of a clip: the same seed gives the same bytes, and each kind does what its name says, as much as asked."""

from __future__ import annotations

import numpy as np
import pytest

from ravdess_mm.audio.noise import active_part
from ravdess_mm.audio.perturbation import AMOUNTS, STAGES, Perturbation, apply, apply_chain, draw_chain
from ravdess_mm.errors import InputError, MediaError
from tests.audio.voices import speech_like

SR = 16000
NOISES = (Perturbation.WHITE, Perturbation.PINK, Perturbation.BABBLE)
UNDRAWN = {Perturbation.TELEPHONE}


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    return speech_like()


@pytest.mark.parametrize("kind", list(Perturbation))
@pytest.mark.parametrize("sr", [16000, 22050])
def test_a_seed_gives_its_bytes_and_another_seed_others(kind: Perturbation, sr: int) -> None:
    voice = speech_like(sr)
    before = voice.copy()
    copies = [apply(voice, sr, kind, seed) for seed in (7, 7, 8, 9, 10, 11)]
    assert copies[0].tobytes() == copies[1].tobytes()
    assert (len({copy.tobytes() for copy in copies}) == 1) == (kind in UNDRAWN)
    assert np.array_equal(voice, before)
    for copy in copies:
        assert copy.dtype == np.float32
        assert np.isfinite(copy).all()
        assert not np.shares_memory(copy, voice)
        if kind is not Perturbation.SPEED:
            assert copy.shape == voice.shape


@pytest.mark.parametrize("kind", list(Perturbation))
def test_a_clip_of_a_twentieth_of_a_second_is_perturbed_too(kind: Perturbation, voice: np.ndarray) -> None:
    part = voice[SR : SR + 800]
    copy = apply(part, SR, kind, 1)
    assert np.isfinite(copy).all()
    assert kind is Perturbation.SPEED or copy.shape == part.shape


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("snr_db", [20.0, 5.0, 0.0])
def test_noise_has_the_ratio_asked_for_while_somebody_speaks(
    kind: Perturbation, snr_db: float, voice: np.ndarray
) -> None:
    noise = apply(voice, SR, kind, 3, amount=snr_db) - voice
    spoken = active_part(voice, SR)
    ratio = np.mean(voice[spoken].astype(float) ** 2) / np.mean(noise[spoken].astype(float) ** 2)
    assert 10 * np.log10(ratio) == pytest.approx(snr_db, abs=0.1)
    # it is there before the first word, too
    assert np.mean(noise[: SR // 4] ** 2) > 0.2 * np.mean(noise**2)


def test_a_babble_is_made_of_the_voices_that_are_given(voice: np.ndarray) -> None:
    tone = np.sin(2 * np.pi * 700 * np.arange(SR) / SR).astype(np.float32)
    noise = apply(voice, SR, Perturbation.BABBLE, 3, amount=0, others=[tone]) - voice
    power = np.abs(np.fft.rfft(noise * np.hanning(len(noise)))) ** 2
    near = np.abs(np.fft.rfftfreq(len(noise), 1 / SR) - 700) < 20
    assert power[near].sum() > 0.99 * power.sum()


def test_an_offset_is_a_constant_and_a_gain_a_factor(voice: np.ndarray) -> None:
    shifted = apply(voice, SR, Perturbation.DC_OFFSET, 0, amount=0.01)
    np.testing.assert_allclose(shifted - voice, 0.01, atol=1e-6)
    louder = apply(voice, SR, Perturbation.GAIN, 0, amount=20)
    np.testing.assert_allclose(louder, 10 * voice, rtol=1e-5)
    # a gain clips nothing
    assert np.abs(louder).max() > 1


@pytest.mark.parametrize("kind", [Perturbation.WHITE, Perturbation.DC_OFFSET, Perturbation.GAIN])
def test_what_is_not_given_is_drawn_over_the_whole_range(kind: Perturbation, voice: np.ndarray) -> None:
    low, high = AMOUNTS[kind].values
    spoken = active_part(voice, SR)

    def amount_of(seed: int) -> float:
        copy = apply(voice, SR, kind, seed).astype(float)
        if kind is Perturbation.DC_OFFSET:
            return float(np.mean(copy - voice))
        other = copy - voice if kind is Perturbation.WHITE else voice.astype(float)
        top = voice.astype(float) if kind is Perturbation.WHITE else copy
        return float(10 * np.log10(np.mean(top[spoken] ** 2) / np.mean(other[spoken] ** 2)))

    amounts = np.array([amount_of(seed) for seed in range(60)])
    slack = 0.01 * (high - low)
    assert amounts.min() > low - slack
    assert amounts.max() < high + slack
    assert np.ptp(amounts) > 0.85 * (high - low)


def test_a_click_comes_before_the_first_word_and_is_short(voice: np.ndarray) -> None:
    peak = np.abs(voice).max()
    starts = set()
    for seed in range(10):
        click = apply(voice, SR, Perturbation.CLICK, seed, amount=6) - voice
        heard = np.flatnonzero(np.abs(click) > 1e-6)
        assert heard[-1] < active_part(voice, SR).start
        assert heard[-1] - heard[0] < 0.16 * SR
        # pressed and released: twice some milliseconds
        assert len(heard) < 0.01 * SR
        assert np.abs(click).max() == pytest.approx(min(2 * peak, 1), rel=0.01)
        starts.add(heard[0])
    assert len(starts) > 5


def test_clipping_cuts_the_share_asked_for(voice: np.ndarray) -> None:
    clipped = apply(voice, SR, Perturbation.CLIPPING, 0, amount=0.01)
    spoken = active_part(voice, SR)
    limit = np.abs(clipped).max()
    assert np.mean(np.abs(clipped[spoken]) == limit) == pytest.approx(0.01, abs=0.002)
    untouched = np.abs(voice) < limit
    assert np.array_equal(clipped[untouched], voice[untouched])


@pytest.mark.parametrize("factor", [0.92, 1.08])
def test_speed_changes_length_and_pitch_together(factor: float) -> None:
    tone = np.sin(2 * np.pi * 500 * np.arange(2 * SR) / SR).astype(np.float32)
    played = apply(tone, SR, Perturbation.SPEED, 0, amount=factor)
    assert len(played) == pytest.approx(len(tone) / factor, abs=1)
    power = np.abs(np.fft.rfft(played * np.hanning(len(played))))
    assert np.argmax(power) * SR / len(played) == pytest.approx(500 * factor, abs=1)


def test_a_room_adds_what_rings_on_behind_the_voice(voice: np.ndarray) -> None:
    cut = np.where(np.arange(len(voice)) < 2 * SR, voice, 0).astype(np.float32)
    heard = apply(cut, SR, Perturbation.ROOM, 4, amount=0.5)
    after = slice(2 * SR + 200, 2 * SR + 3000)
    assert np.mean(heard[after] ** 2) > 1e-4 * np.mean(cut**2)
    assert np.corrcoef(heard[SR : 2 * SR], cut[SR : 2 * SR])[0, 1] > 0.3


def test_a_chain_is_a_way_through_the_world_in_its_order() -> None:
    chains = [draw_chain(seed) for seed in range(400)]
    assert draw_chain(5) == draw_chain(5)
    assert len(set(chains)) > 100
    order = {kind: number for number, (_, kinds) in enumerate(STAGES) for kind in kinds}
    for chain in chains:
        places = [order[kind] for kind in chain]
        assert places
        assert places == sorted(set(places))
    drawn = {kind for chain in chains for kind in chain}
    # a copy at another speed is made on purpose: its length differs
    assert drawn == set(Perturbation) - {Perturbation.SPEED}
    share = np.mean([Perturbation.ROOM in chain for chain in chains])
    assert share == pytest.approx(0.5, abs=0.08)


def test_a_chain_applies_its_steps_with_amounts_of_their_own(voice: np.ndarray) -> None:
    chain = (Perturbation.GAIN, Perturbation.GAIN)
    factor = float(np.mean(apply_chain(voice, SR, chain, 3)[SR : 2 * SR] / voice[SR : 2 * SR]))
    first = float(np.mean(apply_chain(voice, SR, chain[:1], 3)[SR : 2 * SR] / voice[SR : 2 * SR]))
    assert factor != pytest.approx(first**2, rel=1e-3)
    assert factor / first == pytest.approx(
        float(np.mean(apply(voice, SR, Perturbation.GAIN, (3, 1))[SR : 2 * SR] / voice[SR : 2 * SR])), rel=1e-4
    )
    same, again, other = (apply_chain(voice, SR, draw_chain(1), seed) for seed in (1, 1, 2))
    assert same.tobytes() == again.tobytes() != other.tobytes()
    untouched = apply_chain(voice, SR, (), 0)
    assert np.array_equal(untouched, voice)
    assert not np.shares_memory(untouched, voice)


@pytest.mark.parametrize("seed", range(12))
def test_any_chain_leaves_length_and_finite_samples(seed: int, voice: np.ndarray) -> None:
    copy = apply_chain(voice, SR, draw_chain(seed), seed)
    assert copy.shape == voice.shape
    assert copy.dtype == np.float32
    assert np.isfinite(copy).all()


def test_what_cannot_be_perturbed_is_refused(voice: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"shape \(2, 3\); allowed: one channel"):
        apply(np.zeros((2, 3), dtype=np.float32), SR, Perturbation.GAIN, 0)
    with pytest.raises(InputError, match="at least one sample"):
        apply(voice[:0], SR, Perturbation.GAIN, 0)
    with pytest.raises(MediaError, match="NaN"):
        apply(np.full(800, np.nan, dtype=np.float32), SR, Perturbation.GAIN, 0)
    with pytest.raises(InputError, match=r"telephone got the amount 3; allowed: none"):
        apply(voice, SR, Perturbation.TELEPHONE, 0, amount=3)
    with pytest.raises(InputError, match="amount nan; allowed: a finite number"):
        apply(voice, SR, Perturbation.GAIN, 0, amount=float("nan"))
    with pytest.raises(InputError, match="0 times its speed"):
        apply(voice, SR, Perturbation.SPEED, 0, amount=0)
    with pytest.raises(InputError, match="allowed: 0 to 1"):
        apply(voice, SR, Perturbation.CLIPPING, 0, amount=1)
    with pytest.raises(MediaError, match="the voice is silent"):
        apply(np.zeros(SR, dtype=np.float32), SR, Perturbation.WHITE, 0)
