"""The processes of a job: all that descend from its shim, in whatever session. They are signalled one by one."""

from __future__ import annotations

import os
import signal

from .system import children_of, start_ticks, stat_fields, ticks_since_boot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

LAST_CALL = 0.25  # of the grace time: when it is left, nobody is spared any more


def descendants(but: int = 0) -> dict[int, tuple[int, int]]:
    """Return the living processes below this one except ``but``: the parent and the start (in ticks) by pid, parents
    before children.
    """
    found: dict[int, tuple[int, int]] = {}
    waiting = [os.getpid()]
    for pid in waiting:
        for child in children_of(pid):
            fields = stat_fields(child)
            if fields and fields[0] not in "ZX" and child != but and child not in found:
                found[child] = (int(fields[1]), int(fields[19]))
                waiting.append(child)
    return found


def send(number: int, pid: int, ticks: int) -> bool:
    """Send a signal to the process of that pid *and* that start. Returns False if it is gone."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if start_ticks(pid) != ticks:  # after opening: what the descriptor names cannot change any more
            return False
        signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # it took on another user
        pass
    finally:
        os.close(fd)
    return True


class TermOnce:
    """Remembers which processes were asked to end, so that each is asked once, whenever it is found.

    What a process starts after it was asked is its way of ending (such as a copy of its checkpoint). It is spared for
    as long as that process lives, until the last call.
    """

    def __init__(self) -> None:
        self._asked: dict[int, tuple[int, int]] = {}  # by pid: its start and when it was asked, in ticks since boot

    def send(self, processes: Mapping[int, tuple[int, int]], last_call: bool) -> None:
        """Send SIGTERM to those of ``processes`` that have not had it: parent and start by pid, parents before
        children.
        """
        due, spared = [], set()
        for pid, (parent, ticks) in processes.items():
            if self._asked.get(pid, (-1, 0))[0] == ticks:
                continue
            began, asked = self._asked.get(parent, (-1, 0))
            knew = parent in processes and processes[parent][1] == began and asked <= ticks
            if (knew or parent in spared) and not last_call:
                spared.add(pid)
            else:
                due.append((pid, ticks))
        now = ticks_since_boot()
        for pid, ticks in due:
            if send(signal.SIGTERM, pid, ticks):
                send(signal.SIGCONT, pid, ticks)  # a stopped process cannot hear the first one
                self._asked[pid] = (ticks, now)
