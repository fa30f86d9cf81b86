"""The whole path through the Makefile: what is written, what is redone, what survives, what is refused."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ravdess_mm.corpus.identifier import Identifier
from ravdess_mm.errors import RavdessError
from ravdess_mm.predictions import read_predictions
from ravdess_mm.run.stages import read_lines
from ravdess_mm.store import hash_file, read_json, read_table
from tests.end_to_end.conftest import FACE_MODELS, ROOT, Project, as_data

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("end_to_end")]

TEST_ACTORS = "3-4"


def copy_clips(source: Path, target: Path, keep: Callable[[Identifier], bool]) -> Path:
    """Copy the clips of a corpus that `keep` accepts."""
    for path in sorted(source.rglob("*")):
        try:
            wanted = path.is_file() and keep(Identifier.parse(path))
        except RavdessError:
            continue
        if wanted:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target / path.name)
    return target


def up_to_date(process: subprocess.CompletedProcess[str]) -> set[str]:
    """Return the stages that a run skipped."""
    return {line.split(":")[0] for line in process.stderr.splitlines() if line.endswith(": up to date")}


def done(process: subprocess.CompletedProcess[str]) -> set[str]:
    """Return the stages that a run did."""
    return {line.split(":")[0] for line in process.stderr.splitlines() if ": done in " in line} - {"catalog"}


def test_the_whole_path_and_nothing_twice(project: Project, corpus: Path) -> None:
    variables = {"DATA": as_data(corpus), "RUN": "tiny", "TEST_ACTORS": TEST_ACTORS}
    first = project.make("report", **variables)
    assert first.returncode == 0, first.stderr
    report = project.folder / "reports" / "tiny" / "index.html"
    assert first.stdout.splitlines()[-1] == f"report: {report}"
    assert report.stat().st_size < 3_000_000
    folder = project.run_folder("tiny")
    for name in ("audio-svc", "video-cnn", "fused"):
        table = read_predictions(folder / "predictions" / f"{name}.parquet")
        assert set(table.loc[table["role"] == "test", "actor"]) == {3, 4}
        assert not set(table.loc[table["role"] == "oof", "actor"]) & {3, 4}
    record = read_json(folder / "run.json")
    assert record["folds"][0]["test"] == [3, 4]
    assert record["settings"]["test_actors"] == [3, 4]
    assert record["data_fingerprint"]
    assert read_json(folder / "metrics.json")

    hashes = project.hashes("tiny")
    again = project.make("report", **variables)
    assert again.returncode == 0, again.stderr
    assert done(again) == set()
    assert {"audio-features", "video-frames", "audio-svc", "video-cnn", "fused", "metrics"} <= up_to_date(again)
    assert project.hashes("tiny") == hashes

    # a changed variable re-runs just what depends on it
    changed = project.make("report", **variables, RULE="mean")
    assert done(changed) == {"fused", "metrics"}
    assert project.hashes("tiny")["predictions/audio-svc.parquet"] == hashes["predictions/audio-svc.parquet"]
    changed = project.make("report", **variables, FRAME_STEP=30)
    face = {"embedding", *FACE_MODELS} if FACE_MODELS else set()
    assert done(changed) == {"video-frames", "video-cnn", *face, "fused", "metrics"}

    # a bad file costs only itself, a new file only its own work
    shutil.copytree(corpus, project.folder / "more")
    victim = next((project.folder / "more").rglob("03-*.wav"))
    broken = victim.with_name("03-01-08-02-02-02-04.wav")
    broken.write_bytes(victim.read_bytes()[:30])
    shutil.copy(victim, victim.with_name("03-01-08-02-02-02-03.wav"))
    more = project.make("features", **{**variables, "DATA": as_data(project.folder / "more")})
    assert more.returncode == 0, more.stderr
    rejected = read_table(folder / "rejected.parquet")
    assert str(broken) in set(rejected["path"])
    assert " 0 clips computed" in more.stderr, more.stderr


def test_results_do_not_depend_on_jobs_or_on_a_kill(new_project: Callable[[], Project], corpus: Path) -> None:
    variables = {"DATA": as_data(corpus), "RUN": "r", "TEST_ACTORS": TEST_ACTORS}
    straight = new_project()
    assert straight.make("fuse", **variables).returncode == 0

    killed = new_project()
    command = ["make", "--silent", "fuse", f"CONFIG={killed.folder / 'tiny.toml'}", "JOBS=2"]
    process = subprocess.Popen(
        [*command, *(f"{name}={value}" for name, value in variables.items())],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    features = killed.run_folder("r") / "audio" / "features.parquet"
    deadline = time.monotonic() + 120
    while not features.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    subprocess.run(["kill", f"-{signal.SIGKILL.value}", "--", f"-{process.pid}"], check=True)
    process.wait()
    assert not (killed.run_folder("r") / "metrics.json").exists()
    resumed = killed.make("fuse", **variables, JOBS=2)
    assert resumed.returncode == 0, resumed.stderr
    assert killed.hashes("r") == straight.hashes("r")


def test_a_damaged_frame_store_is_built_anew(project: Project, corpus: Path) -> None:
    variables = {"DATA": as_data(corpus), "RUN": "r", "TEST_ACTORS": TEST_ACTORS}
    assert project.make("features", **variables).returncode == 0
    store = project.run_folder("r") / "video" / "frames"
    whole = hash_file(store / "frames.npy")
    for damaged, content in (("frames.npy", b""), ("takes.jsonl", b"{}"), ("store.json", b"{")):
        (store / damaged).write_bytes(content)
        again = project.make("features", **variables)
        assert again.returncode == 0, again.stderr
        assert "video-frames" in done(again), damaged
        assert hash_file(store / "frames.npy") == whole
    assert done(project.make("features", **variables)) == set()
    (store / "store.json").unlink()  # as a build that was killed leaves it: not finished, so not damaged
    resumed = project.make("features", **variables)
    assert "video-frames" in done(resumed)
    assert "store.json" not in resumed.stderr


@pytest.mark.parametrize(
    ("modalities", "left_out", "names"),
    [
        ((3,), "there is no video", {"audio-svc", "audio-embedding", "fused"}),
        ((2,), "there is no voice", {"video-cnn", "fused", *FACE_MODELS}),
    ],
)
def test_one_branch_alone_still_gets_a_report(
    project: Project, corpus: Path, modalities: tuple[int, ...], left_out: str, names: set[str]
) -> None:
    clips = copy_clips(corpus, project.folder / "clips", lambda clip: clip.modality in modalities)
    made = project.make("report", DATA=as_data(clips), RUN="one", TEST_ACTORS=TEST_ACTORS)
    assert made.returncode == 0, made.stderr
    assert left_out in made.stderr
    assert {path.stem for path in project.run_folder("one").glob("predictions/*.parquet")} == names
    assert left_out in (project.folder / "reports" / "one" / "index.html").read_text()


def test_bad_input_is_one_line_and_status_2(project: Project, corpus: Path) -> None:
    empty = project.folder / "empty"
    empty.mkdir()
    file = project.folder / "file.wav"
    file.write_bytes(b"RIFF")
    foreign = project.folder / "foreign"
    foreign.mkdir()
    (foreign / "holiday.mp4").write_bytes(b"x")
    one_actor = copy_clips(corpus, project.folder / "one-actor", lambda clip: clip.actor == 1)
    one_emotion = copy_clips(corpus, project.folder / "one-emotion", lambda clip: clip.emotion == 3)
    cases: list[tuple[str, dict[str, object], str]] = [
        ("features", {"DATA": "nowhere"}, "nowhere"),
        ("features", {"DATA": empty}, "empty"),
        ("features", {"DATA": file}, "file.wav"),
        ("features", {"DATA": foreign}, "foreign"),
        ("features", {"DATA": corpus, "PROTOCOL": "random"}, "allowed: holdout, luna5, emobox6, loso"),
        ("features", {"DATA": corpus, "CONFIG": "nowhere.toml"}, "CONFIG=nowhere.toml: no such file"),
        ("audio-models", {"DATA": one_actor, "TEST_ACTORS": 1}, "nobody to train on"),
        ("audio-models", {"DATA": one_actor}, "nobody to test on"),
        ("audio-models", {"DATA": one_emotion, "TEST_ACTORS": 1}, "two emotions or more"),
    ]
    for target, variables, words in cases:
        made = project.make(target, **variables)
        assert made.returncode == 2, (variables, made.stderr)
        errors = [line for line in made.stderr.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, (variables, made.stderr)
        assert words in errors[0], (variables, errors)
        assert "Traceback" not in made.stderr
    typo = project.make("features", TEST_ACTOR=3)
    assert typo.returncode == 2
    assert "unknown variable TEST_ACTOR; allowed: DATA RUN" in typo.stderr


def test_make_help_shows_stages_first_then_experiments_and_variables_last(project: Project) -> None:
    words = [line.split()[0] for line in project.make("help").stdout.splitlines()]
    order = ["stages:", "all", "features", "report", "experiments:", "compare", "noise", "also:", "test"]
    order += ["variables,", "DATA", "TEST_ACTORS", "FACES", "ARGS"]
    assert [word for word in words if word in order] == order
    shown = {line.name for line in read_lines()}
    assert shown <= set(words)
    assert len(words) == len(set(words))
