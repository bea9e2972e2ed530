"""Routes about approval rules: list and change them, and try one on the last jobs."""

from __future__ import annotations

from typing import Any

import attrs

from actors.access.permission import ADMIN, LEAD
from actors.api.bodies import TryRuleRequest
from actors.api.route import Call, Nothing, route
from actors.documents.rules import RuleDocument, RulesDocument, rule_document
from actors.jobs.records import ApprovalRule
from actors.jobs.views import DryRun


async def listing(call: Call[Nothing, Nothing]) -> RulesDocument:
    """List the rules in the order in which they are tried; the first one that applies decides."""
    return {"rules": [rule_document(view) for view in await call.reading.rules.all()]}


async def showing(call: Call[Nothing, Nothing]) -> RuleDocument:
    """Show one rule."""
    return rule_document(await call.reading.rules.get(_id(call)))


async def add(call: Call[ApprovalRule, Nothing]) -> RuleDocument:
    """Add a rule; it applies from the next submission on, also after a restart."""
    return rule_document(await call.runtime.rules.add(call.body, by=call.by))


async def replace(call: Call[ApprovalRule, Nothing]) -> RuleDocument:
    """Replace a rule, also a configured one."""
    return rule_document(await call.runtime.rules.replace(attrs.evolve(call.body, rule_id=_id(call)), by=call.by))


async def remove(call: Call[Nothing, Nothing]) -> None:
    """Remove a rule, also a configured one. Requests that it caused are not changed."""
    await call.runtime.rules.remove(_id(call), by=call.by)


async def dry_run(call: Call[TryRuleRequest, Nothing]) -> DryRun:
    """Show which of the last jobs a rule would have held back. Nothing is changed."""
    return await call.reading.rules.dry_run(call.body.rule, last=call.body.last)


def _id(call: Call[Any, Any]) -> int:
    return int(call.request.path_params["rule_id"])


ROUTES = [
    route("GET", "/api/approvals/rules", listing, LEAD),
    route("POST", "/api/approvals/rules", add, ADMIN, status=201),
    route("POST", "/api/approvals/rules/dry-run", dry_run, LEAD),
    route("GET", "/api/approvals/rules/{rule_id:int}", showing, LEAD),
    route("PUT", "/api/approvals/rules/{rule_id:int}", replace, ADMIN),
    route("DELETE", "/api/approvals/rules/{rule_id:int}", remove, ADMIN, status=204),
]
