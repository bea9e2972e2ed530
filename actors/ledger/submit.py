"""Accepting jobs: keys are checked, rules applied, rows and events written, for one request or a thousand alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

import attrs

from actors.jobs.approval_rules import Facts, first_match, why
from actors.jobs.dependencies import BAD_ENDS
from actors.jobs.file_rules import FileRules
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
from actors.ledger.keys import Keys
from actors.ledger.new_job import NewJob
from actors.ledger.parents import Parents, start_of_request
from actors.ledger.rules import rules_now
from actors.store import Transaction, approvals, jobs, queue, still_counted

_REQUESTED_BY_SUBMITTER = "lead"


@attrs.frozen
class Question:
    """Why a job needs an approval, of which level, and by which rule."""

    reason: str
    required_level: str
    rule_id: int | None = None


def submit(
    tx: Transaction,
    new: Sequence[NewJob],
    *,
    ids: IdFactory,
    rules: Sequence[ApprovalRule],
    options: ApprovalOptions,
    most_waiting: int,
    file: FileRules | None = None,
) -> list[Accepted]:
    """Accept a batch or, by raising :class:`Refused`, nothing of it. One answer for each request, in order.

    ``rules``: the configured ones. ``most_waiting``: how many entries of one user may wait. ``file``: these are jobs of
    a job file.
    """
    return _Batch(
        tx,
        new,
        ids,
        [view.rule for view in rules_now(tx.connection, rules)],
        timedelta(hours=options.timeout_hours),
        most_waiting,
        file,
        Parents(tx.connection, new) if any(one.request.after for one in new) else None,
    ).accept()


@attrs.define
class _Batch:
    """The state while one batch is accepted: its rules, its new jobs, how many jobs each user has had."""

    _tx: Transaction
    _new: Sequence[NewJob]
    _ids: IdFactory
    _rules: Sequence[ApprovalRule]
    _timeout: timedelta
    _most_waiting: int
    _file: FileRules | None
    _parents: Parents | None
    _seen: dict[str, tuple[int, bool]] = attrs.field(factory=dict, init=False)
    _fresh: dict[str, Accepted] = attrs.field(factory=dict, init=False)
    _encoded: dict[str, bytes | None] = attrs.field(factory=dict, init=False)

    def accept(self) -> list[Accepted]:
        """Accept all of it."""
        keys = Keys(self._tx, [new.request for new in self._new], self._file)
        accepted: list[Accepted] = []
        for new in self._new:
            job_id = keys.job_of(new.request)
            one = None if job_id is None else self._existing(job_id)
            if one is None or keys.repeats(one.job):
                one = self._make(new, None if one is None else one.job)
                keys.bind(new.request, one.job.job_id)
            accepted.append(one)
            if self._parents is not None:
                self._parents.note(one.job, new.written_name)
        self._write([one for one in accepted if one.created])
        keys.write()
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

    def _existing(self, job_id: str) -> Accepted:
        if job_id in self._fresh:
            return attrs.evolve(self._fresh[job_id], created=False)
        pair = load(self._tx, job_id)
        approval = approvals.of_jobs(self._tx.connection, [job_id]).get(job_id)
        return Accepted(pair.job, pair.entry, approval, created=False)

    def _make(self, new: NewJob, earlier: Job | None = None) -> Accepted:
        """``earlier``: the job of the same line of a job file; if that has failed, this one is a retry of it."""
        request = new.request
        retry_of, trail = new.retry_of, new.correlation_id
        if earlier is not None and earlier.status in BAD_ENDS:
            retry_of, trail = earlier.job_id, earlier.correlation_id
        job_id = self._ids.new(self._tx.now)
        start = start_of_request(request, self._tx.now)
        try:
            parents = self._parents.of(job_id, new) if self._parents is not None else ()
        except Refused as error:
            raise Refused(f"{new.where}{error}", error.kind, error.field) from None
        question = self._question(request)
        following = _first_step(needs_approval=question is not None)
        job = Job(
            job_id=job_id,
            status=following.job,
            provider=request.provider,
            correlation_id=trail,
            request=request,
            created_at=self._tx.now,
            updated_at=self._tx.now,
            retry_of=retry_of,
        )
        entry = QueueEntry(
            job_id=job_id,
            status=following.entry,
            base_priority=base_priority(request.user_levels),
            priority_override=request.priority_override,
            queued_at=self._tx.now,
            queued_seq=self._tx.next_order(),
            max_attempts=request.max_attempts,
            start_after=start.at,
            start_wait_seconds=start.seconds,
            unfinished_parents=sum(not parent.has_ended for parent in parents),
        )
        approval = self._ask(job_id, question) if question else None
        one = Accepted(job, entry, approval, created=True, warnings=() if start.note is None else (start.note,))
        self._fresh[job_id] = one
        self._encoded[job_id] = new.encoded
        return one

    def _question(self, request: JobRequest) -> Question | None:
        """The approval that is needed. A submitter's own request never replaces a rule that needs a higher level."""
        requested = request.requires_approval
        asked = None if requested is None else Question(requested, _REQUESTED_BY_SUBMITTER)
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
            connection, since = self._tx.connection, self._tx.now - still_counted.DAY
            before = jobs.submitted_since(connection, user, since)
            before += still_counted.removed_since(connection, user, since)
            known = jobs.has_any(connection, user) or still_counted.has_removed(connection, user)
            self._seen[user] = (before, not known)
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

    def _write(self, new: Sequence[Accepted]) -> None:
        if not new:
            return
        connection = self._tx.connection
        jobs.add(connection, [one.job for one in new], self._encoded)
        queue.add(connection, [queue.to_row(one.entry, queue.owner_of(one.job.request)) for one in new])
        asked = [one.approval for one in new if one.approval is not None]
        if asked:
            approvals.add(connection, asked)
        if self._parents is not None:
            self._parents.write()
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
