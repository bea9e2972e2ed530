"""Random trees, random faults, random management: what holds whatever happens."""

import importlib.util
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from supervision import ChildStartError, RestartIntensityReached

HERE = Path(__file__).parent
END = 30.0712  # no delay in the tree adds up to this: what happens at the end happens after the cancellation


def load():
    spec = importlib.util.spec_from_file_location("random_tree", HERE / "random_tree.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


random_tree = load()
ENDED = {"stopped", "shutdown_error", "exit", "start_failed"}


# no shrinking: a run that fails is short already, and shrinking would take minutes
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(source=st.randoms(use_true_random=False), seed=st.integers(0, 2**32))
def test_what_holds_for_any_tree(source, seed):
    check(source, seed)


def check(source, seed):
    supervisor, reports, raised = random_tree.play(source, seed, END)
    assert all(script.most_alive <= 1 for script in random_tree.SCRIPTS), "two incarnations were alive"
    assert all(script.alive == 0 for script in random_tree.SCRIPTS), "a child was left behind"
    assert all(info.state in ("stopped", "finished", "parked") for info in supervisor.children())
    for report in reports:
        name = report.supervisor.rsplit("/", 1)[-1]
        assert report.budget_used <= random_tree.LIMITS[name], "the budget was exceeded"
    nothing_starts_once_stopping_began(reports)
    the_end_is_in_reverse([report for report in reports if report.supervisor == "top"])
    announced(reports, raised)


def nothing_starts_once_stopping_began(reports):
    closed = set()
    for report in reports:
        inner = f"{report.supervisor}/{report.child}"
        if report.kind == "start":
            assert report.supervisor not in closed, report
            assert not (report.supervisor == "top" and report.at >= END), report
            closed = {path for path in closed if path != inner and not path.startswith(f"{inner}/")}
        elif report.kind == "stopping":
            closed.add(inner)
        elif report.kind == "give_up" and report.child not in random_tree.PARKS:
            closed.add(report.supervisor)


def the_end_is_in_reverse(reports):
    entered = {}
    for number, report in enumerate(reports):
        if report.kind == "start" and report.incarnation == 1:
            entered[report.child] = number
    last = [report for report in reports if report.at >= END]
    asked = [entered[report.child] for report in last if report.kind == "stopping"]
    assert asked == sorted(asked, reverse=True)
    waiting = None
    for report in last:
        if report.kind == "stopping":
            assert waiting is None, f"{report.child} was asked while {waiting} was still there"
            waiting = report.child
        elif report.child == waiting and report.kind in ENDED:
            waiting = None


def announced(reports, raised):
    if raised is None:
        return
    kind = {ChildStartError: "start_failed", RestartIntensityReached: "give_up"}[type(raised)]
    assert any(r.supervisor == "top" and r.kind == kind and r.child == raised.child for r in reports)
