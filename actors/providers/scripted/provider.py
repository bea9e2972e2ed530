"""A provider whose jobs are simulated. It does what the provider protocol asks, and fails where its faults say so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import attrs
import trio

from actors.jobs.records import Capacity, JobRequest, Observation, Phase, Resources
from actors.providers.abilities import ListedJob
from actors.providers.base import (
    ABSENT,
    UNKNOWABLE,
    CancelAck,
    Found,
    Handle,
    Idempotency,
    Listing,
    LogChunk,
    Nudge,
    Prepared,
    Push,
    Submitted,
    View,
)
from actors.providers.deliveries import NoDeliveries
from actors.providers.errors import Conflict
from actors.providers.log_notices import offset_of, rest_of
from actors.providers.scripted.faults import ACTS_FIRST, Fault, FaultBook, FaultKind
from actors.providers.scripted.nudges import Nudges
from actors.providers.scripted.options import ScriptedOptions
from actors.providers.scripted.remote import Asked, Call, Run, ScriptedRemote
from actors.providers.scripted.script import read_script

T = TypeVar("T")


class ScriptedProvider(NoDeliveries):
    """Simulated jobs with given durations, ends and faults; a job's ``spec`` is its :class:`Script`.

    ``remote`` is where the jobs run. Without one the provider has its own, on the machine's clock, and the jobs die
    with this process: it says so (``survives_our_restart``), and reports jobs that it does not know as proven dead.
    """

    def __init__(
        self, options: ScriptedOptions | None = None, remote: ScriptedRemote | None = None, name: str = "scripted"
    ) -> None:
        self.name = name
        self.options = options if options is not None else ScriptedOptions()
        self.remote = remote if remote is not None else ScriptedRemote(outlives_us=False)
        self.capabilities = self.options.capabilities(survives_our_restart=self.remote.outlives_us)
        self._faults = FaultBook(self.options.faults)

    def capacity(self) -> Capacity:
        """How much there is of each resource, as the options say."""
        return self.options.capacity()

    def prepare(self, request: JobRequest) -> Prepared:
        """Check the script in ``request.spec``. Raises :class:`Invalid` that names the field."""
        spec = {**self.options.script_defaults(), **request.spec}
        if request.spec:  # the defaults were checked with the options
            read_script(spec)
        body: dict[str, Any] = {"spec": spec, "resources": attrs.asdict(request.resources)}
        for name in ("user_id", "org_id", "team_id", "max_runtime"):
            body[name] = getattr(request, name)
        return Prepared(body)

    async def check(self) -> Mapping[str, Any]:
        """Say how many runs the remote holds."""
        return await self._request("check", (), lambda: {"runs": len(self.remote.runs)})

    async def submit(self, key: str, token: str, prepared: Prepared, context: Mapping[str, str]) -> Submitted:
        """Start a run. Where the idempotency is ``NONE``, the same key starts a second run."""
        asked = asked_for(prepared.body)
        self.remote.introduce(key, context.get("job_id", key), asked.script)
        await trio.lowlevel.checkpoint()
        fault = self._strike("submit", (key,))

        def start() -> Submitted:
            known = self._find(key, token)
            if known is not None:
                return self._submitted(known, existed=True)
            endless = fault is not None and fault.kind is FaultKind.NEVER_ENDS
            return self._submitted(self.remote.accept(key, token, asked, context, endless=endless))

        answer = await _answer(fault, start)
        self._report({key: answer.handle})
        return answer

    async def find(self, key: str, token: str) -> Found:
        """Look up ``key``, or search for ``token``. Where the idempotency is ``NONE``, the answer is "not known"."""

        def look() -> Found:
            if self.options.idempotency is Idempotency.NONE:
                return UNKNOWABLE
            run = self._find(key, token)
            return self._submitted(run, existed=True) if run is not None else ABSENT

        found = await self._request("find", (key,), look)
        if isinstance(found, Submitted):
            self._report({key: found.handle})
        return found

    async def records_since(self) -> datetime:
        """Return when the remote was opened."""
        await trio.lowlevel.checkpoint()
        return self.remote.opened_at

    async def list_jobs(self) -> list[ListedJob]:
        """Return the runs that have not ended."""
        await trio.lowlevel.checkpoint()
        now = self.remote.now()
        runs = [run for run in self.remote.runs if not run.forgotten and not run.timeline.ended(now)]
        return [ListedJob(run.key, run.run_id) for run in runs]

    async def observe_many(self, handles: Mapping[str, Handle]) -> View:
        """Look at all jobs: in one request, page by page, or one by one, as the option ``listing`` says."""
        size = {Listing.PAGED: self.options.page_size, Listing.NONE: 1}.get(self.options.listing, len(handles))
        keys = list(handles)
        pages = [keys[start : start + size] for start in range(0, len(keys), max(size, 1))]
        views = [await self._page({key: handles[key] for key in page}) for page in pages]
        return View(
            observations={key: seen for view in views for key, seen in view.observations.items()},
            absent=frozenset().union(*(view.absent for view in views)),
            failed={key: reason for view in views for key, reason in view.failed.items()},
            complete=all(view.complete for view in views),
        )

    async def cancel(self, key: str, handle: Handle) -> CancelAck:
        """Begin to stop the run. It ends ``cancel_time`` seconds later."""
        await trio.lowlevel.checkpoint()
        fault = self._strike("cancel", (key,))

        def stop() -> CancelAck:
            run = self.remote.by_handle(key, handle.get("run"))
            if run is None:
                return CancelAck.UNKNOWN_JOB
            if fault is not None and fault.kind is FaultKind.NEVER_ENDS:
                return CancelAck.ACCEPTED
            return CancelAck.ACCEPTED if self.remote.cancel(run) else CancelAck.ALREADY_TERMINAL

        return await _answer(fault, stop)

    async def logs(self, key: str, handle: Handle, cursor: str | None = None) -> AsyncIterator[LogChunk]:
        """Give the log lines of the run's steps. The cursor is an offset in bytes."""
        offset = offset_of(cursor)  # refused before the call is made
        text = await self._request("logs", (key,), lambda: self._log(key, handle))
        for chunk in rest_of(text, offset):
            yield chunk

    async def forget(self, key: str, handle: Handle) -> None:
        """Remove an ended run. Raises :class:`Conflict` for a run that has not ended."""

        def drop() -> None:
            run = self.remote.by_handle(key, handle.get("run"))
            if run is None:
                return
            if not run.timeline.ended(self.remote.now()):
                raise Conflict(f"job {key} has not ended")
            run.forgotten = True

        await self._request("forget", (key,), drop)

    async def watch(self, nudge: Nudge) -> None:
        """Nudge at each change of a run where the option ``push`` is a local event; otherwise return at once."""
        if self.options.push is Push.LOCAL_EVENT:
            await Nudges(self.remote, self._faults, nudge).run()

    async def aclose(self) -> None:
        """Do nothing: the runs belong to the remote."""
        await trio.lowlevel.checkpoint()

    async def _request(self, name: str, keys: tuple[str, ...], act: Callable[[], T]) -> T:
        await trio.lowlevel.checkpoint()
        return await _answer(self._strike(name, keys), act)

    def _strike(self, name: str, keys: tuple[str, ...]) -> Fault | None:
        """Record the call; the fault that strikes it as a whole: the job's own, the remote's or the options'."""
        # A look at many jobs is struck as a whole by the remote's faults only: see _page for those of single jobs.
        about = keys[0] if len(keys) == 1 and name != "observe" else None
        fault = self.remote.fault(name, about, self._faults)
        self.remote.record(Call(self.remote.now(), name, keys, fault.kind if fault is not None else None))
        return fault

    async def _page(self, handles: Mapping[str, Handle]) -> View:
        await trio.lowlevel.checkpoint()
        keys = tuple(handles)
        whole = self._strike("observe", keys)
        await _answer(whole, lambda: None)
        observations: dict[str, Observation] = {}
        absent: set[str] = set()
        failed: dict[str, str] = {}
        complete = True
        for key, handle in handles.items():
            fault = self.remote.job_fault("observe", key) or whole
            if fault is not None and fault is not whole:
                if fault.kind is FaultKind.HANG:
                    await trio.sleep_forever()
                await trio.sleep(fault.seconds)
            error = fault.error() if fault is not None and fault is not whole else None
            if error is not None:
                failed[key] = str(error)
            elif fault is not None and fault.kind is FaultKind.UNSEEN:
                complete = False
            else:
                seen = self._look(key, handle, fault)
                if seen is None:
                    absent.add(key)
                else:
                    observations[key] = seen
        self._report({key: handles[key] for key in observations})
        return View(observations, frozenset(absent), failed, complete)

    def _look(self, key: str, handle: Handle, fault: Fault | None) -> Observation | None:
        now = self.remote.now()
        run = self.remote.by_handle(key, handle.get("run"))
        if run is None and self.remote.outlives_us:
            return None
        if run is None:
            reason = "the simulation ended with the process that ran it"
            return Observation(Phase.LOST, "gone", seen_at=now, error=reason, proven_dead=True)
        if fault is not None and fault.kind is FaultKind.UNKNOWN_STATUS:
            return Observation(Phase.UNKNOWN, "rehearsing", seen_at=now)
        if fault is not None and fault.kind is FaultKind.UNREACHABLE and not run.timeline.ended(now):
            reason = "its node does not answer"
            return Observation(Phase.LOST, "node down", seen_at=now, error=reason, interrupted=reason)
        return run.timeline.observe(now)

    def _report(self, handles: Mapping[str, Handle]) -> None:
        """Note that the states of these runs are in the answer that is given now."""
        for key, handle in handles.items():
            if (run := self.remote.by_handle(key, handle.get("run"))) is not None:
                self.remote.report(run)

    def _find(self, key: str, token: str) -> Run | None:
        if self.options.idempotency is Idempotency.NONE:
            return None
        run = self.remote.by_key(key)
        by_token = self.options.idempotency is Idempotency.TOKEN_SEARCH
        return None if run is None or (by_token and run.token != token) else run

    def _submitted(self, run: Run, *, existed: bool = False) -> Submitted:
        return Submitted({"run": run.run_id}, run.timeline.observe(self.remote.now()), existed)

    def _log(self, key: str, handle: Handle) -> bytes:
        run = self.remote.by_handle(key, handle.get("run"))
        return run.timeline.log(self.remote.now()) if run is not None else b""


async def _answer(fault: Fault | None, act: Callable[[], T]) -> T:
    """Carry out ``act`` as far as ``fault`` allows it."""
    if fault is None:
        return act()
    if fault.seconds:
        await trio.sleep(fault.seconds)
    if fault.kind in ACTS_FIRST and fault.accepted:
        act()
    if fault.kind is FaultKind.HANG:
        await trio.sleep_forever()
    error = fault.error()
    if error is not None:
        raise error
    return act()


def asked_for(body: Mapping[str, Any]) -> Asked:
    """Return what a prepared request asks the remote for."""
    fields = {name: body[name] for name in ("user_id", "org_id", "team_id", "max_runtime")}
    return Asked(read_script(body["spec"]), resources=Resources(**body["resources"]), **fields)
