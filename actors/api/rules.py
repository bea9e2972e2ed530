"""Routes about approval rules: those that hold, changing them, and what one would have done with the last jobs."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from actors.api.bodies import Rule, TryRuleRequest
from actors.api.request_context import Answer, answer
from actors.api.route import Call, Nothing, route
from actors.documents.rules import DryRunDocument, RuleDocument, RulesDocument, dry_run_document, rule_document


async def listing(call: Call[Nothing, Nothing]) -> Answer[RulesDocument]:
    """The rules in the order in which they are tried: the first that holds decides."""
    return answer({"rules": [rule_document(view) for view in await call.reading.rules.all()]})


async def showing(call: Call[Nothing, Nothing]) -> Answer[RuleDocument]:
    """One rule."""
    return answer(rule_document(await call.reading.rules.get(_id(call))))


async def add(call: Call[Rule, Nothing]) -> Answer[RuleDocument]:
    """Make a rule; it holds for the next submission and after a restart."""
    made = await call.runtime.rules.add(call.body.with_id(), by=call.by)
    return answer(rule_document(made), HTTPStatus.CREATED)


async def replace(call: Call[Rule, Nothing]) -> Answer[RuleDocument]:
    """Put another rule in the place of one, a configured one too: that holds again when it is put back."""
    return answer(rule_document(await call.runtime.rules.replace(call.body.with_id(_id(call)), by=call.by)))


async def remove(call: Call[Nothing, Nothing]) -> Response:
    """Remove a rule, a configured one too. Requests that it caused stay as they are."""
    await call.runtime.rules.remove(_id(call), by=call.by)
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def dry_run(call: Call[TryRuleRequest, Nothing]) -> Answer[DryRunDocument]:
    """Which of the last jobs a rule would have held back. Nothing is changed."""
    return answer(dry_run_document(await call.reading.rules.dry_run(call.body.rule.with_id(), last=call.body.last)))


def _id(call: Call[Any, Any]) -> int:
    return int(call.request.path_params["rule_id"])


ROUTES = [
    route("GET", "/api/approvals/rules", listing),
    route("POST", "/api/approvals/rules", add, status=HTTPStatus.CREATED),
    route("POST", "/api/approvals/rules/dry-run", dry_run),
    route("GET", "/api/approvals/rules/{rule_id:int}", showing),
    route("PUT", "/api/approvals/rules/{rule_id:int}", replace),
    route("DELETE", "/api/approvals/rules/{rule_id:int}", remove, status=HTTPStatus.NO_CONTENT),
]
