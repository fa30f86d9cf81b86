"""Actor-disjoint protocols by name, and the guard against leaks.

What is split is takes, the group is the actor: no function here ever puts one actor on two sides.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.config import Protocol
from ravdess_mm.corpus.identifier import ACTORS, Sex, actor_sex
from ravdess_mm.errors import InputError, LeakageError

logger = logging.getLogger(__name__)

HOLDOUT_TEST_ACTORS: Final[tuple[int, ...]] = (21, 22, 23, 24)
"""Test actors of a holdout where none are named: the seed's protocol."""

HOLDOUT_NUMBER: Final = -1
"""Number of the one split of a plain holdout."""

PROTOCOL_FOLDS: Final[dict[Protocol, tuple[tuple[int, ...], ...]]] = {
    # Luna-Jimenez C et al. (2021), Sensors 21(22): 7665; the same folds in (2022), Applied Sciences 12(1): 327
    Protocol.LUNA5: ((2, 5, 14, 15, 16), (3, 6, 7, 13, 18), (10, 11, 12, 19, 20), (8, 17, 21, 23, 24), (1, 4, 9, 22)),
    # Ma Z et al. (2024), EmoBox, Interspeech
    Protocol.EMOBOX6: (
        (1, 11, 20, 21),
        (4, 10, 12, 14),
        (8, 9, 19, 23),
        (3, 5, 7, 24),
        (2, 15, 16, 18),
        (6, 13, 17, 22),
    ),
    Protocol.LOSO: tuple((actor,) for actor in ACTORS),
}
"""Test actors of each fold of the protocols that test every actor once."""


@dataclass(frozen=True)
class Fold:
    """One split of actors.

    Parameters
    ----------
    number : int
        -1 for a plain holdout, else the place of the fold in its protocol, from 0. It does not change when another
        fold is dropped, so fold 3 of ``luna5`` means the same in every run.
    train, test : tuple of int
        Actors of each side, sorted, none on both.

    Raises
    ------
    LeakageError
        If an actor is on both sides.
    """

    number: int
    train: tuple[int, ...]
    test: tuple[int, ...]

    def __post_init__(self) -> None:
        check_disjoint(self.train, self.test)

    @property
    def name(self) -> str:
        """Name used for folders and messages: ``holdout`` or ``fold-<number>``."""
        return fold_folder(self.number)


def fold_folder(number: int) -> str:
    """Return the name of a fold's folders: ``holdout`` for -1, else ``fold-<number>``."""
    return "holdout" if number == HOLDOUT_NUMBER else f"fold-{number}"


def check_disjoint(train_groups: npt.ArrayLike, test_groups: npt.ArrayLike) -> None:
    """Check that no actor is on both sides of a fit and a score.

    Parameters
    ----------
    train_groups, test_groups : array-like [shape=(n,)]
        The actor of each row; or any other name of who is shown, such as a subject of another corpus.

    Raises
    ------
    LeakageError
        Names those who are on both sides.
    """
    train, test = (set(np.unique(np.asarray(groups)).tolist()) for groups in (train_groups, test_groups))
    shared = sorted(train & test)
    if shared:
        whole = all(isinstance(group, int) for group in shared)
        names = format_actors(shared) if whole else ", ".join(map(str, shared))
        raise LeakageError(f"actor{'s' if len(shared) > 1 else ''} {names} on both sides of a fit and a score")


def check_recordings_distinct(recordings: Iterable[tuple[str, str, str]]) -> None:
    """Check that no recording is in two corpora: its speaker would be on both sides under two names.

    Parameters
    ----------
    recordings : iterable of (str, str, str)
        Corpus, name and digest of the content of each.

    Raises
    ------
    LeakageError
        Names the first pair.
    """
    first: dict[str, tuple[str, str]] = {}
    for corpus, name, digest in sorted(recordings):
        other, twin = first.setdefault(digest, (corpus, name))
        if other != corpus:
            raise LeakageError(f"{other} and {corpus} hold the same recording: {twin} and {name}; name a corpus once")


def make_folds(
    protocol: Protocol | str, actors: npt.ArrayLike, *, test_actors: Collection[int] | None = None
) -> tuple[Fold, ...]:
    """Split the actors that are present by a named protocol.

    Parameters
    ----------
    protocol : Protocol
        ``holdout``, ``luna5``, ``emobox6`` or ``loso``; see ``docs/protocols.md``.
    actors : array-like of int [shape=(n,)]
        Actors present, in any order, repeats allowed: such as the column of a catalog.
    test_actors : collection of int, optional
        Test actors of a holdout; None for 21-24.

    Returns
    -------
    tuple of Fold
        In the order of their numbers. Absent actors, and folds left without test actors, are dropped with a message.
        With ``luna5``, ``emobox6`` and ``loso`` every present actor is tested exactly once.

    Raises
    ------
    InputError
        If the protocol or an actor is unknown, `test_actors` is given with another protocol than ``holdout``, or a
        side is empty.
    """
    protocol = _known_protocol(protocol)
    present = _known_actors(_distinct(actors), source="the data")
    if test_actors is not None and protocol is not Protocol.HOLDOUT:
        raise InputError(f"test actors belong to protocol holdout; got them with protocol {protocol.value}")
    if protocol is Protocol.HOLDOUT:
        chosen = HOLDOUT_TEST_ACTORS if test_actors is None else test_actors
        tests = {HOLDOUT_NUMBER: _known_actors(set(chosen), source="the test actors")}
    else:
        tests = {number: set(test) for number, test in enumerate(PROTOCOL_FOLDS[protocol])}
    everyone = tuple(ACTORS)
    planned = tuple(
        Fold(number, tuple(a for a in everyone if a not in test), tuple(sorted(test))) for number, test in tests.items()
    )
    folds = restrict_folds(planned, sorted(present))
    if protocol is not Protocol.HOLDOUT:
        _check_cover(folds, present)
    return folds


def restrict_folds(folds: Iterable[Fold], actors: npt.ArrayLike) -> tuple[Fold, ...]:
    """Keep only the actors a table has: a branch may have fewer of them than the run.

    Parameters
    ----------
    folds : iterable of Fold
        The split of all actors of the run.
    actors : array-like of int [shape=(n,)]
        Actors present, in any order, repeats allowed.

    Returns
    -------
    tuple of Fold
        The folds with absent actors dropped; a fold nobody is left to test in is dropped with a message.

    Raises
    ------
    InputError
        If a fold is left without training actors, or no fold has test actors.
    """
    folds = tuple(folds)
    present = _distinct(actors)
    absent = sorted({actor for fold in folds for actor in fold.train + fold.test} - present)
    if absent:
        logger.info("%s not in the data: dropped from the split", _actors_text(absent))
    kept: list[Fold] = []
    untested: list[str] = []
    for fold in folds:
        test = tuple(actor for actor in fold.test if actor in present)
        train = tuple(actor for actor in fold.train if actor in present)
        if not test:
            untested.append(fold.name)
        elif not train:
            raise InputError(f"{fold.name}: nobody to train on: all of the data ({_actors_text(present)}) is tested")
        else:
            kept.append(Fold(fold.number, train, test))
    if not kept:
        wanted = {actor for fold in folds for actor in fold.test}
        has = f"has {_actors_text(present)}" if present else "has no actors"
        hint = "; choose TEST_ACTORS among them" if present and folds[0].number == HOLDOUT_NUMBER else ""
        raise InputError(f"nobody to test on: the split tests {_actors_text(wanted)}; the data {has}{hint}")
    if untested:
        logger.info("dropped %s: none of its test actors is in the data", ", ".join(untested))
    return tuple(kept)


def validation_actors(train_actors: npt.ArrayLike, *, share: float, seed: int) -> tuple[int, ...]:
    """Choose the training actors that tell when to stop and are not trained on.

    Parameters
    ----------
    train_actors : array-like of int [shape=(n,)]
        Actors of the training side, in any order, repeats allowed.
    share : float
        Wanted share of them, 0-1 exclusive; at least one is chosen and at least one left.
    seed : int
        Seed of the choice; the same set of actors and seed give the same choice.

    Returns
    -------
    tuple of int
        Sorted; as many men as women where possible, and never the last of a sex while another can be chosen. Empty
        where there is only one training actor.

    Raises
    ------
    InputError
        If `share` is out of range.
    """
    if not 0 < share < 1:
        raise InputError(f"share of validation actors is {share}; allowed: between 0 and 1, both excluded")
    left = _shuffled_by_sex(_distinct(train_actors), seed=seed)
    n_actors = sum(map(len, left.values()))
    if n_actors < 2:
        return ()
    chosen: dict[Sex, list[int]] = {sex: [] for sex in left}
    for _ in range(min(max(1, round(share * n_actors)), n_actors - 1)):
        spare = [sex for sex in left if len(left[sex]) > 1] or [sex for sex in left if left[sex]]
        sex = min(spare, key=lambda sex: (len(chosen[sex]), -len(left[sex])))
        chosen[sex].append(left[sex].pop())
    return tuple(sorted(actor for part in chosen.values() for actor in part))


def group_folds(groups: npt.ArrayLike, n_folds: int, *, seed: int) -> npt.NDArray[np.int64]:
    """Deal rows into folds by actor, for searches and out-of-fold predictions within the training side.

    Parameters
    ----------
    groups : array-like of int [shape=(n,)]
        The actor of each row.
    n_folds : int
        Wanted number of folds, at least 2; with fewer actors than folds, every actor is a fold.
    seed : int
        Seed of the deal.

    Returns
    -------
    numpy.ndarray of int [shape=(n,)]
        The fold of each row, from 0. It depends on the set of actors and the seed, not on the order or number of
        rows; numbers of men and of women in two folds differ by one at most.

    Raises
    ------
    InputError
        If `n_folds` is below 2 or there are fewer than two actors.
    """
    rows = np.asarray(groups, dtype=np.int64).reshape(-1)
    present = _distinct(rows)
    if n_folds < 2:
        raise InputError(f"number of folds is {n_folds}; allowed: 2 or more")
    if len(present) < 2:
        raise InputError(f"folds by actor need two actors or more; got {format_actors(present) or 'none'}")
    by_sex = _shuffled_by_sex(present, seed=seed)
    # one deal goes on where the other stopped, so that folds differ by one actor at most
    dealt = [actor for sex in by_sex for actor in by_sex[sex]]
    fold_of = {actor: index % min(n_folds, len(present)) for index, actor in enumerate(dealt)}
    return np.array([fold_of[int(actor)] for actor in rows], dtype=np.int64)


def format_actors(actors: Iterable[int]) -> str:
    """Return a list of actors for people, such as ``1, 17-20``; the inverse of ``config.parse_actors``."""
    runs: list[list[int]] = []
    for actor in sorted(set(actors)):
        if runs and actor == runs[-1][1] + 1:
            runs[-1][1] = actor
        else:
            runs.append([actor, actor])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _actors_text(actors: Collection[int]) -> str:
    return f"actor{'s' if len(actors) > 1 else ''} {format_actors(actors)}"


def _distinct(groups: npt.ArrayLike) -> set[int]:
    return {int(group) for group in np.unique(np.asarray(groups, dtype=np.int64))}


def _known_protocol(protocol: Protocol | str) -> Protocol:
    try:
        return Protocol(protocol)
    except ValueError as error:
        raise InputError(f"unknown protocol {protocol!r}; allowed: {', '.join(Protocol)}") from error


def _known_actors(actors: set[int], *, source: str) -> set[int]:
    unknown = sorted(actors - set(ACTORS))
    if unknown:
        raise InputError(f"{source}: actor {unknown[0]} is out of range; allowed: 1-24")
    return actors


def _check_cover(folds: tuple[Fold, ...], present: set[int]) -> None:
    tested = sorted(actor for fold in folds for actor in fold.test)
    if tested != sorted(present):
        raise LeakageError(f"the folds test actors {tested}; each of {sorted(present)} must be tested exactly once")


def _shuffled_by_sex(actors: set[int], *, seed: int) -> dict[Sex, list[int]]:
    generator = np.random.default_rng(seed)
    return {
        sex: [int(actor) for actor in generator.permutation(sorted(a for a in actors if actor_sex(a) is sex))]
        for sex in Sex
    }
