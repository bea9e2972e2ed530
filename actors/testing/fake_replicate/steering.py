"""How a test in another process steers a fake: faults in, recorded requests out, under an address of its own.

``POST /_fake/faults`` takes a list of objects with the fields of :class:`~actors.testing.fake_replicate.Fault`,
``DELETE /_fake/faults`` forgets all faults, ``GET /_fake/requests`` lists what came, ``GET /_fake/jobs`` every job.
It needs no token: the fake listens on loopback, and holds nothing.
"""

from __future__ import annotations

import attrs
import orjson

from actors.testing.fake_replicate.fake import FakeReplicate
from actors.testing.fake_replicate.faults import Fault, FaultKind, Form
from actors.testing.fake_replicate.wire import Asked, Reply, json_reply, problem

PREFIX = "/_fake/"


def steered(fake: FakeReplicate, asked: Asked) -> Reply:
    """The answer to a request under :data:`PREFIX`. Nothing of it is recorded."""
    match asked.method, asked.path.removeprefix(PREFIX):
        case "POST", "faults":
            return _inject(fake, asked.body)
        case "DELETE", "faults":
            fake.faults.clear()
            return json_reply(200, {})
        case "GET", "requests":
            return json_reply(200, [attrs.asdict(one) | {"body": one.body.decode()} for one in fake.requests])
        case "GET", "jobs":
            return json_reply(
                200, [fake.document(job) for kind in ("prediction", "training") for job in fake.jobs(kind)]
            )
        case _:
            return problem(404, "There is nothing to steer here")


def _inject(fake: FakeReplicate, body: bytes) -> Reply:
    try:
        faults = [
            Fault(**{**one, "kind": FaultKind(one["kind"]), "form": Form(one.get("form", Form.HEADER))})
            for one in orjson.loads(body)
        ]
    except (KeyError, TypeError, ValueError) as fault:
        return problem(422, f"no list of faults: {fault}")
    fake.inject(*faults)
    return json_reply(200, {"faults": len(faults)})
