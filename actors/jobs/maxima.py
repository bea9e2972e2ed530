"""The maxima of everything that comes from outside, each with its reason.

A maximum applies when something comes in, never when a row is read: what was stored before stays readable.
:data:`FIELDS` has the maxima of classes that are records as well, and so must not check by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping

from actors.jobs.codec import request_to_json
from actors.jobs.maximum import Bytes, Items, Maximum, Pairs, Text, Tree, json_size
from actors.jobs.records import DEFAULT_ENV_FROM, ApprovalRule, JobRequest, Rerun

NAME = 200
"""Characters of a name or an id: more is read by nobody, and every list repeats it."""
REASON = 2_000
"""Characters of a reason: a paragraph that a person reads."""
SPEC = 256 << 10
"""Bytes, as JSON, of one object that a provider or an entry point reads: large inputs are files."""
PATTERN = 1_000
"""Characters of a pattern or another value of an approval rule: a thousand rules are one answer."""
BODY = 1 << 20
"""Bytes of a request's body, and of one job request as JSON however it arrives: every job is read whole, often."""
BATCH = 16 << 20
"""Bytes of a list of jobs, as a body or as a file: what may be held in memory for one request."""
BATCH_JOBS = 10_000
"""Jobs of one request: they are written in one transaction, which everybody else's changes wait for."""
SWEEP = 128 << 20
"""Bytes of all jobs that the matrices of one request make: each is stored with its environment."""
ANSWER = 8 << 20
"""Bytes of one page of a list, as stored rows and as the answer: what may be held in memory for one reader."""
ROWS = 1_000
"""Rows of one page of a list."""
CURSOR = 1_000
"""Characters of a place in a list or in an output: ours have some 200, a provider's own are its own."""
WORDS = 10_000
"""Words of a command: more are a file."""
WORD_BYTES = (128 << 10) - 1
"""Bytes of one word of a command: Linux takes 128 KiB (MAX_ARG_STRLEN) with the NUL that ends it."""
COMMAND_BYTES = 512 << 10
"""Bytes of a command, and of an environment, in all: together well inside the 2 MiB that Linux takes by default."""
VARIABLES = 1_000
"""Variables of an environment."""
PATH = 4_095
"""Bytes of a path: Linux takes 4,096 (PATH_MAX) with the NUL."""
CHOICES = 100
"""Items of a list of names, such as levels, types or patterns of variables."""
VALUES = 50_000
"""Values (numbers, texts, lists, objects) of one request's body, and of one job of a list: each is looked at by itself,
and nobody else is served meanwhile."""
BATCH_VALUES = 20 * VALUES
"""Values of a list of jobs: a hundred for each of as many jobs as it may have."""
PARENTS = 10_000
"""Jobs that one job waits for: each is a row, and each end counts down by it."""
BATCH_PARENTS = 100_000
"""Jobs that the jobs of one submission wait for, in all: rows that are written in its transaction."""
DECISIONS = 500
"""Approval requests of one bulk decision: each is a transaction of its own."""
RULES = 1_000
"""Approval rules: each is tried for each job."""
WAITING = 20_000
"""Waiting entries of one user, unless ``queue.max_waiting_per_user`` says otherwise."""

WORD = Bytes(WORD_BYTES)
_NAME, _REASON = Text(NAME), Text(REASON)
_ENVIRONMENT = Pairs(VARIABLES, _NAME, WORD, COMMAND_BYTES)

FIELDS: Mapping[type, Mapping[str, Maximum]] = {
    JobRequest: {
        "provider": _NAME,
        "command": Items(WORDS, WORD, COMMAND_BYTES),
        "entry_point": _NAME,
        "params": Tree(SPEC),
        "cwd": Bytes(PATH),
        "env": _ENVIRONMENT,
        "env_from": Items(CHOICES, _NAME),
        "inherited_env": _ENVIRONMENT,
        "spec": Tree(SPEC),
        "user_id": _NAME,
        "org_id": _NAME,
        "team_id": _NAME,
        "user_levels": Items(CHOICES, _NAME),
        "config_name": _NAME,
        "hardware_type": _NAME,
        "idempotency_key": _NAME,
        "requires_approval": _REASON,
        "group": _NAME,
        "after": Items(BATCH_JOBS, _NAME),
        "start_after": _NAME,
        "notify": Items(CHOICES, _NAME),
        "parameters": Tree(SPEC),
        "best": Tree(SPEC),
    },
    Rerun: {"on": Items(CHOICES), "exit_codes": Items(CHOICES)},
    ApprovalRule: {
        "name": _NAME,
        "condition": _NAME,
        "value": Text(PATTERN),
        "applies_to_provider": _NAME,
        "applies_to_level": _NAME,
        "exempt_levels": Items(CHOICES, _NAME),
        "required_approver_level": _NAME,
    },
}
"""By class and field. Numbers, switches and enumerations are bounded by their types; every other field stands here."""

SAID: Mapping[str, Maximum] = {"by": _NAME, "reason": _REASON, "handle": Tree(SPEC)}
"""What a person gives with a change: their name, the reason, and the handle of a job that a provider has."""


def fault_of(record: JobRequest | ApprovalRule, encoded: bytes | None = None) -> tuple[str, str] | None:
    """The first field of ``record`` that is above its maximum, and what is wrong with it; None: there is none.

    Without a field where it is the whole that is too large. ``encoded``: a job request as JSON, if it is at hand.
    """
    for name, maximum in FIELDS[type(record)].items():
        value = getattr(record, name)
        is_small = not value or value is DEFAULT_ENV_FROM
        if not is_small and (fault := maximum.fault(value)) is not None:
            return name, fault
    if isinstance(record, JobRequest):
        size = len(encoded) if encoded is not None else json_size(request_to_json(record)) or 0
        if size > BODY:
            return "", f"a job must be at most {BODY} bytes in all, not {size}; put what is large into files"
    return None
