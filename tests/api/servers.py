"""Who comes in from the network, and when: a clock that a test moves, the application as on TCP, tokens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from actors.kernel import Clock
from actors.runtime import RunningRuntime

ORIGIN = "http://127.0.0.1:8765"


class Wall(Clock):
    """A wall clock that a test moves, and the seconds that passed in truth."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)
        self.passed = 0.0

    def steady(self) -> float:
        return self.passed

    def now(self) -> datetime:
        return self.time


async def bearer(runtime: RunningRuntime, level: str, user: str = "ana", **more: Any) -> dict[str, str]:
    _token, secret = await runtime.access.create_token(user_id=user, level=level, **more)
    return {"Authorization": f"Bearer {secret}"}
