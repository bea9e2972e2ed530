"""The zygote: one process for each supervisor, with the shim loaded, that forks a shim for each job.

    python -I -S .../local/shim/__main__.py zygote PADDING        # the supervisor's socket is descriptor 3

A fork starts a shim in a millisecond, where a new interpreter takes thirty. The zygote is single-threaded and keeps
nothing of a job: no descriptor, no lock, no variable. It has no children either: what it forks (CLONE_PARENT) is a
child of the supervisor, which reaps it, exactly as a shim that the supervisor has spawned itself.

A request on the socket (SOCK_SEQPACKET) is the words of a shim's command line, each ended by NUL, with the job's log
and its device leases as descriptors. The answer is ``started PID`` with a pidfd, or ``failed ERRNO`` where nothing was
started; before all answers it says ``ready``, once. It may be killed between any two lines: before the fork nothing was
started, after it the shim runs, whether the answer was sent or not. It ends when the other end of the socket is closed,
and not by SIGTERM, SIGINT or SIGHUP, which are blocked in it as they are in a shim.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl  # noqa: F401 - for take_lock, so that no shim has to load it
import gc
import os
import socket
import sys

from .channel import receive
from .job import be_shim
from .system import CLONE_PARENT, block_signals, clone, close_strangers, stat_fields

CHANNEL = 3  # the descriptor of the supervisor's socket
MOST_DESCRIPTORS = 253  # in one message: the kernel's bound
LARGEST = 64 * 1024  # bytes of a request
_ALL_DESCRIPTORS = 2**31 - 1


def serve() -> None:
    """Fork shims until the supervisor closes its end of the socket."""
    block_signals()
    close_strangers(CHANNEL + 1)
    channel = socket.socket(fileno=CHANNEL)
    os.chdir("/")
    title = Title()
    title.set(sys.orig_argv[:-1])
    gc.collect()
    gc.freeze()  # a collection in a shim would copy every page that holds an object
    try:
        channel.send(b"ready")
        while _answer(channel, title):
            pass
    except (BrokenPipeError, ConnectionResetError):  # the supervisor has ended
        return


def _answer(channel: socket.socket, title: Title) -> bool:
    """Wait for a request and answer it. False: the socket is closed."""
    request, fds, truncated = receive(channel, LARGEST, MOST_DESCRIPTORS)
    if not request:
        return False
    answer, shim = b"", -1
    try:
        if truncated:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        pid, shim = clone(CLONE_PARENT, 0)
        if not pid:
            _become_shim(request, fds, title)
        answer = b"started %d" % pid
    except OSError as error:
        answer = b"failed %d" % (error.errno or errno.EIO)
    for fd in fds:
        os.close(fd)
    if shim < 0:
        channel.send(answer)
        return True
    try:
        socket.send_fds(channel, [answer], [shim])
    finally:
        os.close(shim)
    return True


def _become_shim(request: bytes, fds: list[int], title: Title) -> None:
    """Be what ``request`` names, as if it had been started by its command line, and end with it."""
    try:
        os.setsid()
        argv = [os.fsdecode(word) for word in request.split(b"\0")[:-1]]
        title.set(argv)
        log, *leases = fds
        os.dup2(log, 1)
        os.dup2(log, 2)
        lowest = 3
        for fd in sorted(leases):
            os.closerange(lowest, fd)
            lowest = fd + 1
        os.closerange(lowest, _ALL_DESCRIPTORS)
        be_shim(argv[3:], leases)
        os._exit(0)
    finally:
        sys.excepthook(*sys.exc_info())  # the line above does not return
        os._exit(1)


class Title:
    """The command line that ``ps`` shows and by which a shim is known: the memory of our own, written over."""

    def __init__(self) -> None:
        fields = stat_fields(os.getpid())
        self._start, end = int(fields[48 - 3]), int(fields[49 - 3])
        self._room = end - self._start if self._start else 0

    def set(self, argv: list[str]) -> None:
        """Show ``argv`` from now on. Raises OSError where there is no room for it."""
        text = b"".join(os.fsencode(word) + b"\0" for word in argv)
        if len(text) > self._room:
            raise OSError(errno.E2BIG, "the command line does not fit")
        ctypes.memmove(self._start, text.ljust(self._room, b"\0"), self._room)
