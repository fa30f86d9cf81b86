"""Against a server on this machine that describes a record as the official one does."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ravdess_mm.cli.main import app
from ravdess_mm.corpus import download as module
from ravdess_mm.corpus.download import ArchivePart, download, list_archives
from ravdess_mm.errors import InputError

NAMES = (
    "Audio_Speech_Actors_01-24.zip",
    "Video_Speech_Actor_01.zip",
    "Video_Speech_Actor_02.zip",
    "FacialTracking_Actors_01-24.zip",
    "Tracking_Actor_01.zip",  # films with the tracking drawn into them, which nothing here reads
    "notes.pdf",
)


class Handler(SimpleHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012 - one server a test
    trouble: list[int | str] = []  # noqa: RUF012 - what goes wrong with the next questions for a zip

    def do_GET(self) -> None:
        self.asked.append(self.path)
        trouble = self.trouble.pop(0) if self.trouble and self.path.endswith(".zip") else None
        if isinstance(trouble, int):
            self.send_error(trouble)
        elif trouble is not None or "Range" in self.headers:
            self.send_part(trouble)
        else:
            super().do_GET()

    def send_part(self, trouble: str | None) -> None:
        content = Path(self.translate_path(self.path)).read_bytes()
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", "text/html" if trouble == "page" else "application/zip")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : start + 50] if trouble == "cut" else content[start:])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def record(tmp_path: Path) -> Iterator[str]:
    root = tmp_path / "server"
    root.mkdir()
    Handler.asked, Handler.trouble = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    entries = []
    for name in NAMES:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr(f"Actor_01/{Path(name).stem}.wav", name)
        data = content.getvalue()
        (root / name).write_bytes(data)
        checksum = f"md5:{hashlib.md5(data, usedforsecurity=False).hexdigest()}"
        links = {"self": f"{address}/{name}"}
        entries.append({"key": name, "size": len(data), "checksum": checksum, "links": links})
    (root / "record.json").write_text(json.dumps({"files": entries}))
    yield f"{address}/record.json"
    server.shutdown()


def test_speech_is_fetched_and_unpacked(record: str, tmp_path: Path) -> None:
    (folder,) = download(tmp_path / "data", record_url=record)
    assert (folder / "Actor_01" / "Audio_Speech_Actors_01-24.wav").read_text() == NAMES[0]
    assert not list((tmp_path / "data").glob("*.zip"))


def test_what_is_there_is_not_fetched_again(record: str, tmp_path: Path) -> None:
    for _ in range(2):
        download(tmp_path / "data", keep_archives=True, record_url=record)
    assert Handler.asked.count(f"/{NAMES[0]}") == 1
    assert (tmp_path / "data" / NAMES[0]).is_file()


def test_videos_of_chosen_actors(record: str) -> None:
    found = list_archives([ArchivePart.SPEECH_VIDEO], actors=[2, 3], record_url=record)
    assert [archive.name for archive in found] == ["Video_Speech_Actor_02.zip"]
    assert len(list_archives([ArchivePart.SPEECH_VIDEO, ArchivePart.SPEECH_AUDIO], record_url=record)) == 3


def test_a_part_that_the_record_lacks(record: str) -> None:
    with pytest.raises(InputError, match="the record has no speech-video of actors 9"):
        list_archives([ArchivePart.SPEECH_VIDEO], actors=[9], record_url=record)


def test_action_units_come_from_a_record_of_their_own(record: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECORD_URL", f"{record}?voices")
    monkeypatch.setattr(module, "TRACKING_URL", f"{record}?faces")
    found = list_archives([ArchivePart.SPEECH_AUDIO, ArchivePart.ACTION_UNITS, ArchivePart.SPEECH_VIDEO], actors=[2])
    assert [archive.name for archive in found] == [NAMES[0], NAMES[3], NAMES[2]]
    assert Handler.asked == ["/record.json?voices", "/record.json?faces"]


def test_a_part_named_twice_is_fetched_once(record: str) -> None:
    assert len(list_archives([ArchivePart.SPEECH_AUDIO, ArchivePart.SPEECH_AUDIO], record_url=record)) == 1


def test_a_damaged_file_is_not_kept(record: str, tmp_path: Path) -> None:
    path = tmp_path / "server" / NAMES[0]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match="damaged on the way"):
        download(tmp_path / "data", record_url=record)
    assert not list((tmp_path / "data").iterdir())


def test_no_network_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be reached"):
        download(tmp_path, record_url="http://127.0.0.1:9/record.json")


def test_something_else_than_a_record(record: str, tmp_path: Path) -> None:
    (tmp_path / "server" / "record.json").write_text('{"files": [{"key": "../x", "checksum": "md5:0"}]}')
    with pytest.raises(InputError, match="not the description of a record"):
        list_archives([ArchivePart.SPEECH_AUDIO], record_url=record)


def test_a_full_disk_is_noticed_before(record: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10})())
    with pytest.raises(InputError, match="are needed"):
        download(tmp_path / "data", record_url=record)
    assert f"/{NAMES[0]}" not in Handler.asked


def test_a_disk_too_small_for_what_is_in_a_zip(record: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = iter([10**9, 10])
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": next(free)})())
    with pytest.raises(InputError, match="are needed"):
        download(tmp_path / "data", record_url=record)
    assert f"/{NAMES[0]}" in Handler.asked
    assert [path.name for path in (tmp_path / "data").iterdir()] == [NAMES[0]]  # not fetched again once there is room


def test_command(record: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECORD_URL", record)
    done = CliRunner().invoke(
        app, ["download", str(tmp_path / "data"), "--part", "speech-video", "--actors", "1"], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert done.stdout.strip() == str(tmp_path / "data" / "Video_Speech_Actor_01")


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken: list[float] = []
    monkeypatch.setattr(module.time, "sleep", taken.append)
    return taken


def test_a_file_that_was_cut_off_goes_on_where_it_was(record: str, tmp_path: Path, naps: list[float]) -> None:
    Handler.trouble = ["cut", "cut"]
    (folder,) = download(tmp_path / "data", record_url=record)
    assert Handler.asked.count(f"/{NAMES[0]}") == 3
    assert (folder / "Actor_01" / "Audio_Speech_Actors_01-24.wav").read_text() == NAMES[0]
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [folder.name, f"{NAMES[0]}.unpacked"]


def test_what_a_killed_run_left_is_gone_on_with(record: str, tmp_path: Path, naps: list[float]) -> None:
    content = (tmp_path / "server" / NAMES[0]).read_bytes()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / f"{NAMES[0]}.part").write_bytes(content[:100])
    download(tmp_path / "data", record_url=record)
    assert not (tmp_path / "data" / f"{NAMES[0]}.part").exists()


def test_a_busy_server_is_asked_again_after_a_while(record: str, tmp_path: Path, naps: list[float]) -> None:
    Handler.trouble = [503, 429]
    download(tmp_path / "data", record_url=record)
    assert naps == [1, 4]


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ([404], "the server says 404 Not Found"),
        ([503] * 4, "the server says 503 Service Unavailable"),
        (["page"], "a page of HTML instead of the file"),
        (["cut"] * 9, "cut off again and again"),
    ],
)
def test_what_a_server_says_is_said(
    record: str, tmp_path: Path, naps: list[float], trouble: list[int | str], message: str
) -> None:
    Handler.trouble = trouble
    with pytest.raises(InputError, match=message):
        download(tmp_path / "data", record_url=record)
