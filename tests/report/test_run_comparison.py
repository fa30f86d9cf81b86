from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

import pipelines.compare
from ravdess_mm.predictions import write_predictions
from ravdess_mm.run.entry import stage_main
from ravdess_mm.store import read_json, write_json

Simulate = Callable[..., pd.DataFrame]


@pytest.fixture
def project(tmp_path: Path, simulate: Simulate) -> Path:
    """Two runs with one model each, and one of other actors."""
    for run, actors, skill in (("a", range(1, 6), 1.0), ("b&c", range(2, 7), 2.0), ("far", [20], 1.0)):
        folder = tmp_path / "artifacts" / run
        write_predictions(folder / "predictions" / "fused.parquet", simulate(actors, seed=1, skill=skill))
        write_json(folder / "run.json", {"settings": {"rule": "mean" if run == "a" else "product"}, "synthetic": True})
    (tmp_path / "c.toml").write_text(
        f'artifacts_dir = "{tmp_path}/artifacts"\nreports_dir = "{tmp_path}/reports"\nbootstrap_draws = 200\n'
    )
    return tmp_path


def run(project: Path, runs: str) -> int:
    return stage_main(
        pipelines.compare.compare, [f"RUNS={runs}", f"CONFIG={project / 'c.toml'}"], load=pipelines.compare.load_request
    )


def test_two_runs_become_a_table_and_a_page(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "a b&c") == 0
    shown = capsys.readouterr().out
    page = project / "reports" / "compare-a-b&c" / "index.html"
    assert shown.splitlines()[-1] == f"page: {page}"
    figures = read_json(page.with_name("comparison.json"))["pairs"][0]
    assert (figures["n_takes"], figures["n_takes_run"], figures["n_takes_first"]) == (128, 160, 160)
    assert "128 of 160, 160" in shown
    text = page.read_text()
    HTMLParser().feed(text)
    assert f"{100 * figures['accuracy_first']:.1f}\N{NO-BREAK SPACE}%" in text
    assert "<script" not in text
    assert "b&amp;c" in text
    assert not re.search(r"b&c\b", text.replace("b&amp;c", ""))
    assert 'rule <span class="flag">differs</span>' in text
    assert "synthetic sample" in text
    first = page.read_bytes()
    assert run(project, "a b&c") == 0
    assert page.read_bytes() == first


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ("a", "RUNS=a: allowed: two or more different runs"),
        ("a a", "RUNS=a a: allowed"),
        ("", "RUNS=: allowed"),
        ("a nowhere", "nowhere: no run with predictions; there are: a, b&c, far"),
        ("a far", "far and a have no test take in common"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    project: Path, runs: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(project, runs) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert len(said.err.splitlines()) == 1
    assert not (project / "reports").exists()


@pytest.mark.browser
def test_the_page_pleases_a_browser(project: Path) -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no browser: install Debian's chromium to test the page in it")
    from playwright.sync_api import sync_playwright

    assert run(project, "a b&c") == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 360, "height": 800})
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.goto((project / "reports" / "compare-a-b&c" / "index.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.locator("td.drawn svg").first.bounding_box()["width"] > 100
        assert complaints == []
        browser.close()
