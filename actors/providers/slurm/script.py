"""The two shell scripts of a job: the one that sbatch is given, and the one that becomes the program.

The first keeps the records, and starts the second with an environment of its own: what Slurm says of the allocation,
and then what the job's submitter said. The second lies in the job's directory (0600), since Slurm may show the first
one to others, and arguments of a command can be seen by everybody on its node.

**What happens when.** ``mkdir KEY.started`` succeeds once, for whatever Slurm starts under this key: a second start
ends there, and nothing of it ran. The exit record is renamed into its place after the program has ended. Killed before
the first, the job has not run; killed between them, Slurm's word is all there is; killed after them, the records tell
all. The shell waits in the foreground, with a trap for each signal that Slurm sends to all processes of a job: it
outlives the program and writes how it ended. A signal that killed the program is status 128 and its number there.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

SECOND_START, NO_DIRECTORY = 213, 214
"""Exit statuses of the first script where it did not start the program."""

_BATCH = """\
#!/bin/sh
# Runs a job of Greenroom once and writes down how it ended.
PATH="${{PATH:+$PATH:}}/usr/local/bin:/usr/bin:/bin"
usual=$(umask)
umask 077
directory={directory}
key={key}
if ! [ -r "$directory/jobs/$key/run" ]; then
  echo "[greenroom: $directory/jobs/$key/run is not there on $SLURMD_NODENAME: every node needs that directory]"
  exit {no_directory}
fi
if ! mkdir "$directory/$key.started"; then
  if [ -d "$directory/$key.started" ]; then
    echo "[greenroom: second start of $key by Slurm job $SLURM_JOB_ID: the program is not run again]"
    exit {second_start}
  fi
  echo "[greenroom: $directory/$key.started cannot be made on $SLURMD_NODENAME: every node needs that directory]"
  exit {no_directory}
fi
began=$(date +%s)
devices=$(printf %s "${{CUDA_VISIBLE_DEVICES-}}" | tr -cd 'A-Za-z0-9,._/:-')
printf '{{"job": %s, "node": "%s", "at": %s, "devices": "%s"}}\\n' \\
  "$SLURM_JOB_ID" "$SLURMD_NODENAME" "$began" "$devices" >"$directory/$key.started/new" &&
  mv -f "$directory/$key.started/new" "$directory/$key.started/job"
set --
for name in $(env | sed -n -e 's/^\\(SLURM_[A-Z0-9_]*\\)=.*/\\1/p' -e 's/^\\(SLURMD_[A-Z0-9_]*\\)=.*/\\1/p' \\
    -e 's/^\\([A-Z]*_VISIBLE_DEVICES\\)=.*/\\1/p' -e 's/^\\(GPU_DEVICE_ORDINAL\\)=.*/\\1/p' \\
    -e 's/^\\(ZE_AFFINITY_MASK\\)=.*/\\1/p' -e 's/^\\(TMPDIR\\)=.*/\\1/p'); do
  eval "set -- \\"\\$@\\" \\"$name=\\${{$name-}}\\""
done
trap : HUP INT QUIT TERM USR1 USR2
umask "$usual"
env -i "$@" /bin/sh "$directory/jobs/$key/run"
status=$?
umask 077
printf '{{"job": %s, "node": "%s", "began": %s, "ended": %s, "status": %s}}\\n' \\
  "$SLURM_JOB_ID" "$SLURMD_NODENAME" "$began" "$(date +%s)" "$status" >"$directory/$key.exit-$SLURM_JOB_ID" &&
  mv -f "$directory/$key.exit-$SLURM_JOB_ID" "$directory/$key.exit"
exit "$status"
"""


def batch_script(directory: Path, key: str) -> bytes:
    """Return what sbatch gets on its standard input."""
    return _BATCH.format(
        directory=shlex.quote(str(directory)), key=shlex.quote(key), second_start=SECOND_START,
        no_directory=NO_DIRECTORY,
    ).encode()  # fmt: skip


def run_script(env: Mapping[str, str], cwd: str, argv: Sequence[str]) -> bytes:
    """Return the script that becomes the program ``argv``, in ``cwd`` and with ``env``."""
    exports = [f"export {name}={shlex.quote(value)}" for name, value in env.items()]
    place = shlex.quote(cwd)
    note = shlex.quote(f"[greenroom: the working directory {cwd} cannot be entered on this node]")
    lines = [*exports, f"cd {place} || {{ echo {note}; exit 126; }}", f"exec {shlex.join(argv)}", ""]
    return "\n".join(lines).encode()
