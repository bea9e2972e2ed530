"""A Replicate of your own: an account whose jobs proceed with time, and whose answers go wrong on demand.

In the same process, in virtual time::

    fake = FakeReplicate(clock.now)
    fake.script("ana/trainer", Script(queue_seconds=20, seconds=600, outcome="failed", error="CUDA out of memory"))
    fake.inject(Fault(FaultKind.LOST_ANSWER, "POST", "/v1/predictions"))
    client = httpx.AsyncClient(transport=FakeTransport(fake), base_url="https://api.replicate.com")
    ...
    assert len(fake.jobs()) == 1

As a program that other programs use::

    python -m actors.testing.fake_replicate --port 8099 --token r8_mine

A job does what the script of its model says; an object ``fake`` in its input (``{"fake": {"seconds": 3}}``) changes
that. The answers have the shapes of recorded traffic, and are checked with the official client and against the
published schema. Models, files and streams are missing; ``Prefer: wait`` is accepted, but answered at once.
"""

from __future__ import annotations

from actors.testing.fake_replicate.deliveries import Deliveries, Disorder, signed
from actors.testing.fake_replicate.fake import TOKEN, FakeReplicate
from actors.testing.fake_replicate.faults import Fault, FaultKind, Form
from actors.testing.fake_replicate.jobs import Outcome, RemoteJob, Script
from actors.testing.fake_replicate.server import serve
from actors.testing.fake_replicate.transport import FakeTransport
from actors.testing.fake_replicate.wire import Asked, Recorded, Reply

__all__ = [
    "TOKEN",
    "Asked",
    "Deliveries",
    "Disorder",
    "FakeReplicate",
    "FakeTransport",
    "Fault",
    "FaultKind",
    "Form",
    "Outcome",
    "Recorded",
    "RemoteJob",
    "Reply",
    "Script",
    "serve",
    "signed",
]
