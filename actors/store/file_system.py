"""On which kind of file system a path lies: SQLite's locks and shared memory work between processes of one machine."""

from __future__ import annotations

from pathlib import Path

_NETWORK = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
        "orangefs", "panfs", "pvfs2", "smb3", "smbfs", "fuse.beegfs", "fuse.ceph", "fuse.ceph-fuse", "fuse.cephfs",
        "fuse.curlftpfs", "fuse.davfs2", "fuse.gcsfuse", "fuse.glusterfs", "fuse.juicefs", "fuse.moosefs", "fuse.mfs",
        "fuse.rclone", "fuse.s3fs", "fuse.smbnetfs", "fuse.sshfs", "fuse.weka",
    }
)  # fmt: skip
_MOUNTS = Path("/proc/self/mountinfo")


def network_kind(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """The type of the network file system on which ``path`` lies, such as ``nfs4``; None: it lies on none.

    ``path`` need not exist. ``mounts``: the kernel's list of mounts; where it cannot be read, nothing is known.
    """
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    resolved = path.absolute().resolve()
    kind, longest = None, -1
    for line in lines:
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) < 5:
            continue
        place = Path(_plain(fields[4]))
        if resolved.is_relative_to(place) and len(place.parts) >= longest:  # a later mount hides an earlier one
            kind, longest = after.split(" ")[0], len(place.parts)
    return kind if kind in _NETWORK else None


def _plain(escaped: str) -> str:
    """A path of that list without the escapes of what would break its lines."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        escaped = escaped.replace(code, character)
    return escaped


def advice(kind: str) -> str:
    """What is wrong with it, and what to do."""
    return (
        f"the database lies on a network file system ({kind}), where SQLite's locks do not hold between machines and "
        "an answer may come late; set GREENROOM_HOME to a directory on a disk of this machine"
    )
