"""Work spread over processes comes back in order; bars go to standard error."""

from __future__ import annotations

import gc
import io
import logging
import math
import os
import sys
from pathlib import Path

import pytest

from ravdess_mm import extras
from ravdess_mm.config import Backend
from ravdess_mm.errors import InputError
from ravdess_mm.parallel import progress
from ravdess_mm.parallel.progress import CRASHED, Bar, map_parallel, set_up_logging, track


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_items(jobs: int) -> None:
    assert list(map_parallel(math.factorial, range(7), description="factorials", jobs=jobs)) == [
        1,
        1,
        2,
        6,
        24,
        120,
        720,
    ]


def test_nothing_to_do_starts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(map_parallel(math.factorial, [], description="factorials")) == []
    assert capsys.readouterr().err == ""


def test_a_bar_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track([1, 2], "counting", unit="number")) == [1, 2]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "counting: 100% 2/2 number, 0 s\n"


def test_a_log_has_a_line_every_ten_seconds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    times_s = iter([0.0, 4.0, 11.0, 11.0, 12.0, 13.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(times_s))
    with Bar("fetching", unit="B") as bar:
        for _ in range(3):
            bar.note = "slowly"
            bar.update(10**6)
    assert capsys.readouterr().err == "fetching: 2.0 MB, slowly, 11 s\nfetching: 3.0 MB, slowly, 13 s\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bars_on_a_terminal_stand_one_below_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    for _ in track([1, 2], "outer", unit="row"):
        for _ in track([1, 2, 3], "inner", unit="cell"):
            Bar._terminal.refresh()
            lines = screen.getvalue().rsplit("\r", 1)[-1].splitlines()
            assert "outer" in lines[0]
            assert "inner" in lines[1]
    assert "2/2 row" in screen.getvalue().rsplit("\r", 1)[-1]
    assert Bar._terminal is None


def test_results_and_logs_pass_by_the_bars_of_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    set_up_logging()
    for _ in track([1], "outer"):
        print("a result")
        logging.getLogger("ravdess_mm.test").info("a message")
        assert screen.getvalue().endswith("a message\n" + screen.getvalue().rsplit("a message\n", 1)[-1])
    assert capsys.readouterr().out == "a result\n"
    assert "a result" not in screen.getvalue()


def test_dask_gives_the_same() -> None:
    results = map_parallel(math.factorial, range(5), description="factorials", jobs=2, backend=Backend.DASK)
    assert list(results) == [1, 1, 2, 6, 24]


def test_dask_takes_the_cluster_that_its_settings_name() -> None:
    import dask
    from dask.distributed import LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        dask.config.set({"scheduler-address": cluster.scheduler_address}),
    ):
        asked = ["__import__('os').getpid()"] * 3  # a worker can import this, and no function of a test
        found = set(map_parallel(eval, asked, description="processes", jobs=2, backend=Backend.DASK))
        assert found <= {worker.pid for worker in cluster.workers.values()}


def test_a_cluster_that_is_not_there_or_empty_is_one_line() -> None:
    import dask
    from dask.distributed import Client, LocalCluster

    def run() -> None:
        list(map_parallel(math.factorial, range(3), description="factorials", jobs=2, backend=Backend.DASK))

    with (
        dask.config.set({"scheduler-address": "tcp://127.0.0.1:9", "distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(InputError, match=r"\ADASK_SCHEDULER_ADDRESS=tcp://127\.0\.0\.1:9: no Dask scheduler[^\n]+\Z"),
    ):
        run()
    for wrong in ("nowhere", "gopher://127.0.0.1:9"):
        with (
            dask.config.set({"scheduler-address": wrong}),
            pytest.raises(InputError, match=f"={wrong}: no Dask sched") as found,
        ):
            run()
        half_made = [one for one in gc.get_objects() if type(one) is Client and one.status == "connecting"]
        assert not half_made, found
    with (
        LocalCluster(n_workers=0, dashboard_address=None) as cluster,
        dask.config.set({"scheduler-address": cluster.scheduler_address}),
        pytest.raises(InputError, match="has no workers; start some: dask worker"),
    ):
        run()


def test_workers_of_a_cluster_work_in_this_folder_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask
    from dask.distributed import LocalCluster

    monkeypatch.chdir(tmp_path)
    Path("here.txt").write_text("text")

    def sizes() -> list[int]:
        return list(map_parallel(os.path.getsize, ["here.txt"] * 2, description="sizes", backend=Backend.DASK))

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory="/") as cluster,
        dask.config.set({"scheduler-address": cluster.scheduler_address}),
    ):
        with monkeypatch.context() as elsewhere:
            elsewhere.chdir("/")
            found = map_parallel(os.path.exists, ["here.txt"] * 2, description="files", backend=Backend.DASK)
            assert list(found) == [False, False]
        assert sizes() == [4, 4]
        with monkeypatch.context() as unseen:
            unseen.setattr(os, "getcwd", lambda: str(tmp_path / "gone"))
            with pytest.raises(
                InputError, match=r"worker tcp\S+ does not see \S*gone; all workers must share our files"
            ):
                sizes()
        monkeypatch.setattr("ravdess_mm.parallel.dask_cluster.__version__", "0.0.9")
        with pytest.raises(InputError, match=r"worker tcp\S+ needs ravdess-mm 0\.0\.9 and has \S+"):
            sizes()


def test_dask_missing_is_one_line_that_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'ravdess-mm\[dask\]'"):
        list(map_parallel(math.factorial, range(3), description="factorials", jobs=2, backend=Backend.DASK))


def _crash_on_three(number: int) -> str:
    if number == 3:
        os.abort()
    return str(number)


def test_a_crash_in_native_code_costs_one_item() -> None:
    found = list(map_parallel(_crash_on_three, range(6), description="numbers", jobs=2, lost=CRASHED))
    assert found == ["0", "1", "2", CRASHED, "4", "5"]
