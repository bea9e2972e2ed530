"""The account of a fake Replicate: its jobs, and what a client may do with them. It knows no requests and no faults."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import attrs

from actors.testing.fake_replicate import documents
from actors.testing.fake_replicate.jobs import RemoteJob, Script
from actors.testing.fake_replicate.wire import refuse

_ALPHABET = "abcdefghjkmnpqrstvwxyz0123456789"
_LONGEST_SKEW = 0.23
_CANCEL_AFTER = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
_SHORTEST = timedelta(seconds=5)


def system_now() -> datetime:
    """Return the time of the machine's clock."""
    return datetime.now(UTC)


class Account:
    """An account at a Replicate that exists in this process only.

    ``now`` gives the time, and jobs change only with it. Identifiers, the signing secret and the irregular parts of
    real answers are drawn from ``seed``.
    """

    def __init__(self, now: Callable[[], datetime] = system_now, *, username: str = "greenroom", seed: int = 0) -> None:
        self.now = now
        self.username = username
        self.missing_models: set[str] = set()
        self.on_change: Callable[[RemoteJob], None] = lambda _job: None
        self._draw = random.Random(seed)  # noqa: S311 - reproducible on purpose
        self.rotate_secret()
        self._scripts: list[tuple[str, Script]] = []
        self._lists: dict[str, list[RemoteJob]] = {"prediction": [], "training": []}
        self._by_id: dict[str, RemoteJob] = {}

    def script(self, model: str, script: Script) -> None:
        """Set what jobs of models that match the shell pattern ``model`` do from now on. The latest match counts."""
        self._scripts.insert(0, (model, script))

    def rotate_secret(self) -> None:
        """Sign with another secret from now on."""
        self.secret = "whsec_" + base64.b64encode(self._draw.randbytes(32)).decode()

    def jobs(self, kind: str = "prediction") -> list[RemoteJob]:
        """Return the predictions or the ``training`` jobs, in the order of their creation."""
        return list(self._lists[kind])

    def job(self, job_id: str) -> RemoteJob:
        """Return the job of that id. Raises :class:`KeyError`."""
        return self._by_id[job_id]

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
        """Add a job, like a request does. ``fields`` are those of :class:`RemoteJob`. Raises a refusal."""
        if model in self.missing_models:
            raise refuse(404, "The requested resource could not be found.", "Not found")
        base = next((script for pattern, script in self._scripts if fnmatchcase(model, pattern)), Script())
        now, lives = self.now(), _cancel_after(cancel_after_text)
        job = RemoteJob(
            "".join(self._draw.choices(_ALPHABET, k=26)), len(self._by_id) + 1, kind, model, version, given, now,
            _scripted(given, base), deadline=now + lives if lives else None,
            digits=self._draw.randrange(10), skew=timedelta(seconds=self._draw.uniform(0, _LONGEST_SKEW)), **fields,
        )  # fmt: skip
        self._by_id[job.id] = job
        self._lists[kind].append(job)
        self.on_change(job)
        return job

    def found(self, job_id: str, kind: str) -> RemoteJob:
        """Return the job of that id. A training counts as a prediction, too, but not the other way round. Raises a
        refusal.
        """
        job = self._by_id.get(job_id)
        if job is None or (kind == "training" and job.kind != kind):
            raise refuse(404, f"{kind.capitalize()} not found")
        return job

    def cancel(self, job: RemoteJob) -> None:
        """Obey a cancel request."""
        job.cancel(self.now())
        self.on_change(job)

    def document(self, job: RemoteJob, origin: str = "https://api.replicate.com") -> dict[str, Any]:
        """Return the job as a request for it is answered now."""
        return documents.whole(job, self.now(), origin)


def _scripted(given: Mapping[str, Any], base: Script) -> Script:
    """Return ``base`` with the changes of the ``fake`` object in the input. Raises a refusal for a field that no script
    has.
    """
    changes = given.get("fake")
    if changes is None:
        return base
    try:
        return attrs.evolve(base, **changes)
    except (TypeError, ValueError) as fault:
        raise refuse(422, f"- input.fake: {fault}", "Input validation failed") from None


def _cancel_after(text: str | None) -> timedelta | None:
    """Read the header of that name: ``90s``, ``5m``, ``1h30m`` or ``30``. Raises a refusal for other texts, and for
    less than 5 s.
    """
    if text is None:
        return None
    match = _CANCEL_AFTER.fullmatch(text)
    if not text or match is None:
        raise refuse(422, "Cancel-After is not a duration")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    after = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if after < _SHORTEST:
        raise refuse(422, "Cancel-After must be at least 5 seconds")
    return after
