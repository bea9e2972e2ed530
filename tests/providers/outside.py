"""An outside for the client of remote providers that answers as it is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import trio

from actors.providers.http import ProviderClient

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = "r8-not-a-real-one-0123456789"


def client_of(answer: Callable[[httpx.Request], httpx.Response], **options) -> ProviderClient:
    """A client whose outside is ``answer``."""
    options.setdefault("headers", lambda: {"Authorization": f"Bearer {TOKEN}"})
    return ProviderClient(
        "cloud", "https://cloud.invalid", transport=httpx.MockTransport(answer), now=lambda: NOW, **options
    )


def always(status: int, **answer) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _request: httpx.Response(status, **answer)


class Asked(list):
    """Remembers requests and answers from a list, the last answer for ever."""

    def __init__(self, *answers):
        super().__init__()
        self.answers = answers

    def __call__(self, request):
        self.append((trio.current_time(), request))
        answer = self.answers[min(len(self), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer
