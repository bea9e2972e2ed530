"""Operations on approval rules that add to those of the configuration (B19)."""

from __future__ import annotations

from actors.control.context import Subject
from actors.jobs.records import ApprovalRule
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.views import DryRun, RuleView
from actors.ledger import rules


class Rules(Subject):
    """The approval rules of one runtime. Changes apply from the next submission on, also after a restart."""

    async def all(self) -> list[RuleView]:
        """Every rule in effect, in the order in which rules are tried."""
        return await self._ledger.read(rules.rules_now, self._ledger.configured_rules)

    async def get(self, rule_id: int) -> RuleView:
        """One rule. Raises :class:`Refused` if there is none of this id."""
        for view in await self.all():
            if view.rule.rule_id == rule_id:
                return view
        raise Refused(f"there is no approval rule {rule_id}", RefusalKind.NOT_FOUND)

    async def add(self, rule: ApprovalRule, *, by: str | None = None) -> RuleView:
        """Add a rule under a new id; its own ``rule_id`` is ignored."""
        configured = self._ledger.configured_rules
        return await self._ledger.write(rules.add_rule, self._checked(rule), configured=configured, by=by)

    async def replace(self, rule: ApprovalRule, *, by: str | None = None) -> RuleView:
        """Replace the rule that has the id of ``rule``, also a configured one."""
        configured = self._ledger.configured_rules
        return await self._ledger.write(rules.replace_rule, self._checked(rule), configured=configured, by=by)

    async def remove(self, rule_id: int, *, by: str | None = None) -> None:
        """Remove a rule, also a configured one. Requests that it caused are not changed."""
        configured = self._ledger.configured_rules
        await self._ledger.write(rules.remove_rule, rule_id, configured=configured, by=by)

    async def dry_run(self, rule: ApprovalRule, *, last: int = 100) -> DryRun:
        """Which of the ``last`` jobs ``rule`` would have held back."""
        return await self._ledger.read(rules.dry_run, self._checked(rule), last)

    def _checked(self, rule: ApprovalRule) -> ApprovalRule:
        """Return ``rule`` if the providers that it names exist. Raises :class:`Refused`."""
        named = {"applies_to_provider": rule.applies_to_provider}
        if rule.condition == "provider":
            named["value"] = None if rule.value is None else str(rule.value)
        for field, name in named.items():
            if name is not None:
                try:
                    self._context.provider(name)
                except Refused as error:
                    raise Refused(f"{field}: {error}", RefusalKind.INVALID, field) from None
        return rule
