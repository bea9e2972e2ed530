"""The curves of a job: drawn as a plot, and there in words for who does not see it."""

from __future__ import annotations

import re

from tests.api.supervised import Served
from tests.browser.stage import Page, Stage, at, expect, inked, marks

pytestmark = marks


def test_a_real_training_draws_its_curves(stage: Stage, page: Page, served: Served) -> None:
    """Each series has a plot with ink on it, its values by keyboard, and a table of all points."""
    job = stage.training("curves", "--epochs", "6")
    page.goto(at(served, f"jobs/{job['job_id']}"))
    expect(page.locator(".now")).to_have_text("completed")
    loss = page.get_by_role("figure", name="loss", exact=True)
    expect(loss.locator("canvas")).to_be_visible()
    inked(loss)
    slider = loss.get_by_role("slider")
    slider.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^step 1: loss \d"))
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^step 2: loss \d"))
    loss.locator(".u-over").hover(position={"x": 2, "y": 20})
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^step 1: loss \d"))
    expect(loss.get_by_role("listitem").locator("output")).to_have_text(re.compile(r"^\d"))
    loss.get_by_text("Values as a table").click()
    expect(loss.get_by_role("row")).to_have_count(7)
    expect(page.get_by_role("table", name="Last, least")).to_contain_text("at 6")
    page.get_by_label("One plot for all").check()
    expect(page.get_by_role("figure")).to_have_count(1)
    expect(page.get_by_role("figure").get_by_role("listitem")).to_have_count(3)
