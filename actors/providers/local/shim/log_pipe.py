"""Brings the job's output into the log: by one pipe for both streams, and a process that does nothing but empty it.

The program never has the log itself open, because it would cut it off by opening ``/dev/stdout`` by name. The drainer
is a fork of the shim, whose memory it shares, in a session of its own. When the shim is killed, it continues until
nobody has the pipe open any more. When the drainer is killed, the shim, which also has the reading end, starts another
one.
"""

from __future__ import annotations

import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PIECE = 64 * 1024  # bytes read at once: what a pipe holds
SMALL = 4096  # bytes; after a smaller piece the next ones are given time to become one
PAUSE = 0.002  # seconds of it: bounds the cost of a program that writes each line by itself
LAST_WORDS = 5.0  # seconds for the drainer to write what is in the pipe when the job has ended
MOST_LEFT = 1 << 20  # bytes that a killed drainer may have left in the pipe
LOG = 1  # the shim's own standard output
_LOOK_AGAIN = 0.1  # seconds between looks for the drainer's end
_DESCRIPTORS = 1024  # those below, the lock and the leases among them, are closed in the drainer


class ArrivalTimes:
    """Writes down when the log had which size, before more is written: a line with the time and the size.

    It does so once a second at most, and at most once in a thousandth of the time for which this process has written,
    up to a minute. So the file of a job that writes for months has some megabytes. ``fd``: the file; None: nothing is
    written down.
    """

    def __init__(self, fd: int | None) -> None:
        self.fd = fd
        self._began = self._next = time.monotonic()

    def note(self, log: int) -> None:
        """Note the present size of ``log``, if it is time."""
        now = time.monotonic()
        if self.fd is None or now < self._next:
            return
        self._next = now + min(60.0, max(1.0, (now - self._began) / 1000))
        try:
            size = os.fstat(log).st_size
            os.write(self.fd, b"%.3f %d\n" % (time.time(), size))
        except OSError:  # the disk is full: the place before it is then the answer
            pass


class LogPipe:
    """The pipe of one job's output, and the process that empties it, once that is started.

    ``times``: the file for :class:`ArrivalTimes`.
    """

    def __init__(self, times: int | None = None) -> None:
        self.times = times
        self.source, self.sink = os.pipe()
        self.pid = 0
        self.missing = False

    def start(self) -> None:
        """Start the drainer, when the program's process has the writing end. Raises OSError.

        The drainer gets no writing end, neither its own nor ours; with one it could not see that nobody writes any
        more.
        """
        os.close(self.sink)
        self._start()

    def look(self) -> None:
        """Replace a drainer that was killed. ``missing``: there was no room for a process, so look again."""
        if self.pid:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if not pid:
                return
            self.pid = 0
            self.missing = status != 0  # otherwise all processes have closed their output
        if self.missing:
            try:
                self._start()
            except OSError:
                return
            self.missing = False

    def finish(self) -> None:
        """Have the rest of the pipe written, now that the job's processes are gone.

        The end of the pipe is not waited for, because a process that is not the job's may have it open.
        """
        os.set_blocking(self.source, False)  # for the drainer too, which ends when nothing is left
        began = time.monotonic()
        while self.pid and not os.waitpid(self.pid, os.WNOHANG)[0]:
            waited = time.monotonic() - began
            if waited > 2 * LAST_WORDS:  # not even killed: its disk hangs
                return
            os.kill(self.pid, signal.SIGTERM if waited < LAST_WORDS else signal.SIGKILL)
            os.kill(self.pid, signal.SIGCONT)
            signal.sigtimedwait({signal.SIGCHLD}, _LOOK_AGAIN)
        drain(self.source, LOG, MOST_LEFT, times=ArrivalTimes(self.times))
        os.close(self.source)

    def _start(self) -> None:
        pid = os.fork()
        if pid:
            self.pid = pid
            return
        try:
            serve(self.source, self.times)
        finally:
            os._exit(1)


def serve(source: int, times: int | None) -> None:
    """Be the drainer. A signal to end only wakes it: the last output of a job comes after the job was asked to end."""
    os.setsid()
    os.dup2(source, 0)
    if times is not None:
        times = os.dup2(times, 3)
    os.closerange(3 if times is None else 4, _DESCRIPTORS)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    drain(0, LOG, pause=time.sleep, times=ArrivalTimes(times))
    os._exit(0)


def drain(
    source: int,
    log: int,
    most: int | None = None,
    pause: Callable[[float], None] | None = None,
    times: ArrivalTimes | None = None,
) -> None:
    """Write what comes from ``source`` to ``log``, in its order, until its end, or until it would block.

    ``most``: how many bytes are read at most, roughly. Bytes that the disk refuses are counted, and the count is
    written where the lost bytes would stand, as soon as the disk takes something again.
    """
    buffer = bytearray(PIECE)
    piece = memoryview(buffer)
    lost = total = 0
    while most is None or total < most:
        try:
            size = os.readv(source, [buffer])
        except BlockingIOError:
            break
        if not size:
            break
        total += size
        if times is not None:
            times.note(log)
        lost = put(log, piece[:size], lost)
        if size < SMALL and pause is not None:
            pause(PAUSE)
    put(log, piece[:0], lost)


def put(log: int, data: memoryview, lost: int) -> int:
    """Write ``data`` after a note on the ``lost`` bytes before it. Returns how many bytes are lost now."""
    try:
        if lost:
            note = b"\n[%d bytes lost]\n" % lost
            if os.write(log, note) == len(note):
                lost = 0
        while data:
            data = data[os.write(log, data) :]
    except OSError:  # the disk is full or broken: the job goes on
        return lost + len(data)
    return lost
