"""The types of events: their names, their sentences, and which actors they concern.

A new type is one line of :class:`EventType` and the place that emits it. From that line follow the level and the text
in the log, the sentence of the command line, which actor looks after such an event was committed, and
``GET /api/events/types``. What one type means to one reader stands with the reader: whether it is a notification
(:mod:`actors.jobs.notifications`), whether it begins or ends a wait that is measured (:mod:`actors.metrics.tallies`),
and which words the timeline of the page has for it (``timeline.js``) if the job's status says too little.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from enum import Flag, StrEnum, auto
from typing import Any, Literal, Self

Level = Literal["DEBUG", "INFO", "WARNING"]


class Concern(Flag):
    """Who must act on a type of event."""

    NOTHING = 0
    RUNNABLE = auto()
    """It may have made something runnable: the scheduler looks."""
    DEADLINE = auto()
    """It may have set a deadline: the expiry looks."""
    PROVIDERS = auto()
    """Something is to be asked of a provider: the poller looks."""
    UNNAMED = auto()
    """Server-sent events of this type have no name, so that a browser takes them as ``message``."""


class EventType(StrEnum):
    """Every type of event, with its ``sentence``, ``concerns``, ``level`` and ``log_text``.

    ``sentence``: what happened, without its subject (the job) where it has one. ``log_text``: the message of the log's
    line. Both may hold names of the event's data in braces; without one the type is written in words.
    """

    sentence: str
    concerns: Concern
    level: Level
    log_text: str

    def __new__(
        cls,
        name: str,
        sentence: str = "",
        concerns: Concern = Concern.NOTHING,
        level: Level = "INFO",
        log_text: str = "",
    ) -> Self:
        """A member; ``name`` is how it is stored and sent."""
        member = str.__new__(cls, name)
        member._value_ = name
        words = name.replace("_", " ")
        member.sentence = sentence or words
        member.concerns = concerns
        member.level = level
        member.log_text = log_text or words.capitalize()
        return member

    JOB_QUEUED = "job_queued", "is queued", Concern.RUNNABLE
    # An end frees a slot; other changes of status make nothing runnable, which the scheduler sees for itself.
    JOB_STATUS_CHANGED = "job_status_changed", "is {status}", Concern.UNNAMED, "INFO", "Job is now {status}"
    JOB_DISPATCHED = "job_dispatched", "is being handed over"
    JOB_HANDED_OVER = "job_handed_over", "was handed over", Concern.PROVIDERS
    JOB_REQUEUED = "job_requeued", "goes back into the queue", Concern.RUNNABLE
    JOB_RERUN = "job_rerun", "ended ({reason}) and runs again", Concern.RUNNABLE, "INFO", "Job runs again: {reason}"
    JOB_PROGRESS = "job_progress", "progress", Concern.NOTHING, "DEBUG"
    JOB_CANCEL_REQUESTED = "job_cancel_requested", "is asked to end", Concern.PROVIDERS
    JOB_OUTCOME_UNKNOWN = (
        "job_outcome_unknown",
        "may or may not have been accepted: its provider is asked",
        Concern.PROVIDERS,
        "WARNING",
    )
    JOB_UNCERTAIN = "job_uncertain", "is uncertain", Concern.NOTHING, "WARNING"
    JOB_SETTLED = "job_settled", "was settled by hand", Concern.PROVIDERS
    JOB_RESTORED = "job_restored", "was restored from a backup: {reason}", Concern.RUNNABLE | Concern.PROVIDERS
    JOB_PRIORITY_CHANGED = "job_priority_changed", "", Concern.RUNNABLE
    JOB_RESULTS_NOT_COPIED = "job_results_not_copied", "left results that were not copied"
    APPROVAL_REQUESTED = "approval_requested", "waits for an approval", Concern.DEADLINE
    APPROVAL_GRANTED = "approval_granted", "is approved", Concern.RUNNABLE
    APPROVAL_REJECTED = "approval_rejected", "is rejected", Concern.RUNNABLE
    APPROVAL_EXPIRED = (
        "approval_expired",
        "was not approved in time and is cancelled",
        Concern.RUNNABLE | Concern.UNNAMED,
        "INFO",
        "Approval request expired",
    )
    LIMITS_CHANGED = "limits_changed", "limits were reset", Concern.RUNNABLE
    RULES_CHANGED = "rules_changed"
    PROVIDER_PAUSED = "provider_paused", "provider {provider} is paused", Concern.NOTHING, "WARNING"
    PROVIDER_RESUMED = "provider_resumed", "provider {provider} is resumed", Concern.RUNNABLE | Concern.PROVIDERS
    QUEUE_PAUSED = "queue_paused", "", Concern.NOTHING, "WARNING"
    QUEUE_RESUMED = "queue_resumed", "", Concern.RUNNABLE
    NOTIFICATION_TARGET_DISABLED = (
        "notification_target_disabled",
        "notification target {target} is disabled: {reason}",
        Concern.NOTHING,
        "WARNING",
    )
    NOTIFICATION_TARGET_ENABLED = "notification_target_enabled", "notification target {target} is enabled"
    RESTORED = "restored", "the runtime was restored from a backup", Concern.NOTHING, "WARNING"
    ACCESS_GRANTED = "access_granted"
    ACCESS_REVOKED = "access_revoked"
    SESSION_REVOKED = "session_revoked"


def concerning(concern: Concern) -> frozenset[EventType]:
    """The types that concern ``concern``."""
    return frozenset(one for one in EventType if concern in one.concerns)


def describe(type_: str, data: Mapping[str, Any]) -> str:
    """The sentence of an event with its ``data``; one of an unknown type (a newer server's) is its type in words."""
    try:
        sentence = EventType(type_).sentence
    except ValueError:
        return type_.replace("_", " ")
    return sentence.format_map(defaultdict(str, data))
