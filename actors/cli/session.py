"""One run of the supervisor: opening the runtime, handling signals, and the exit status (C1, C5)."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from operator import methodcaller
from typing import TYPE_CHECKING

import click
import trio

from actors.access.hosts import AllowedHosts
from actors.access.peer import Peer
from actors.access.users import SocketUsers
from actors.api.shared_directory import SharedDirectoryError, usable_directory
from actors.api.tcp import http_server
from actors.api.unix import shared_socket_server, socket_server
from actors.api.unix_peer import known_name, user_name
from actors.cli.board import Board, Plan
from actors.cli.context import Failed, refusal
from actors.cli.exit_statuses import ExitStatus
from actors.cli.options import print_warnings
from actors.cli.run_file import submit_file
from actors.cli.signals import StopSignals
from actors.cli.systemd import Notifier, notify_systemd
from actors.documents.common import as_read
from actors.documents.events import event_document
from actors.documents.jobs import accepted_document, job_document
from actors.jobs import maxima
from actors.jobs.pages import Page
from actors.jobs.records import ACTIVE_JOBS, TERMINAL_JOBS, ApprovalRequest, ApprovalStatus
from actors.jobs.refusal import Refused
from actors.net.streams import tls_context
from actors.runtime import Parts, RunningRuntime, open_runtime
from actors.store.errors import StoreError
from actors.store.state_directory import StateDirectoryError
from logconf import get_logger
from supervision import RestartIntensityReached, SupervisionError
from supervision.errors import leaves

if TYPE_CHECKING:
    from actors.cli.display import Lines
    from actors.settings import Settings
    from supervision import ChildSpec

REFRESH_SECONDS = 1.0
"""Seconds between refreshes of the display without an event, because waiting reasons and durations change by
themselves.
"""
STALL_SECONDS = 5.0
"""An event loop that is blocked for this many seconds is reported."""
_QUIET_SECONDS = 0.1
_LAST_REFRESH_SECONDS = 3.0
_logger = get_logger("actors.cli")


class Session:
    """Runs a :class:`Plan`. Without a display it is a service."""

    def __init__(self, plan: Plan, display: Lines | None, signals: StopSignals) -> None:
        self._plan = plan
        self._signals = signals
        self._display = display
        self._board = Board()
        self._stop = trio.CancelScope()
        self._interrupted = False
        self._not_granted: set[str] = set()

    async def run(self) -> int:
        """Run until a signal, or until idle; return the exit status. Raises :class:`Failed` with the reason."""
        failures: list[BaseException] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._heed_signals)
            try:
                with self._stop:
                    await self._run_runtime()
            except* (StateDirectoryError, SharedDirectoryError, StoreError, SupervisionError, Refused) as group:
                failures += leaves(group)
            nursery.cancel_scope.cancel()
        if failures:
            raise _explained(failures)
        self._show(lambda display: display.end(self._board, self._interrupted))
        return self._status()

    async def _run_runtime(self) -> None:
        settings, notifier = self._plan.settings, Notifier(os.environ)
        parts = Parts(servers=lambda runtime: _servers_of(runtime, settings))
        running = open_runtime(settings, parts, watchdog=STALL_SECONDS)
        async with running as runtime, notify_systemd(runtime, notifier):
            _logger.info("Supervisor is ready", extra={"state_dir": str(settings.state_dir), "pid": os.getpid()})
            if self._display is None and not self._plan.until_idle and self._plan.approve_as is None:
                await trio.sleep_forever()
            if sys.stdout.isatty() and (link := _sign_in_link(runtime)) is not None:
                click.echo(f"In a browser, once, within five minutes: {link}")  # to the terminal, never to the log
            async with self._refreshed_at_end(runtime):
                await self._follow(runtime)

    @asynccontextmanager
    async def _refreshed_at_end(self, runtime: RunningRuntime) -> AsyncIterator[None]:
        """Read the jobs once more when the block is left, cancelled or not: the summary shows their state then."""
        try:
            yield
        finally:
            with trio.move_on_after(_LAST_REFRESH_SECONDS, shield=True):
                await self._board.refresh(runtime, everything=True)
                await self._board.compare(runtime)

    async def _follow(self, runtime: RunningRuntime) -> None:
        """Submit the file, then refresh after each change; with --until-idle, until the runtime is idle."""
        happened = _Happened()
        async with trio.open_nursery() as nursery:
            begun: trio.Event = await nursery.start(self._pump, runtime, happened)
            await self._submit(runtime)
            if self._display is not None:
                self._board.notes += filter(None, [runtime.access.not_served, await self._paused(runtime)])
                self._show(lambda display: display.begin(self._board))
            begun.set()
            while not (await self._look(runtime) and self._plan.until_idle):
                await happened.wait()
            nursery.cancel_scope.cancel()

    async def _paused(self, runtime: RunningRuntime) -> str | None:
        """That the queue was paused by an earlier command, or by a restore: no job starts meanwhile."""
        if (why := (await runtime.queue.view(limit=1)).paused) is None:
            return None
        return f"{why[:1].upper()}{why[1:]} ({self._plan.typed('queue', 'resume', '--all')})"

    async def _look(self, runtime: RunningRuntime) -> bool:
        """Approve requests and update the display. Returns whether the runtime is idle."""
        try:
            await self._approve(runtime)
            idle = await runtime.queue.is_idle()
            if self._display is not None:
                await self._board.refresh(runtime)
                self._show(lambda display: display.paint(self._board))
        except StoreError as error:  # it is being restarted; when it cannot be, the whole runtime ends
            _logger.warning("Cannot read the store: %s", error)
            idle = False
        await trio.lowlevel.checkpoint()
        return idle

    async def _submit(self, runtime: RunningRuntime) -> None:
        if self._plan.job_file is not None:
            accepted = await submit_file(runtime, self._plan.job_file, self._plan.again, check=self._plan.check)
            documents = as_read([accepted_document(one) for one in accepted])
            print_warnings(documents)
            self._board.begin_with(documents)
        views = await runtime.jobs.page(statuses=ACTIVE_JOBS, limit=100)
        self._board.add(as_read([job_document(view) for view in reversed(views)]))

    async def _pump(
        self, runtime: RunningRuntime, happened: _Happened, *, task_status: trio.TaskStatus[trio.Event]
    ) -> None:
        """Show every event from now on, also after restarts of the store; the first once the returned event is set."""
        begun = trio.Event()
        seen: int | None = None
        while True:
            try:
                async with runtime.events(after=seen) as changes:
                    if not begun.is_set():
                        task_status.started(begun)
                        await begun.wait()
                    async for event in changes:
                        seen = event.seq
                        document = as_read(event_document(event))
                        if self._board.note(document):
                            self._show(methodcaller("show_event", document, self._board))
                        happened.set()
            except StoreError:
                await trio.sleep(REFRESH_SECONDS)

    async def _approve(self, runtime: RunningRuntime) -> None:
        """Approve pending requests in the given name; with a file, only those of its jobs."""
        if self._plan.approve_as is None:
            await trio.lowlevel.checkpoint()
            return
        page, more = Page[ApprovalRequest](), True
        while more:
            page = await runtime.approvals.page(statuses=[ApprovalStatus.PENDING], limit=maxima.ROWS, cursor=page.next)
            more = page.next is not None
            for request in page:
                if self._plan.job_file is None or self._board.is_of_file(request.job_id):
                    await self._grant(runtime, request, self._plan.approve_as)

    async def _grant(self, runtime: RunningRuntime, request: ApprovalRequest, by: str) -> None:
        try:
            await runtime.approve(request.approval_id, by=by)
        except Refused as error:  # decided by somebody else meanwhile, expired, or self-approval is forbidden
            if request.approval_id not in self._not_granted:
                self._not_granted.add(request.approval_id)
                _logger.info("Approval request was not granted: %s", error, extra={"approval_id": request.approval_id})

    async def _heed_signals(self) -> None:
        """Stop the run in order at the first signal; the next one ends the process (:class:`StopSignals`)."""
        number = await self._signals.wait()
        self._interrupted = True
        _logger.info("Supervisor stops", extra={"signal": number.name})
        if number == signal.SIGHUP:  # the terminal is closed: nothing can be shown
            self._display = None
        self._show(lambda display: display.stopping(number.name))
        self._stop.cancel()

    def _show(self, act: Callable[[Lines], None]) -> None:
        """Show something, if there is a display. A terminal that was closed takes nothing: its SIGHUP is coming."""
        if self._display is not None:
            try:
                act(self._display)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                self._display = None

    def _status(self) -> int:
        """0 if every job has ended, or a signal ended the run (C1, C5)."""
        jobs = self._board.jobs()
        if self._plan.fail_on_failure and any(job["status"] == "failed" for job in jobs):
            return ExitStatus.FAILED
        unended = any(job["completed_at"] is None and job["status"] not in TERMINAL_JOBS for job in jobs)
        is_over = self._interrupted or not (self._plan.until_idle and unended)
        return ExitStatus.DONE if is_over else ExitStatus.FAILED


def _servers_of(runtime: RunningRuntime, settings: Settings) -> list[ChildSpec]:
    """The servers that the settings enable. Raises ``SharedDirectoryError``.

    If the certificate of the feed cannot be read, that is a WARNING, and the feed is not served.
    """
    http, feed = settings.http, settings.feed
    servers = [socket_server(runtime, settings.state_dir, http)]
    if settings.socket is not None:
        directory = usable_directory(settings.socket, settings.state_dir)
        users = SocketUsers(settings.users, known_name, commands=settings.socket.commands)
        servers.append(shared_socket_server(runtime, directory, users, http))
    if http.enabled:
        servers.append(http_server(runtime, settings.state_dir, http, feed_port=feed.port if feed.enabled else None))
    if feed.enabled:
        from actors.feed.server import FeedServer, feed_server

        hosts = AllowedHosts((feed.host, *http.allowed_hosts))
        try:
            tls = tls_context(http.tls_certificate, http.tls_key)
            server = FeedServer(runtime, feed, runtime.access.token_peer, hosts, tls, behind_proxy=http.behind_proxy)
            servers.append(feed_server(server))
        except OSError as error:
            _logger.warning("The event feed is not served: cannot read the certificate or its key: %s", error.strerror)
    return servers


def _sign_in_link(runtime: RunningRuntime) -> str | None:
    """A link that signs in the user of this terminal, once, within five minutes; None if HTTP is not served."""
    access = runtime.access
    if access.address is None:
        return None
    return f"{access.address}#code={access.codes.make(Peer(os.getuid(), user_name(os.getuid())))}"


class _Happened:
    """Wakes its waiter after a change, or after a second; changes that come together wake it once."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        with trio.move_on_after(REFRESH_SECONDS):
            await self._event.wait()
            await trio.sleep(_QUIET_SECONDS)
        self._event = trio.Event()


def _explained(failures: list[BaseException]) -> Failed:
    """The error for a person: the first cause, and the child that gave up because of it."""
    error = failures[0]
    if isinstance(error, Refused):
        return refusal(error)
    chain = [link for failure in failures for link in _causes(failure)]
    ours = next((link for link in chain if isinstance(link, StoreError | StateDirectoryError)), None)
    if ours is not None:
        gave_up = [
            f" ({link.child} failed again and again)" for link in chain if isinstance(link, RestartIntensityReached)
        ]
        return Failed(f"{ours}{gave_up[-1] if gave_up else ''}")
    if len(chain) == 1:
        return Failed(str(error))
    return Failed(f"{error} (first cause: {type(chain[-1]).__name__}: {chain[-1]}); see the log")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its causes; of a group, its first exception."""
    while error is not None:
        error = next(leaves(error))
        yield error
        error = error.__cause__
