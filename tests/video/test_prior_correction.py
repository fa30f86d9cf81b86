from __future__ import annotations

import json

import numpy as np
import pytest

from ravdess_mm.config import PRIOR_CLIPS
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError
from ravdess_mm.video.prior_correction import ClassShares, correct_priors_by_actor

SAD = EMOTIONS.index("sad")
HAPPY = EMOTIONS.index("happy")


def looks(emotion: int, *, sure: float) -> np.ndarray:
    answer = np.full(len(EMOTIONS), (1 - sure) / (len(EMOTIONS) - 1))
    answer[emotion] = sure
    return answer


def test_an_answer_is_divided_by_what_is_expected_of_the_person() -> None:
    shares = np.array([0.05, 0.05, 0.1, 0.5, 0.1, 0.1, 0.05, 0.05])
    face = ClassShares(12, shares)
    answer = looks(SAD, sure=0.4)
    expected = answer / ((12 * shares + PRIOR_CLIPS / 8) / (12 + PRIOR_CLIPS))
    np.testing.assert_allclose(face.even(answer), expected / expected.sum())
    np.testing.assert_allclose(face.even(np.stack([answer, answer]))[1], expected / expected.sum())


def test_a_face_that_always_looks_sad_is_heard_when_it_looks_a_little_happier() -> None:
    usual = [looks(SAD, sure=0.6)] * 10
    now = usual[0].copy()
    now[[SAD, HAPPY]] = 0.45, 0.2
    assert now.argmax() == SAD
    assert ClassShares.of([*usual, now]).even(now).argmax() == HAPPY


def test_one_clip_changes_nothing_and_none_is_refused() -> None:
    answer = looks(SAD, sure=0.7)
    np.testing.assert_allclose(ClassShares.of([answer]).even(answer), answer)
    with pytest.raises(InputError, match="a face cannot be known from no clips"):
        ClassShares.of(np.empty((0, 8)))


def test_everybody_is_evened_by_their_own_clips_alone() -> None:
    rng = np.random.default_rng(3)
    answers = rng.dirichlet(np.ones(8), size=9)
    people = np.array([2, 1, 2, 1, 1, 2, 2, 7, 1])
    found = correct_priors_by_actor(answers, people)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(found[people == 2], ClassShares.of(answers[people == 2]).even(answers[people == 2]))
    np.testing.assert_allclose(found[people == 7], answers[people == 7])
    answers[people == 1] = looks(SAD, sure=0.9)
    np.testing.assert_array_equal(correct_priors_by_actor(answers, people)[people == 2], found[people == 2])


def test_what_is_known_of_a_face_comes_back_to_the_last_bit() -> None:
    face = ClassShares.of(np.random.default_rng(4).dirichlet(np.ones(8), size=5))
    again = ClassShares.from_dict(json.loads(json.dumps(face.to_dict())))
    assert again.n_clips == 5
    np.testing.assert_array_equal(again.shares, face.shares)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"n_clips": 3, "shares": {"sad": 1.0}},
        {"n_clips": -1, "shares": dict.fromkeys(EMOTIONS, 1 / 8)},
        {"n_clips": 3, "shares": dict.fromkeys(EMOTIONS, 1.0)},
        {"n_clips": 3, "shares": {**dict.fromkeys(EMOTIONS, 0.25), "sad": -0.75}},
        {"n_clips": 3, "shares": dict.fromkeys(EMOTIONS, float("nan"))},
    ],
)
def test_what_are_no_shares_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(InputError, match="shares"):
        ClassShares.from_dict(content)
