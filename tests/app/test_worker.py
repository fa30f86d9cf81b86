"""The child process: one answer at a time, ended when it is too slow, not wanted, or dead."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from ravdess_mm.app.worker import MOST_WAITING, BusyError, TooSlowError, Worker
from ravdess_mm.errors import InputError
from tests.app.conftest import Clips


def run(work: Coroutine[Any, Any, Any], worker: Worker) -> None:
    try:
        asyncio.run(asyncio.wait_for(work, 120))
    finally:
        worker.stop()


def ask(worker: Worker, path: Path, ticket: str = "") -> Coroutine[Any, Any, Any]:
    return worker.run("predict", ticket=ticket, path=str(path), name=path.name, max_s=60)


def test_who_comes_first_is_answered_first(tmp_path: Path, clips: Clips) -> None:
    worker = Worker(tmp_path, limit_s=60)
    order: list[int] = []

    async def one(number: int) -> None:
        await ask(worker, clips.sound, f"t{number}")
        order.append(number)

    async def work() -> None:
        tasks = [asyncio.create_task(one(number)) for number in range(4)]
        await asyncio.sleep(0)
        assert [worker.ahead(f"t{number}") for number in range(5)] == [0, 1, 2, 3, None]
        await asyncio.gather(*tasks)
        assert worker.ahead("t3") is None

    run(work(), worker)
    assert order == [0, 1, 2, 3]


def test_a_request_too_many_is_refused(tmp_path: Path, clips: Clips) -> None:
    worker = Worker(tmp_path, limit_s=60)

    async def work() -> None:
        tasks = [asyncio.create_task(ask(worker, clips.sound)) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="16 requests are in line"):
            await ask(worker, clips.sound)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(work(), worker)


def test_a_slow_answer_is_stopped_and_the_next_one_comes(tmp_path: Path, clips: Clips) -> None:
    worker = Worker(tmp_path, limit_s=0.05)

    async def work() -> None:
        with pytest.raises(TooSlowError, match="longer than"):
            await ask(worker, clips.film)
        worker._limit_s = 60
        assert (await ask(worker, clips.sound))["label"]

    run(work(), worker)


def test_a_child_that_dies_costs_one_answer(tmp_path: Path, clips: Clips) -> None:
    worker = Worker(tmp_path, limit_s=60)

    async def work() -> None:
        task = asyncio.create_task(ask(worker, clips.film))
        while worker._child is None or worker._child.pid is None:
            await asyncio.sleep(0.02)
        os.kill(worker._child.pid, signal.SIGSEGV)
        with pytest.raises(InputError, match="may be damaged"):
            await task
        assert (await ask(worker, clips.sound))["label"]

    run(work(), worker)


def test_what_is_cancelled_frees_its_place(tmp_path: Path, clips: Clips) -> None:
    worker = Worker(tmp_path, limit_s=60)

    async def work() -> None:
        first, second = (asyncio.create_task(ask(worker, clips.film, name)) for name in "ab")
        await asyncio.sleep(0.2)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert (worker.ahead("a"), worker.ahead("b")) == (None, 0)
        assert (await second)["label"]

    run(work(), worker)
