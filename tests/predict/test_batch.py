"""A batch is one table, whole or not at all, and goes on where it was killed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from ravdess_mm.cli.main import app
from ravdess_mm.config import Rows
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError
from ravdess_mm.predict import batch
from ravdess_mm.predict.batch import JOURNAL, Question, write_answers
from ravdess_mm.predict.prediction import FaceTrack, Moment, Prediction, Segment
from ravdess_mm.predict.rows import columns, rows_of
from ravdess_mm.store import read_table
from ravdess_mm.video.faces import Box

EVEN = dict.fromkeys(EMOTIONS, 1 / 8)
HAPPY = {**dict.fromkeys(EMOTIONS, 0.0), "happy": 1.0}


def prediction(path: Path) -> Prediction:
    track = FaceTrack(1, True, False, (0.0, 0.5), (Box(1.4, 2, 30, 40),) * 2, np.full((2, 8), 1 / 8))
    return Prediction(
        path,
        HAPPY,
        {"audio": EVEN, "video": HAPPY},
        moments=(Moment(0.0, EVEN, 1), Moment(0.5, HAPPY, 1)),
        notes=("one, two",),
        faces=(track,),
        duration_s=1.0,
    )


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.wav" for name in "abcde"]
    for path in paths:
        path.write_text(path.stem)
    return paths


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the clips that a model was asked about; the third stops everything once, the last is broken."""
    names: list[str] = []
    stops = iter([True])

    def answer(question: Question, path: Path) -> Prediction | str:
        names.append(path.stem)
        if names == ["a", "b", "c"] and next(stops, False):
            raise KeyboardInterrupt
        return "damaged" if path.stem == "e" else prediction(path)

    monkeypatch.setattr(Question, "answer", answer)
    return names


def test_rows_of_every_kind() -> None:
    answer = prediction(Path("a.wav"))
    for kind, n_rows in ((Rows.CLIPS, 1), (Rows.SEGMENTS, 1), (Rows.FRAMES, 2), (Rows.FACES, 2)):
        rows = rows_of(answer, kind)
        assert len(rows) == n_rows
        assert all(tuple(row) == columns(kind) for row in rows)
        assert all(sum(row[f"p_{emotion}"] for emotion in EMOTIONS) == pytest.approx(1) for row in rows)
    face = rows_of(answer, Rows.FACES)[1]
    assert (face["time_s"], face["face"], face["box_x"], face["box_h"], face["fused"]) == (0.5, 1, 1, 40, True)
    assert rows_of(answer, Rows.FRAMES)[1]["label"] == "happy"
    assert rows_of(answer, Rows.SEGMENTS)[0]["face"] == 1
    parted = Prediction(Path("a.wav"), EVEN, {"audio": EVEN}, segments=(Segment(0, 1, EVEN, {"audio": EVEN}),) * 3)
    assert len(rows_of(parted, Rows.SEGMENTS)) == 3


def test_a_batch_goes_on_where_it_was_stopped(clips: list[Path], asked: list[str], tmp_path: Path) -> None:
    table_path = tmp_path / "out.csv"
    journal_path = tmp_path / f"out.csv{JOURNAL}"
    with pytest.raises(KeyboardInterrupt):
        write_answers(clips, Question(), table_path, rows=Rows.CLIPS, jobs=1)
    assert not table_path.exists()
    with journal_path.open("a") as journal:  # as a kill in the middle of a line leaves it
        journal.write('{"path": "c')
    asked.clear()
    failed = write_answers(clips, Question(), table_path, rows=Rows.CLIPS, jobs=1)
    assert asked == ["c", "d", "e"]
    assert failed == {clips[4]: "damaged"}
    table = pd.read_csv(table_path)
    assert list(table["path"]) == [str(path) for path in clips[:4]]
    assert tuple(table) == columns(Rows.CLIPS)
    assert set(table["notes"]) == {"one, two"}
    assert not journal_path.exists()
    assert not list(tmp_path.glob("*.tmp*"))


def test_what_has_changed_since_is_asked_again(clips: list[Path], asked: list[str], tmp_path: Path) -> None:
    table_path = tmp_path / "out.parquet"
    with pytest.raises(KeyboardInterrupt):
        write_answers(clips, Question(), table_path, rows=Rows.FACES, jobs=1)
    clips[0].write_text("another voice")
    journal = (tmp_path / f"out.parquet{JOURNAL}").read_text()
    asked.clear()
    write_answers(clips, Question(), table_path, rows=Rows.FACES, jobs=1)
    assert asked == ["a", "c", "d", "e"]
    table = read_table(table_path, schema=batch.ANSWERS_SCHEMA)
    assert list(table["path"]) == [str(path) for path in clips[:4] for _ in range(2)]
    # other rows, other models or another version share nothing with what is done
    (tmp_path / f"out.parquet{JOURNAL}").write_text(journal)
    asked.clear()
    write_answers(clips, Question(), table_path, rows=Rows.FRAMES, jobs=1)
    assert asked == list("abcde")
    assert json.loads(journal.splitlines()[0])["rows"] == "faces"


def test_a_batch_of_which_nothing_can_be_used_leaves_nothing(
    clips: list[Path], asked: list[str], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"none of 1 clips could be used; the first: .*e.wav: damaged"):
        write_answers(clips[4:], Question(), tmp_path / "out.csv", rows=Rows.CLIPS, jobs=1)
    with pytest.raises(InputError, match="allowed are the endings"):
        write_answers(clips, Question(), tmp_path / "out.xls", rows=Rows.CLIPS, jobs=1)
    assert not list(tmp_path.glob("out*"))


def test_paths_come_from_patterns_folders_and_lists(
    clips: list[Path], asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Question, "predictor", lambda question: None)
    runner = CliRunner()
    listed = "\n".join(["", str(clips[0]), f"  {tmp_path / 'e.wav'} ", ""])
    done = runner.invoke(app, ["predict", "--from-file", "-", "--json"], input=listed)
    assert done.exit_code == 1
    assert [answer["path"] for answer in json.loads(done.stdout)] == [clips[0].as_posix()]
    assert "e.wav: damaged" in done.stderr
    done = runner.invoke(
        app, ["predict", str(tmp_path / "[ab].wav"), "--csv", str(tmp_path / "t.csv"), "--rows", "faces"]
    )
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 't.csv'}\n")
    assert len(pd.read_csv(tmp_path / "t.csv")) == 4
    for words, why in (
        (["predict"], "no clips; allowed: paths"),
        (["predict", str(clips[0]), "--csv", "a.csv", "--json"], "exclude each other"),
        (["predict", *map(str, clips), "--timeline", "a.html"], "of one clip; got 5"),
        (["predict", "--from-file", str(tmp_path / "none.txt")], "no list of paths"),
        (["predict", str(tmp_path / "[xyz].wav")], "no such file"),
    ):
        refused = runner.invoke(app, words)
        assert refused.exit_code == 2
        assert why in " ".join(refused.stderr.split())
