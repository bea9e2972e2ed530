"""Ending what is not known: by the provider's word, or by a person's where the provider cannot tell (B13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from actors.jobs.lifecycle import Trigger
from actors.jobs.records import JobStatus, Submission, SubmissionState
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.retry import DispatchVerdict, FailureKind, after_failed_dispatch
from actors.ledger.base import Pair, advance, change, close_submission, emit, load
from actors.ledger.observe import flag_uncertain
from actors.ledger.requeue import UNFLAGGED, put_back_or_give_up
from actors.store import Transaction, deaths, submissions


@attrs.frozen
class FlaggingUncertain:
    """The closure that marks a job of which nobody can tell whether it runs (B13). It keeps its slot."""

    job_id: str
    reason: str
    cycle: str | None = None

    def __call__(self, tx: Transaction) -> None:
        pair = load(tx, self.job_id)
        if not pair.job.is_terminal:
            flag_uncertain(tx, pair, self.reason, self.cycle)


@attrs.frozen
class SettlingAbsent:
    """The closure for a hand-over that the provider surely never had: back into the queue (B13)."""

    key: str
    jitter: Callable[[], float]
    cycle: str | None = None

    def __call__(self, tx: Transaction) -> bool:
        submission = submissions.by_key(tx.connection, self.key)
        if submission is None or submission.state is not SubmissionState.UNKNOWN:
            return False
        pair = load(tx, submission.job_id)
        verdict = _absent_verdict(submission, pair, tx, self.jitter)
        return put_back_or_give_up(tx, pair, self.key, verdict, self.cycle) is not None


def _absent_verdict(
    submission: Submission, pair: Pair, tx: Transaction, jitter: Callable[[], float]
) -> DispatchVerdict:
    """A lost answer spends no attempt; a call that failed by an error of its own does."""
    kind = FailureKind.OTHER if submission.spends_attempt else FailureKind.UNAVAILABLE
    message = submission.error or "the provider never had it"
    verdict = after_failed_dispatch(kind, message, pair.entry, tx.now, None, 0, jitter)
    return verdict if submission.spends_attempt else attrs.evolve(verdict, not_before=None, error_message=None)


@attrs.frozen
class SettlingByHand:
    """The closure for a person's word on an uncertain job: ``ran``, ``not_run`` or ``failed`` (B13)."""

    job_id: str
    verdict: str
    handle: Mapping[str, Any] | None
    by: str
    cycle: str | None = None

    def __call__(self, tx: Transaction) -> Pair:
        pair = load(tx, self.job_id)
        submission = submissions.newest(tx.connection, self.job_id)
        if submission is None or submission.state is SubmissionState.CLOSED or pair.job.uncertain_since is None:
            raise Refused(f"job {self.job_id} is not uncertain ({pair.job.status.value}); there is nothing to settle")
        emit(tx, pair.job, "job_settled", cycle=self.cycle, verdict=self.verdict, by=self.by)
        if self.verdict == "ran":
            return self._ran(tx, pair, submission)
        if self.verdict == "failed":
            return self._failed(tx, pair, submission)
        return self._not_run(tx, pair, submission)

    def _ran(self, tx: Transaction, pair: Pair, submission: Submission) -> Pair:
        handle = self.handle or submission.handle
        if handle is None:
            raise Refused("--ran needs the handle under which the provider knows the job", RefusalKind.INVALID)
        submissions.change(tx.connection, submission.key, state=SubmissionState.HANDED, handle=handle, handed_at=tx.now)
        return change(tx, pair, job=UNFLAGGED)

    def _failed(self, tx: Transaction, pair: Pair, submission: Submission) -> Pair:
        close_submission(tx, submission.key)
        job = {"error_message": f"settled as failed by {self.by}"}
        after = advance(tx, pair, Trigger.OBSERVE_FAILED, job=job, entry=dict(job), cycle=self.cycle)
        assert after is not None
        return after

    def _not_run(self, tx: Transaction, pair: Pair, submission: Submission) -> Pair:
        if pair.job.status is not JobStatus.UPLOADING:
            raise Refused(
                f"job {self.job_id} was seen {pair.job.status.value} at its provider, so it did run; "
                "settle it as --failed, then retry it"
            )
        verdict = attrs.evolve(
            after_failed_dispatch(FailureKind.UNAVAILABLE, "", pair.entry, tx.now, None, 0, lambda: 0.0),
            not_before=None,
            error_message=None,
        )
        deaths.try_again(tx.connection, self.job_id)
        after = put_back_or_give_up(tx, pair, submission.key, verdict, self.cycle)
        assert after is not None
        return after
