"""Checks requests before their jobs are accepted: is the directory there, and is the program found (E6).

A file system that does not answer must not delay anybody else. So files are looked at in separate threads, each look
has a time limit, and a place that did not answer is not asked again while its thread still waits. Where a place did not
answer, the request is accepted with a warning. So is a request that waits for other jobs, which may make what is
missing.
"""

# ruff: noqa: PTH116, PTH118 - each submission waits for this, and pathlib would take three times as long

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

import attrs
import trio

from actors.jobs.capacity import can_ever_fit
from actors.jobs.os_text import printable, shown, to_bytes
from actors.jobs.records import Capacity, JobRequest, Resources
from actors.kernel.turns import InTurns
from actors.providers.abilities import RequestFault
from actors.providers.disk_threads import MOST_THREADS, DiskThreads
from actors.providers.entry_points import EntryPoint
from actors.providers.programs import program_of

SECONDS = 2.0
"""The time limit of one look, and of all looks of a submission together after the first one that did not answer."""
_TOGETHER = 100


@attrs.frozen
class Place:
    """What a request needs: a directory (None: a new one), a program, and the PATH to look it up in.

    ``field`` is the field of the request that named it.
    """

    cwd: str | None
    program: str
    path: str
    field: str = attrs.field(default="command", eq=False)


class EarlyChecks:
    """Checks requests for this machine; ``capacity`` is what the machine has."""

    def __init__(self, entry_points: Mapping[str, EntryPoint], capacity: Capacity) -> None:
        self._entry_points = entry_points
        self._capacity = capacity
        self._threads = DiskThreads()
        self._hanging: set[Place] = set()

    async def faults(self, requests: Sequence[JobRequest]) -> list[tuple[RequestFault, ...]]:
        """Return what is wrong with each of ``requests``, in their order."""
        places = [place_of(request, self._entry_points) async for request in InTurns(requests)]
        looked_at = await self._look(dict.fromkeys(place for place in places if place is not None))
        misfits = {one: self._misfit(one) for one in {request.resources for request in requests}}
        found = []
        for request, place in zip(requests, places, strict=True):
            fault = None if place is None else looked_at[place]
            if fault is not None and request.after:  # those that it waits for may make what is missing
                fault = attrs.evolve(fault, sure=False)
            faults = (misfits[request.resources], fault)
            found.append(tuple(fault for fault in faults if fault is not None))
        return found

    def _misfit(self, resources: Resources) -> RequestFault | None:
        misfit = can_ever_fit(resources, self._capacity)
        text = f"resources: this machine {misfit}; ask for less"
        return None if misfit is None else RequestFault("resources", text)

    async def _look(self, places: Mapping[Place, None]) -> dict[Place, RequestFault | None]:
        """Return what is wrong with each place.

        Those that did not answer in time, and all after one of them, are unsure.
        """
        found: dict[Place, RequestFault | None] = {place: unanswered(place) for place in places}
        full = len(self._hanging) >= MOST_THREADS
        waiting = [] if full else [place for place in places if place not in self._hanging]
        seconds = SECONDS
        while waiting:
            some, waiting = waiting[:_TOGETHER], waiting[_TOGETHER:]
            batch = _Batch(some, self._hanging)
            with trio.move_on_after(seconds) as scope:
                await self._threads.run(batch.run)
            done = batch.close()
            found.update(done)
            if scope.cancelled_caught:
                if seconds < SECONDS:
                    break
                waiting, seconds = some[len(done) + 1 :] + waiting, SECONDS / 4
        return found


class _Batch:
    """Some places that are looked at in one thread. The thread may hang in one of them, and is left behind then."""

    def __init__(self, places: Sequence[Place], hanging: set[Place]) -> None:
        self._places = places
        self._hanging = hanging
        self._found: dict[Place, RequestFault | None] = {}
        self._at: Place | None = None
        self._closed = False
        self._lock = threading.Lock()

    def run(self) -> None:
        """Look at each place, until nobody waits for the results any more."""
        for place in self._places:
            if not self._begin(place):
                return
            fault = None
            try:
                fault = look(place)
            finally:
                self._end(place, fault)

    def _begin(self, place: Place) -> bool:
        with self._lock:
            if not self._closed:
                self._at = place
            return not self._closed

    def _end(self, place: Place, fault: RequestFault | None) -> None:
        with self._lock:
            self._at = None
            if self._closed:
                self._hanging.discard(place)
            else:
                self._found[place] = fault

    def close(self) -> dict[Place, RequestFault | None]:
        """Return what is known by now.

        A place whose look has not ended counts as hanging until its thread comes back.
        """
        with self._lock:
            self._closed = True
            if self._at is not None:
                self._hanging.add(self._at)
            return self._found


def place_of(request: JobRequest, entry_points: Mapping[str, EntryPoint]) -> Place | None:
    """Return what ``request``, which was prepared before, needs of the file system; None: it names no program."""
    program = program_of(request, entry_points, [])
    if not program.argv:
        return None
    path = program.env.get("PATH", (request.inherited_env or {}).get("PATH", os.defpath))
    return Place(program.cwd, program.argv[0], path, "command" if request.entry_point is None else "entry_point")


def look(place: Place) -> RequestFault | None:
    """Return what is wrong with one place. Blocks for as long as the file system takes."""
    if place.cwd is not None and (fault := _directory_fault(place.cwd)) is not None:
        return RequestFault("cwd", f"cwd: {_quoted(place.cwd)} {fault}")
    fault = _path_fault(place) if "/" in place.program else _search_fault(place)
    return None if fault is None else RequestFault(place.field, f"{place.field}: {_quoted(place.program)} {fault}")


def unanswered(place: Place) -> RequestFault:
    """Return the warning that a place could not be looked at in time."""
    words = f"{_quoted(place.program)} in {_quoted(place.cwd or 'its own directory')}"
    return RequestFault(place.field, f"{words} was not checked: the file system did not answer", sure=False)


def _directory_fault(cwd: str) -> str | None:
    try:
        found = os.stat(to_bytes(cwd))
    except (FileNotFoundError, NotADirectoryError):
        return "does not exist on this machine; make it, or name another directory"
    except OSError as error:
        return f"cannot be used ({error.strerror}); name another directory"
    if not stat.S_ISDIR(found.st_mode):
        return "is not a directory; name one"
    return None if os.access(to_bytes(cwd), os.X_OK) else "may not be entered by the supervisor's user; change its mode"


def _path_fault(place: Place) -> str | None:
    """Return what is wrong with a program that is named by a path."""
    if place.cwd is None and not place.program.startswith("/"):
        return "is a path in a directory that is not given; give cwd, or the whole path"
    file = _join(place.cwd or "/", place.program)
    try:
        found = os.stat(file)
    except (FileNotFoundError, NotADirectoryError):
        return "does not exist on this machine; correct the path"
    except OSError as error:
        return f"cannot be used ({error.strerror}); correct the path"
    if not stat.S_ISREG(found.st_mode):
        return "is not a file; name a program"
    return None if os.access(file, os.X_OK) else "is not executable; chmod +x it, or name its interpreter first"


def _search_fault(place: Place) -> str | None:
    """Return what is wrong with a program that is looked up in the PATH."""
    not_executable = None
    for folder in place.path.split(":"):
        file = _join(place.cwd or "/", folder, place.program)
        with suppress(OSError):  # a folder that may not be read holds nothing for the job
            if stat.S_ISREG(os.stat(file).st_mode):
                if os.access(file, os.X_OK):
                    return None
                not_executable = file
    if not_executable is not None:
        return f"is found as {_quoted(os.fsdecode(not_executable))}, which is not executable; chmod +x it"
    return f"is not found in the job's PATH ({_quoted(place.path)}); give its whole path, or set PATH with env"


def _join(*parts: str) -> bytes:
    return os.path.join(*map(to_bytes, parts))


def _quoted(text: str) -> str:
    return f"'{printable(shown(text))[:200]}'"
