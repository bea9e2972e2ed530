"""What people ask about approval rules, beside what configuration says (B19)."""

from __future__ import annotations

from actors.control.operations import Operations
from actors.jobs.records import ApprovalRule
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.views import DryRun, RuleView
from actors.ledger import rules


class Ruling(Operations):
    """The operations of :class:`actors.control.control.Runtime` on rules. A change holds for the next submission."""

    async def rules(self) -> list[RuleView]:
        """Every rule that holds, in the order in which rules are tried."""
        return await self.ledger.read(rules.rules_now, self.ledger.configured_rules)

    async def rule(self, rule_id: int) -> RuleView:
        """One of them."""
        for view in await self.rules():
            if view.rule.rule_id == rule_id:
                return view
        raise Refused(f"there is no approval rule {rule_id}", RefusalKind.NOT_FOUND)

    async def add_rule(self, rule: ApprovalRule, *, by: str | None = None) -> RuleView:
        """Make a rule; its own ``rule_id`` counts for nothing."""
        return await self.ledger.write(
            rules.add_rule, self._judged(rule), configured=self.ledger.configured_rules, by=by
        )

    async def replace_rule(self, rule: ApprovalRule, *, by: str | None = None) -> RuleView:
        """Put ``rule`` in the place of the one of its id."""
        return await self.ledger.write(
            rules.replace_rule, self._judged(rule), configured=self.ledger.configured_rules, by=by
        )

    async def remove_rule(self, rule_id: int, *, by: str | None = None) -> None:
        """Remove a rule. Requests that it caused stay as they are."""
        await self.ledger.write(rules.remove_rule, rule_id, configured=self.ledger.configured_rules, by=by)

    async def try_rule(self, rule: ApprovalRule, *, last: int = 100) -> DryRun:
        """Which of the ``last`` jobs ``rule`` would have held back."""
        return await self.ledger.read(rules.dry_run, self._judged(rule), last)

    def _judged(self, rule: ApprovalRule) -> ApprovalRule:
        """``rule``, if the providers that it names are there."""
        named = {"applies_to_provider": rule.applies_to_provider}
        if rule.condition == "provider":
            named["value"] = None if rule.value is None else str(rule.value)
        for field, name in named.items():
            if name is not None:
                try:
                    self._known(name)
                except Refused as error:
                    raise Refused(f"{field}: {error}", RefusalKind.INVALID, field) from None
        return rule
