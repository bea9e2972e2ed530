"""What a provider says about its records passes the guard like every answer; one that cannot say it says None (F3)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from actors.providers.abilities import ListedJob
from actors.providers.guard import Failure, GuardedProvider
from actors.providers.scripted import ScriptedProvider

NOW = datetime(2026, 1, 31, tzinfo=UTC)


class Answering(ScriptedProvider):
    def __init__(self, answer: Any) -> None:
        super().__init__()
        self._answer = answer

    async def records_since(self) -> Any:
        return self._answer

    async def list_jobs(self) -> Any:
        return self._answer


class Silent:
    """A provider of a package that has neither."""

    def __init__(self) -> None:
        self.name = "silent"
        self.capabilities = ScriptedProvider().capabilities


@pytest.mark.parametrize("answer", [NOW, None])
async def test_a_moment_with_its_zone_or_nothing(answer: Any) -> None:
    assert await GuardedProvider(Answering(answer)).records_since() == answer


@pytest.mark.parametrize("answer", [NOW.replace(tzinfo=None), "yesterday", 3])
async def test_no_other_moment_is_believed(answer: Any) -> None:
    assert isinstance(await GuardedProvider(Answering(answer)).records_since(), Failure)


async def test_what_is_held_is_listed_in_texts_that_can_be_shown() -> None:
    found = await GuardedProvider(Answering([ListedJob("k\ud800", "n" * 10_000)])).list_jobs()
    assert isinstance(found, list)
    assert len(found[0].name) == 8_000
    found[0].key.encode()


@pytest.mark.parametrize("answer", [None, 3, ["k"], [ListedJob(3, "n")]])  # type: ignore[list-item]
async def test_no_other_list_is_believed(answer: Any) -> None:
    assert isinstance(await GuardedProvider(Answering(answer)).list_jobs(), Failure)


async def test_a_provider_without_records_says_nothing() -> None:
    guarded = GuardedProvider(Silent())  # type: ignore[arg-type]
    assert (await guarded.records_since(), await guarded.list_jobs()) == (None, None)
