from __future__ import annotations

import numpy as np
import pytest

from ravdess_mm.classifiers.rows import check_features
from ravdess_mm.errors import InputError


def test_rows_are_sorted_by_take(make_features) -> None:
    table = make_features(actors=(1, 2))
    rows, shuffled = check_features(table), check_features(table.sample(frac=1, random_state=0))
    assert list(rows.takes) == sorted(table["take"])
    assert shuffled.digest() == rows.digest()


def test_digest_tells_values_and_names_apart(make_features) -> None:
    table = make_features(actors=(1, 2))
    changed = table.assign(f00=table["f00"] + 1e-9)
    renamed = table.rename(columns={"f00": "g00"})
    assert len({check_features(each).digest() for each in (table, changed, renamed)}) == 3


def test_rows_of_actors(make_features) -> None:
    rows = check_features(make_features(actors=(1, 2, 3))).of_actors((1, 3))
    assert set(rows.sample.groups) == {1, 3}
    assert {take[-2:] for take in rows.takes} == {"01", "03"}


def test_encoded_classes_leave_no_gap(make_features) -> None:
    sample = check_features(make_features(emotions=("calm", "sad", "disgust"))).sample
    classes, codes = sample.encoded()
    assert classes.tolist() == [1, 3, 6]
    np.testing.assert_array_equal(classes[codes], sample.y)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda table: table.drop(columns="actor"), "no column 'actor'"),
        (lambda table: table[["take", "actor", "emotion"]], "0 features"),
        (lambda table: table.iloc[:0], "0 rows"),
        (lambda table: table.iloc[[0, 0, 1]], "twice"),
        (lambda table: table.assign(f01="high"), "'f01' is not numeric"),
        (lambda table: table.assign(f02=np.nan), "no finite value of f02"),
        (lambda table: table.assign(f02=-np.inf), "no finite value of f02"),
        (lambda table: table.assign(emotion="joy"), "unknown emotion 'joy'"),
    ],
)
def test_unsound_table_is_refused(make_features, spoil, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_features(spoil(make_features(actors=(1, 2))))


def test_copies_follow_their_rows(make_features) -> None:
    table = make_features(actors=(1, 2, 3), emotions=("happy", "sad"), repetitions=1)
    some = table[table["actor"] != 2].assign(f00=99.0)
    rows = check_features(table).with_copies([some, table])
    sample = rows.sample
    assert len(sample) == 6  # copies are not rows
    assert rows.digest() != check_features(table).digest()
    learned = sample.learned()
    assert len(learned) == 6 + 4 + 6
    assert learned.groups[6:10].tolist() == some.sort_values("take")["actor"].tolist()
    of_three = sample.rows(sample.groups == 3)
    assert of_three.copies is not None
    assert of_three.copies.owners.tolist() == [0, 1, 0, 1]
    assert set(of_three.learned().groups) == {3}
    np.testing.assert_array_equal(of_three.learned().y, np.tile(of_three.y, 3))
    assert (of_three.learned().X[2:4, 0] == 99).all()
    np.testing.assert_array_equal(of_three.learned().X[4:], of_three.X)
    # an index chooses like a mask
    chosen = sample.rows(np.flatnonzero(sample.groups == 3))
    np.testing.assert_array_equal(chosen.learned().X, of_three.learned().X)
