"""One browser and one supervisor for all tests of the dashboard.

What needs playwright is imported where it is used: without it the tests are skipped, and collected all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.api.supervised import Served, serving

if TYPE_CHECKING:
    from tests.browser.stage import Browser, Page, Stage


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    from tests.browser.stage import Stage

    return Stage.set_up(tmp_path_factory.mktemp("stage"))


@pytest.fixture
def stage_of_its_own(tmp_path: Path) -> Stage:
    """For supervisors that a test ends."""
    from tests.browser.stage import Stage

    return Stage.set_up(tmp_path)


@pytest.fixture(scope="package")
def served(stage: Stage) -> Iterator[Served]:
    with serving(stage.config, stage.state, 3600) as served:  # the whole run may lie between two tests of the page
        yield served


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    from tests.browser.stage import chromium

    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, served: Served, stage: Stage) -> Iterator[Page]:
    """A page on which the operator is signed in."""
    from tests.browser.stage import page_of

    with page_of(browser) as page:
        page.goto(stage.link())
        page.get_by_role("navigation").wait_for()
        yield page
