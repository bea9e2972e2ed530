"""Copies the results of jobs, before Replicate deletes them, into a folder of the provider's own.

The intent to copy is on disk before the job is reported as finished, so that a copy is made after a restart, too. A
copy is complete or absent. A copy that cannot be made is reported in the log and at its job.
"""

from __future__ import annotations

import shutil
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import trio

from actors.jobs.durations import seconds_between
from actors.providers.abilities import Remark
from actors.providers.base import Handle, Nudge
from actors.providers.disk_usage import bytes_below
from actors.providers.errors import Conflict, NotFound, ProviderError
from actors.providers.key_files import KeyFiles, is_file_name
from actors.providers.private_files import sync
from actors.providers.replicate.api import ReplicateApi
from actors.providers.replicate.copy_turns import PLACES, PendingCopy, Turns
from actors.providers.replicate.downloading import UNFINISHED, Budget, Downloader, NotCopied, file_name
from actors.providers.replicate.options import ReplicateOptions
from actors.providers.replicate.reading import RETENTION, kind_and_id, results_of
from actors.providers.trails import trail_of
from logconf import get_correlation_id, get_logger

_logger = get_logger("actors.providers.replicate")

FILES_AT_ONCE = 4
"""How many files of one job are downloaded at once."""

MOST_FILES = 1000
"""How many files of one job are copied at most."""

_LATE = timedelta(minutes=10)
"""For how long after the time of deletion a copy is still tried, because clocks differ."""
_MOST_REMARKS = 1000
_MOST_TRAILS = 10_000  # of jobs that this process has submitted
_FAILURES = (NotCopied, ProviderError, OSError, ValueError, httpx.HTTPError, httpx.InvalidURL)


class Copies:
    """The copies in the folder ``root``. ``remark`` is called with what was not copied. ``transport`` is for tests."""

    def __init__(
        self,
        root: Path,
        options: ReplicateOptions,
        api: ReplicateApi,
        now: Callable[[], datetime],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._pending = KeyFiles(root / "to-copy")
        self._done = root / "results"
        self._options = options
        self._api = api
        self._now = now
        self._downloader = Downloader(options, api.credentials, 2 * PLACES * FILES_AT_ONCE, transport)
        self._turns = Turns(self._finish)
        self._over_at: dict[str, float] = {}
        self._trails: OrderedDict[str, str] = OrderedDict()
        self._nudge: Nudge = lambda _key: None
        self._remark, self.remarks = trio.open_memory_channel[Remark](_MOST_REMARKS)

    def note_trail(self, key: str) -> None:
        """Remember the correlation ID under which the job of ``key`` is being submitted."""
        self._trails[key] = get_correlation_id()
        while len(self._trails) > _MOST_TRAILS:
            self._trails.popitem(last=False)

    async def want(self, key: str, handle: Handle, ended: datetime | None) -> None:
        """Write to the disk that the results of this job, which ended then, are to be copied. Raises ``OSError``."""
        if self._turns.knows(key) or not is_file_name(key):
            return
        now = self._now()
        # Their clock may differ from ours: results that have vanished by their clock are tried all the same.
        expires = max(min((ended or now) + RETENTION, now + RETENTION), now)
        pending = PendingCopy(key, dict(handle), expires, self._trails.get(key))
        if await trio.to_thread.run_sync(self._write_pending, pending):
            self._turns.add(pending)

    def _write_pending(self, pending: PendingCopy) -> bool:
        if (self._done / pending.key).exists():
            return False
        content = {"handle": dict(pending.handle), "expires": pending.expires.isoformat(), "trail": pending.trail}
        self._pending.write(pending.key, content)
        return True

    async def forget(self, key: str) -> None:
        """Remove the copies of a job. Raises :class:`Conflict` while they are still to be made, or being made."""
        if is_file_name(key):
            if self._turns.knows(key) or await trio.to_thread.run_sync(self._pending.has, key):
                raise Conflict(f"the results of {key} are being copied; wait until that is done")
            await trio.to_thread.run_sync(self._remove, key)

    async def stored_bytes(self, key: str) -> int | None:
        """Return how many bytes the copies of a job take on the disk."""
        return await trio.to_thread.run_sync(bytes_below, self._done / key) if is_file_name(key) else 0

    def _remove(self, key: str) -> None:
        self._over_at.pop(key, None)
        self._pending.remove(key)
        for name in (key, _part(key)):
            shutil.rmtree(self._done / name, ignore_errors=True)

    async def run(self, nudge: Nudge) -> None:
        """Make the copies that are to be made, until cancelled. Calls ``nudge`` for each job that is finished."""
        self._nudge = nudge
        for pending in await trio.to_thread.run_sync(self._all_pending):
            self._turns.add(pending)
        await self._turns.run()

    def _all_pending(self) -> list[PendingCopy]:
        found = []
        for key in self._pending.all_keys():
            try:
                content = self._pending.read(key)
                # Until 0.1.0 this file had the time of the end, not the last moment for a copy.
                until = content["expires"] if "expires" in content else content["since"]
                expires = datetime.fromisoformat(until) + (timedelta() if "expires" in content else RETENTION)
                found.append(PendingCopy(key, dict(content["handle"]), expires, content.get("trail")))
            except (OSError, ValueError, KeyError, TypeError):  # not written by us, or removed meanwhile
                continue
        return found

    async def _finish(self, pending: PendingCopy) -> bool:
        """Do what can be done for one job, under its correlation ID. Returns whether nothing is left to do."""
        with trail_of(pending.trail):
            return await self._try(pending)

    async def _try(self, pending: PendingCopy) -> bool:
        extra = {"provider": self._api.name, "submission": pending.key}
        if pending.trail is not None:  # a line with a job's id has that job's correlation ID (A14)
            extra["job_id"] = pending.key.rpartition("-")[0] or pending.key
        left = self._seconds_left(pending)
        try:
            with trio.fail_after(max(left, self._options.request_seconds)):
                number = await self._copy(pending)
        except trio.TooSlowError:
            return await self._failed(pending, NotCopied("it took longer than Replicate keeps them"), extra)
        except _FAILURES as error:
            return await self._failed(pending, error, extra)
        self._over_at.pop(pending.key, None)
        _logger.info("Copied %d result files", number, extra={**extra, "directory": str(self._done / pending.key)})
        self._nudge(pending.key)
        return True

    async def _failed(self, pending: PendingCopy, why: Exception, extra: Mapping[str, object]) -> bool:
        """Give the copy up where another try would fail in the same way. Returns whether it was given up."""
        over = self._seconds_left(pending) <= 0 or getattr(why, "for_good", False) or isinstance(why, NotFound)
        if not over:
            _logger.info("Results could not be copied yet: %s", why, extra=extra)
            return False
        _logger.warning("Results were not copied and will vanish: %s", why, extra=extra)
        await trio.to_thread.run_sync(self._remove, pending.key)
        try:
            self._remark.send_nowait(Remark(pending.key, f"its results were not copied: {why}"))
        except trio.WouldBlock:  # there is no reader, and the log has it
            _logger.debug("Nobody takes remarks about jobs", extra=extra)
        self._nudge(pending.key)
        return True

    def _seconds_left(self, pending: PendingCopy) -> float:
        """Return how long it may still be tried. The wall clock is read at the first try only, because it may be
        changed later.
        """
        now = trio.current_time()
        usual = min(seconds_between(self._now(), pending.expires), RETENTION.total_seconds()) + _LATE.total_seconds()
        return self._over_at.setdefault(pending.key, now + usual) - now

    async def _copy(self, pending: PendingCopy) -> int:
        if there := await trio.to_thread.run_sync(self._settled, pending.key):
            return there
        results = list(results_of(await self._api.get(*kind_and_id(pending.handle))))
        if not results:
            raise NotCopied("Replicate no longer has them", for_good=True)
        if len(results) > MOST_FILES:
            raise NotCopied(f"there are {len(results)} of them, more than {MOST_FILES}", for_good=True)
        part = self._done / _part(pending.key)
        await trio.to_thread.run_sync(_prepare, part)
        budget = Budget(self._options.copy_bytes)
        failures: list[Exception] = []
        left = iter(enumerate(results, 1))
        async with trio.open_nursery() as nursery:
            for _ in range(min(FILES_AT_ONCE, len(results))):
                nursery.start_soon(self._download, left, part, budget, failures)
        if failures:
            raise next((one for one in failures if getattr(one, "for_good", False)), failures[0])
        await trio.to_thread.run_sync(self._publish, part, pending.key)
        return len(results)

    async def _download(
        self, left: Iterator[tuple[int, str]], part: Path, budget: Budget, failures: list[Exception]
    ) -> None:
        """Download the files that are missing, until one of them cannot be had."""
        for number, url in left:
            if failures:
                return
            try:
                await self._downloader.download(url, part / file_name(number, url), budget)
            except _FAILURES as error:
                failures.append(error)

    def _settled(self, key: str) -> int:
        """Return the number of files of a copy that was finished, but whose intent was not removed in time."""
        folder = self._done / key
        there = len(list(folder.iterdir())) if folder.is_dir() else 0
        if there:
            self._pending.remove(key)
        return there

    def _publish(self, part: Path, key: str) -> None:
        shutil.rmtree(self._done / key, ignore_errors=True)
        part.rename(self._done / key)
        sync(self._done)
        self._pending.remove(key)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._downloader.aclose()


def _part(key: str) -> str:
    """Return the folder for a copy that is not complete yet."""
    return f".{key}.part"


def _prepare(folder: Path) -> None:
    """Return a folder for a copy, with the files that an earlier try finished."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in folder.glob(f"*{UNFINISHED}"):
        path.unlink()
