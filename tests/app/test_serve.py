"""The command: where it listens, what it prints, what it leaves behind, and clients that misbehave."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from typer.testing import CliRunner

from ravdess_mm.cli.main import app
from tests.app.conftest import Clips, Served, start


def wait_until(condition: object, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.2)


def test_ten_at_once_are_answered_in_turn(served: Served, clips: Clips) -> None:
    def ask(number: int) -> dict[str, object]:
        with served.client() as client:
            files = {"file": (f"{number}.wav", clips.sound.read_bytes())}
            found = client.post("/api/predict", files=files, headers={"x-ticket": f"ten-{number}"})
            answer: dict[str, object] = found.json()
            return answer

    with ThreadPoolExecutor(10) as pool, served.client() as client:
        tasks = [pool.submit(ask, number) for number in range(10)]
        seen: set[int] = set()
        while not all(task.done() for task in tasks):
            places = [client.get(f"/api/queue/ten-{number}").json()["ahead"] for number in range(10)]
            seen |= {place for place in places if place is not None}
            time.sleep(0.1)
        answers = [task.result() for task in tasks]
    assert [answer["path"] for answer in answers] == [f"{number}.wav" for number in range(10)]
    assert len({str(answer["probabilities"]) for answer in answers}) == 1
    assert max(seen) >= 4
    assert served.kept() == []


def request_to(served: Served, path: Path, ticket: str) -> socket.socket:
    where = urlsplit(served.address)
    body = (
        b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n' + path.read_bytes() + b"\r\n--x--"
    )
    head = (
        f"POST /api/predict HTTP/1.1\r\nhost: {where.netloc}\r\ncontent-length: {len(body)}\r\n"
        f"content-type: multipart/form-data; boundary=x\r\nx-ticket: {ticket}\r\n\r\n"
    )
    connection = socket.create_connection((where.hostname, where.port))
    connection.sendall(head.encode() + body)
    return connection


def test_a_client_that_goes_frees_its_place(served: Served, tmp_path: Path) -> None:
    import numpy as np
    import soundfile

    path = tmp_path / "long.wav"
    noise = 0.1 * np.random.default_rng(1).standard_normal(280 * 16_000)
    soundfile.write(path, noise, 16_000, subtype="PCM_16")
    with served.client() as client:
        connection = request_to(served, path, "gone")
        wait_until(lambda: client.get("/api/queue/gone").json()["ahead"] == 0)
        connection.close()
        wait_until(lambda: client.get("/api/queue/gone").json()["ahead"] is None)
    wait_until(lambda: served.kept() == [])


def test_a_connection_lost_in_the_middle_leaves_nothing(served: Served, clips: Clips) -> None:
    where = urlsplit(served.address)
    connection = socket.create_connection((where.hostname, where.port))
    head = f"POST /api/predict HTTP/1.1\r\nhost: {where.netloc}\r\ncontent-length: 5000000\r\n"
    connection.sendall((head + "content-type: multipart/form-data; boundary=x\r\n\r\n").encode())
    connection.sendall(b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n' + bytes(2_000_000))
    connection.close()
    with served.client() as client:
        assert client.post("/api/predict", files={"file": ("a", clips.sound.read_bytes())}).status_code == 200
    assert served.kept() == []


def test_three_gigabytes_are_refused_at_once(served: Served) -> None:
    where = urlsplit(served.address)
    with socket.create_connection((where.hostname, where.port)) as connection:
        head = f"POST /api/predict HTTP/1.1\r\nhost: {where.netloc}\r\ncontent-length: 3000000000\r\n"
        connection.sendall((head + "content-type: multipart/form-data; boundary=x\r\n\r\n--x").encode())
        said = connection.recv(4096)
    assert said.startswith(b"HTTP/1.1 413")
    assert served.kept() == []


def test_a_port_in_use_is_one_line(served: Served) -> None:
    port = urlsplit(served.address).port
    found = CliRunner().invoke(app, ["app", "--no-browser", "--port", str(port)])
    assert found.exit_code == 2
    assert found.stderr == f"error: port {port} on 127.0.0.1 is in use; another with --port\n"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--host", "203.0.113.7"], "error: port 7860 on 203.0.113.7 cannot be used"),
        (["--token", "short"], "error: a token of 5 characters; allowed: 12 or more"),
    ],
)
def test_where_it_cannot_listen_and_what_is_no_token_is_one_line(options: list[str], told: str) -> None:
    found = CliRunner().invoke(app, ["app", "--no-browser", *options])
    assert found.exit_code == 2
    assert found.stderr.startswith(told)
    assert found.stderr.count("\n") == 1


def test_another_address_makes_and_wants_a_token(project: Path, tmp_path: Path) -> None:
    found = start(project, tmp_path / "temporary", "--host", "0.0.0.0")
    try:
        where = urlsplit(found.address)
        address = f"http://127.0.0.1:{where.port}/api/info"
        assert len(where.query.removeprefix("token=")) >= 30
        assert httpx.get(address).status_code == 401
        assert httpx.get(f"{address}?{where.query}").status_code == 200
    finally:
        found.process.terminate()
        found.process.wait(20)
    assert list(found.temporary.iterdir()) == []


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_nothing_stays_when_it_ends(project: Path, tmp_path: Path, clips: Clips, end: signal.Signals) -> None:
    found = start(project, tmp_path / "temporary")
    with found.client() as client:
        assert client.post("/api/predict", files={"file": ("a", clips.sound.read_bytes())}).status_code == 200
    connection = request_to(found, clips.film, "last")
    found.process.send_signal(end)
    found.process.wait(20)
    connection.close()
    wait_until(lambda: list(found.temporary.iterdir()) == [])
    assert "Traceback" not in (found.process.stderr.read() if found.process.stderr else "")


def test_a_missing_extra_says_how_to_get_it() -> None:
    code = "import sys; sys.modules['uvicorn'] = None; from ravdess_mm.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "app"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: this needs uvicorn, which is not installed: pip install 'ravdess-mm[app]'\n"
