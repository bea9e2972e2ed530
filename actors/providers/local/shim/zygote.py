"""The zygote: one process for each supervisor, with the shim loaded, that forks a shim for each job.

    python -I -S .../local/shim/__main__.py zygote PADDING        # the supervisor's socket is descriptor 3

A fork starts a shim in a millisecond, where a new interpreter takes thirty. The zygote is single-threaded and gets
nothing of a job: no descriptor, no lock, no variable. It has no children either: what it forks (CLONE_PARENT) is a
child of the supervisor, which reaps it, exactly as a shim that the supervisor has spawned itself.

A request on the socket (SOCK_SEQPACKET) is ``fork`` with a socket for the shim. The answer is ``started PID`` with a
pidfd, or ``failed ERRNO`` where nothing was started; before all answers it says ``ready``, once. On its own socket the
shim then gets the words of its command line, each ended by NUL, with the job's log and its device leases as
descriptors; if the socket is closed instead, it ends. So only a shim that the supervisor knows by its pid can run a
job: if the zygote is killed before it answers, the supervisor closes that socket, and the shim, if there is one, ends.
The zygote ends when the other end of its socket is closed, and not by SIGTERM, SIGINT or SIGHUP, which are blocked in
it as they are in a shim.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl  # noqa: F401 - for take_lock, so that no shim has to load it
import gc
import os
import socket
import sys

from .job import be_shim
from .system import CLONE_PARENT, block_signals, clone, close_strangers, libc, stat_fields

CHANNEL = 3  # the descriptor of the supervisor's socket, in the zygote and in a shim that waits for its command line
MOST_DESCRIPTORS = 253  # in one message: the kernel's bound
LARGEST = 64 * 1024  # bytes of a request
_ALL_DESCRIPTORS = 2**31 - 1


def serve() -> None:
    """Fork shims until the supervisor closes its end of the socket."""
    block_signals()
    close_strangers(CHANNEL + 1)
    channel = socket.socket(fileno=CHANNEL)
    os.chdir("/")
    title = title_memory()
    show(title, sys.orig_argv[:-1])
    for name in ("syscall", "prctl"):
        getattr(libc(), name)  # looked up once, and not by each shim
    gc.collect()
    gc.freeze()  # a collection in a shim would copy every page that holds an object
    channel.send(b"ready")
    while _answer(channel, title):
        pass


def _answer(channel: socket.socket, title: ctypes.Array[ctypes.c_char]) -> bool:
    """Wait for a request and answer it. Returns False if the socket is closed."""
    request, fds, _, _ = socket.recv_fds(channel, LARGEST, 1)
    if not request:
        return False
    shims = []
    try:
        if not fds:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        pid, shim = clone(CLONE_PARENT, 0)
        if not pid:
            _become_shim(fds[0], title)
        answer, shims = b"started %d" % pid, [shim]
    except OSError as error:
        answer = b"failed %d" % (error.errno or errno.EIO)
    for fd in fds:
        os.close(fd)
    socket.send_fds(channel, [answer], shims)
    for fd in shims:
        os.close(fd)
    return True


def _become_shim(line: int, title: ctypes.Array[ctypes.c_char]) -> None:
    """Wait on the socket ``line`` for a command line, be the shim that is started by it, and end with it."""
    try:
        os.setsid()
        os.dup2(line, CHANNEL, inheritable=False)
        os.close(line)
        request, fds, flags, _ = socket.recv_fds(socket.socket(fileno=CHANNEL), LARGEST, MOST_DESCRIPTORS)
        if not request:
            os._exit(0)
        if flags & socket.MSG_CTRUNC:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        argv = [os.fsdecode(word) for word in request.split(b"\0")[:-1]]
        show(title, argv)
        log, *leases = fds
        for fd in leases:
            os.set_inheritable(fd, False)
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


def title_memory() -> ctypes.Array[ctypes.c_char]:
    """Return the memory in which our command line stands. ``ps`` shows it, and a shim is known by it."""
    fields = stat_fields(os.getpid())
    start, end = int(fields[48 - 3]), int(fields[49 - 3])
    return (ctypes.c_char * (end - start)).from_address(start)


def show(title: ctypes.Array[ctypes.c_char], argv: list[str]) -> None:
    """Have this command line from now on. Raises ValueError where there is no room for it."""
    title.raw = b"".join(os.fsencode(word) + b"\0" for word in argv).ljust(len(title), b"\0")
