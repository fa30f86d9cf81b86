from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ravdess_mm.report.build import CONTENTS, NEED_PREDICTIONS, write_report
from ravdess_mm.store import read_json, read_table, write_json, write_table

Copy = Callable[[Path], Path]
VOID = {"meta", "link", "img", "br", "input"}


class Page(HTMLParser):
    """The elements of a page, and whether all of them are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.captions: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("caption", "figcaption"):
            self.captions.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "caption" in self.open or "figcaption" in self.open:
            self.captions[-1] += data

    def attributes(self, tag: str, name: str) -> list[str]:
        return [value for found, attrs in self.elements if found == tag and (value := attrs.get(name)) is not None]


@pytest.fixture(scope="module")
def text(synthetic_report: Path) -> str:
    return synthetic_report.read_text("utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def report_of(run_dir: Path) -> str:
    return write_report(run_dir, run_dir.parent / "report" / "index.html").read_text("utf-8")


def test_the_page_is_well_formed_and_small(page: Page, synthetic_report: Path) -> None:
    assert page.open == []
    assert synthetic_report.stat().st_size < 3_000_000


def test_nothing_is_loaded_from_anywhere(page: Page, text: str) -> None:
    for tag, attrs in page.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            value = attrs.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, value)
    assert "@import" not in text
    assert "url(" not in text
    (policy,) = [attrs["content"] for tag, attrs in page.elements if attrs.get("http-equiv")]
    assert policy is not None
    assert policy.startswith("default-src 'none';")


def test_every_section_is_in_the_contents(page: Page) -> None:
    anchors = list(CONTENTS)
    assert page.attributes("section", "aria-labelledby") == anchors
    assert [href[1:] for href in page.attributes("a", "href")] == ["content", *anchors]
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert set(anchors) <= set(ids)


def test_tables_and_figures_are_numbered_in_order(page: Page) -> None:
    for kind in ("Table", "Figure"):
        found = [int(match[1]) for caption in page.captions if (match := re.match(rf"\s*{kind} (\d+)", caption))]
        assert found == list(range(1, len(found) + 1))
        assert len(found) >= 7
    tags = [tag for tag, _ in page.elements]
    assert tags.count("caption") == tags.count("table")
    assert tags.count("figcaption") == tags.count("figure")


def test_every_figure_says_that_it_is_synthetic(page: Page, text: str) -> None:
    assert page.captions
    for caption in page.captions:
        assert "synthetic sample" in caption
    top = text[text.index('<section class="summary"') : text.index("<h1")]
    assert "synthetic sample" in top
    assert "synthetic sample" in text[: text.index("</title>")]


def test_a_real_run_is_not_called_synthetic_and_is_compared_with_people(lean_run: Path, copy_of: Copy) -> None:
    run_dir = copy_of(lean_run)
    record = read_json(run_dir / "run.json")
    write_json(run_dir / "run.json", {**record, "synthetic": False})
    text = report_of(run_dir)
    assert "synthetic sample" not in text
    assert "Livingstone &amp; Russo (2018)" in text
    assert text.count('class="reference people"') == 3 * 3


def test_what_comes_from_files_is_escaped(text: str, lean_run: Path, copy_of: Copy) -> None:
    assert "<know>" not in text
    assert "&lt;know&gt;" in text
    assert "notes&lt;b&gt;.txt" in text
    assert "DATA=&#39;clips &amp; more&#39;" in text
    run_dir = copy_of(lean_run)
    attack = "</script><script>alert(1)</script><!--"
    record = read_json(run_dir / "run.json")
    write_json(run_dir / "run.json", {**record, "run": attack, "command": attack, "messages": [attack]})
    shutil.copy(run_dir / "predictions/audio-network.parquet", run_dir / "predictions/x'\"><script>alert(2).parquet")
    attacked = report_of(run_dir)
    assert "<script>alert" not in attacked
    assert attacked.count("<script") == text.count("<script")
    assert Page(attacked).open == []


def test_the_same_run_gives_the_same_bytes(text: str, synthetic_run: Path, tmp_path: Path) -> None:
    again = write_report(synthetic_run, tmp_path / "new" / "folder" / "index.html")
    assert again == tmp_path / "new" / "folder" / "index.html"
    assert again.read_text("utf-8") == text


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("catalog.parquet", "Left out: the run has no catalog."),
        ("rejected.parquet", "Left out: the run has no table of rejected files."),
        ("run.json", "Left out: the run has no run.json"),
        ("audio", "Left out: the run has no table of voice features"),
        ("video", "Left out: the run has no sampled frames."),
        ("models/video-cnn/holdout", "Left out: the run has no learning curves."),
        ("models/video-cnn/frames.parquet", "There are no answers of a network for single frames."),
        ("models", "Left out: the run has no search results."),
        ("predictions", "Left out: there are no predictions with test rows"),
        ("predictions/fused.parquet", "Left out: there is no fused model"),
        ("metrics.json", "<h1"),
    ],
)
def test_what_is_missing_is_said_and_costs_only_its_section(
    lean_run: Path, copy_of: Copy, lost: str, said: str
) -> None:
    run_dir = copy_of(lean_run)
    path = run_dir / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    text = report_of(run_dir)
    page = Page(text)
    assert said in text
    assert page.open == []
    gone = NEED_PREDICTIONS if lost == "predictions" else frozenset()
    assert page.attributes("section", "aria-labelledby") == [name for name in CONTENTS if name not in gone]
    assert {href[1:] for href in page.attributes("a", "href")} <= {attrs.get("id") for _, attrs in page.elements}


def test_an_empty_folder_gives_a_report(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    text = report_of(tmp_path / "empty")
    assert Page(text).open == []
    assert "Run empty has no predictions yet" in text


@pytest.mark.parametrize("branch", ["audio", "video"])
def test_a_run_with_one_branch_says_so(lean_run: Path, copy_of: Copy, branch: str) -> None:
    run_dir = copy_of(lean_run)
    for path in (run_dir / "predictions").iterdir():
        if not path.name.startswith(branch):
            path.unlink()
    text = report_of(run_dir)
    other = {"audio": "face", "video": "voice"}[branch]
    assert f"there is no {other} model in this run</h1>" in text
    assert f"There is no {other} model in this run." in text


def test_one_test_actor_has_figures_without_intervals(lean_run: Path, copy_of: Copy) -> None:
    run_dir = copy_of(lean_run)
    for path in (run_dir / "predictions").iterdir():
        table = read_table(path)
        write_table(path, table[(table["role"] == "oof") | (table["actor"] == 4)], schema="predictions/1")
    (run_dir / "metrics.json").unlink()
    text = report_of(run_dir)
    heading = text[text.index("<h1") : text.index("</h1>")]
    assert "1 test actor nobody trained on" in heading
    assert "[" not in heading
    assert "an interval over actors is undefined" in text


def test_song_has_six_emotions(lean_run: Path, copy_of: Copy) -> None:
    run_dir = copy_of(lean_run)
    for path in (run_dir / "predictions").iterdir():
        table = read_table(path)
        sung = table[~table["emotion"].isin(["disgust", "surprised"])]
        write_table(path, sung.assign(take="02" + sung["take"].str[2:]), schema="predictions/1")
    (run_dir / "metrics.json").unlink()
    text = report_of(run_dir)
    assert "one of six emotions at random" in text
    assert "No takes of disgust, surprised: left out of UAR and macro F1." in text
