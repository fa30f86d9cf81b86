from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ravdess_mm.predictions import labels_of, probabilities_of
from ravdess_mm.report import fusion as fused
from ravdess_mm.report import model_results as results
from ravdess_mm.report.run_files import RunFiles
from ravdess_mm.report.run_reader import read_run
from ravdess_mm.report.summary import Summary, make_summary


@pytest.fixture(scope="module")
def files(synthetic_run: Path) -> RunFiles:
    return read_run(synthetic_run)


@pytest.fixture(scope="module")
def headline(files: RunFiles) -> Summary:
    return make_summary(files)


def right(files: RunFiles, name: str) -> np.ndarray:
    rows = files.tested[name]
    return probabilities_of(rows).argmax(axis=1) == labels_of(rows)


def test_the_leaderboard_starts_with_the_most_accurate(files: RunFiles, headline: Summary) -> None:
    rows = results.leader_rows(files, headline)
    assert sorted(row.name for row in rows) == sorted(files.tables)
    assert [row.accuracy.value for row in rows] == sorted((row.accuracy.value for row in rows), reverse=True)
    assert [row.name for row in rows if row.is_main] == ["fused"]
    for row in rows:
        assert row.accuracy.value == pytest.approx(right(files, row.name).mean())


def test_adapted_models_stand_apart(files: RunFiles) -> None:
    adapted = {"audio-svc-adapted": files.tables["audio-svc"], "fused-adapted": files.tables["fused"]}
    more = replace(
        files,
        tables={**files.tables, **adapted},
        metrics={**files.metrics, **{name: files.metrics[name.removesuffix("-adapted")] for name in adapted}},
    )
    headline = make_summary(more)
    assert not any(name.endswith("-adapted") for name in headline.shown)
    plain, apart = results.leaderboards(more, headline)
    assert not plain.adapted
    assert {row.name for row in plain.rows} == set(files.tables)
    assert apart.adapted
    assert {row.name for row in apart.rows} == set(adapted)
    (only,) = results.leaderboards(files, make_summary(files))
    assert not only.adapted


def test_reference_lines_name_people_only_where_they_compare(files: RunFiles) -> None:
    assert results.reference_lines(files) == {"chance": 1 / 8}
    real = replace(files, record={**files.record, "synthetic": False})
    assert sorted(results.reference_lines(real).values()) == [1 / 8, 0.62, 0.75, 0.80]


def test_confusions_have_counts_shares_and_the_worst_pair(files: RunFiles, headline: Summary) -> None:
    first = results.confusions(files, headline)[0]
    assert first.name == "fused"
    assert sum(cell.n for _, cells in first.rows for cell in cells) == 48
    for _, cells in first.rows:
        assert sum(cell.share or 0 for cell in cells) == pytest.approx(1)
        assert all(0 <= cell.shade <= results.SHADES for cell in cells)
    hits = sum(cells[place].n for place, (_, cells) in enumerate(first.rows))
    assert hits == right(files, "fused").sum()


def test_an_emotion_without_takes_has_no_share(files: RunFiles, headline: Summary) -> None:
    counts = np.array(files.metrics["fused"]["confusion"])
    counts[7] = 0
    metrics = {**files.metrics, "fused": {**files.metrics["fused"], "confusion": counts.tolist()}}
    emotion, cells = results.confusions(replace(files, metrics=metrics), headline)[0].rows[7]
    assert emotion == "surprised"
    assert {cell.share for cell in cells} == {None}


def test_nothing_confused_is_said(files: RunFiles, headline: Summary) -> None:
    perfect = {**files.metrics["fused"], "confusion": np.diag([6] * 8).tolist()}
    first = results.confusions(replace(files, metrics={**files.metrics, "fused": perfect}), headline)[0]
    assert first.worst == "No take is confused."


def test_actors_start_with_the_hardest(files: RunFiles, headline: Summary) -> None:
    rows = results.actor_rows(files, headline)
    assert {row.actor: row.sex for row in rows} == {4: "female", 5: "male", 6: "female"}
    values = [row.shares["both"] for row in rows]
    assert values == sorted(values)
    for row in rows:
        own = (files.tested["fused"]["actor"] == row.actor).to_numpy()
        assert row.shares["both"] == pytest.approx(right(files, "fused")[own].mean())


def test_slices_name_the_worst(files: RunFiles, headline: Summary) -> None:
    rows, worst = results.slice_rows(files, headline)
    assert {row.dimension for row in rows} == {"sex", "intensity", "statement", "emotion"}
    assert sum(row.n_takes for row in rows if row.dimension == "emotion") == 48
    lowest = min((row for row in rows if row.dimension == "emotion"), key=lambda row: row.estimate.value)
    assert lowest.is_worst
    assert worst is not None


def test_slices_of_a_single_take_have_no_worst(files: RunFiles, headline: Summary) -> None:
    alone = {"fused": files.tables["fused"].iloc[:1]}
    assert results.slice_rows(replace(files, tables=alone), headline)[1] is None


def test_chance_alone_explains_the_gap_of_a_calibrated_model() -> None:
    generator = np.random.default_rng(0)
    few, many = (generator.dirichlet(np.full(8, 0.6), size=n) for n in (40, 4000))
    gaps = [results._gap_by_chance(shares, seed=1) for shares in (few, many)]
    assert gaps[0] > 0.08
    assert gaps[1] < 0.02


def test_agreement_adds_up_to_the_common_takes(files: RunFiles, headline: Summary) -> None:
    rows = fused.agreement(files, headline)
    assert sum(row.n_takes for row in rows) == 48
    assert sum(row.n_right for row in rows) == right(files, "fused").sum()
    voice, face = (right(files, name) for name in (headline.voice or "", headline.face or ""))
    assert [row.n_takes for row in rows] == [
        (voice & face).sum(),
        (voice & ~face).sum(),
        (~voice & face).sum(),
        (~voice & ~face).sum(),
    ]


def test_agreement_is_about_takes_that_both_scored(files: RunFiles, headline: Summary) -> None:
    fewer = files.tables["video-cnn"].query("actor != 4")
    rows = fused.agreement(replace(files, tables={**files.tables, "video-cnn": fewer}), headline)
    assert sum(row.n_takes for row in rows) == 32


def test_agreement_needs_both_branches(files: RunFiles, headline: Summary) -> None:
    assert fused.agreement(files, replace(headline, face=None)) == []


def test_every_other_model_is_compared_with_the_headline(files: RunFiles, headline: Summary) -> None:
    found = fused.comparisons(files, headline)
    assert {row.first for row in found} == set(files.tables) - {"fused"}
    assert {row.second for row in found} == {"fused"}


def test_a_model_of_other_takes_is_not_compared(files: RunFiles, headline: Summary) -> None:
    table = files.tables["audio-svc"]
    elsewhere = table[table["role"] == "oof"].assign(role="test")
    found = fused.comparisons(replace(files, tables={**files.tables, "audio-svc": elsewhere}), headline)
    assert "audio-svc" not in {row.first for row in found}


def test_the_recipe_is_told_with_weights_and_temperatures(files: RunFiles) -> None:
    rows = fused.recipe_rows(files)
    recipe = files.recipe["folds"][0]
    assert [row.fold for row in rows] == ["holdout", "holdout"]
    assert [row.temperature for row in rows] == [f"{recipe['temperatures'][name]:.2f}" for name in ("audio", "video")]
    assert [row.weight for row in rows] == [f"{weight:.2f}" for weight in recipe["lessons"][0]["weights"]]
    assert fused.recipe_rows(replace(files, recipe={})) == []


def test_sources_are_told_in_words(files: RunFiles) -> None:
    assert fused.sources_in_words(files) == "48 on voice and face"
    table = files.tables["fused"].drop(columns="sources")
    assert fused.sources_in_words(replace(files, tables={**files.tables, "fused": table})) is None


def test_the_cost_of_a_missing_branch_starts_at_the_fused_accuracy(
    files: RunFiles, caplog: pytest.LogCaptureFixture
) -> None:
    curve = fused.missing_curve(files)
    assert curve is not None
    assert curve.n_takes == 48
    assert {branch for branch, _ in curve.rows} == {"voice", "face"}
    for _, values in curve.rows:
        assert values[0] == pytest.approx(right(files, "fused").mean())
    assert caplog.text == ""
    assert fused.missing_curve(replace(files, recipe={})) is None
