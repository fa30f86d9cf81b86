"""Work spread over processes comes back in order; bars go to standard error."""

from __future__ import annotations

import math
import sys

import pytest

from ravdess_mm.config import Backend
from ravdess_mm.errors import InputError
from ravdess_mm.progress import map_parallel, track


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
    assert "counting: 100%" in captured.err
    assert "2/2" in captured.err


def test_dask_gives_the_same() -> None:
    results = map_parallel(math.factorial, range(5), description="factorials", jobs=2, backend=Backend.DASK)
    assert list(results) == [1, 1, 2, 6, 24]


def test_dask_missing_is_one_line_that_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # what Python does for a package that is not installed
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(InputError, match=r"pip install 'ravdess-mm\[dask\]'"):
        list(map_parallel(math.factorial, range(3), description="factorials", jobs=2, backend=Backend.DASK))
