"""Every process that tests start ends with them: what is left when the run ends fails the run, and is ended then.

What a killed run leaves is ended by a process beside it.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from logconf.masking import forget_secrets
from tests import statement_plans
from tests.left_processes import Left, end, left_by, settled, watch_over

pytest_plugins = ["tests.runtime_fixtures", "tests.http_fixtures"]
"""Fixtures that several folders use."""

# How fast this machine is decides no test: neither by a deadline nor by how long it takes to make up an input.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

MARK = "PYTEST_RUN_OF_GREENROOM"
"""In the environment of whatever is started, unless that wipes it: then its directories tell whose it is."""

WATCHER = pytest.StashKey[subprocess.Popen[bytes]]()


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Mark what is started from here on; the workers of one run share its mark."""
    if not hasattr(config, "workerinput"):
        unmarked = {name: value for name, value in os.environ.items() if name != MARK}
        os.environ[MARK] = uuid.uuid4().hex
        config.stash[WATCHER] = watch_over(_marks(config), unmarked)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """After everything else, the workers' end included."""
    yield
    if hasattr(session.config, "workerinput"):
        return
    marks = _marks(session.config)
    if left := settled(lambda: left_by(marks)):
        _report(session, left)
        end(left)
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    session.config.stash[WATCHER].communicate()


@pytest.fixture(autouse=True)
def _secrets_of_one_test() -> Iterator[None]:
    """What one test registers as secret, such as the word "string", is not masked in the next."""
    yield
    forget_secrets()


@pytest.fixture(autouse=True, scope="session")
def _plans() -> Iterator[None]:
    with statement_plans.recorded():
        yield


@pytest.fixture(autouse=True)
def _no_scans() -> Iterator[None]:
    """A statement that a test has the product run finds its rows by an index, or is allowed to read them all."""
    before = len(statement_plans.statements)
    yield
    for text, plan in list(statement_plans.statements.items())[before:]:
        if found := statement_plans.scans(text, plan):
            pytest.fail(f"{text}\n{found}\nis no index used? see tests/statement_plans.py", pytrace=False)
        if found := statement_plans.unused_lists(text, plan):
            pytest.fail(f"{text}\n{plan}\nnot found by their list: {found}", pytrace=False)


def _marks(config: pytest.Config) -> tuple[bytes, bytes]:
    factory = config._tmp_path_factory  # type: ignore[attr-defined]  # the only way to it outside of tests
    return f"{MARK}={os.environ[MARK]}".encode(), os.fsencode(factory.getbasetemp()) + b"/"


def _report(session: pytest.Session, left: list[Left]) -> None:
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    reporter.section("processes that tests started and left", red=True)
    for one in left:
        reporter.line(f"{one.pid}: {one.command} (in {Path(one.folder).name or one.folder})")
