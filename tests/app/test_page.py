"""The page in a real browser: headless Chromium with a film for a camera and a sound for a microphone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import av
import cv2
import pytest
import soundfile
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.app.conftest import Clips, Served, start

pytestmark = pytest.mark.browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
AXE = os.environ.get("RAVDESS_MM_AXE")
SLOW_MS = 90_000  # for answers; a busy machine loads models slowly
SECTIONS = ("try", "live", "speaker", "runs")


@pytest.fixture(scope="module")
def devices(clips: Clips, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What the browser takes for a camera and a microphone."""
    folder = tmp_path_factory.mktemp("devices")
    camera, microphone = folder / "camera.mjpeg", folder / "microphone.wav"
    with av.open(str(clips.film)) as film, camera.open("wb") as written:
        for frame in film.decode(video=0):
            written.write(cv2.imencode(".jpg", frame.to_ndarray(format="bgr24"))[1].tobytes())
    samples, sr = soundfile.read(clips.sound)
    soundfile.write(microphone, samples, sr, subtype="PCM_16")
    return camera, microphone


@pytest.fixture(scope="module")
def browser(devices: tuple[Path, Path]) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no browser: install Debian's chromium to test the page in it")
    options = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={devices[0]}",
        f"--use-file-for-fake-audio-capture={devices[1]}",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


class Opened:
    """A page, what it asked for, and what it complained about."""

    def __init__(self, browser: Browser, address: str, *, width: int = 1280, theme: str = "light") -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, accept_downloads=True
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(SLOW_MS)
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.context.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or ""))
        self.page.goto(address)


@pytest.fixture
def opened(browser: Browser, served: Served) -> Iterator[Opened]:
    found = Opened(browser, served.address)
    yield found
    found.context.close()
    assert found.complaints == []
    assert found.hosts <= {"127.0.0.1", ""}  # blob: and data: have none


@pytest.fixture
def page(opened: Opened) -> Page:
    return opened.page


def wait_for_answer(page: Page) -> str:
    expect(page.locator("#answer .verdict")).to_be_visible(timeout=SLOW_MS)
    return page.locator("#answer .verdict").inner_text()


def shares(page: Page, group: str) -> list[int]:
    texts = page.locator(f"{group} .answer > :last-child").all_inner_texts()
    return [int(text.removesuffix(" %")) for text in texts]


def test_a_file_is_answered_and_the_answer_kept(page: Page, clips: Clips, tmp_path: Path) -> None:
    page.set_input_files("#file", clips.film)
    said = wait_for_answer(page)
    expect(page.locator("#answer .answers h2")).to_have_text(["Both together", "Voice", "Face"])
    both = shares(page, "#answer .answers > li:first-child")
    assert abs(sum(both) - 100) <= 4
    assert said.endswith(f", {max(both)} %")
    assert page.locator("#answer .time rect").count() > 8
    assert page.locator("#answer .frames img").count() > 2
    kept = {}
    for name in ("One HTML file", "CSV", "JSON"):
        with page.expect_download() as download:
            page.click(f"#keep >> text={name}")
        kept[name] = tmp_path / download.value.suggested_filename
        download.value.save_as(kept[name])
    answer = json.loads(kept["JSON"].read_text())
    assert said == f"{answer['label'].capitalize()}, {max(both)} %"
    assert answer["path"] == clips.film.name
    assert kept["CSV"].read_text().startswith("path,")
    assert said.partition(",")[0] in kept["One HTML file"].read_text()
    page.goto(kept["One HTML file"].as_uri())
    assert said.partition(",")[0] in page.locator("h1").inner_text()


def test_the_voice_over_time_and_the_annotated_film_are_kept(page: Page, clips: Clips, tmp_path: Path) -> None:
    page.set_input_files("#file", clips.film)
    page.click("#show-timeline")
    expect(page.locator("#time > .note")).to_contain_text(["Voice", "Face", "Both", "in each bar"], timeout=SLOW_MS)
    with page.expect_download() as download:
        page.click("#keep-timeline")
    assert "over time" in Path(download.value.path()).read_text()
    with page.expect_download(timeout=SLOW_MS) as download:
        page.click("#keep-film")
    assert download.value.suggested_filename.endswith("-annotated.mp4")
    download.value.save_as(tmp_path / "film.mp4")
    with av.open(str(tmp_path / "film.mp4")) as film:
        assert next(film.decode(video=0)).width > 0


@pytest.mark.slow
def test_the_part_of_the_face_that_spoke_is_shown(page: Page, clips: Clips) -> None:
    pytest.importorskip("tensorflow")
    page.set_input_files("#file", clips.film)
    page.click("#why")
    expect(page.locator("#answer .heated img[alt*='colour marks']").first).to_be_visible(timeout=2 * SLOW_MS)
    with page.expect_download() as download:
        page.click("#keep-html")
    assert "Grad-CAM" in Path(download.value.path()).read_text()


def test_a_recording_of_camera_and_voice_is_answered(page: Page) -> None:
    page.click("text=Camera and voice")
    expect(page.locator("#elapsed")).to_have_text("3 s", timeout=SLOW_MS)
    assert page.evaluate("document.querySelector('#recording').videoWidth") > 0
    page.click("#record-stop")
    wait_for_answer(page)
    assert "rests on voice and face" in page.locator("#answer .eyebrow").inner_text()
    assert page.locator("#clip video").count() == 1
    expect(page.locator("#recorder")).to_be_hidden()


def test_a_recording_of_the_voice_is_answered(page: Page) -> None:
    page.click("text=Voice only")
    expect(page.locator("#elapsed")).to_have_text("2 s", timeout=SLOW_MS)
    page.click("#record-stop")
    wait_for_answer(page)
    assert "rests on voice" in page.locator("#answer .eyebrow").inner_text()


def test_what_is_refused_is_said_where_one_looks(browser: Browser, served: Served, tmp_path: Path) -> None:
    found = Opened(browser, served.address)
    diary = tmp_path / "diary.txt"
    diary.write_text("dear diary\n" * 100)
    found.page.set_input_files("#file", diary)
    expect(found.page.locator("#trouble")).to_contain_text("Diary.txt: ", timeout=SLOW_MS)
    big = tmp_path / "big.mp4"
    with big.open("wb") as file:
        file.truncate(70_000_000)  # nothing of it is read
    found.page.set_input_files("#file", big)
    expect(found.page.locator("#trouble")).to_have_text("big.mp4 has 70 MB; allowed: 60 MB.")
    found.page.evaluate(
        "void (navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError')))"
    )
    found.page.click("text=Voice only")
    expect(found.page.locator("#trouble")).to_contain_text("The browser was not allowed to use microphone")
    found.context.close()


def test_live_bars_move(page: Page) -> None:
    page.click("nav >> text=Live")
    page.click("#live-start")
    expect(page.locator("#live-bars h2")).to_have_count(3, timeout=SLOW_MS)
    expect(page.locator("#live-status")).to_contain_text("answers a second", timeout=SLOW_MS)
    first = shares(page, "#live-bars")
    page.wait_for_function(
        "before => [...document.querySelectorAll('#live-bars .answer > :last-child')]"
        ".map((one) => parseInt(one.textContent)).join() !== before",
        arg=",".join(map(str, first)),
    )
    assert len(shares(page, "#live-bars")) == 24
    page.click("#live-stop")
    expect(page.locator("#live-view")).to_be_hidden()
    assert page.evaluate(
        "document.querySelector('#live-video').srcObject.getTracks().every((one) => one.readyState === 'ended')"
    )


def test_live_goes_on_with_the_other_device(page: Page) -> None:
    page.evaluate(
        """(() => {
            const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = (wanted) =>
                wanted.video ? Promise.reject(new DOMException("", "NotFoundError")) : real(wanted);
        })()"""
    )
    page.click("nav >> text=Live")
    page.click("#live-start")
    expect(page.locator("#live-trouble")).to_have_text("The camera cannot be used; the other goes on.")
    expect(page.locator("#live-bars h2")).to_have_text(["Both together", "Voice"], timeout=SLOW_MS)
    page.click("nav >> text=Try")
    page.click("nav >> text=Live")
    expect(page.locator("#live-start")).to_be_visible()


def test_a_speaker_is_enrolled_compared_saved_and_loaded(page: Page, clips: Clips, tmp_path: Path) -> None:
    page.click("nav >> text=Speaker")
    page.set_input_files("#speaker-files", [*clips.more, clips.film])
    page.click(f"[aria-label='Remove {clips.film.name}']")
    assert page.locator("#speaker-clips li").count() == len(clips.more)
    page.click("#enrol")
    expect(page.locator("#enrolment .answers h2")).to_have_text(["Without the enrolment", "With it"], timeout=SLOW_MS)
    assert f"The voice by {len(clips.more)} clips" in page.locator("#enrolment .lead").inner_text()
    assert shares(page, "#enrolment li:first-child") != shares(page, "#enrolment li:last-child")
    with page.expect_download() as download:
        page.click("text=Save the enrolment")
    saved = tmp_path / "speaker.json"
    download.value.save_as(saved)
    page.click("text=Forget")
    page.click("nav >> text=Try")
    expect(page.locator("#with-speaker")).to_be_hidden()
    page.click("nav >> text=Speaker")
    page.set_input_files("#speaker-load", saved)
    expect(page.locator("#speaker-status")).to_have_text("Known.", timeout=SLOW_MS)
    page.click("nav >> text=Try")
    page.set_input_files("#file", clips.sound)
    wait_for_answer(page)
    assert "adapted to the speaker" in page.locator("#answer .eyebrow").inner_text()


def test_a_speaker_records_a_clip(page: Page) -> None:
    page.click("nav >> text=Speaker")
    page.click("text=Record a clip")
    expect(page.locator("#speaker-status")).to_have_text("Recording, 2 s.", timeout=SLOW_MS)
    page.click("#speaker-record-stop")
    expect(page.locator("#speaker-clips li")).to_contain_text(["recording-1.webm"])


def test_a_run_answers_and_its_report_opens(page: Page, clips: Clips) -> None:
    page.click("nav >> text=Runs")
    expect(page.locator("#runs-list tr")).to_have_count(2)
    expect(page.locator("#runs-list tr").last).to_contain_text("61 % 52 % to 70 %")
    with page.context.expect_page() as report:
        page.click("#runs-list a")
    report.value.wait_for_load_state()
    assert report.value.title() == "scripts run"
    assert report.value.evaluate("origin") == "null"
    report.value.close()
    page.click("text=mine")
    page.click("nav >> text=Try")
    expect(page.locator("#who-answers")).to_have_text("The models of the run mine answer.")
    page.set_input_files("#file", clips.sound)
    wait_for_answer(page)
    assert "synthetic sample" in page.locator("#answer .left-out").first.inner_text()


def test_the_token_is_taken_from_the_address_or_asked_for(browser: Browser, project: Path, tmp_path: Path) -> None:
    with_token = start(project, tmp_path / "temporary", "--token", "a-token-of-a-test")
    try:
        found = Opened(browser, with_token.address)
        expect(found.page.locator("#limits")).to_contain_text("Up to")
        assert "token" not in found.page.url
        assert found.complaints == []
        other = Opened(browser, with_token.address.partition("?")[0])
        expect(other.page.locator("#token-form")).to_be_visible()
        other.page.fill("#token", "a-token-of-a-test")
        other.page.keyboard.press("Enter")
        expect(other.page.locator("#token-form")).to_be_hidden()
        other.page.click("nav >> text=Runs")
        with other.context.expect_page() as report:
            other.page.click("#runs-list a")
        report.value.wait_for_load_state()
        assert "a-token" not in report.value.url
        assert report.value.title() == "scripts run"
    finally:
        with_token.process.terminate()
        with_token.process.wait(20)


def test_a_server_that_is_gone_is_named(browser: Browser, project: Path, tmp_path: Path, clips: Clips) -> None:
    short = start(project, tmp_path / "temporary")
    found = Opened(browser, short.address)
    expect(found.page.locator("#limits")).to_contain_text("Up to")
    short.process.terminate()
    short.process.wait(20)
    found.page.set_input_files("#file", clips.sound)
    expect(found.page.locator("#trouble")).to_have_text("The server does not answer; is the command still running?")
    found.context.close()


def test_the_keyboard_reaches_and_does_everything(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                """(() => {
                    const one = document.activeElement;
                    const ring = one.closest("label.button") ?? one;
                    if (getComputedStyle(ring).outlineStyle === "none") throw new Error("no ring: " + one.outerHTML);
                    return one.id || one.hash;
                })()"""
            )
        )
    assert reached == ["#try", "#live", "#speaker", "#runs", "theme", "file", "record-film", "record-sound"]
    page.focus("#record-sound")
    page.keyboard.press("Space")
    expect(page.locator("#record-stop")).to_be_focused(timeout=SLOW_MS)
    expect(page.locator("#elapsed")).to_have_text("2 s", timeout=SLOW_MS)
    page.keyboard.press("Enter")
    wait_for_answer(page)


def fill(page: Page, clips: Clips) -> None:
    page.set_input_files("#file", clips.film)
    wait_for_answer(page)


@pytest.mark.parametrize("width", [360, 820])
def test_a_phone_scrolls_in_one_direction_only(browser: Browser, served: Served, clips: Clips, width: int) -> None:
    phone = Opened(browser, served.address, width=width)
    fill(phone.page, clips)
    for section in SECTIONS:
        phone.page.click(f"nav a[href='#{section}']")
        assert phone.page.evaluate("document.documentElement.scrollWidth") <= width
        outside = phone.page.evaluate(
            """[...document.querySelectorAll("main *, header *, footer *")]
                .filter((one) => one.checkVisibility() && !one.closest(".scroll, .skip"))
                .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
                .map((one) => one.outerHTML.slice(0, 80))"""
        )
        assert outside == []
    phone.context.close()


def test_the_theme_follows_the_system_until_it_is_switched(browser: Browser, served: Served) -> None:
    dark = Opened(browser, served.address, theme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    assert dark.page.evaluate(background) == "rgb(18, 22, 27)"
    dark.page.click("#theme")
    assert dark.page.evaluate(background) == "rgb(255, 255, 255)"
    dark.page.reload()
    assert dark.page.evaluate(background) == "rgb(255, 255, 255)"
    dark.context.close()


@pytest.mark.skipif(AXE is None, reason="RAVDESS_MM_AXE is not set: point it to axe.min.js of axe-core 4")
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_no_violation_of_level_a_or_aa(
    browser: Browser, served: Served, clips: Clips, theme: str, width: int
) -> None:
    found = Opened(browser, served.address, width=width, theme=theme)
    fill(found.page, clips)
    found.page.evaluate(Path(str(AXE)).read_text("utf-8"))
    run = "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })"
    for section in SECTIONS:
        found.page.click(f"nav a[href='#{section}']")
        if section == "live":
            found.page.click("#live-start")
            expect(found.page.locator("#live-bars h2")).to_have_count(3, timeout=SLOW_MS)
        if section == "runs":
            expect(found.page.locator("#runs-list tr")).to_have_count(2)
        violations = found.page.evaluate(run)["violations"]
        assert [(section, one["id"], one["nodes"][0]["html"][:120]) for one in violations] == []
    found.page.goto(f"{served.address}api")
    expect(found.page.locator("#paths h2").first).to_be_visible()
    found.page.evaluate(Path(str(AXE)).read_text("utf-8"))
    violations = found.page.evaluate(run)["violations"]
    assert [("api", one["id"], one["nodes"][0]["html"][:120]) for one in violations] == []
    found.context.close()
