"""What the supervision tests share: named scripted children, and short forms of what they look at."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
import trio.testing

from supervision import ChildInfo, ChildSpec, Report, Supervisor
from supervision.testing import Act, Scripted


class Stage:
    """Children by name, with one journal; and questions about a supervisor."""

    def __init__(self) -> None:
        self.journal: list[tuple[str, str, int, float]] = []
        self.scripts: dict[str, Scripted] = {}

    def spec(self, name: str, *acts: Act, **options: object) -> ChildSpec:
        """The specification of a scripted child."""
        self.scripts[name] = Scripted(*acts, name=name, journal=self.journal)
        return ChildSpec(name, self.scripts[name], **options)

    def specs(self, names: str) -> list[ChildSpec]:
        """Children that just run, one a letter."""
        return [self.spec(name) for name in names]

    def happened(self, what: str) -> list[str]:
        """The names in the order in which they did `what`: "enter", "ready" or "end"."""
        return [name for kind, name, _, _ in self.journal if kind == what]

    def order(self) -> str:
        """Readiness as a, ends as -a, in order."""
        marks = {"ready": "", "end": "-"}
        return " ".join(marks[kind] + name for kind, name, _, _ in self.journal if kind in marks)


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def states() -> Callable[[Supervisor], dict[str, str]]:
    return lambda supervisor: {info.id: info.state for info in supervisor.children()}


@pytest.fixture
def info() -> Callable[[Supervisor, str], ChildInfo]:
    return lambda supervisor, name: next(info for info in supervisor.children() if info.id == name)


@pytest.fixture
def kinds() -> Callable[..., list[str]]:
    """Reports as "kind child", of one child where it is named."""

    def kinds_of(reports: list[Report], child: str | None = None) -> list[str]:
        return [f"{r.kind} {r.child}" if child is None else r.kind for r in reports if child in (None, r.child)]

    return kinds_of


@pytest.fixture
def settled() -> Callable[[], object]:
    """Waits until everybody else waits."""
    return trio.testing.wait_all_tasks_blocked


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The causes that tests make on purpose are no news."""
    caplog.set_level("CRITICAL", logger="supervision")
