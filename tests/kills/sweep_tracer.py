"""Stop a process at the n-th system call by which it changes the world: kill it there, or let that call fail.

``strace -e inject`` counts its occurrences per thread and per system call, so that it cannot name one call out of the
one order in which all threads of a process make theirs. This tracer can: it stands at every entry, of every thread, and
counts what changes a path below a folder. Threads are followed, started programs are not (a shim is no supervisor).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

TRACEME, POKEUSER, SYSCALL, SETOPTIONS, GET_SYSCALL_INFO = 0, 6, 24, 0x4200, 0x420E
TRACESYSGOOD, TRACECLONE, EXITKILL = 1, 8, 0x100000
WALL = 0x40000000
ORIG_RAX, RAX = 15 * 8, 10 * 8  # offsets in struct user
CLONE_VFORK = 0x4000
AT_FDCWD = -100

SUPPORTED = platform.system() == "Linux" and platform.machine() == "x86_64"

_BY_DESCRIPTOR = {
    1: "write", 18: "pwrite64", 20: "writev", 74: "fsync", 75: "fdatasync", 77: "ftruncate", 91: "fchmod",
    277: "sync_file_range", 285: "fallocate", 296: "pwritev", 40: "sendfile", 326: "copy_file_range",
}  # fmt: skip
_BY_PATH = {  # where its path stands among the arguments
    76: ("truncate", 0), 82: ("rename", 1), 83: ("mkdir", 0), 84: ("rmdir", 0), 85: ("creat", 0), 86: ("link", 1),
    87: ("unlink", 0), 88: ("symlink", 1), 90: ("chmod", 0), 2: ("open", 0),
}  # fmt: skip
_BY_FOLDER = {  # a descriptor, or the current folder, and the path after it
    257: ("openat", 0), 258: ("mkdirat", 0), 263: ("unlinkat", 0), 264: ("renameat", 2), 265: ("linkat", 2),
    266: ("symlinkat", 1), 268: ("fchmodat", 0), 316: ("renameat2", 2),
}  # fmt: skip
_OUTWARD = {  # what no file shows, and others see
    46: "sendmsg", 56: "clone", 58: "vfork", 424: "pidfd_send_signal", 435: "clone3",
}  # fmt: skip


class SyscallInfo(ctypes.Structure):
    """``struct ptrace_syscall_info`` as it is at an entry."""

    _fields_ = (
        ("op", ctypes.c_uint8), ("pad", ctypes.c_uint8 * 3), ("arch", ctypes.c_uint32), ("ip", ctypes.c_uint64),
        ("sp", ctypes.c_uint64), ("number", ctypes.c_uint64), ("args", ctypes.c_uint64 * 6),
    )  # fmt: skip


ENTRY = 1


class Call(NamedTuple):
    """One system call that would change something. ``path`` is relative to the folder; empty for an outward one."""

    number: int
    name: str
    path: str


class Ended(NamedTuple):
    """``status`` as the shell has it, negative for a signal. ``hung``: it was ended for want of patience."""

    status: int
    hung: bool


Decide = Callable[[Call], int]
"""What to do at a call: 0 lets it happen, a positive number makes it fail with that errno, KILL ends the process."""

KILL = -1

_ptrace = ctypes.CDLL(None, use_errno=True).ptrace
_ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_ptrace.restype = ctypes.c_long


def ptrace(request: int, pid: int, address: int = 0, data: Any = 0) -> int:
    """The system call of that name. Raises OSError."""
    result = int(_ptrace(request, pid, address, data))
    if result == -1 and (number := ctypes.get_errno()):
        raise OSError(number, os.strerror(number))
    return result


class Tracer:
    """One process under trace; ``seen`` counts its calls below ``folder``."""

    def __init__(self, folder: Path, decide: Decide) -> None:
        self._folder = str(folder)
        self._decide = decide
        self._pid = 0
        self._threads: set[int] = set()
        self._failing: dict[int, int] = {}
        self.seen = 0

    def run(self, child: Callable[[], None], patience: float) -> Ended:
        """Fork, run ``child`` under trace, and see it to its end, or kill it after ``patience`` seconds."""
        self._pid = forked(child, first=_ask_to_be_traced)
        os.waitpid(self._pid, 0)
        ptrace(SETOPTIONS, self._pid, 0, TRACESYSGOOD | TRACECLONE | EXITKILL)
        self._threads.add(self._pid)
        with Patience(self._pid, patience) as patient:
            self._resume(self._pid)
            while True:
                thread, status = os.waitpid(-1, WALL)
                if os.WIFSTOPPED(status):
                    self._stopped(thread, status)
                elif thread == self._pid:
                    return Ended(os.waitstatus_to_exitcode(status), patient.ended)

    def _stopped(self, thread: int, status: int) -> None:
        number = os.WSTOPSIG(status)
        deliver = 0
        try:
            if number == signal.SIGTRAP | 0x80:
                self._at_call(thread)
            elif number == signal.SIGSTOP and thread not in self._threads:
                self._threads.add(thread)  # how every new thread begins
            elif number != signal.SIGTRAP:
                deliver = number
            self._resume(thread, deliver)
        except ProcessLookupError:  # killed meanwhile: its end is reported next
            return

    def _resume(self, thread: int, deliver: int = 0) -> None:
        ptrace(SYSCALL, thread, 0, deliver)

    def _at_call(self, thread: int) -> None:
        info = SyscallInfo()
        ptrace(GET_SYSCALL_INFO, thread, ctypes.sizeof(info), ctypes.addressof(info))
        if info.op != ENTRY:
            if (number := self._failing.pop(thread, 0)) != 0:
                ptrace(POKEUSER, thread, RAX, ctypes.c_void_p(-number))
            return
        what = self._change(thread, info)
        if what is None:
            return
        self.seen += 1
        verdict = self._decide(Call(self.seen, *what))
        if verdict == KILL:
            os.kill(self._pid, signal.SIGKILL)  # at the entry: this call does not happen any more
        elif verdict:
            self._failing[thread] = verdict
            ptrace(POKEUSER, thread, ORIG_RAX, ctypes.c_void_p(-1))  # no such call: nothing is done

    def _change(self, thread: int, info: SyscallInfo) -> tuple[str, str] | None:
        """Name and path of a call that changes something in the folder, or outside of this process."""
        number, args = info.number, info.args
        if number in _BY_DESCRIPTOR:
            return self._inside(_BY_DESCRIPTOR[number], self._link(f"fd/{args[0]}"))
        if number in _BY_PATH:
            name, place = _BY_PATH[number]
            return self._inside(name, self._text(args[place])) if number != 2 or args[1] & os.O_CREAT else None
        if number in _BY_FOLDER:
            name, place = _BY_FOLDER[number]
            if name == "openat" and not args[2] & (os.O_CREAT | os.O_TRUNC):
                return None
            folder = ctypes.c_int(args[place]).value
            base = self._link("cwd" if folder == AT_FDCWD else f"fd/{folder}")
            return self._inside(name, os.path.join(base, self._text(args[place + 1])))  # noqa: PTH118 - text, a hot path
        if number in _OUTWARD and (number in (46, 58, 424) or self._flags(number, args) & CLONE_VFORK):
            return (_OUTWARD[number], "")
        return None

    def _flags(self, number: int, args: Any) -> int:
        return int.from_bytes(self._memory(args[0], 8), "little") if number == 435 else int(args[0])

    def _inside(self, name: str, path: str) -> tuple[str, str] | None:
        if path == self._folder:
            return (name, ".")
        return (name, path.removeprefix(f"{self._folder}/")) if path.startswith(f"{self._folder}/") else None

    def _link(self, name: str) -> str:
        try:
            return os.readlink(f"/proc/{self._pid}/{name}")  # noqa: PTH115 - a hot path
        except OSError:
            return ""

    def _text(self, address: int) -> str:
        return os.fsdecode(self._memory(address, 4096).split(b"\0", 1)[0])

    def _memory(self, address: int, size: int) -> bytes:
        """Up to ``size`` bytes; what follows an unmapped page is left out."""
        descriptor = os.open(f"/proc/{self._pid}/mem", os.O_RDONLY)
        try:
            return os.pread(descriptor, size, address)
        finally:
            os.close(descriptor)


class Patience:
    """A ``with`` block that kills a process after so many seconds; ``ended`` tells that it came to that."""

    def __init__(self, pid: int, seconds: float) -> None:
        self._pid, self._seconds = pid, seconds
        self.ended = False

    def __enter__(self) -> Patience:
        self._before = signal.signal(signal.SIGALRM, self._end)
        signal.setitimer(signal.ITIMER_REAL, self._seconds)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)

    def _end(self, *_: object) -> None:
        self.ended = True
        os.kill(self._pid, signal.SIGKILL)


def untraced(child: Callable[[], None], patience: float) -> Ended:
    """Fork and see ``child`` to its end without looking at what it does."""
    pid = forked(child)
    with Patience(pid, patience) as patient:
        return Ended(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), patient.ended)


def forked(child: Callable[[], None], first: Callable[[], None] = lambda: None) -> int:
    """A process that does ``first``, then ``child``, and ends: 0, or 70 where it raised."""
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        first()
        child()
        status = 0
    except BaseException:  # whatever it was, this process must not go on as a second parent
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)


def _ask_to_be_traced() -> None:
    ptrace(TRACEME, 0)
    os.kill(os.getpid(), signal.SIGSTOP)


def code(name: str) -> int:
    """The number of an error by its name, such as ``ENOSPC``."""
    return int(getattr(errno, name))


def can_trace() -> bool:
    """Whether this machine lets a process trace its child; containers may not."""
    if not SUPPORTED:
        return False
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            ptrace(TRACEME, 0)
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
