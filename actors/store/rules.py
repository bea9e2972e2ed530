"""Rows of approval rules: what was made, replaced or removed at run time, beside what is configured."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs
from sqlalchemy import Connection, select

from actors.jobs.records import ApprovalRule
from actors.store import remembered
from actors.store.dialect import upsert
from actors.store.prepared import Prepared
from actors.store.rows import read_all
from actors.store.schema import approval_rules

_ALL = Prepared(select(approval_rules).order_by(approval_rules.c.rule_id))


@attrs.frozen
class StoredRule:
    """What stands in the place of rule ``rule_id``; ``rule`` None: it was removed.

    ``overrides``: the configured rule of this id when that was decided; None: there was none, or it is not known.
    """

    rule_id: int
    rule: ApprovalRule | None
    changed_at: datetime
    changed_by: str | None
    overrides: ApprovalRule | None = None

    def is_for(self, configured: ApprovalRule) -> bool:
        """Return whether it was made for this rule, and not for another one that had the id in an older file."""
        return self.overrides is None or attrs.evolve(self.overrides, rule_id=configured.rule_id) == configured


def stored(connection: Connection) -> Mapping[int, StoredRule]:
    """All of them, by id."""
    return remembered.read(connection, "rules", lambda: _stored(connection))


def _stored(connection: Connection) -> Mapping[int, StoredRule]:
    return {
        one.rule_id: attrs.evolve(one, rule=one.rule and attrs.evolve(one.rule, rule_id=one.rule_id))
        for one in read_all(StoredRule, _ALL.dicts(connection))
    }


def put(connection: Connection, one: StoredRule) -> None:
    """Write what stands there from now on."""
    documents = {name: _document(getattr(one, name)) for name in ("rule", "overrides")}
    values = attrs.asdict(one, recurse=False) | documents
    connection.execute(upsert(approval_rules, ("rule_id",), values))
    remembered.changed(connection)


def _document(rule: ApprovalRule | None) -> dict[str, Any] | None:
    if rule is None:
        return None
    return {name: value for name, value in attrs.asdict(rule).items() if name != "rule_id"}
