"""The tables. One description for every database; migrations build the same (a test compares them).

``queue_entries`` repeats what the scheduler counts by (user, organisation, provider, resources), so that counting
what runs reads one small index. ``lanes`` summarises the entries that could run now, one row for each kind of entry,
kept in the same transaction as the entries themselves: the scheduler reads lanes, never the queue.
"""

from __future__ import annotations

from actors.store.schema.jobs import LANE_KEY as LANE_KEY
from actors.store.schema.jobs import dependencies as dependencies
from actors.store.schema.jobs import ended_parents as ended_parents
from actors.store.schema.jobs import hand_over_deaths as hand_over_deaths
from actors.store.schema.jobs import jobs as jobs
from actors.store.schema.jobs import lanes as lanes
from actors.store.schema.jobs import queue_entries as queue_entries
from actors.store.schema.jobs import removed_jobs as removed_jobs
from actors.store.schema.jobs import series as series
from actors.store.schema.jobs import submissions as submissions
from actors.store.schema.jobs import submitters as submitters
from actors.store.schema.metadata import metadata as metadata
from actors.store.schema.people import access_tokens as access_tokens
from actors.store.schema.people import approval_rules as approval_rules
from actors.store.schema.people import approvals as approvals
from actors.store.schema.people import notification_groups as notification_groups
from actors.store.schema.people import notification_targets as notification_targets
from actors.store.schema.people import notifications as notifications
from actors.store.schema.people import web_sessions as web_sessions
from actors.store.schema.runtime import counters as counters
from actors.store.schema.runtime import events as events
from actors.store.schema.runtime import idempotency_keys as idempotency_keys
from actors.store.schema.runtime import provider_gates as provider_gates
from actors.store.schema.runtime import settings as settings
from actors.store.schema.runtime import status_counts as status_counts
from actors.store.schema.runtime import webhook_deliveries as webhook_deliveries
