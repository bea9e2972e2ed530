"""The zygote: one process for each supervisor, with the shim loaded, that forks a shim for each job.

    python -I -S .../local/shim/__main__.py zygote PADDING        # the supervisor's socket is descriptor 3

A fork starts a shim in a few milliseconds, where a new interpreter takes thirty. It is single-threaded and keeps
nothing of a job: no descriptor, no lock, no variable. A message on the socket (SOCK_SEQPACKET) is one of these:

- in: the words of a shim's command line, each ended by NUL, with the job's log and its device leases as descriptors;
- out: ``ready``, once; ``started PID`` with a pidfd; ``failed ERRNO``: nothing was started; ``ended PID STATUS``: the
  shim was reaped, with its wait status.

It answers one request after another. It may be killed between any two lines: before the fork nothing was started;
after it the shim runs and belongs to the next ancestor that is a subreaper (the zygote is none), whether the answer was
sent or not. It ends when the other end of the socket is closed, and not by SIGTERM, SIGINT or SIGHUP, which are blocked
as they are in a shim.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl  # noqa: F401 - for take_lock, so that no shim has to load it
import gc
import os
import select
import signal
import socket
import sys

from .job import be_shim
from .system import block_signals, close_strangers, libc, stat_fields

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
    children = _signal_descriptor(signal.SIGCHLD)
    ready = select.poll()
    ready.register(channel, select.POLLIN)
    ready.register(children, select.POLLIN)
    gc.collect()
    gc.freeze()  # a collection in a shim would copy every page that holds an object
    try:
        channel.send(b"ready")
        while True:
            found = [fd for fd, _ in ready.poll()]
            if children in found:
                os.read(children, 4096)
                _reap(channel)
            if channel.fileno() in found and not _answer(channel, title):
                return
    except (BrokenPipeError, ConnectionResetError):  # the supervisor has ended
        return


def _signal_descriptor(number: int) -> int:
    """A descriptor that is readable when the signal, which is blocked, has arrived. Raises OSError."""
    mask = ctypes.create_string_buffer(128)
    mask.raw = (1 << (number - 1)).to_bytes(128, "little")
    fd: int = libc().signalfd(-1, mask, os.O_CLOEXEC | os.O_NONBLOCK)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "signalfd")
    return fd


def _reap(channel: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        channel.send(b"ended %d %d" % (pid, status))


def _answer(channel: socket.socket, title: Title) -> bool:
    """Read one request and answer it. False: the socket is closed."""
    request, fds, flags, _ = socket.recv_fds(channel, LARGEST, MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
    if not request:
        return False
    pid, code = 0, errno.EMFILE if flags & socket.MSG_CTRUNC else 0
    if not code:
        try:
            pid = os.fork()
        except OSError as error:
            code = error.errno or errno.EAGAIN
        else:
            if not pid:
                _become_shim(request, fds, title)
    for fd in fds:
        os.close(fd)
    if code:
        channel.send(b"failed %d" % code)
        return True
    shim = os.pidfd_open(pid)
    try:
        socket.send_fds(channel, [b"started %d" % pid], [shim])
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
