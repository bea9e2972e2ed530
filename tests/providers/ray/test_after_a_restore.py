"""What a Ray cluster says after a restore: by the key alone, since when it knows, what it runs (F3)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from actors.providers.abilities import ListedJob
from actors.providers.base import UNKNOWABLE, Submitted
from actors.providers.ray.provider import session_began
from tests.providers.ray.canned import Canned, details

GET, LIST = "GET /api/jobs/k1", "GET /api/jobs/"


async def test_a_job_of_greenrooms_is_found_without_its_token() -> None:
    assert isinstance(await Canned({GET: details("RUNNING", token="lost")}).provider().find("k1", ""), Submitted)
    assert await Canned({GET: details("RUNNING", metadata={})}).provider().find("k1", "") is UNKNOWABLE


@pytest.mark.parametrize(
    ("name", "began"),
    [
        ("session_2026-01-31_09-30-00_123456_7", datetime(2026, 1, 31, 21, 30, tzinfo=UTC)),  # the latest it can be
        ("session_2026-13-31_09-30-00_123456_7", None),
        ("session_latest", None),
        ("", None),
    ],
)
def test_the_records_begin_with_the_session_in_whichever_zone_its_head_is(name: str, began: datetime | None) -> None:
    assert session_began(name) == began


async def test_what_it_runs_for_a_greenroom_is_listed() -> None:
    jobs = [
        {**details("RUNNING", token="t"), "submission_id": "k1"},
        {**details("SUCCEEDED", token="t"), "submission_id": "k2"},
        {**details("RUNNING", metadata={"somebody": "else's"}), "submission_id": "theirs"},
    ]
    assert await Canned({LIST: jobs}).provider().list_jobs() == [ListedJob("k1", "k1")]
