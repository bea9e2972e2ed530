"""The exit statuses of ``greenroom``: the one declaration, from which docs/commands.md is made."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """The exit status of a command; ``SIGNALLED`` is added to the number of a signal."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    SIGNALLED = 128
    INTERRUPTED = 130
    HIGHEST = 255


MEANINGS = {
    "0": "Done. Of `run`: a signal stopped it, or with `--until-idle` every job has ended.",
    "1": (
        "Refused or failed; the message says why. Of a command for several jobs: no job fits, or one of them could not "
        "be changed. Of `run`: it could not start; an actor could not be kept alive; with `--until-idle` some jobs "
        "have not ended; with `--fail-on-failure` a job failed. Of `doctor`: there is something to do. Of "
        "`submit --wait`: the job did not complete and has no exit status of its own."
    ),
    "2": "Wrong usage or invalid input, such as an unknown option or a fault in a file. Nothing was changed.",
    "130": "Ended by Ctrl-C: 128 and the number of SIGINT. Jobs go on.",
    "128 + N": (
        "Of `run`: a second signal, of the number N, ended it at once (143 for SIGTERM). Of `submit --wait`: the "
        "signal of the number N ended the job."
    ),
    "1 to 255": "Of `submit --wait`: the job's own exit status; of several jobs the highest.",
}
"""The meaning of each exit status, for people."""
