"""Each page on a phone and on a desk: axe-core finds nothing in either scheme, and nothing scrolls sideways."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.supervised import ROOT, Served
from tests.browser.stage import Browser, Page, Stage, at, expect, marks, page_of

pytestmark = marks
AXE = Path(os.environ.get("GREENROOM_TEST_AXE", ""))
WIDTHS = (360, 390, 1280)
LONG = "a-name-without-any-place-to-break-it-" * 5
ALIKE = """() => {
  const colour = (node, name) => getComputedStyle(node).getPropertyValue(name);
  const found = [];
  for (const bar of document.querySelectorAll("svg.gauge, svg.slots")) {
    const [one, other] = [".part, .taken", ".whole, .free"].map((part) => bar.querySelector(part));
    if (one && other && colour(one, "fill") === colour(other, "fill")) found.push(bar.outerHTML.slice(0, 200));
  }
  const links = [...document.querySelectorAll("nav:not([hidden]) a")];
  const current = links.find((link) => link.hasAttribute("aria-current"));
  for (const link of links) {
    if (current && link !== current && colour(link, "border-bottom-color") === colour(current, "border-bottom-color")) {
      found.push(link.textContent);
    }
  }
  return found;
}"""
"""What looks alike and is not: parts of bars, the page that is shown among the links."""
FOUND = """async (options) => {
  const { violations, passes } = await axe.run(options);
  const found = violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html.slice(0, 200))]);
  return [found, passes.length];
}"""


@pytest.fixture(scope="module")
def places(stage: Stage, served: Served) -> Iterator[dict[str, str]]:
    """By the name of each page: where it is, with something on it. A sweep, a failure, an approval, one that waits."""
    parameters = {"lr": ["0.1", "20"], "hidden": ["4"]}
    command = ["python", "train.py", "--lr", "{lr}", "--hidden", "{hidden}", "--epochs", "3"]
    sweep = stage.submit(
        "run-{lr}", provider="local", spec=None, command=command, cwd=str(ROOT / "examples/train"), group="sweep",
        matrix=parameters,
    )  # fmt: skip
    waiting = stage.submit("later", after=[sweep[0]["job_id"]], start_after="+2h", requires_approval=LONG)
    stage.submit(LONG[:200], org_id=LONG[:200], spec={"duration": 600, "progress": 5})
    job = sweep[0]["job_id"]
    yield {
        "jobs": "jobs", "a job": f"jobs/{job}", "one that waits": f"jobs/{waiting['job_id']}", "queue": "queue",
        "devices": "devices", "submit": "submit?entry_point=training", "again": f"submit?again={job}",
        "group": "group/sweep?user=ana", "approvals": "approvals", "events": "events", "actors": "actors",
        "health": "health", "signed out": "", "reference": "/api/reference",
    }  # fmt: skip
    stage.cancel_all()


def shown(page: Page, name: str) -> None:
    """Wait until the page has what it is for."""
    main = page.get_by_role("main")
    if name in ("a job", "group"):
        expect(main.locator("canvas").first).to_be_visible()
    elif name in ("jobs", "one that waits"):
        expect(main.get_by_role("link", name="run-0.1", exact=True)).to_be_visible()
    elif name == "queue":
        expect(main.get_by_role("meter").first).to_be_visible()
    elif name == "submit":
        sweep_and_fault(main)
    elif name == "again":
        expect(main.get_by_role("region", name="Line for a shell")).to_be_visible()
    elif name == "devices":
        expect(main.get_by_role("img", name="of 4 CPU slots are taken")).to_be_visible()
    elif name == "approvals":
        expect(main.get_by_role("button", name="Approve later")).to_be_visible()
        main.get_by_role("checkbox", name="Select later").check()
    elif name == "actors":
        expect(main.get_by_text("scheduler")).to_be_visible()
    elif name == "health":
        expect(main.get_by_role("heading", name="local")).to_be_visible()


def sweep_and_fault(main: Any) -> None:
    """The form with the values of a sweep and a refused field."""
    main.get_by_label("Several values of epochs").check()
    main.get_by_label("Values of epochs, one a line").fill("1..3")
    main.get_by_label("tag", exact=True).fill(f"{LONG};")
    main.get_by_role("button", name="Submit").click()
    expect(main.get_by_label("tag", exact=True)).to_have_attribute("aria-invalid", "true")


def go(page: Page, served: Served, name: str, place: str) -> None:
    """Show one page; the one for signing in without the cookie of the session."""
    cookies = page.context.cookies()
    if name == "signed out":
        page.context.clear_cookies()
        page.goto(at(served, "health"))
        page.reload()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        page.context.add_cookies(cookies)  # type: ignore[arg-type]
    elif place.startswith("/"):
        page.goto(served.address + place)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    else:
        page.goto(at(served, place))
        page.get_by_role("navigation").wait_for()
        shown(page, name)


def open_everything(page: Page) -> None:
    """What is folded can be wide, too."""
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    page.evaluate("for (const one of document.querySelectorAll('button.value')) one.click()")  # fields in place


def test_nothing_scrolls_sideways(page: Page, served: Served, places: dict[str, str]) -> None:
    """Long names, open tables and plots included."""
    wide = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        for name, place in places.items():
            go(page, served, name, place)
            open_everything(page)
            found = page.evaluate("document.documentElement.scrollWidth")
            if found > width:
                wide[name, width] = found
    assert wide == {}


def test_forced_colours_and_reduced_motion(
    browser: Browser, stage: Stage, served: Served, places: dict[str, str]
) -> None:
    """Nothing moves by itself; what colour alone would tell apart differs in the system's colours, too."""
    with page_of(browser, forced_colors="active", reduced_motion="reduce") as page:
        page.goto(stage.link())
        page.get_by_role("navigation").wait_for()
        for name, place in places.items():
            go(page, served, name, place)
            open_everything(page)
            assert page.evaluate("document.getAnimations().length") == 0, name
            assert page.evaluate(ALIKE) == [], name


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is missing: npm install axe-core, as .ci/run does")
def test_axe_finds_nothing(page: Page, served: Served, places: dict[str, str]) -> None:
    """Only its rules about colours depend on the scheme, which changes nothing but colours."""
    found = dict[Any, Any]()
    source = AXE.read_text()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        for name, place in places.items():
            page.emulate_media(color_scheme="light")
            go(page, served, name, place)
            open_everything(page)
            page.evaluate(source)
            faults, passed = page.evaluate(FOUND, {})
            assert passed > 10  # rules that it tried
            page.emulate_media(color_scheme="dark")
            more, of_colours = page.evaluate(FOUND, {"runOnly": ["color-contrast", "link-in-text-block"]})
            assert of_colours > 0
            if faults or more:
                found[name, width] = faults, more
    assert found == {}
