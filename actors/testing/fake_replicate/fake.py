"""The fake itself: what it holds, and what it answers. Knows no sockets and no tasks; ``now`` is its only clock."""

from __future__ import annotations

import base64
import random
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from fnmatch import fnmatchcase
from typing import Any

import attrs

from actors.testing.fake_replicate import documents
from actors.testing.fake_replicate.checking import cancel_after, scripted
from actors.testing.fake_replicate.faults import Fault, FaultBook
from actors.testing.fake_replicate.jobs import RemoteJob, Script
from actors.testing.fake_replicate.rates import CREATIONS_A_MINUTE, OTHERS_A_MINUTE, Bucket
from actors.testing.fake_replicate.routes import Route, answer_to, route_of
from actors.testing.fake_replicate.spoiling import spoil, throttled, unauthenticated
from actors.testing.fake_replicate.wire import Asked, Recorded, Refusal, Reply, refuse

TOKEN = "r8_FakeFakeFakeFakeFakeFakeFakeFakeFake"  # noqa: S105 - the fake's own
_ALPHABET = "abcdefghjkmnpqrstvwxyz0123456789"
_LONGEST_SKEW = 0.23


def system_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


class FakeReplicate:
    """An account at a Replicate that exists in this process only.

    ``now`` tells the time; jobs move by it alone. ``token``: the one that is accepted. ``creations_a_minute`` and
    ``others_a_minute``: how often a client may ask, None: as often as it likes. ``keep``: how many requests are
    remembered. ``dated``: whether answers say when they were written. Identifiers, the signing secret and what is
    irregular in real answers are drawn from ``seed``.
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
        self.now = now
        self.token = token
        self.username = username
        self.faults = FaultBook()
        self.dated = True
        self.missing_models: set[str] = set()
        self.requests: deque[Recorded] = deque(maxlen=keep)
        self.on_change: Callable[[RemoteJob], None] = lambda _job: None
        self._draw = random.Random(seed)  # noqa: S311 - reproducible on purpose
        self.secret = "whsec_" + base64.b64encode(self._draw.randbytes(32)).decode()
        self._scripts: list[tuple[str, Script]] = []
        self._lists: dict[str, list[RemoteJob]] = {"prediction": [], "training": []}
        self._by_id: dict[str, RemoteJob] = {}
        self._creations = Bucket(creations_a_minute)
        self._others = Bucket(others_a_minute)

    # For tests: what it is to do, and what was done to it.

    def script(self, model: str, script: Script) -> None:
        """What jobs of models that match the shell pattern ``model`` do from now on; the latest match counts."""
        self._scripts.insert(0, (model, script))

    def inject(self, *faults: Fault) -> None:
        """Strike requests to come."""
        self.faults.add(*faults)

    def rotate_secret(self) -> None:
        """Sign with another secret from now on."""
        self.secret = "whsec_" + base64.b64encode(self._draw.randbytes(32)).decode()

    def jobs(self, kind: str = "prediction") -> list[RemoteJob]:
        """Its predictions or its ``training`` jobs, in order of creation."""
        return list(self._lists[kind])

    def job(self, job_id: str) -> RemoteJob:
        """The job of that id. Raises :class:`KeyError`."""
        return self._by_id[job_id]

    def calls(self, method: str = "*", path: str = "*") -> list[Recorded]:
        """The remembered requests of ``method`` to ``path``, both shell patterns."""
        return [one for one in self.requests if fnmatchcase(one.method, method) and fnmatchcase(one.path, path)]

    # For whoever carries requests to it.

    def handle(self, asked: Asked) -> Reply:
        """The answer to ``asked``, spoilt where a fault strikes. Records both."""
        fault = self.faults.take(asked.method, asked.path)
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
            if route is not None and route.public:
                return answer_to(self, asked, route)
            if asked.headers.get("authorization") != f"Bearer {self.token}":
                return unauthenticated()
            return self._limited(asked, route)
        except Refusal as refusal:
            return refusal.reply

    def _limited(self, asked: Asked, route: Route | None) -> Reply:
        creates = route is not None and route.name == "create_prediction"
        allowed, headers = (self._creations if creates else self._others).take(self.now())
        if not allowed:
            reply = throttled(float(headers["ratelimit-reset"]))
        else:
            try:
                reply = answer_to(self, asked, route)
            except Refusal as refusal:
                reply = refusal.reply
        return attrs.evolve(reply, headers={**reply.headers, **headers})

    def create(
        self,
        kind: str,
        model: str,
        version: str,
        given: Mapping[str, Any],
        *,
        cancel_after_text: str | None = None,
        **fields: Any,
    ) -> RemoteJob:
        """Add a job, as a request would. ``fields`` are those of :class:`RemoteJob`. Raises a refusal."""
        if model in self.missing_models:
            raise refuse(404, "The requested resource could not be found.", "Not found")
        base = next((script for pattern, script in self._scripts if fnmatchcase(model, pattern)), Script())
        now, lives = self.now(), cancel_after(cancel_after_text)
        job = RemoteJob(
            "".join(self._draw.choices(_ALPHABET, k=26)), len(self._by_id) + 1, kind, model, version, given, now,
            scripted(given, base), deadline=now + lives if lives else None,
            digits=self._draw.randrange(10), skew=timedelta(seconds=self._draw.uniform(0, _LONGEST_SKEW)), **fields,
        )  # fmt: skip
        self._by_id[job.id] = job
        self._lists[kind].append(job)
        self.on_change(job)
        return job

    def found(self, job_id: str, kind: str) -> RemoteJob:
        """The job of that id; a training is a prediction, too, but not the other way round. Raises a refusal."""
        job = self._by_id.get(job_id)
        if job is None or (kind == "training" and job.kind != kind):
            raise refuse(404, f"{kind.capitalize()} not found")
        return job

    def cancel(self, job: RemoteJob) -> None:
        """Obey a cancel request."""
        job.cancel(self.now())
        self.on_change(job)

    def document(self, job: RemoteJob, origin: str = "https://api.replicate.com") -> dict[str, Any]:
        """The job as it would be answered to a get now."""
        return documents.whole(job, self.now(), origin)
