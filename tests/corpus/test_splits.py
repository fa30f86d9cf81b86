"""No actor is ever on two sides, and every present actor is tested exactly once."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravdess_mm.config import ChannelChoice, Protocol
from ravdess_mm.corpus.catalog import build_catalog
from ravdess_mm.corpus.identifier import Sex, actor_sex
from ravdess_mm.corpus.splits import (
    PROTOCOL_FOLDS,
    Fold,
    check_disjoint,
    check_recordings_distinct,
    format_actors,
    group_folds,
    make_folds,
    restrict_folds,
    validation_actors,
)
from ravdess_mm.errors import InputError, LeakageError

LOGGER = "ravdess_mm.corpus.splits"
EVERYONE = tuple(range(1, 25))
FOLD_PROTOCOLS = [Protocol.LUNA5, Protocol.EMOBOX6, Protocol.LOSO]
actor_sets = st.sets(st.sampled_from(EVERYONE), min_size=2)


def test_default_holdout_is_the_seeds_protocol() -> None:
    (fold,) = make_folds(Protocol.HOLDOUT, EVERYONE)
    assert fold == Fold(-1, tuple(range(1, 21)), (21, 22, 23, 24))
    assert fold.name == "holdout"


def test_named_test_actors_override() -> None:
    (fold,) = make_folds(Protocol.HOLDOUT, range(1, 21), test_actors=[20, 1, 17, 18, 19])
    assert fold == Fold(-1, tuple(range(2, 17)), (1, 17, 18, 19, 20))


def test_luna5_and_emobox6_are_the_published_folds() -> None:
    luna = [fold.test for fold in make_folds(Protocol.LUNA5, EVERYONE)]
    assert luna == [(2, 5, 14, 15, 16), (3, 6, 7, 13, 18), (10, 11, 12, 19, 20), (8, 17, 21, 23, 24), (1, 4, 9, 22)]
    emobox = [fold.test for fold in make_folds(Protocol.EMOBOX6, EVERYONE)]
    assert emobox == [
        (1, 11, 20, 21),
        (4, 10, 12, 14),
        (8, 9, 19, 23),
        (3, 5, 7, 24),
        (2, 15, 16, 18),
        (6, 13, 17, 22),
    ]


def test_loso_tests_each_actor_alone() -> None:
    folds = make_folds("loso", [3, 1, 2, 2])
    assert [(fold.number, fold.test, fold.train) for fold in folds] == [
        (0, (1,), (2, 3)),
        (1, (2,), (1, 3)),
        (2, (3,), (1, 2)),
    ]


@pytest.mark.parametrize("protocol", FOLD_PROTOCOLS)
def test_the_folds_of_a_protocol_test_all_24_actors_once(protocol: Protocol) -> None:
    assert sorted(actor for test in PROTOCOL_FOLDS[protocol] for actor in test) == list(EVERYONE)


@pytest.mark.parametrize("protocol", FOLD_PROTOCOLS)
@given(present=actor_sets)
def test_every_present_actor_is_tested_once_and_never_trained_on(protocol: Protocol, present: set[int]) -> None:
    try:
        folds = make_folds(protocol, sorted(present))
    except InputError:
        # only where one published fold holds everyone who is there
        assert any(present <= set(test) for test in PROTOCOL_FOLDS[protocol])
        return
    assert sorted(actor for fold in folds for actor in fold.test) == sorted(present)
    for fold in folds:
        assert set(fold.train) == present - set(fold.test)
        assert fold.train
        assert set(fold.test) <= set(PROTOCOL_FOLDS[protocol][fold.number])


@given(present=st.permutations(EVERYONE))
def test_order_and_repeats_of_actors_do_not_matter(present: list[int]) -> None:
    assert make_folds(Protocol.LUNA5, present + present) == make_folds(Protocol.LUNA5, pd.Series(sorted(present)))


def test_absent_actors_are_dropped_with_a_message(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger=LOGGER)
    (fold,) = make_folds(Protocol.HOLDOUT, [1, 2, 3, 21, 23])
    assert fold == Fold(-1, (1, 2, 3), (21, 23))
    assert "actors 4-20, 22, 24 not in the data" in caplog.text


def test_a_fold_nobody_is_left_to_test_in_is_dropped_and_the_others_keep_their_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger=LOGGER)
    folds = make_folds(Protocol.LUNA5, [2, 5, 10, 1])
    assert [(fold.name, fold.test) for fold in folds] == [("fold-0", (2, 5)), ("fold-2", (10,)), ("fold-4", (1,))]
    assert "dropped fold-1, fold-3: none of its test actors is in the data" in caplog.text


def test_nobody_to_test_on_says_which_actors_there_are() -> None:
    with pytest.raises(InputError) as caught:
        make_folds(Protocol.HOLDOUT, range(1, 21))
    assert str(caught.value) == (
        "nobody to test on: the split tests actors 21-24; the data has actors 1-20; choose TEST_ACTORS among them"
    )


@pytest.mark.parametrize(
    ("protocol", "actors", "test_actors", "fold"),
    [("loso", [7], None, "fold-6"), ("holdout", [21, 22], None, "holdout"), ("luna5", [2, 5], None, "fold-0")],
)
def test_nobody_to_train_on_is_an_error(
    protocol: str, actors: list[int], test_actors: list[int] | None, fold: str
) -> None:
    with pytest.raises(InputError, match=rf"^{fold}: nobody to train on: .*{actors[0]}"):
        make_folds(protocol, actors, test_actors=test_actors)


def test_no_actors_at_all_is_an_error() -> None:
    with pytest.raises(InputError, match=r"nobody to test on.*has no actors"):
        make_folds(Protocol.LOSO, [])


def test_an_unknown_protocol_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="'kfold'; allowed: holdout, luna5, emobox6, loso"):
        make_folds("kfold", EVERYONE)


def test_test_actors_belong_to_holdout() -> None:
    with pytest.raises(InputError, match="protocol holdout; got them with protocol loso"):
        make_folds(Protocol.LOSO, EVERYONE, test_actors=[1])


@pytest.mark.parametrize(("actors", "test_actors"), [([1, 25], [1]), ([1, 2], [0])])
def test_actors_out_of_range_are_refused(actors: list[int], test_actors: list[int]) -> None:
    with pytest.raises(InputError, match=r"actor (25|0) is out of range; allowed: 1-24"):
        make_folds(Protocol.HOLDOUT, actors, test_actors=test_actors)


def test_restricting_to_a_branch_keeps_the_sides() -> None:
    folds = make_folds(Protocol.HOLDOUT, range(1, 21), test_actors=[1, 17, 18])
    assert restrict_folds(folds, pd.Series([5, 1, 5])) == (Fold(-1, (5,), (1,)),)
    with pytest.raises(InputError, match="nobody to train on: all of the data \\(actor 1\\) is tested"):
        restrict_folds(folds, [1])
    with pytest.raises(InputError, match="nobody to test on"):
        restrict_folds(folds, [5, 6])


def test_an_actor_on_both_sides_is_a_leak() -> None:
    with pytest.raises(LeakageError, match=r"^actors 2, 4-6 on both sides"):
        check_disjoint(np.array([1, 2, 4, 5, 6]), pd.Series([2, 2, 4, 5, 6, 7]))
    with pytest.raises(LeakageError, match=r"^actor 3 on both sides"):
        Fold(0, (1, 3), (3,))
    with pytest.raises(LeakageError, match="S010"):
        check_disjoint(["S010", "S011"], ["S012", "S010"])
    check_disjoint([1, 2], [3])
    check_disjoint([], [])


@given(
    actors=st.sets(st.sampled_from(EVERYONE), min_size=2), share=st.floats(0.01, 0.99), seed=st.integers(0, 2**32 - 1)
)
def test_validation_actors_are_some_of_the_training_actors(actors: set[int], share: float, seed: int) -> None:
    chosen = validation_actors(sorted(actors), share=share, seed=seed)
    assert chosen == tuple(sorted(set(chosen)))
    assert set(chosen) < actors
    assert len(chosen) == min(max(1, round(share * len(actors))), len(actors) - 1)
    assert chosen == validation_actors(sorted(actors, reverse=True) * 2, share=share, seed=seed)


@given(seed=st.integers(0, 2**32 - 1))
def test_validation_actors_are_as_many_men_as_women(seed: int) -> None:
    chosen = validation_actors(range(1, 21), share=0.2, seed=seed)
    assert [actor_sex(actor) for actor in chosen].count(Sex.MALE) == 2
    assert len(chosen) == 4


@given(seed=st.integers(0, 2**32 - 1))
def test_the_last_woman_stays_in_training(seed: int) -> None:
    assert 2 not in validation_actors([1, 2, 3, 5, 7], share=0.5, seed=seed)


def test_one_training_actor_gives_no_validation_actor() -> None:
    assert validation_actors([5, 5], share=0.5, seed=0) == ()
    assert validation_actors([], share=0.5, seed=0) == ()


def test_the_seed_chooses_the_validation_actors() -> None:
    assert len({validation_actors(range(1, 21), share=0.2, seed=seed) for seed in range(10)}) > 1


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        validation_actors([1, 2], share=share, seed=0)


@given(rows=st.lists(st.sampled_from(EVERYONE), min_size=2), n_folds=st.integers(2, 6), seed=st.integers(0, 99))
def test_group_folds_keep_actors_whole_and_balanced(rows: list[int], n_folds: int, seed: int) -> None:
    actors = sorted(set(rows))
    if len(actors) < 2:
        return
    folds = group_folds(rows, n_folds, seed=seed)
    assert folds.shape == (len(rows),)
    fold_of = dict(zip(rows, folds.tolist(), strict=True))
    assert [fold_of[row] for row in rows] == folds.tolist()
    assert set(folds.tolist()) == set(range(min(n_folds, len(actors))))
    for group in (actors, [a for a in actors if a % 2], [a for a in actors if a % 2 == 0]):
        sizes = [sum(fold_of[actor] == fold for actor in group) for fold in set(folds.tolist())]
        assert max(sizes) - min(sizes) <= 1
    assert group_folds(actors, n_folds, seed=seed).tolist() == [fold_of[actor] for actor in actors]


def test_the_seed_deals_the_folds() -> None:
    assert len({tuple(group_folds(EVERYONE, 3, seed=seed)) for seed in range(5)}) > 1


def test_group_folds_need_two_actors_and_two_folds() -> None:
    with pytest.raises(InputError, match="two actors or more; got 3"):
        group_folds([3, 3, 3], 3, seed=0)
    with pytest.raises(InputError, match="got none"):
        group_folds([], 3, seed=0)
    with pytest.raises(InputError, match="number of folds is 1; allowed: 2 or more"):
        group_folds([1, 2], 1, seed=0)


@pytest.mark.parametrize(
    ("actors", "text"), [([], ""), ([3], "3"), ([20, 17, 1, 19, 18, 18], "1, 17-20"), ([1, 2], "1-2")]
)
def test_actors_are_listed_as_ranges(actors: list[int], text: str) -> None:
    assert format_actors(actors) == text


@pytest.mark.real
def test_real_voices_and_faces_split(real_data: Path) -> None:
    folders = [real_data / "ravdess" / "speech_audio", real_data / "ravdess" / "face_clips"]
    clips = build_catalog(folders, channel=ChannelChoice.SPEECH, jobs=1).clips
    (fold,) = make_folds(Protocol.HOLDOUT, clips["actor"], test_actors=[1, 17, 18, 19, 20])
    assert fold.train == tuple(range(2, 17))
    (faces,) = restrict_folds([fold], clips.loc[clips["face"], "actor"])
    assert faces == Fold(-1, (5,), (1,))
    assert validation_actors(faces.train, share=0.2, seed=20) == ()
    assert len(make_folds(Protocol.LUNA5, clips["actor"])) == 5


def test_a_recording_in_two_corpora_is_a_leak() -> None:
    own = [("emodb", "03a01Fa.wav", "1f"), ("emodb", "03a01Fb.wav", "1f"), ("nemo", "EB0_anger_1.wav", "2e")]
    check_recordings_distinct(own)
    with pytest.raises(LeakageError, match=r"emodb and savee hold the same recording: 03a01Fa\.wav and a01\.wav"):
        check_recordings_distinct([("savee", "a01.wav", "1f"), *own])
