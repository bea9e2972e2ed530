"""Answers as a fault changes them."""

from __future__ import annotations

from typing import Any

import attrs
import orjson

from actors.testing.fake_replicate.faults import Fault, FaultKind, Form
from actors.testing.fake_replicate.wire import Reply, problem

UNKNOWN_STATUS = "hibernating"
ELSEWHERE = "https://elsewhere.invalid/v1/predictions"


def spoil(reply: Reply, fault: Fault) -> Reply:
    """``reply`` as the client gets it when ``fault`` strikes."""
    match fault.kind:
        case FaultKind.SERVER_ERROR:
            return problem(500, "the server made a mistake")
        case FaultKind.RATE_LIMITED:
            return _throttled(fault)
        case FaultKind.UNAUTHORIZED:
            return unauthenticated()
        case FaultKind.GARBAGE:
            return Reply(200, b"<html><body>Bad gateway</body></html>", {"content-type": "text/html"})
        case FaultKind.UNKNOWN_STATUS:
            return attrs.evolve(reply, body=orjson.dumps(_restated(orjson.loads(reply.body))))
        case FaultKind.REDIRECT:
            return Reply(307, b"", {"location": ELSEWHERE})
        case _:
            return attrs.evolve(reply, fault=fault.kind, seconds=fault.seconds, size=fault.size)


def unauthenticated() -> Reply:
    """What a wrong token gets."""
    return problem(401, "You did not pass a valid authentication token", "Unauthenticated")


def throttled(seconds: float) -> Reply:
    """What a client gets that asks too often, with the wait in the body."""
    return problem(429, f"Request was throttled. Your rate limit resets in ~{seconds:.0f}s.", retry_after=seconds)


def _throttled(fault: Fault) -> Reply:
    match fault.form:
        case Form.BODY:
            return throttled(fault.seconds)
        case Form.NOTHING:
            return problem(429, "Request was throttled.")
        case Form.HEADER:
            headers = {"retry-after": f"{fault.seconds:.0f}"}
        case Form.RESET:
            headers = {"ratelimit-remaining": "0", "ratelimit-reset": f"{fault.seconds:.0f}"}
    bare = problem(429, "Request was throttled.")
    return attrs.evolve(bare, headers={**bare.headers, **headers})


def _restated(body: Any) -> Any:
    if isinstance(body, dict):
        if "results" in body:
            return body | {"results": [_restated(one) for one in body["results"]]}
        if "status" in body:
            return body | {"status": UNKNOWN_STATUS}
    return body
