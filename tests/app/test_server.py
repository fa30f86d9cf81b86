"""The API: what it answers, what it refuses, and what it leaves behind."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from ravdess_mm.app.server import Limits, create_app
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.predict.predictor import PRETRAINED_DIR, Predictor
from ravdess_mm.store import plain
from tests.app.conftest import REPORT, Clips

LIMITS = Limits(max_bytes=3_000_000, max_s=60)
TOKEN = "a-token-of-a-test"


def make_client(project: Path, *, token: str | None = None, limits: Limits = LIMITS) -> TestClient:
    app = create_app(
        runs=project / "artifacts",
        reports=project / "reports",
        limits=limits,
        token=token,
        hosts=frozenset({"127.0.0.1"}),
    )
    return TestClient(app, base_url="http://127.0.0.1:7860")


@pytest.fixture(scope="module")
def client(project: Path) -> Iterator[TestClient]:
    with make_client(project) as client:
        yield client


@pytest.fixture(scope="module")
def closed(project: Path) -> Iterator[TestClient]:
    with make_client(project, token=TOKEN) as client:
        yield client


def upload(path: Path, name: str | None = None) -> dict[str, Any]:
    return {"file": (name or path.name, path.read_bytes())}


def kept(client: TestClient) -> list[Path]:
    assert isinstance(client.app, FastAPI)
    return list(client.app.state.folder.iterdir())


def test_it_answers_as_the_command_does(client: TestClient, clips: Clips) -> None:
    found = client.post("/api/predict", files=upload(clips.film))
    expected = plain(Predictor.from_run(PRETRAINED_DIR).predict(clips.film).to_dict()) | {"path": clips.film.name}
    assert found.status_code == 200
    assert found.json() == json.loads(json.dumps(expected))
    assert kept(client) == []


def test_details_are_what_a_page_shows_and_keeps(client: TestClient, clips: Clips) -> None:
    found = client.post("/api/predict", files=upload(clips.film), data={"details": "true"}).json()
    assert set(found["face"][0]["probabilities"]) == set(EMOTIONS)
    assert found["frames"][0]["image"].startswith("data:image/webp;base64,")
    assert found["csv"].startswith("path,start_s,end_s,speaker,")
    assert "Frame probabilities over time" in found["html"]
    heard = client.post("/api/predict", files=upload(clips.sound), data={"details": "true"}).json()
    assert heard["frames"] == heard["face"] == []
    assert "Frame probabilities over time" not in heard["html"]
    assert heard["label"].capitalize() in heard["html"]


def test_voice_face_and_both_are_answered_over_time(client: TestClient, clips: Clips) -> None:
    found = client.post("/api/timeline", files=upload(clips.film)).json()
    assert [row["name"] for row in found["rows"]] == ["voice", "face", "both"]
    assert all(0 <= bar["start_s"] < bar["end_s"] for row in found["rows"] for bar in row["bars"])
    assert clips.film.name in found["html"]


def test_a_film_comes_back_annotated_and_a_sound_does_not(client: TestClient, clips: Clips) -> None:
    found = client.post("/api/annotate", files=upload(clips.film))
    assert found.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(found.content)) as film:
        assert len(film.streams.video) == len(film.streams.audio) == 1
    assert client.post("/api/annotate", files=upload(clips.sound)).status_code == 422
    assert kept(client) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"dear diary\n" * 50, "notes.txt: "), (b"", "notes.txt: "), (b"RIFF\0\0\0\0WAVE" * 20, "notes.txt: ")],
)
def test_what_is_no_clip_is_refused_in_one_line(client: TestClient, content: bytes, told: str) -> None:
    found = client.post("/api/predict", files={"file": ("notes.txt", content)})
    assert found.status_code == 422
    assert found.json()["error"].startswith(told)
    assert "\n" not in found.json()["error"]
    assert kept(client) == []


@pytest.mark.parametrize("name", ["../../../tmp/x.wav", "..\\..\\x.wav", "/etc/x.wav", "\x00\x1b[31mx.wav"])
def test_a_name_is_shown_and_never_a_path(client: TestClient, clips: Clips, name: str) -> None:
    found = client.post("/api/predict", files=upload(clips.sound, name)).json()
    assert found["path"].endswith("x.wav")
    assert not set(found["path"]) & set("/\\\x00\x1b")
    assert not Path("/tmp/x.wav").exists()


def test_what_is_missing_is_said(client: TestClient) -> None:
    found = client.post("/api/predict", data={"run": "x"})
    assert (found.status_code, found.json()) == (422, {"error": "file: field required"})


def test_a_recording_may_be_too_long(project: Path, clips: Clips) -> None:
    with make_client(project, limits=Limits(3_000_000, 2)) as client:
        found = client.post("/api/predict", files=upload(clips.sound))
    assert found.status_code == 422
    assert "allowed: 2 s" in found.json()["error"]


def test_too_many_bytes_are_refused_before_and_while_they_are_read(client: TestClient) -> None:
    declared = client.post("/api/predict", content=b"", headers={"content-length": "3000000000"})
    assert (declared.status_code, declared.json()) == (413, {"error": "too big; allowed: 3 MB"})
    sent = 0

    def parts() -> Iterator[bytes]:
        nonlocal sent
        yield b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(100):
            sent += 100_000
            yield b"0" * 100_000

    streamed = client.post("/api/predict", content=parts(), headers={"content-type": "multipart/form-data; boundary=x"})
    assert streamed.status_code == 413
    assert kept(client) == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:7860"}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"origin": "https://elsewhere.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"host": "rebound.example:7860"}, 421),
        ({"host": ""}, 421),
    ],
)
def test_who_asks_from_elsewhere_is_refused(client: TestClient, headers: dict[str, str], status: int) -> None:
    assert client.get("/api/info", headers=headers).status_code == status


def test_a_token_is_wanted_where_there_is_one(closed: TestClient) -> None:
    assert closed.get("/api/info").status_code == 401
    assert closed.get("/api/info").headers["www-authenticate"] == "Bearer"
    assert closed.get("/api/info", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert closed.get("/api/info?token=wrong").status_code == 401
    assert closed.get("/api/info", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert closed.get(f"/api/info?token={TOKEN}").status_code == 200
    assert closed.get("/").status_code == 200


def test_a_report_opens_by_a_ticket_of_its_own_and_cannot_get_out(closed: TestClient) -> None:
    (run,) = closed.get(f"/api/runs?token={TOKEN}").json()
    assert run["accuracy"]["value"] == 0.61
    assert run["synthetic"] is True
    (page,) = run["pages"]
    assert TOKEN not in page["address"]
    found = closed.get(page["address"])
    assert found.text == REPORT
    policy = found.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts")
    assert "default-src 'none'" in policy
    assert "allow-same-origin" not in policy
    query = page["address"].partition("?")[2]
    assert closed.get(f"/api/info?{query}").status_code == 401
    assert closed.get(page["address"].partition("?")[0]).status_code == 401


@pytest.mark.parametrize("path", ["/runs/mine/metrics.json", "/runs/..%2Freports/mine", "/runs/half/index.html"])
def test_only_reports_are_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_run_answers_by_its_name_alone(client: TestClient, clips: Clips) -> None:
    chosen = client.post("/api/predict", files=upload(clips.sound), data={"run": "mine"})
    assert any("synthetic sample" in note for note in chosen.json()["notes"])
    other = client.post("/api/predict", files=upload(clips.sound), data={"run": "../artifacts/mine"})
    assert (other.status_code, other.json()["error"]) == (422, "run '../artifacts/mine'; allowed: mine")


def test_a_speaker_is_enrolled_and_known_again(client: TestClient, clips: Clips) -> None:
    files = [("files", (path.name, path.read_bytes())) for path in clips.more] + [("files", ("diary.txt", b"dear"))]
    found = client.post("/api/enrol", files=files).json()
    assert (found["clips"], list(found["failed"])) == (len(clips.more), ["diary.txt"])
    text = json.dumps(found["enrolment"])
    again = client.post("/api/enrol", files={"files": ("her.json", text)}).json()
    assert again["enrolment"] == found["enrolment"]
    answer = client.post("/api/predict", files=upload(clips.sound) | {"speaker": ("her.json", text)}).json()
    assert answer["speaker_clips"] == len(clips.more)
    assert kept(client) == []


@pytest.mark.parametrize("text", ["{}", "[1]", "no json", '{"schema": "enrolment/2"}'])
def test_what_is_no_enrolment_is_refused(client: TestClient, clips: Clips, text: str) -> None:
    assert client.post("/api/enrol", files={"files": ("her.json", text)}).status_code == 422
    found = client.post("/api/predict", files=upload(clips.sound) | {"speaker": ("her.json", text)})
    assert found.status_code == 422
    assert str(kept) not in found.json()["error"]
    assert "/tmp" not in found.json()["error"]


def test_one_clip_says_too_little_about_a_speaker(client: TestClient, clips: Clips) -> None:
    found = client.post("/api/enrol", files={"files": (clips.sound.name, clips.sound.read_bytes())})
    assert found.status_code == 422
    assert "two usable clips or more" in found.json()["error"]


def jpeg(gray: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "JPEG")
    return file.getvalue()


def live(client: TestClient, *, picture: bytes = b"", sound: bytes = b"", sr: int = 16_000) -> dict[str, Any]:
    files = {name: (name, value) for name, value in (("picture", picture), ("sound", sound)) if value}
    found = client.post("/api/live", files=files, data={"sr": str(sr)})
    assert found.status_code == 200, found.text
    answer: dict[str, Any] = found.json()
    return answer


def test_a_moment_is_heard_and_seen(client: TestClient, clips: Clips) -> None:
    from ravdess_mm.audio.decoding import decode_audio
    from ravdess_mm.video.decoding.frames import iter_frames

    samples, sr = decode_audio(clips.sound)
    picture = jpeg(next(iter_frames(clips.film, frame_step=1)).image)
    answer = live(client, picture=picture, sound=(32_767 * samples).astype("<i2").tobytes(), sr=sr)
    assert {"both", "voice", "face"} == set(answer["probabilities"])
    assert all(sum(one.values()) == pytest.approx(1) for one in answer["probabilities"].values())
    assert all(0 <= side <= 1 for side in answer["box"])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"picture": jpeg(np.zeros((90, 120), np.uint8))}, "face: the camera's picture is black"),
        ({"picture": jpeg(np.full((90, 120), 200, np.uint8))}, "face: "),
        ({"picture": b"GIF89a" + bytes(100)}, "face: the picture is no JPEG"),
        ({"picture": jpeg(np.zeros((9, 9), np.uint8))[:-40]}, "face: the picture is no JPEG"),
        ({"picture": jpeg(np.zeros((2100, 2000), np.uint8))}, "face: 2000 x 2100 pixels"),
        ({"sound": bytes(32_000)}, "voice: the microphone gives nothing"),
        ({"sound": b"\1\0" * 16_000, "sr": 10**9}, "voice: sampled at 1000000000 Hz"),
        ({"sound": b"\1"}, "voice: the microphone gives nothing"),
    ],
)
def test_what_says_nothing_is_named(client: TestClient, given: dict[str, Any], told: str) -> None:
    answer = live(client, **given)
    assert answer["probabilities"] == {}
    assert answer["notes"][0].startswith(told)


def test_the_page_and_its_description_load_nothing_from_elsewhere(client: TestClient) -> None:
    for path in ("/", "/api", "/report.css", "/static/main.js", "/static/app.css"):
        found = client.get(path)
        assert found.status_code == 200
        assert "https://" not in found.text.replace("or of https.", "")
        assert "default-src 'none'" in found.headers["content-security-policy"]
        assert found.headers["x-content-type-options"] == "nosniff"
    described = client.get("/openapi.json").json()
    assert {"/api/predict", "/api/enrol", "/api/explain", "/api/live"} <= set(described["paths"])
    answer = described["paths"]["/api/predict"]["post"]["responses"]
    assert {"200", "401", "403", "413", "422", "503", "504"} <= set(answer)
