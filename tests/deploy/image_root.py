"""A root directory in which the steps of a container file run: this system below, a layer of its own above it.

The layer is an overlay on a tmpfs, inside a mount and a process namespace. So nothing that a step writes reaches this
system, and everything is gone, processes too, when the namespace's first process is killed. What the base image of a
container file has beside a Python is not shown by that: this system stands for it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300
_TOOLS = ("unshare", "nsenter", "chroot", "setpriv", "prlimit", "useradd", "tar")
_MOUNTS = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs {base}
mkdir {base}/upper {base}/work {base}/root
mount -t overlay overlay -o lowerdir=/,upperdir={base}/upper,workdir={base}/work {base}/root
mount -t proc proc {base}/root/proc
mount --rbind /dev {base}/root/dev
mount -t tmpfs tmpfs {base}/root/run
mount -t tmpfs -o mode=1777 tmpfs {base}/root/tmp
echo ready
exec cat
"""


def why_not() -> str | None:
    """Why no such root can be made here; None: one can."""
    if missing := [tool for tool in _TOOLS if shutil.which(tool) is None]:
        return f"{', '.join(missing)} is missing (Debian: util-linux, passwd)"
    return "it needs root: it makes mounts and a user" if os.geteuid() != 0 else None


@attrs.frozen
class ImageRoot:
    """``base``: an empty directory of ours. ``pid``: the first process of the namespace."""

    base: Path
    pid: int

    def command(self, *words: str, env: Mapping[str, str]) -> list[str]:
        """What runs ``words`` inside, with ``env`` and no other variable."""
        pairs = [f"{name}={value}" for name, value in env.items()]
        inside = ["nsenter", "--target", str(self.pid), "--mount", "--pid", "chroot", str(self.base / "root")]
        return [*inside, "env", "-i", *pairs, *words]

    def run(self, *words: str, env: Mapping[str, str], content: bytes | None = None) -> bytes:
        """Run ``words`` inside to their end; what they print. Raises ``CalledProcessError``."""
        done = subprocess.run(
            self.command(*words, env=env), input=content, capture_output=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, f"{shlex.join(words)}: {done.stdout.decode()}{done.stderr.decode()}"
        return done.stdout

    def allow_python(self) -> None:
        """Let every user start our Python, under the name that it has in an image."""
        for folder in PYTHON.parents:
            self.run("chmod", "o+x", str(folder), env=PLAIN)
        if PYTHON.name != "python":
            self.run("ln", "-sf", PYTHON.name, str(PYTHON.with_name("python")), env=PLAIN)


PYTHON = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
"""The interpreter that stands for the one of the base image."""
PLAIN = {"PATH": f"{PYTHON.parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
"""The environment of the steps, where the file sets nothing."""
PIP = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
"""How pip finds its index here."""


@contextmanager
def image_root(base: Path) -> Iterator[ImageRoot]:
    """A root for the length of the block. Raises ``OSError`` where this system does not allow it."""
    base.mkdir(parents=True)
    script = _MOUNTS.format(base=shlex.quote(str(base)))
    holder = subprocess.Popen(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script],
        stdin=subprocess.PIPE,  # it ends where this end is closed, by our own end, too
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stderr is not None
        if holder.stdout.readline() != b"ready\n":
            raise OSError(holder.stderr.read().decode().strip())
        children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()
        root = ImageRoot(base, int(children[0]))
        root.allow_python()
        yield root
    finally:
        holder.kill()  # and by that the first process of the namespace, with all others in it
        holder.communicate()


@attrs.define
class Stage:
    """One image of a container file while it is made."""

    root: ImageRoot
    env: dict[str, str] = attrs.field(factory=lambda: dict(PLAIN))
    directory: str = "/"
    user: str = "root"
    command: Sequence[str] = ()
    health: Sequence[str] = ()


def steps(text: str) -> Iterator[tuple[str, str]]:
    """The instructions of a container file, each with its arguments."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for line in re.sub(r"\\\n\s*", " ", lines).splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            yield word, rest.strip()


def copied(stage: Stage, sources: Sequence[str], target: str, of: ImageRoot | None) -> None:
    """``COPY``: from this repository, or from another stage. A directory is copied for what it holds."""
    for source in sources:
        folder = (ROOT / source).is_dir() if of is None else True
        place, name = (source, ".") if folder else (str(Path(source).parent), Path(source).name)
        words = ["tar", "-C", place, "--exclude", "__pycache__", "-c", name]
        if of is None:
            content = subprocess.run(words, cwd=ROOT, capture_output=True, check=True).stdout
        else:
            content = of.run(*words, env=PLAIN)
        into = str(Path(stage.directory) / target)
        stage.root.run("mkdir", "-p", into, env=PLAIN)
        stage.root.run("tar", "-C", into, "-x", env=PLAIN, content=content)
