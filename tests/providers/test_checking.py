"""`doctor` and `/api/providers?check=true` ask each provider: in bounded time, and a fault is one line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import trio
import trio.testing

from actors.cli.doctor import provider_faults
from actors.providers.base import Capabilities, Provider
from actors.providers.errors import Auth
from actors.providers.guard import GuardedProvider
from actors.providers.planning import check_all
from actors.settings import Settings


class Checked:
    """A provider that answers a check by raising, by nothing wrong, or not at all (None)."""

    name = "checked"
    capabilities = Capabilities()

    def __init__(self, answer: Exception | Mapping[str, Any] | None) -> None:
        self._answer = answer

    async def check(self) -> Mapping[str, Any]:
        if self._answer is None:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        if isinstance(self._answer, Exception):
            raise self._answer
        return cast("Mapping[str, Any]", self._answer)


def guarded(answer: Exception | Mapping[str, Any] | None) -> GuardedProvider:
    return GuardedProvider(cast("Provider", Checked(answer)))


async def test_each_fault_is_one_line_and_all_are_asked_at_once(autojump_clock: trio.testing.MockClock) -> None:
    providers = {
        "good": guarded({"account": "ana"}),
        "refused": guarded(Auth("the token\nREPLICATE_API_TOKEN is not accepted")),
        "hangs": guarded(None),
        "hangs too": guarded(None),
    }
    assert await check_all(providers) == {
        "good": None,
        "refused": "the token REPLICATE_API_TOKEN is not accepted",
        "hangs": "checked did not answer check within 15 s",
        "hangs too": "checked did not answer check within 15 s",
    }
    assert trio.current_time() <= 15


def test_doctor_says_that_a_token_is_missing_and_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a supervisor the provider is made for this question alone; `local` is not."""
    monkeypatch.delenv("REPLICATE_API_TOKEN", raising=False)
    config = tmp_path / "greenroom.yaml"
    config.write_text("providers:\n  local: {}\n  replicate: {}\n  rehearsal: {kind: scripted}\n")
    monkeypatch.setenv("GREENROOM_HOME", str(tmp_path / "state"))
    faults = provider_faults(Settings.load(config))
    assert faults.keys() == {"replicate", "rehearsal"}
    assert faults["rehearsal"] is None
    assert "REPLICATE_API_TOKEN" in str(faults["replicate"])
    assert not (tmp_path / "state").exists()
