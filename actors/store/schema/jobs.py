"""Tables of jobs: what was asked, the queue and its lanes, what was handed over, what waits for what, series."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from actors.store.derived import ENDED_NOT_INDEXED
from actors.store.dialect import partial_index
from actors.store.schema.metadata import metadata
from actors.store.types import BigId, JSONText, UTCDateTime

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("correlation_id", String(128), nullable=False),
    Column("request", JSONText, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("updated_at", UTCDateTime, nullable=False),
    Column("started_at", UTCDateTime),
    Column("completed_at", UTCDateTime),
    Column("cost_usd", Float),
    Column("error_message", Text),
    Column("output_url", Text),
    Column("exit_code", Integer),
    Column("progress", JSONText),
    Column("result", JSONText),
    Column("cancel_requested_at", UTCDateTime),
    Column("cancel_requested_by", String(255)),
    Column("uncertain_since", UTCDateTime),
    Column("uncertain_reason", Text),
    Column("retry_of", String(64)),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("signal", Integer),
    Column("text_place", BigId),  # its row in the text index; none: the text is not in it (text_search.py)
    Column("config_name", String(255)),  # copied from the request, to find jobs by it
    Column("group_name", String(255)),  # copied from the request
    Column("waiting_reason", Text),  # why its provider lets it wait, in the provider's words
    Column("devices", JSONText),  # what its provider reported that it got
    Column("pace", JSONText),  # (time, step) pairs of its progress, from which its end is estimated
    Index("jobs_by_status", "status", "job_id"),
    Index("jobs_by_user", "user_id", "status", "job_id", "created_at"),
    Index("jobs_by_provider", "provider", "status", "job_id"),
    partial_index("jobs_by_name", "config_name", "user_id", "job_id", where="config_name IS NOT NULL"),
    partial_index("jobs_by_group", "group_name", "user_id", "status", "job_id", where="group_name IS NOT NULL"),
    partial_index("jobs_by_start", "started_at", "job_id", where="started_at IS NOT NULL"),
    partial_index("jobs_by_end", "completed_at", "job_id", where="completed_at IS NOT NULL"),
    partial_index("jobs_by_retry", "retry_of", "job_id", where="retry_of IS NOT NULL"),
    partial_index("jobs_uncertain", "job_id", where="uncertain_since IS NOT NULL"),
    partial_index("jobs_by_text_place", "text_place", unique=True, where="text_place IS NOT NULL"),
    partial_index("jobs_not_in_text_index", "text_place", "job_id", where=ENDED_NOT_INDEXED),
)

queue_entries = Table(
    "queue_entries",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("org_id", String(255), nullable=False, server_default=""),
    Column("team_id", String(255), nullable=False, server_default=""),
    Column("provider", String(64), nullable=False),
    Column("cpus", Integer, nullable=False),
    Column("gpus", Integer, nullable=False),
    Column("memory", BigId, nullable=False, server_default="0"),
    Column("base_priority", Integer, nullable=False),
    Column("priority_override", Integer),
    Column("lane_id", BigId),
    Column("queued_at", UTCDateTime, nullable=False),
    Column("queued_seq", BigId, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("max_attempts", Integer, nullable=False),
    Column("not_before", UTCDateTime),
    Column("started_at", UTCDateTime),
    Column("completed_at", UTCDateTime),
    Column("error_message", Text),
    Column("wait_seconds", Float),  # how long the wait is that ends at not_before
    Column("start_after", UTCDateTime),  # none: it has passed, or nothing was asked
    Column("start_wait_seconds", Float),  # how long the wait is that ends at start_after; none: an instant was asked
    Column("unfinished_parents", Integer, nullable=False, server_default="0"),
    Column("is_awaited", Boolean, nullable=False, server_default="0"),  # a job waits for its end
    Column("max_runtime", Float),
    Column("reruns", Integer, nullable=False, server_default="0"),
    Column("run_first_attempt", Integer, nullable=False, server_default="0"),
    Column("restored", String(16)),  # what a restore from a backup left to be found out; none: nothing
    partial_index("entries_ready", "lane_id", "queued_at", "queued_seq", where="lane_id IS NOT NULL"),
    partial_index("entries_deferred", "not_before", where="not_before IS NOT NULL"),
    partial_index("entries_later", "start_after", where="start_after IS NOT NULL"),
    partial_index("entries_held", "user_id", "unfinished_parents", where="status = 'pending' AND lane_id IS NULL"),
    partial_index("entries_restored", "restored", "provider", "job_id", where="restored IS NOT NULL"),
    partial_index("entries_by_organisation", "org_id", "job_id", where="org_id != ''"),
    partial_index("entries_running", "status", where="status = 'running'"),
    partial_index("entries_waiting", "queued_at", where="status IN ('pending','blocked')"),
    partial_index("entries_waiting_by_user", "user_id", "status", where="status IN ('pending','blocked')"),
)

LANE_KEY = ("user_id", "org_id", "team_id", "provider", "cpus", "gpus", "memory", "base_priority", "override")

lanes = Table(
    "lanes",
    metadata,
    Column("lane_id", BigId, primary_key=True, autoincrement=True),
    Column("user_id", String(255), nullable=False),
    Column("org_id", String(255), nullable=False),
    Column("team_id", String(255), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("cpus", Integer, nullable=False),
    Column("gpus", Integer, nullable=False),
    Column("memory", BigId, nullable=False),
    Column("base_priority", Integer, nullable=False),
    Column("override", Integer, nullable=False),  # -1: none, since NULLs are distinct in a unique key
    Column("count", Integer, nullable=False),
    Column("head_job_id", String(64), nullable=False),
    Column("head_queued_at", UTCDateTime, nullable=False),
    Column("head_queued_seq", BigId, nullable=False),
    Column("blocked_since", UTCDateTime),
    Column("tag", BigId),  # names what the row holds; none: it must be read
    Column("head_max_runtime", Float),
    UniqueConstraint(*LANE_KEY, name="lanes_key"),
)

submissions = Table(
    "submissions",
    metadata,
    Column("key", String(80), primary_key=True),
    Column("job_id", String(64), nullable=False),
    Column("token", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("intent_at", UTCDateTime, nullable=False),
    Column("handed_at", UTCDateTime),
    Column("handle", JSONText),
    Column("error", Text),
    Column("spends_attempt", Boolean, nullable=False, server_default="0"),
    Column("closed_at", UTCDateTime),
    Column("outcome", JSONText),  # how the attempt ended
    Index("submissions_by_job", "job_id", "intent_at"),
    partial_index("submissions_open", "state", where="state != 'closed'"),
)

hand_over_deaths = Table(
    "hand_over_deaths",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("deaths", Integer, nullable=False),
)

dependencies = Table(
    "dependencies",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("parent_id", String(64), primary_key=True),
    Column("parent_name", String(255)),
    Column("parent_status", String(16)),  # none: it has not ended, or the end has not been passed on yet
    Column("parent_completed_at", UTCDateTime),
    Column("broke", Boolean, nullable=False, server_default="0"),  # this parent's end cancelled the job
    Index("dependencies_by_parent", "parent_id", "job_id"),
    partial_index("dependencies_open", "parent_id", "job_id", where="parent_status IS NULL"),
)

ended_parents = Table(
    "ended_parents",
    metadata,
    Column("parent_id", String(64), primary_key=True),  # its end is still to be passed on to jobs that wait for it
    Column("ended_at", UTCDateTime, nullable=False),
    Index("ended_parents_by_end", "ended_at", "parent_id"),
)

submitters = Table(  # users of removed jobs: none of their later jobs is their first one
    "submitters",
    metadata,
    Column("user_id", String(255), primary_key=True),
)

removed_jobs = Table(  # those of the last day, which still count as submitted
    "removed_jobs",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("user_id", String(255), nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Index("removed_jobs_by_user", "user_id", "created_at"),
    Index("removed_jobs_by_age", "created_at"),
)

series = Table(
    "series",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("attempt", Integer, primary_key=True),  # the number of the submission whose progress it is, from 1
    Column("name", String(255), primary_key=True),
    Column("last", Float),  # the values of the summary's last, low and high, if they are finite
    Column("low", Float),
    Column("high", Float),
    Column("summary", JSONText, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("updated_at", UTCDateTime, nullable=False),
    Column("points", LargeBinary, nullable=False),
    Index("series_ends", "job_id", "attempt", "name", "last", "low", "high"),  # a comparison reads nothing else
)
