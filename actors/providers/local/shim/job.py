"""Leads one job from its directory to its exit record: takes the lock, starts the program, watches it, and writes down
how it ended.
"""

# ruff: noqa: PTH110, PTH118, PTH119 - pathlib would cost each shim 5 ms and 1 MB

from __future__ import annotations

import errno
import json
import os
import signal
import time

from . import RECORD_SIZE, STARTED
from .cgroup import fork_into, leave, make
from .ending import Ending
from .files import MOST_SPEC, first_line, inode_of, is_there, open_folder, open_up, read_plain, write_plain
from .log_pipe import LogPipe
from .system import (
    PR_SET_CHILD_SUBREAPER,
    PR_SET_PDEATHSIG,
    block_signals,
    boot_id,
    close_strangers,
    oom_kills,
    prctl,
    raise_oom_score,
    start_ticks,
    take_lock,
)

TYPE_CHECKING = False  # typing itself is not imported: it costs 3 ms and 1 MB
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

RESERVED = "exit.new"  # the file whose space the exit record takes
IGNORED = [one for one in signal.valid_signals() if signal.getsignal(one) is signal.SIG_IGN]
RECORD_AGAIN = 1.0  # seconds between attempts to write the exit record to a disk that refuses


def main(arguments: Sequence[str]) -> None:
    """Be a shim that was started by its command line; its leases begin with descriptor 3."""
    block_signals()
    leases = range(3, 3 + int(arguments[3]) if len(arguments) > 3 else 3)
    close_strangers(leases.stop)
    be_shim(arguments, leases)


def be_shim(arguments: Sequence[str], leases: Iterable[int]) -> None:
    """Run the job of the directory named in ``arguments`` once, until its end is recorded.

    ``leases``: the descriptors of its devices. The signals that a shim fetches are blocked.
    """
    devices = arguments[2] if len(arguments) > 2 else "-"
    cgroup = arguments[4] if len(arguments) > 4 else ""
    try:
        folder = open_folder(arguments[1])
        beside = open_folder("..", folder)
    except FileNotFoundError:
        return
    os.fchdir(folder)
    note = Note(beside, STARTED + os.path.basename(arguments[1]))
    if take_lock(folder, "lock") is None or note.is_there():
        return
    if is_there(folder, "exit.json") or is_there(folder, "run.json"):
        return
    spec = json.loads(read_plain(folder, "spec.json", MOST_SPEC))
    reserved = inode_of(folder, RESERVED)
    if devices != "-":
        spec["env"].update(CUDA_VISIBLE_DEVICES=devices, CUDA_DEVICE_ORDER="PCI_BUS_ID")
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    outcome = run(spec, devices, folder, note, cgroup)
    for fd in leases:  # nothing of the job is left: who sees the record may have its devices at once
        os.close(fd)
    record(outcome, folder, None if reserved is None else (RESERVED, reserved), note)


def run(spec: dict[str, Any], devices: str, folder: int, note: Note, cgroup: str = "") -> dict[str, Any]:
    """Start the program, watch it until it ends, and return the exit record.

    ``note``: records, out of the job's reach, that the program is let go. ``cgroup``: the control group to make for it.
    Raises OSError when no process can be started.
    """
    pipe = LogPipe(open_times(folder))
    group = make(cgroup)
    child, gate, faults, entered = fork_program(spec, pipe.sink, cgroup if group else "")
    pipe.start()  # like all up to the gate: while the program's process gets ready
    oom_before = oom_kills()
    started = time.time()
    if group and not entered:
        leave(cgroup)
    whereabouts = {
        "shim": os.getpid(),
        "shim_ticks": start_ticks(os.getpid()),
        "child": child,
        "child_ticks": start_ticks(child),
        "boot_id": boot_id(),
        "started_at": started,
        "devices": devices,
        "cgroup": group if entered else None,
    }
    instead: dict[str, Any] | None = None
    try:
        write_plain(folder, "run.json", json.dumps(whereabouts).encode(), sync=False, sync_name=False)
        note.begin(whereabouts)  # on disk when this returns
    except OSError as error:
        instead = {"failure": {"stage": "record", "errno": error.errno}}
    if is_there(folder, "cancel"):
        instead = {"cancelled": True}
    if instead is None:
        os.write(gate, b"g")
    os.close(gate)
    fault = b"".join(iter(lambda: os.read(faults, 4096), b""))
    if instead is not None or fault:
        os.waitpid(child, 0)
        outcome = instead or {"code": 127, "started_at": started, "failure": json.loads(fault)}
    else:
        ending = Ending(child, spec, pipe, cgroup if entered else "")
        ending.watch()
        outcome = {**ending.outcome(), "started_at": started, "oom_kills": [oom_before, oom_kills()]}
    pipe.finish()
    if entered:
        leave(cgroup)
    return outcome


def open_times(folder: int) -> int | None:
    """Return a new file for the times when output arrives. It is opened before the job runs, which could put something
    else in its place.

    Returns None where it cannot be made; then no times are written down.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open("log.times", flags, 0o600, dir_fd=folder)
    except OSError:
        return None


def fork_program(spec: dict[str, Any], output: int, cgroup: str = "") -> tuple[int, int, int, bool]:
    """Fork the program's process, which writes to ``output``, into ``cgroup`` (``""``: into no other group).

    Returns its pid, the gate that lets it go, the descriptor from which its faults are read, and whether it is in the
    group.
    """
    gate_read, gate_write = os.pipe()
    fault_read, fault_write = os.pipe()
    shim = os.getpid()
    child, entered = fork_into(cgroup)
    if child:
        os.close(gate_read)
        os.close(fault_write)
        return child, gate_write, fault_read, entered
    stage = "start"
    try:
        os.close(gate_write)
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        raise_oom_score()
        os.dup2(output, 1)
        os.dup2(output, 2)
        argv = [as_bytes(word) for word in spec["argv"]]
        env = {as_bytes(name): as_bytes(value) for name, value in spec["env"].items()}
        if os.getppid() == shim and os.read(gate_read, 1) == b"g":
            restore_signals()
            stage = "cwd"
            os.chdir(as_bytes(spec["cwd"]))
            stage = "exec"
            execute(argv, env)
    except OSError as error:
        fault = {"stage": stage, "errno": error.errno, **found_program(spec["argv"][0], spec["env"])}
        os.write(fault_write, json.dumps(fault).encode())
    finally:
        os._exit(127)


def execute(argv: list[bytes], env: dict[bytes, bytes]) -> None:
    """Become the program. It is looked for like by :func:`os.execvpe`, which loads a module first. Raises OSError."""
    folders = [b""] if b"/" in argv[0] else env.get(b"PATH", os.defpath.encode()).split(b":")
    missing: OSError | None = None
    refused: OSError | None = None
    for folder in folders:
        try:
            os.execve(os.path.join(folder, argv[0]), argv, env)  # noqa: S606 - an argv, never a shell
        except (FileNotFoundError, NotADirectoryError) as error:
            missing = error
        except OSError as error:
            refused = refused or error
    raise refused or missing or FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def as_bytes(value: str) -> bytes:
    """Return a value of the record as the kernel takes it, independent of this process's encoding
    (``actors.jobs.os_text``).
    """
    return value.encode("utf-8", "surrogateescape")


def restore_signals() -> None:
    """Give the program the signals of a new process. Otherwise what Python or our parent ignores would stay ignored."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def found_program(name: str, env: dict[str, str]) -> dict[str, str]:
    """Return the file that stands where the program should be, and the interpreter that its first line names."""
    folders = [""] if "/" in name else env.get("PATH", os.defpath).split(":")
    for folder in folders:
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            continue
        return {"file": path, "interpreter": interpreter_of(path)}
    return {}


def interpreter_of(path: str) -> str:
    """Return the interpreter that the first line names, with a carriage return at its end; ``""``: it names none."""
    line = first_line(path) or b""
    words = line[2:].replace(b"\t", b" ").strip(b" ").split(b" ") if line.startswith(b"#!") else [b""]
    return words[0].decode(errors="replace")


def record(outcome: dict[str, Any], folder: int, reserved: tuple[str, int] | None, note: Note) -> None:
    """Write the note's end, and ``exit.json`` into the space that is reserved for it. This is repeated while the disk
    refuses.
    """
    text = json.dumps({"ended_at": time.time(), **outcome})
    data = text.encode().ljust(RECORD_SIZE - 1) + b"\n"
    while True:
        try:
            note.end(data)
            write_plain(folder, "exit.json", data, reserved)
        except FileNotFoundError:  # the directory itself was removed
            return
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM):
                open_up(folder)
            time.sleep(RECORD_AGAIN)
        else:
            return


class Note:
    """The note of one job: the file ``.started-KEY``, which its shim writes where the job does not write.

    Its first line says who runs the job, the second one how it ended. The first line is there before the program is let
    go. So a job whose files are forged or gone is still known by its real shim, its boot and its control group, and
    only the writer of the second line, the shim that saw the last process go, can have recorded its end. The first line
    is synced: after a power cut it says that the program may have run. The second one is not synced, because
    ``exit.json`` is, which is read after a restart of the machine. ``beside``: a descriptor of the folder of all jobs.
    """

    def __init__(self, beside: int, name: str) -> None:
        self.beside, self.name = beside, name
        self._fd: int | None = None
        self._end = 0

    def is_there(self) -> bool:
        """Return whether the program was let go before."""
        return is_there(self.beside, self.name)

    def begin(self, run: dict[str, Any]) -> None:
        """Note who runs the job, and reserve the space for its end. The note is on disk when this returns.

        Raises OSError, also where there is a note already.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self.name, flags, 0o600, dir_fd=self.beside)
        line = json.dumps(run).encode() + b"\n"
        data = line + b" " * RECORD_SIZE
        try:
            if os.write(fd, data) != len(data):
                raise OSError(errno.ENOSPC, "no space is left for the note")
            os.fsync(fd)
            os.fsync(self.beside)
        except OSError:  # half a note would say that the program was let go
            os.close(fd)
            os.unlink(self.name, dir_fd=self.beside)
            raise
        self._fd, self._end = fd, len(line)

    def end(self, record: bytes) -> None:
        """Note how the program ended, if it was let go. Raises OSError."""
        if self._fd is not None:
            os.pwrite(self._fd, record, self._end)
