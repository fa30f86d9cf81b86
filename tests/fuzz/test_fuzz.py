"""A share of ``make fuzz``: none crashes, hangs, or fills the memory."""

from __future__ import annotations

import pytest

from tests.fuzz.__main__ import BAD, fuzz


@pytest.mark.slow
def test_no_mutant_crashes_hangs_or_fills_the_memory() -> None:
    records = fuzz(60, seed=1)
    assert [record for record in records if record["outcome"] in BAD] == []
    assert {record["outcome"] for record in records} == {"used", "refused"}
