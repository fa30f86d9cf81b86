from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.config import Rule
from ravdess_mm.errors import BundleError
from ravdess_mm.fusion import fuse
from ravdess_mm.fusion.recipe import read_recipe
from ravdess_mm.predictions import probabilities_of, rows_for_test
from ravdess_mm.store import plain, write_json

Simulate = Callable[..., pd.DataFrame]


@pytest.fixture(scope="module")
def tables(simulate: Simulate) -> dict[str, pd.DataFrame]:
    return {
        name: pd.concat(
            [simulate(range(1, 7), seed=seed, role="oof", sharpness=3), simulate([8], seed=seed + 9, sharpness=3)]
        )
        for seed, name in enumerate(("audio", "video"))
    }


@pytest.mark.parametrize("rule", list(Rule))
@pytest.mark.parametrize("branches", [("audio", "video"), ("video",)])
def test_recipe_on_disk_repeats_the_fusion(
    tables: dict[str, pd.DataFrame], rule: Rule, branches: tuple[str, ...], tmp_path: Path
) -> None:
    write_json(tmp_path / "recipe.json", fuse(tables, rule=rule, seed=0).to_dict())
    recipe = read_recipe(tmp_path / "recipe.json")
    assert recipe.models == {"audio": "audio", "video": "video"}
    fused = rows_for_test(fuse({name: tables[name] for name in branches}, rule=rule, seed=0).table)
    rows = {name: probabilities_of(rows_for_test(tables[name])) for name in branches}
    for place in range(len(fused)):
        answer = recipe.apply({name: values[place] for name, values in rows.items()})
        np.testing.assert_allclose(answer, probabilities_of(fused)[place], rtol=1e-12)


def test_recipe_keeps_who_is_heard_only_alone(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    blind = {**tables, "video": rows_for_test(tables["video"])}
    write_json(tmp_path / "recipe.json", fuse(blind, rule="product", seed=0).to_dict())
    recipe = read_recipe(tmp_path / "recipe.json")
    voice, face = (probabilities_of(rows_for_test(tables[name]))[0] for name in ("audio", "video"))
    np.testing.assert_array_equal(recipe.apply({"audio": voice, "video": face}), recipe.apply({"audio": voice}))
    np.testing.assert_allclose(recipe.apply({"video": face}), face, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda recipe: {**recipe, "schema": "fusion/9"}, "not a fusion recipe of schema 'fusion/1'"),
        (lambda recipe: {**recipe, "folds": []}, "not a fusion recipe"),
        (lambda recipe: [recipe], "not a fusion recipe"),
    ],
)
def test_what_is_no_recipe_is_refused(
    tables: dict[str, pd.DataFrame], change: Callable[[dict], object], message: str, tmp_path: Path
) -> None:
    write_json(tmp_path / "recipe.json", change(fuse(tables, rule="mean", seed=0).to_dict()))
    with pytest.raises(BundleError, match=message):
        read_recipe(tmp_path / "recipe.json")


def test_coefficients_of_another_shape_are_refused(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    for rule, message in (
        ("weighted", "1 weights for 2 branches"),
        ("pool", "1 weights for 2 branches"),
        ("stacking", r"shape \(1, 8\); expected \(16, 8\)"),
    ):
        content = fuse(tables, rule=rule, seed=0).to_dict()
        lesson = content["folds"][0]["lessons"][0]
        for key in {"weights", "coefficients"} & set(lesson):
            lesson[key] = lesson[key][:1]
        write_json(tmp_path / "recipe.json", content)
        with pytest.raises(BundleError, match=message):
            read_recipe(tmp_path / "recipe.json")


@pytest.mark.parametrize(
    ("rule", "change", "message"),
    [
        ("pool", {"weights": [1.0, float("nan")]}, "weights: not finite"),
        ("pool", {"weights": [1.0, -0.5]}, "a weight is -0.5; allowed: 0 or more"),
        ("pool", {"weights": [1.0, "much"]}, "weights: not numbers"),
        ("weighted", {"weights": [float("inf"), 0.0]}, "weights: not finite"),
        ("stacking", {"coefficients": [[float("nan")] * 8] * 16}, "coefficients: not finite"),
        ("stacking", {"intercepts": [float("inf")] * 8}, "intercepts: not finite"),
        ("stacking", {"intercepts": [0.0]}, r"intercepts of shape \(1,\); expected \(8,\)"),
    ],
)
def test_lessons_that_are_no_finite_numbers_are_refused(
    tables: dict[str, pd.DataFrame], rule: str, change: dict[str, object], message: str, tmp_path: Path
) -> None:
    content = fuse(tables, rule=rule, seed=0).to_dict()
    content["folds"][0]["lessons"][0].update(change)
    (tmp_path / "recipe.json").write_text(json.dumps(content))
    with pytest.raises(BundleError, match=message):
        read_recipe(tmp_path / "recipe.json")


@pytest.mark.parametrize(
    ("value", "message"),
    [(0.0, "a temperature is 0; allowed: 0.01 to 100"), (float("nan"), "temperatures: not finite")],
)
def test_temperatures_of_a_recipe_are_checked(
    tables: dict[str, pd.DataFrame], value: float, message: str, tmp_path: Path
) -> None:
    content = fuse(tables, rule="pool", seed=0).to_dict()
    content["folds"][0]["temperatures"]["audio"] = value
    (tmp_path / "recipe.json").write_text(json.dumps(content))
    with pytest.raises(BundleError, match=message):
        read_recipe(tmp_path / "recipe.json")


def test_an_unknown_rule_is_refused(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    write_json(tmp_path / "recipe.json", {**fuse(tables, rule="pool", seed=0).to_dict(), "rule": "vote"})
    with pytest.raises(BundleError, match="rule 'vote'; allowed: mean, product, weighted, stacking, pool"):
        read_recipe(tmp_path / "recipe.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda fold: fold["temperatures"].update(audio=1e-300), "a temperature is 1e-300; allowed: 0.01 to 100"),
        (lambda fold: fold["temperatures"].pop("audio"), "temperatures are not of the models"),
        (lambda fold: fold["models"].update(audio="../elsewhere"), "'../elsewhere' is not the name of a model"),
        (lambda fold: fold["lessons"][0].update(weights=[0.5, 1.5]), "weights sum to 2, not to 1"),
        (lambda fold: fold["lessons"][0].update(sources=["audio", "smell"]), "are not its branches audio, video"),
        (lambda fold: fold.update(lessons=3), "a damaged fusion recipe"),
        (lambda fold: fold.pop("models"), "a damaged fusion recipe"),
    ],
)
def test_a_hostile_recipe_is_refused(
    tables: dict[str, pd.DataFrame], tmp_path: Path, change: Callable[[dict], object], message: str
) -> None:
    content = fuse(tables, rule="weighted", seed=0).to_dict()
    content = json.loads(json.dumps(plain(content)))
    change(content["folds"][0])
    write_json(tmp_path / "recipe.json", content)
    with pytest.raises(BundleError, match=rf"recipe\.json: .*{message}"):
        read_recipe(tmp_path / "recipe.json")


@pytest.mark.parametrize("answer", [[np.nan] * 8, [0.5] * 8, [-1.0, 2.0] + [0.0] * 6, [0.2] * 5, [np.inf] + [0.0] * 7])
def test_no_answer_leaves_that_is_not_eight_probabilities(
    tables: dict[str, pd.DataFrame], tmp_path: Path, answer: list[float]
) -> None:
    write_json(tmp_path / "recipe.json", fuse(tables, rule="pool", seed=0).to_dict())
    with pytest.raises(BundleError, match="which are not 8 probabilities; their files are unsound"):
        read_recipe(tmp_path / "recipe.json").apply({"audio": np.array(answer)})
