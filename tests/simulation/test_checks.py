"""A checker that has an error, or is asked nothing, has checked nothing: both are violations."""

import math
from functools import cache

import pytest

from actors.scheduler import Scheduler
from actors.simulation import running, settling, simulate, turns
from actors.simulation.causes import Causes
from actors.simulation.checker import Checker
from actors.simulation.cli import Summary
from actors.simulation.replay import Replay
from actors.simulation.reruns import Attempts
from actors.simulation.rules import IN_EVERY_WORLD, MANY, NOT_ASKED, Checks, Rule, never_asked
from actors.simulation.slots import Slots
from actors.simulation.step import Step
from actors.simulation.targets import Targets
from actors.simulation.waiting import Waiting
from actors.simulation.wide import WideJobs


@pytest.mark.parametrize(
    ("owner", "check"),
    [
        (Checker, "carries"),
        (Checker, "tries"),
        (Checker, "saw"),
        (Checker, "_exceeded"),
        (Checker, "process_ended"),
        (Attempts, "accepted"),
        (WideJobs, "saw"),
        (Replay, "_take"),
        (Causes, "_holds"),
        (Waiting, "_runnable"),
        (Targets, "_received"),
    ],
    ids=lambda one: one if isinstance(one, str) else one.__name__,
)
def test_an_error_of_a_check_is_a_violation_wherever_it_happens(owner, check, monkeypatch):
    """Also inside a provider's call, a subscriber or a target, where the runtime takes any error for theirs."""

    def fails(*_):
        raise KeyError("a column that is not there")

    monkeypatch.setattr(owner, check, fails)
    outcome = simulate(2, 0.25)
    assert outcome.rule == Rule.CHECKER
    assert "KeyError: 'a column that is not there' at test_checks.py" in outcome.violation


def test_an_actor_that_is_due_again_and_again_is_a_violation_and_no_endless_world(monkeypatch):
    monkeypatch.setattr(Scheduler, "next_tick", lambda _: -math.inf)
    monkeypatch.setattr(turns, "MOST", 3_000)
    assert simulate(1, 0.25).rule == Rule.TIME_GOES_ON


def test_a_world_in_which_nothing_ran_has_checked_nothing(monkeypatch):
    monkeypatch.setattr(running, "drawn_script", lambda _seed, _hours: [])
    monkeypatch.setattr(settling, "LAST_JOB", Step(0.0, "look"))
    outcome = simulate(1, 0.25)
    assert outcome.rule == Rule.NOTHING_CHECKED
    assert "0 runs" in outcome.violation


def test_a_rule_that_a_world_never_asked_is_a_violation(monkeypatch):
    monkeypatch.setattr(Slots, "_claimed", lambda *_: None)
    outcome = simulate(1, 0.25)
    assert outcome.rule == Rule.NOTHING_CHECKED
    assert Rule.CLAIMS in outcome.violation


def test_the_beginning_of_a_script_need_not_ask_everything():
    assert simulate(1, 0.25, steps=1).violation is None


def test_many_worlds_ask_every_rule():
    assert never_asked(IN_EVERY_WORLD) == [rule for rule in Rule if rule not in IN_EVERY_WORLD | NOT_ASKED]
    outcome, summary = simulate(1, 0.25), Summary()
    for _ in range(MANY - 1):
        summary.add(outcome)
    assert summary.never_asked == []
    summary.add(outcome)
    assert summary.never_asked == never_asked(outcome.asked)
    assert summary.never_asked
    assert any(line.startswith(f"{Rule.NOTHING_CHECKED}: never asked: ") for line in summary.lines(1.0))


@cache
def worlds_that_ask():
    """For each rule a world that asks it. The first four asked all rules when this was written."""
    found = {}
    for seed in (38, 33, 8, 27, *range(1, MANY + 1)):
        for rule in simulate(seed, 0.25).asked:
            found.setdefault(rule, seed)
        if not never_asked(found):
            return found
    raise AssertionError(f"{MANY} worlds never asked {never_asked(found)}")


@pytest.mark.parts
@pytest.mark.parametrize("rule", [rule for rule in Rule if rule not in NOT_ASKED], ids=str)
def test_a_rule_whose_check_breaks_is_noticed(rule, monkeypatch):
    require = Checks.require

    def breaks(self, holds, which, message):
        if which is rule:
            raise KeyError("a column that is not there")
        require(self, holds, which, message)

    seed = worlds_that_ask()[rule]
    monkeypatch.setattr(Checks, "require", breaks)
    assert simulate(seed, 0.25).rule == Rule.CHECKER


def test_what_was_noted_is_judged_later_and_in_its_order():
    broken, seen = [], []
    checks = Checks(lambda rule, text: broken.append((rule, text)))
    checks.note(seen.append, 1)
    checks.note(checks.note, seen.append, 3)
    checks.note(seen.append, 2)
    checks.note(checks.require, False, Rule.SLOT, "not so")
    assert seen == []
    checks.check_noted()
    assert seen == [1, 2, 3]
    assert broken == [(Rule.SLOT, "not so")]
    assert checks.asked == {Rule.SLOT: 1}
