"""The fake itself: what it holds, and what it answers. Knows no sockets and no tasks; ``now`` is its only clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from fnmatch import fnmatchcase

import attrs

from actors.providers.scripted.faults import FaultBook
from actors.testing.fake_replicate.account import Account, system_now
from actors.testing.fake_replicate.faults import Fault
from actors.testing.fake_replicate.routes import Route, route_of
from actors.testing.fake_replicate.spoiling import spoil, throttled, unauthenticated
from actors.testing.fake_replicate.wire import Asked, Recorded, Refusal, Reply

TOKEN = "r8_FakeFakeFakeFakeFakeFakeFakeFakeFake"  # noqa: S105 - the fake's own

CREATIONS_A_MINUTE, OTHERS_A_MINUTE = 600, 3000
_MINUTE = 60.0


@attrs.define
class Bucket:
    """``calls`` a minute, counted from the first call of each; None: without a limit."""

    calls: int | None
    since: datetime | None = None
    used: int = 0

    def take(self, now: datetime) -> tuple[bool, dict[str, str]]:
        """Whether one more request is allowed, and the headers with what is left."""
        if self.calls is None:
            return True, {"ratelimit-remaining": "999999", "ratelimit-reset": "0"}
        if self.since is None or (now - self.since).total_seconds() >= _MINUTE:
            self.since, self.used = now, 0
        allowed = self.used < self.calls
        self.used += allowed
        left = _MINUTE - (now - self.since).total_seconds()
        return allowed, {
            "ratelimit-remaining": str(self.calls - self.used),
            "ratelimit-reset": str(max(1, round(left))),
        }


class FakeReplicate(Account):
    """An account that answers requests, within rates and with faults.

    ``token``: the one that is accepted. ``creations_a_minute`` and ``others_a_minute``: how often a client may ask,
    None: without a limit. ``keep``: how many requests are remembered. ``dated``: whether answers carry a ``Date``.
    """

    def __init__(
        self,
        now: Callable[[], datetime] = system_now,
        *,
        token: str = TOKEN,
        username: str = "greenroom",
        creations_a_minute: int | None = CREATIONS_A_MINUTE,
        others_a_minute: int | None = OTHERS_A_MINUTE,
        keep: int = 20_000,
        seed: int = 0,
    ) -> None:
        super().__init__(now, username=username, seed=seed)
        self.token = token
        self.faults = FaultBook[Fault]()
        self.dated = True
        self.requests: deque[Recorded] = deque(maxlen=keep)
        self._creations = Bucket(creations_a_minute)
        self._others = Bucket(others_a_minute)

    # For tests: what it is to do, and what was done to it.

    def inject(self, *faults: Fault) -> None:
        """Strike requests to come."""
        self.faults.add(*faults)

    def calls(self, method: str = "*", path: str = "*") -> list[Recorded]:
        """The remembered requests of ``method`` to ``path``, both shell patterns."""
        return [one for one in self.requests if fnmatchcase(one.method, method) and fnmatchcase(one.path, path)]

    # For the transport and the server.

    def handle(self, asked: Asked) -> Reply:
        """The answer to ``asked``, changed where a fault strikes. Records both."""
        fault = self.faults.take(lambda fault: fault.strikes(asked.method, asked.path))
        reply = self._answer(asked) if fault is None or fault.acts_first else Reply(0)
        if self.dated:
            reply = attrs.evolve(reply, headers={**reply.headers, "date": format_datetime(self.now(), usegmt=True)})
        if fault is not None:
            reply = spoil(reply, fault)
        kind = None if fault is None else fault.kind
        self.requests.append(
            Recorded(self.now(), asked.method, asked.target, dict(asked.headers), asked.body, reply.status, kind)
        )
        return reply

    def _answer(self, asked: Asked) -> Reply:
        route = route_of(asked)
        try:
            if route.public:
                return route.answer(self, asked)
            if asked.headers.get("authorization") != f"Bearer {self.token}":
                return unauthenticated()
            return self._limited(asked, route)
        except Refusal as refusal:
            return refusal.reply

    def _limited(self, asked: Asked, route: Route) -> Reply:
        allowed, headers = (self._creations if route.creates else self._others).take(self.now())
        if not allowed:
            reply = throttled(float(headers["ratelimit-reset"]))
        else:
            try:
                reply = route.answer(self, asked)
            except Refusal as refusal:
                reply = refusal.reply
        return attrs.evolve(reply, headers={**reply.headers, **headers})
