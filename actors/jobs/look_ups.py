"""What a job has done since the backup from which it was restored: by which keys to ask, and what the answers mean
(F3).

A job that waited in the backup may have been submitted since, under the key of its next attempt or of a later one; a
job that ran may have ended and run again. Two runs of one attempt must never happen, so a job continues as it was only
if its provider certainly has none of these keys. If that is not certain, a person decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from actors.jobs.durations import seconds_between
from actors.jobs.ids import submission_key
from actors.jobs.records import Job, Observation, Phase, QueueEntry, Submission, SubmissionState
from actors.jobs.reruns import run_again

_ENDS = (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELED, Phase.TIMED_OUT, Phase.LOST)

MOST_KEYS = 200
"""Keys of one job that are asked about; a job that may have had more is uncertain where none is found."""


@attrs.frozen
class ToLookUp:
    """A restored job that its provider is to be asked about. ``submission``: its open one, None where it waited."""

    job: Job
    entry: QueueEntry
    submission: Submission | None

    @property
    def was_handed(self) -> bool:
        """Whether the provider had accepted it when the backup was made."""
        return self.submission is not None and self.submission.state is SubmissionState.HANDED

    def keys(self) -> list[str]:
        """Every key that it may have had by now, the present one first.

        Each run of the job may fail to be handed over ``max_attempts`` times; each attempt that was handed over and
        ended may be followed by another run, as often as ``rerun`` allows.
        """
        entry = self.entry
        reruns_left = max(0, self.job.request.rerun.times - entry.reruns)
        in_this_run = 1 if self.was_handed else max(1, entry.max_attempts - (entry.attempt - entry.run_first_attempt))
        number = min(in_this_run + reruns_left * entry.max_attempts, MOST_KEYS + 1)
        return [submission_key(self.job.job_id, entry.attempt + later) for later in range(number)]


@attrs.frozen
class Seen:
    """An attempt that a provider has, under this key."""

    key: str
    handle: Mapping[str, Any]
    observation: Observation | None

    @property
    def goes_on(self) -> bool:
        """Whether it has not ended, so that no attempt came after it."""
        return self.observation is None or self.observation.phase not in _ENDS


@attrs.frozen
class Adopt:
    """The provider has the job: the last of ``seen`` is its present attempt, those before it have ended."""

    seen: tuple[Seen, ...]


@attrs.frozen
class Uncertain:
    """Nobody can tell whether it ran; a person must."""

    reason: str


@attrs.frozen
class AsItWas:
    """It surely has not run since."""


LookUpVerdict = Adopt | Uncertain | AsItWas


def conclude(
    one: ToLookUp, seen: Sequence[Seen], unsure: str | None, now: datetime, lost: str | None = None
) -> LookUpVerdict:
    """What follows from the answers.

    ``seen``: the attempts that the provider has, the oldest first. ``unsure``: why it is not sure that there were no
    others; None: it is. ``lost``: why the attempt that it had is not there any more.
    """
    if seen:
        newest = seen[-1].observation
        entry = attrs.evolve(one.entry, reruns=one.entry.reruns + len(seen) - 1)
        ran_again = newest is not None and run_again(one.job, entry, newest, newest.error, now) is not None
        if unsure is not None and ran_again:
            return Uncertain(f"its attempt ended, and whether it ran again is not known: {unsure}")
        return Adopt(tuple(seen))
    if one.was_handed:
        return Uncertain(lost or "its provider no longer has it")
    if unsure is None and one.submission is not None and one.job.uncertain_since is not None:
        # Its provider could not tell before the backup; what it knew then may be lost since.
        unsure = one.job.uncertain_reason or "it was uncertain when the backup was made"
    return AsItWas() if unsure is None else Uncertain(unsure)


def why_records_are_incomplete(
    provider: str, since: datetime | None, began_at: datetime, now: datetime, kept_days: float
) -> str | None:
    """Why it proves nothing that a provider does not have a job; None: it would have it.

    ``since``: from when on the provider surely knows every job, None: it does not say. ``began_at``: of the backup.
    ``kept_days``: after which we remove ended jobs at the provider, 0: never.
    """
    moment = f"{began_at:%Y-%m-%d %H:%M:%S} UTC"
    if since is None:
        return f"provider {provider} does not say for how long it keeps records, and the backup is of {moment}"
    if since > began_at:
        return (
            f"provider {provider} has no records from before {since:%Y-%m-%d %H:%M:%S} UTC, the backup is of {moment}"
        )
    if kept_days and seconds_between(began_at, now) >= kept_days * 86_400:
        return f"ended jobs are kept for {kept_days:g} days, and the backup is of {moment}"
    return None
