"""A group's page: jobs side by side, and what is drawn of them."""

from __future__ import annotations

import csv
import io
import re

import pytest

from tests.api.supervised import ROOT, Served
from tests.browser.stage import Browser, Page, Stage, at, expect, inked, marks, page_of, row

pytestmark = marks
NAMES = ["of-rate-0.05", "of-rate-0.2", "of-rate-20"]


@pytest.fixture(scope="module")
def sweep(stage: Stage, served: Served) -> str:
    """Where the group of three real trainings is, of which one diverges."""
    command = ["python", "train.py", "--lr", "{lr}", "--epochs", "4"]
    stage.submit(
        "of-rate-{lr}", provider="local", spec=None, command=command, cwd=str(ROOT / "examples/train"), group="rates/1",
        matrix={"lr": ["0.05", "0.2", "20"]},
    )  # fmt: skip
    return "group/rates%2F1?user=ana"


@pytest.fixture
def group(page: Page, served: Served, sweep: str) -> Page:
    """The page of the group, once all of it has ended."""
    page.goto(at(served, sweep))
    for name, status in zip(NAMES, ("completed", "completed", "failed"), strict=True):
        expect(row(page, name)).to_contain_text(status)
    return page


def order(page: Page) -> list[str]:
    return page.locator("table.group tbody th").all_inner_texts()


def test_parameters_and_metrics_are_sorted_filtered_and_the_best_is_marked(group: Page) -> None:
    """At first the best is on top; a click on a column sorts by it, another one turns that round."""
    best = group.locator("table.group td.best")
    expect(best.first).to_contain_text("(the best)")
    expect(row(group, "of-rate-0.2").locator("td.best").first).to_be_visible()
    rate = group.get_by_role("columnheader", name="lr")
    rate.get_by_role("button").click()
    expect(rate).to_have_attribute("aria-sort", "ascending")
    assert order(group) == NAMES
    rate.get_by_role("button").click()
    expect(rate).to_have_attribute("aria-sort", "descending")
    assert order(group) == NAMES[::-1]
    group.get_by_label("Filter").fill("failed")
    expect(group.locator("table.group tbody tr")).to_have_count(1)
    expect(group.locator("caption").first).to_contain_text("1 of 3 jobs")


def test_what_is_chosen_stands_in_the_address(group: Page, browser: Browser, stage: Stage) -> None:
    """Order, filter, drawn jobs, plots: who opens the address sees the same."""
    group.get_by_role("columnheader", name="lr").get_by_role("button").click()
    group.get_by_role("columnheader", name="lr").get_by_role("button").click()
    group.get_by_label("Filter").fill("of-rate")
    group.get_by_role("checkbox", name="Draw of-rate-0.05").uncheck()
    group.get_by_label("Series", exact=True).first.select_option("accuracy")
    group.get_by_label("Series", exact=True).last.select_option("accuracy")
    group.get_by_label("Logarithmic parameter").check()
    address = group.url
    assert "user=ana" in address
    with page_of(browser) as other:
        other.goto(stage.link())
        other.get_by_role("navigation").wait_for()
        other.goto(address)
        expect(other.get_by_role("columnheader", name="lr")).to_have_attribute("aria-sort", "descending")
        assert order(other) == NAMES[::-1]
        expect(other.get_by_label("Filter")).to_have_value("of-rate")
        expect(other.get_by_role("checkbox", name="Draw of-rate-0.05")).not_to_be_checked()
        expect(other.get_by_role("checkbox", name="Draw of-rate-0.2")).to_be_checked()
        expect(other.get_by_role("figure", name="accuracy of the chosen jobs")).to_be_visible()
        expect(other.get_by_role("figure", name="accuracy by lr")).to_be_visible()
        expect(other.get_by_label("Logarithmic parameter")).to_be_checked()


def test_curves_of_chosen_jobs_are_in_one_plot_and_a_parameter_is_drawn_against_a_metric(group: Page) -> None:
    curves = group.get_by_role("figure", name="of the chosen jobs")
    expect(curves.get_by_role("listitem")).to_have_count(2)  # what diverged at once has no curve
    inked(curves)
    group.get_by_role("checkbox", name="Draw of-rate-0.05").uncheck()
    expect(curves.get_by_role("listitem")).to_have_count(1)
    group.get_by_label("Series", exact=True).first.select_option("accuracy")
    expect(group.get_by_role("figure", name="accuracy of the chosen jobs")).to_be_visible()
    scatter = group.get_by_role("figure", name=re.compile("by lr"))
    inked(scatter)
    scatter.get_by_text("Points as a table").click()
    expect(scatter.get_by_role("row")).to_have_count(3)
    group.get_by_label("Logarithmic parameter").check()
    expect(scatter.locator("canvas")).to_be_visible()


def test_the_table_is_downloaded_as_csv(group: Page) -> None:
    with group.expect_download() as waiting:
        group.get_by_role("button", name="Download as CSV").click()
    assert waiting.value.suggested_filename == "rates_1.csv"
    found = list(csv.DictReader(io.StringIO(waiting.value.path().read_text())))
    assert sorted((one["Job"], one["State"], one["lr"]) for one in found) == [
        ("of-rate-0.05", "completed", "0.05"), ("of-rate-0.2", "completed", "0.2"), ("of-rate-20", "failed", "20"),
    ]  # fmt: skip
    assert float(next(one for one in found if one["Job"] == "of-rate-0.2")["accuracy"]) > 0


def test_a_group_is_reached_from_a_job_and_changes_as_its_jobs_do(stage: Stage, group: Page, served: Served) -> None:
    """A job that joins the group is there without a reload; an unknown group says that it is none."""
    group.get_by_role("link", name="of-rate-0.2", exact=True).click()
    group.get_by_role("main").get_by_role("link", name="rates/1").click()
    expect(group.get_by_role("heading", name="Group rates/1")).to_be_visible()
    expect(row(group, "of-rate-0.2")).to_be_visible()
    stage.submit("was-there", group="another")
    group.goto(at(served, "group/another?user=ana"))
    expect(row(group, "was-there")).to_contain_text("completed")
    stage.submit("joined", group="another")
    expect(row(group, "joined")).to_contain_text("completed")
    group.goto(at(served, "group/none-of-this-name"))
    expect(group.get_by_role("main")).to_contain_text("There are no jobs in this group.")
