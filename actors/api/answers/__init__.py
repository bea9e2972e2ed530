"""What answers hold, as types: :mod:`actors.api.documents` makes them, the OpenAPI document is generated from them.

Field names are promises. Times are UTC texts with milliseconds and ``Z`` (``Moment``), money is US dollars, memory is
bytes, durations are seconds. A field that does not apply is null, never absent.
"""

from actors.api.answers.access import (
    LinkDocument,
    MadeTokenDocument,
    SessionDocument,
    TokenDocument,
    TokensDocument,
)
from actors.api.answers.approvals import (
    ApprovalDocument,
    ApprovalsDocument,
    CaughtDocument,
    DecisionDocument,
    DecisionsDocument,
    DryRunDocument,
    RuleDocument,
    RulesDocument,
)
from actors.api.answers.jobs import (
    AcceptedDocument,
    EntryDocument,
    EventDocument,
    EventsDocument,
    JobDocument,
    JobsDocument,
    LimitDocument,
    LimitsDocument,
    QueueDocument,
    QueueStatsDocument,
    ResourcesDocument,
    SubmissionDocument,
    UncertainDocument,
)
from actors.api.answers.runtime import (
    BreakerDocument,
    ConfigDocument,
    DeadLettersDocument,
    HealthDocument,
    ProviderDocument,
    ProvidersDocument,
    PruneDocument,
    QuarantineDocument,
    SettingDocument,
    TreeDocument,
)
from actors.api.answers.words import Document, FaultDocument, Moment, ProblemDocument

__all__ = [
    "AcceptedDocument",
    "ApprovalDocument",
    "ApprovalsDocument",
    "BreakerDocument",
    "CaughtDocument",
    "ConfigDocument",
    "DeadLettersDocument",
    "DecisionDocument",
    "DecisionsDocument",
    "Document",
    "DryRunDocument",
    "EntryDocument",
    "EventDocument",
    "EventsDocument",
    "FaultDocument",
    "HealthDocument",
    "JobDocument",
    "JobsDocument",
    "LimitDocument",
    "LimitsDocument",
    "LinkDocument",
    "MadeTokenDocument",
    "Moment",
    "ProblemDocument",
    "ProviderDocument",
    "ProvidersDocument",
    "PruneDocument",
    "QuarantineDocument",
    "QueueDocument",
    "QueueStatsDocument",
    "ResourcesDocument",
    "RuleDocument",
    "RulesDocument",
    "SessionDocument",
    "SettingDocument",
    "SubmissionDocument",
    "TokenDocument",
    "TokensDocument",
    "TreeDocument",
    "UncertainDocument",
]
