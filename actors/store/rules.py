"""Rows of approval rules: what was made, replaced or removed at run time, beside what is configured."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs
from sqlalchemy import Connection, select

from actors.jobs.records import ApprovalRule
from actors.store.dialect import upsert
from actors.store.schema import approval_rules

_ALL = select(approval_rules).order_by(approval_rules.c.rule_id)


@attrs.frozen
class StoredRule:
    """What stands in the place of rule ``rule_id``; ``rule`` None: it was removed."""

    rule_id: int
    rule: ApprovalRule | None
    changed_at: datetime
    changed_by: str | None


def stored(connection: Connection) -> dict[int, StoredRule]:
    """All of them, by id."""
    return {
        row.rule_id: StoredRule(row.rule_id, _rule(row.rule_id, row.rule), row.changed_at, row.changed_by)
        for row in connection.execute(_ALL)
    }


def put(connection: Connection, one: StoredRule) -> None:
    """Write what stands there from now on."""
    values = attrs.asdict(one, recurse=False) | {"rule": None if one.rule is None else _document(one.rule)}
    connection.execute(upsert(approval_rules, ("rule_id",), values))


def _document(rule: ApprovalRule) -> dict[str, Any]:
    return {name: value for name, value in attrs.asdict(rule).items() if name != "rule_id"}


def _rule(rule_id: int, document: Mapping[str, Any] | None) -> ApprovalRule | None:
    if document is None:
        return None
    return ApprovalRule(**{**document, "exempt_levels": tuple(document["exempt_levels"]), "rule_id": rule_id})
