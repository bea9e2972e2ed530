"""Accepting jobs: keys checked, rules applied, rows and events written, for one request or a thousand alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

import attrs

from actors.jobs.approval_rules import Facts, first_match, why
from actors.jobs.codec import fingerprint
from actors.jobs.ids import IdFactory
from actors.jobs.levels import base_priority, level_reaches
from actors.jobs.lifecycle import Step, Trigger, step
from actors.jobs.options import ApprovalOptions
from actors.jobs.records import (
    ApprovalRequest,
    ApprovalRule,
    ApprovalStatus,
    Job,
    JobRequest,
    JobStatus,
    QueueEntry,
)
from actors.jobs.refusal import Refused
from actors.jobs.views import Accepted
from actors.ledger.base import load
from actors.ledger.rules import rules_now
from actors.store import Transaction, approvals, holds, idempotency, jobs, queue

KEY_LIFETIME = timedelta(hours=24)
_DAY = timedelta(hours=24)
_REQUESTED_BY_SUBMITTER = "lead"


@attrs.frozen
class Question:
    """Why a job must be approved, by whom, and by which rule."""

    reason: str
    required_level: str
    rule_id: int | None = None


@attrs.frozen
class NewJob:
    """A checked request, and the correlation ID of all that happens to its job.

    ``encoded``: the request as JSON, if it is at hand.
    """

    request: JobRequest
    correlation_id: str
    retry_of: str | None = None
    encoded: bytes | None = None


def submit(
    tx: Transaction,
    new: Sequence[NewJob],
    *,
    ids: IdFactory,
    rules: Sequence[ApprovalRule],
    options: ApprovalOptions,
    most_waiting: int,
) -> list[Accepted]:
    """Accept a batch: all of it, or by raising :class:`Refused` nothing of it. One answer for each request, in order.

    ``rules``: the configured ones. ``most_waiting``: how many entries of one user may wait.
    """
    return _Batch(tx, new, ids, rules, timedelta(hours=options.timeout_hours), most_waiting).accept()


class _Batch:
    """What is known while one batch is accepted: its rules, its new jobs, how many jobs each user has had."""

    def __init__(
        self,
        tx: Transaction,
        new: Sequence[NewJob],
        ids: IdFactory,
        rules: Sequence[ApprovalRule],
        timeout: timedelta,
        most_waiting: int,
    ) -> None:
        self._tx = tx
        self._new = new
        self._most_waiting = most_waiting
        self._ids = ids
        self._rules = [view.rule for view in rules_now(tx.connection, rules)]
        self._timeout = timeout
        self._seen: dict[str, tuple[int, bool]] = {}
        self._fresh: dict[str, Accepted] = {}
        self._encoded: dict[str, bytes | None] = {}

    def accept(self) -> list[Accepted]:
        """Accept all of it."""
        known = self._known()
        accepted: list[Accepted] = []
        keys: list[dict[str, object]] = []
        for new in self._new:
            key = _key(new.request)
            print_ = fingerprint(new.request) if key else ""
            if key and key in known:
                accepted.append(self._existing(key, *known[key], print_))
                continue
            one = self._make(new)
            accepted.append(one)
            if key:
                known[key] = (one.job.job_id, print_)
                keys.append(_reservation(key, one.job, print_))
        self._write([one for one in accepted if one.created], keys)
        self._check_waiting()
        return accepted

    def _check_waiting(self) -> None:
        """Raises :class:`Refused`, which undoes what was written, where a user has more waiting than one may have.

        The next submission of this transaction goes on from the numbers that were counted here.
        """
        waiting: dict[str, int] = dict(self._tx.left() or {})
        for user, new in sorted(Counter(one.job.request.user_id for one in self._fresh.values()).items()):
            waiting[user] = number = (
                waiting[user] + new if user in waiting else queue.number_waiting(self._tx.connection, user)
            )
            if number > self._most_waiting:
                raise Refused(
                    f"user {user} would have {number} waiting jobs, and at most {self._most_waiting} may wait "
                    "(queue.max_waiting_per_user); cancel some, or submit more when some have run"
                )
        self._tx.leave(waiting)

    def _known(self) -> dict[tuple[str, str], tuple[str, str]]:
        pairs = [key for new in self._new if (key := _key(new.request))]
        # While the clock may be wrong no key is forgotten (C6).
        since = None if not pairs or holds.current(self._tx.connection) else self._tx.now - KEY_LIFETIME
        return idempotency.used(self._tx.connection, pairs, since)

    def _existing(self, key: tuple[str, str], job_id: str, before: str, now: str) -> Accepted:
        if before != now:
            raise Refused(
                f"idempotency key {key[1]!r} of user {key[0]} was used for job {job_id} with another content; "
                "use another key",
                field="idempotency_key",
            )
        if job_id in self._fresh:
            return attrs.evolve(self._fresh[job_id], created=False)
        pair = load(self._tx, job_id)
        approval = approvals.of_jobs(self._tx.connection, [job_id]).get(job_id)
        return Accepted(pair.job, pair.entry, approval, created=False)

    def _make(self, new: NewJob) -> Accepted:
        request = new.request
        job_id = self._ids.new(self._tx.now)
        question = self._question(request)
        following = _first_step(needs_approval=question is not None)
        job = Job(
            job_id=job_id,
            status=following.job,
            provider=request.provider,
            correlation_id=new.correlation_id,
            request=request,
            created_at=self._tx.now,
            updated_at=self._tx.now,
            retry_of=new.retry_of,
        )
        entry = QueueEntry(
            job_id=job_id,
            status=following.entry,
            base_priority=base_priority(request.user_levels),
            priority_override=request.priority_override,
            queued_at=self._tx.now,
            queued_seq=self._tx.next_order(),
            max_attempts=request.max_attempts,
        )
        approval = self._ask(job_id, question) if question else None
        one = Accepted(job, entry, approval, created=True)
        self._fresh[job_id] = one
        self._encoded[job_id] = new.encoded
        return one

    def _question(self, request: JobRequest) -> Question | None:
        """What must be asked. A submitter's own wish never takes the place of a rule that asks for a higher level."""
        wish = request.requires_approval
        asked = None if wish is None else Question(wish, _REQUESTED_BY_SUBMITTER)
        if not self._rules:
            return asked
        facts = self._facts(request)
        rule = first_match(self._rules, facts)
        if rule is None or (asked is not None and level_reaches(asked.required_level, rule.required_approver_level)):
            return asked
        return Question(why(rule, facts), rule.required_approver_level, rule.rule_id)

    def _facts(self, request: JobRequest) -> Facts:
        """What the rules ask about the user, this batch's earlier jobs included."""
        user = request.user_id
        if user not in self._seen:
            before = jobs.submitted_since(self._tx.connection, user, self._tx.now - _DAY)
            self._seen[user] = (before, not jobs.has_any(self._tx.connection, user))
        today, first = self._seen[user]
        self._seen[user] = (today + 1, False)
        return Facts(request=request, jobs_last_24h=today, is_first_job=first)

    def _ask(self, job_id: str, question: Question) -> ApprovalRequest:
        return ApprovalRequest(
            approval_id=self._ids.new(self._tx.now),
            job_id=job_id,
            status=ApprovalStatus.PENDING,
            reason=question.reason,
            required_level=question.required_level,
            requested_at=self._tx.now,
            expires_at=self._tx.now + self._timeout,
            timeout_seconds=self._timeout.total_seconds(),
            rule_id=question.rule_id,
        )

    def _write(self, new: Sequence[Accepted], keys: Sequence[dict[str, object]]) -> None:
        if not new:
            return
        connection = self._tx.connection
        jobs.add(connection, [one.job for one in new], self._encoded)
        queue.add(connection, [queue.to_row(one.entry, queue.owner_of(one.job.request)) for one in new])
        asked = [one.approval for one in new if one.approval is not None]
        if asked:
            approvals.add(connection, asked)
        idempotency.reserve(connection, keys)
        for one in new:
            event = _first_step(needs_approval=one.approval is not None).event
            data = _event_data(one)
            self._tx.emit(event, one.job.job_id, one.job.correlation_id, **data)
            if one.approval is not None:
                self._tx.note_for(one.job, event, data)


def _first_step(*, needs_approval: bool) -> Step:
    following = step(None, None, Trigger.SUBMIT_FOR_APPROVAL if needs_approval else Trigger.SUBMIT)
    assert following is not None
    return following


def _event_data(one: Accepted) -> Mapping[str, object]:
    data: dict[str, object] = {
        "status": JobStatus.PENDING.value,
        "provider": one.job.provider,
        "user_id": one.job.request.user_id,
    }
    if one.job.retry_of is not None:
        data["retry_of"] = one.job.retry_of
    if one.approval is not None:
        data |= {
            "approval_id": one.approval.approval_id,
            "reason": one.approval.reason,
            "expires_at": one.approval.expires_at.isoformat(),
        }
    return data


def _key(request: JobRequest) -> tuple[str, str] | None:
    return None if request.idempotency_key is None else (request.user_id, request.idempotency_key)


def _reservation(key: tuple[str, str], job: Job, print_: str) -> dict[str, object]:
    return {
        "user_id": key[0],
        "key": key[1],
        "job_id": job.job_id,
        "fingerprint": print_,
        "created_at": job.created_at,
        "kept_with_job": False,
    }
