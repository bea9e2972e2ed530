"""What a person says about a job that waited for an approval when the backup was made, and that may have run (F3)."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import trio

from actors.jobs.options import ApprovalOptions, Limits
from actors.jobs.records import SubmissionState
from actors.jobs.refusal import Refused
from actors.testing import request
from tests.backup.look_ups import NONE, looked_up


@asynccontextmanager
async def in_doubt(site, **settings):
    """A runtime with one such job, and its approval request."""
    async with site.open(site.original, options=NONE, **settings) as runtime:
        job = await runtime.submit(request(duration=10, requires_approval="why"))
        site.take()
    await site.restore()
    async with site.open(site.new, options=NONE, **settings) as runtime:
        await looked_up(runtime)
        (approval,) = await runtime.approvals.page()
        yield runtime, job.job_id, approval


async def test_if_it_did_not_run_nothing_more_is_to_be_found_out_and_its_request_is_open_again(autojump_clock, site):
    async with in_doubt(site) as (runtime, job_id, approval):
        await runtime.jobs.settle(job_id, "not_run", by="root")
        view = await runtime.jobs.get(job_id)
        assert (view.entry.status, view.entry.restored, view.entry.started_at) == ("blocked", None, None)
        assert view.submission.state is SubmissionState.CLOSED
        assert (await runtime.approvals.page())[0].status == "pending"
        with pytest.raises(Refused, match="nothing to settle"):
            await runtime.jobs.settle(job_id, "failed", by="root")
        await runtime.reject(approval.approval_id, by="bo")
        await runtime.removing.remove(job_id)  # refused while its submission is not settled


@pytest.mark.parametrize(
    ("verdict", "is_unwanted", "status"), [("failed", False, "failed"), ("not_run", True, "cancelled")]
)
async def test_if_it_has_ended_its_request_is_closed_with_the_reason(
    autojump_clock, site, verdict, is_unwanted, status
):
    async with in_doubt(site) as (runtime, job_id, _):
        if is_unwanted:
            assert (await runtime.cancel(job_id, by="ana")).cancel_requested_by == "ana"
        assert (await runtime.jobs.settle(job_id, verdict, by="root")).status == status
        (closed,) = await runtime.approvals.page()
        assert (closed.status, closed.decided_by) == ("cancelled", None)
        assert closed.decision_reason == "its job was settled by root"
        view = await runtime.jobs.get(job_id)
        assert (view.submission.state, view.entry.restored) == (SubmissionState.CLOSED, None)


async def test_nobody_decides_whether_it_may_run_before_it_is_settled(autojump_clock, site):
    async with in_doubt(site) as (runtime, job_id, approval):
        for decide in (runtime.approve, runtime.reject, runtime.approvals.withdraw):
            with pytest.raises(
                Refused, match=f"it is not known yet whether it has run since; greenroom settle {job_id}"
            ):
                await decide(approval.approval_id, by="ana")
        assert (await runtime.approvals.page())[0] == approval


async def test_the_time_to_decide_begins_anew_once_it_is_settled(autojump_clock, site):
    async with in_doubt(site, approvals=ApprovalOptions(timeout_hours=0.25)) as (runtime, job_id, approval):
        await trio.sleep(2 * approval.timeout_seconds)
        await runtime.jobs.settle(job_id, "not_run", by="root")
        (approval,) = await runtime.approvals.page()
        assert approval.expires_at == site.clock.now() + timedelta(seconds=approval.timeout_seconds)
        await trio.sleep(approval.timeout_seconds / 2)
        assert (await runtime.jobs.get(job_id)).job.status == "pending"


async def test_the_reason_says_what_to_do_where_the_provider_is_not_configured_any_more(autojump_clock, site):
    async with site.open(site.original, limits=Limits(total=0)) as runtime:
        job = await runtime.submit(request(duration=10))
        site.take()
    await site.restore()
    async with site.open(site.new, without_providers=True) as runtime:
        reasons = (await runtime.health.check()).reasons
        expected = "1 restored job(s) of provider scripted are still to be looked up there"
        assert f"{expected}: put providers.scripted back, or settle them" in reasons
        assert "is to be found out at scripted" in (await runtime.jobs.get(job.job_id)).reason
