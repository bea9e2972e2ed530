"""One browser and one supervisor for all tests of the dashboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.api.supervised import Served, serving
from tests.browser.stage import Stage, chromium, page_of


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage.set_up(tmp_path_factory.mktemp("stage"))


@pytest.fixture
def stage_of_its_own(tmp_path: Path) -> Stage:
    """For supervisors that a test ends."""
    return Stage.set_up(tmp_path)


@pytest.fixture(scope="package")
def served(stage: Stage) -> Iterator[Served]:
    with serving(stage.config, stage.state, 300) as served:
        yield served


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, served: Served, stage: Stage) -> Iterator[Page]:
    """A page on which the operator is signed in."""
    with page_of(browser) as page:
        page.goto(stage.link())
        page.get_by_role("navigation").wait_for()
        yield page
