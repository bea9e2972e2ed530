"""The fake itself: its state, and its answers. It knows no sockets and no tasks, and ``now`` is its only clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from fnmatch import fnmatchcase
from typing import Any

import attrs
import orjson

from actors.providers.scripted.faults import FaultBook
from actors.testing.fake_replicate.account import Account, system_now
from actors.testing.fake_replicate.faults import Fault, FaultKind, Form
from actors.testing.fake_replicate.routes import create_prediction, output, route_of
from actors.testing.fake_replicate.wire import Asked, Recorded, Refusal, Reply, problem

TOKEN = "r8_FakeFakeFakeFakeFakeFakeFakeFakeFake"  # noqa: S105 - the fake's own

CREATIONS_A_MINUTE, OTHERS_A_MINUTE = 600, 3000
_MINUTE = 60.0
UNKNOWN_STATUS = "hibernating"
ELSEWHERE = "https://elsewhere.invalid/v1/predictions"


@attrs.define
class Bucket:
    """A limit of ``calls`` a minute, counted from the first call of each minute; None: no limit."""

    calls: int | None
    since: datetime | None = None
    used: int = 0

    def take(self, now: datetime) -> tuple[bool, dict[str, str]]:
        """Return whether one more request is allowed, and the headers that say how many are left."""
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

    ``token``: the accepted token. ``creations_a_minute`` and ``others_a_minute``: how many requests a client may send;
    None: no limit. ``keep``: how many requests are remembered. ``dated``: whether answers have a ``Date``.
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
        """Let a fault hit future requests."""
        self.faults.add(*faults)

    def calls(self, method: str = "*", path: str = "*") -> list[Recorded]:
        """Return the remembered requests of ``method`` to ``path``, which are both shell patterns."""
        return [one for one in self.requests if fnmatchcase(one.method, method) and fnmatchcase(one.path, path)]

    # For the transport and the server.

    def handle(self, asked: Asked) -> Reply:
        """Answer ``asked``, and change the answer where a fault hits it. Both are recorded."""
        fault = self.faults.take(lambda fault: fault.strikes(asked.method, asked.path))
        reply = self._answer(asked) if fault is None or fault.acts_first else Reply(0)
        if self.dated:
            reply = attrs.evolve(reply, headers={**reply.headers, "date": format_datetime(self.now(), usegmt=True)})
        if fault is not None:
            reply = _spoil(reply, fault)
        kind = None if fault is None else fault.kind
        came = attrs.asdict(asked, recurse=False)
        self.requests.append(Recorded(**came, at=self.now(), status=reply.status, fault=kind))
        return reply

    def _answer(self, asked: Asked) -> Reply:
        answer, named = route_of(asked)
        limits: dict[str, str] = {}
        try:
            if answer is not output:
                if asked.headers.get("authorization") != f"Bearer {self.token}":
                    return _unauthenticated()
                bucket = self._creations if answer is create_prediction else self._others
                allowed, limits = bucket.take(self.now())
                if not allowed:
                    raise Refusal(_throttled(float(limits["ratelimit-reset"])))
            reply = answer(self, asked, named)
        except Refusal as refusal:
            reply = refusal.reply
        return attrs.evolve(reply, headers={**reply.headers, **limits})


def _spoil(reply: Reply, fault: Fault) -> Reply:
    """Return ``reply`` as the client gets it when ``fault`` hits it."""
    match fault.kind:
        case FaultKind.SERVER_ERROR:
            return problem(500, "the server made a mistake")
        case FaultKind.RATE_LIMITED:
            return _throttled(fault.seconds, fault.form)
        case FaultKind.UNAUTHORIZED:
            return _unauthenticated()
        case FaultKind.GARBAGE:
            return Reply(200, b"<html><body>Bad gateway</body></html>", {"content-type": "text/html"})
        case FaultKind.UNKNOWN_STATUS:
            return attrs.evolve(reply, body=orjson.dumps(_restated(orjson.loads(reply.body))))
        case FaultKind.REDIRECT:
            return Reply(307, b"", {"location": ELSEWHERE})
        case _:
            return attrs.evolve(reply, fault=fault.kind, seconds=fault.seconds, size=fault.size)


def _unauthenticated() -> Reply:
    """Return the answer to a wrong token."""
    return problem(401, "You did not pass a valid authentication token", "Unauthenticated")


def _throttled(seconds: float, form: Form = Form.BODY) -> Reply:
    """Return the answer to a client that asks too often. ``form``: where it says how long to wait."""
    if form is Form.BODY:
        return problem(429, f"Request was throttled. Your rate limit resets in ~{seconds:.0f}s.", retry_after=seconds)
    bare, wait = problem(429, "Request was throttled."), f"{seconds:.0f}"
    headers = {
        Form.HEADER: {"retry-after": wait},
        Form.RESET: {"ratelimit-remaining": "0", "ratelimit-reset": wait},
    }
    return attrs.evolve(bare, headers={**bare.headers, **headers.get(form, {})})


def _restated(body: Any) -> Any:
    if isinstance(body, dict):
        if "results" in body:
            return body | {"results": [_restated(one) for one in body["results"]]}
        if "status" in body:
            return body | {"status": UNKNOWN_STATUS}
    return body
