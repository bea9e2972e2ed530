"""Finds out from the words of a failed sbatch what the failure means, because Slurm has no codes.

If the controller answered, or sbatch itself refused, the job was surely not accepted. If the answer may have been lost
on its way, or the words are not known, nobody knows: slurmctld was seen to accept a job after sbatch had timed out.
"""

from __future__ import annotations

import re

from actors.providers.errors import Forbidden, Invalid, OutcomeUnknown, ProviderError, RateLimited, Unavailable

# A name that the user chose, of a partition for example, stands in some of Slurm's sentences, and holds no space. So
# what is looked for holds one, or stands at the beginning of a sentence.
_LOST = re.compile(
    r"\btimed out\b|Zero Bytes were transmitted|Message (?:receive|connection) failure"
    r"|Communication (?:connection|shutdown) failure|Transport endpoint is|Connection reset by|Unexpected message"
    r"|Header lengths are longer|Interrupted system call|Broken pipe",
    re.IGNORECASE,
)
_AWAY = re.compile(
    r"Unable to contact slurm controller|Munge (?:encode|decode) failed|authentication (?:error|credential)"
    r"|auth plugin|configuration (?:source|file)|can't stat|Unable to (?:establish|resolve)|in standby mode",
    re.IGNORECASE,
)
_BUSY = re.compile(
    r"(?:^|; )(?:Assoc|QOS)\w*Submit\w*Limit\b|(?:^|; )MaxSubmitJobs?Per\w+|Resource temporarily unavailable"
    r"|temporarily unable to accept|Too many jobs|inactive or drain|node not available \(down|I/O error writing",
    re.IGNORECASE,
)
_NOT_ALLOWED = re.compile(r"Access/permission denied|Invalid user id", re.IGNORECASE)
_REFUSED = re.compile(
    r"Batch job submission failed|Invalid |unrecognized option|invalid partition|can not be satisfied|not available"
    r"|[Pp]ermission denied|Unable to open file|Script arguments|not permitted|is not valid|[Mm]ust |requires ",
)


def refusal(words: str, name: str) -> ProviderError:
    """Return the error that a failed sbatch means. ``words``: what it printed."""
    said = f"{name} did not accept the job: {words}"
    if _LOST.search(words) or "Unspecified error" in words:
        return OutcomeUnknown(f"whether {name} accepted the job is not known: {words}")
    if _AWAY.search(words):
        return Unavailable(said)
    if _BUSY.search(words):
        return RateLimited(said)
    if _NOT_ALLOWED.search(words):
        return Forbidden(said)
    if _REFUSED.search(words):
        return Invalid(said)
    return OutcomeUnknown(f"whether {name} accepted the job is not known: {words}")


def query_failure(program: str, words: str, name: str) -> ProviderError:
    """Return the error that a failed squeue, scontrol or scancel means: it changed nothing, or nobody knows."""
    return Unavailable(f"{name}: {program} failed: {words}", reached=not _AWAY.search(words))
