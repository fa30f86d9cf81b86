from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from ravdess_mm.evaluation import evaluate_many
from ravdess_mm.report.run_files import RunFiles
from ravdess_mm.report.run_reader import read_run
from ravdess_mm.report.summary import make_summary


@pytest.fixture(scope="module")
def files(synthetic_run: Path) -> RunFiles:
    return read_run(synthetic_run)


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def with_tables(files: RunFiles, tables: dict[str, pd.DataFrame]) -> RunFiles:
    metrics = evaluate_many(tables, seed=20, draws=200)["models"]
    return replace(files, tables=tables, metrics=metrics)


def test_the_sentence_has_figures_intervals_and_who_was_tested(files: RunFiles) -> None:
    headline = make_summary(files)
    fused, voice, face = (
        files.metrics[name]["accuracy"] for name in ("fused", headline.voice or "", headline.face or "")
    )
    assert plain(headline.sentence) == (
        f"Fused: {100 * fused['value']:.1f} % [{100 * fused['low']:.1f}, {100 * fused['high']:.1f}] "
        f"on 3 test actors nobody trained on; "
        f"voice alone {100 * voice['value']:.1f} %, face alone {100 * face['value']:.1f} %"
    )


def test_branches_stand_for_what_fusion_used(files: RunFiles) -> None:
    used = files.recipe["folds"][0]["models"]
    headline = make_summary(files)
    assert (headline.voice, headline.face) == (used["audio"], used["video"])
    other = "audio-svc" if used["audio"] != "audio-svc" else "audio-network"
    folds = [{"models": {"audio": name, "video": "video-cnn"}} for name in (used["audio"], other, other)]
    assert make_summary(replace(files, recipe={"folds": folds})).voice == other


def test_without_a_recipe_out_of_fold_rows_decide_and_test_rows_do_not(files: RunFiles) -> None:
    def with_answers(table: pd.DataFrame, role: str, right: bool) -> pd.DataFrame:
        rows = (table["role"] == role).to_numpy()
        changed = table.copy()
        columns = [column for column in table if column.startswith("p_")]
        changed.loc[rows, columns] = 0.0
        for row in changed.index[rows]:
            emotion = changed.loc[row, "emotion"] if right else "calm"
            changed.loc[row, f"p_{emotion}"] = 1.0
        return changed

    good_inside = with_answers(with_answers(files.tables["audio-svc"], "oof", True), "test", False)
    good_outside = with_answers(with_answers(files.tables["audio-network"], "oof", False), "test", True)
    changed = with_tables(files, {"audio-svc": good_inside, "audio-network": good_outside})
    assert make_summary(replace(changed, recipe={})).voice == "audio-svc"


def test_one_branch_alone_is_said(files: RunFiles) -> None:
    alone = make_summary(with_tables(files, {"audio-svc": files.tables["audio-svc"]}))
    assert alone.main == "audio-svc"
    assert alone.face is None
    assert alone.sentence.startswith("Voice alone: ")
    assert alone.sentence.endswith("there is no face model in this run")


def test_folds_are_counted_in_words(files: RunFiles) -> None:
    table = files.tables["audio-svc"]
    tested = table[table["role"] == "test"]
    split = with_tables(files, {"audio-svc": tested.assign(fold=tested["actor"] - 4)})
    assert "on 3 actors in three actor-disjoint folds" in make_summary(split).sentence


def test_a_branch_with_far_fewer_takes_is_marked(files: RunFiles) -> None:
    face = files.tables["video-cnn"]
    fewer = face[(face["role"] == "oof") | (face["actor"] == 4)]
    headline = make_summary(with_tables(files, {**files.tables, "video-cnn": fewer}))
    assert headline.sentence.endswith("(of 16 takes)")


def test_people_stand_beside_real_speech_with_their_source(files: RunFiles) -> None:
    assert "People" not in [name for name, _, _ in make_summary(files).facts]
    real = replace(files, record={**files.record, "synthetic": False})
    (people,) = [(value, text) for name, value, text in make_summary(real).facts if name == "People"]
    assert plain(people[0]) == "80 %"
    assert plain(people[1]).startswith("hearing only 62 %, seeing only 75 % and both 80 %; Livingstone & Russo (2018)")


def test_without_predictions_there_is_no_figure(tmp_path: Path) -> None:
    headline = make_summary(read_run(tmp_path))
    assert headline.main is None
    assert headline.shown == ()
    assert headline.facts == ()
    assert "no predictions" in headline.sentence
