"""Who has which GPU and how many CPU slots, since when; and what is kept for whom."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.api.supervised import Served, serving
from tests.browser.stage import Browser, Page, Stage, at, expect, marks, page_of, row

pytestmark = marks
MARKUP = "<img src=x onerror=\"document.title='broken in'\">"
WAITING = ["python", "-c", "import signal; signal.pause()"]


def on_this_machine(stage: Stage, name: str, resources: dict[str, int], **fields: Any) -> str:
    """A job that keeps what it got until it is cancelled."""
    job = stage.submit(name, provider="local", spec=None, command=WAITING, resources=resources, **fields)
    return str(job["job_id"])


def end(stage: Stage, jobs: list[str]) -> None:
    """Cancel these jobs, and wait until nothing of them runs."""
    stage.ask("POST", "/api/jobs/cancel", json={"jobs": jobs})
    for job in jobs:
        stage.ended(job)


@pytest.fixture
def holding(stage: Stage, served: Served) -> Iterator[Callable[..., str]]:
    """Submits such jobs to the supervisor of all tests, and ends them."""
    stage.cancel_all()
    made: list[str] = []

    def hold(name: str, **resources: int) -> str:
        made.append(on_this_machine(stage, name, resources))
        return made[-1]

    yield hold
    end(stage, made)


def table(page: Page, caption: str) -> Any:
    return page.get_by_role("table", name=caption)


def test_each_gpu_and_slot_has_its_job(stage: Stage, page: Page, served: Served, holding: Callable[..., str]) -> None:
    """It comes and goes without a reload; a name that is markup is text, and its link is reached by keyboard."""
    page.goto(at(served, "devices"))
    gpus, slots = table(page, "GPUs of local"), table(page, "CPU slots of local")
    expect(gpus.get_by_role("row")).to_have_text([re.compile("GPU"), re.compile("0.*free"), re.compile("1.*free")])
    expect(slots).to_contain_text("4 slots")
    jobs = [holding(MARKUP, gpus=1), holding("wide", cpus=2)]
    expect(gpus.get_by_role("row").nth(1)).to_contain_text("document.title")
    expect(gpus.get_by_role("row").nth(1)).to_contain_text("ana, lab")
    expect(gpus.get_by_role("row").nth(1).locator("[data-from]")).to_have_text(re.compile(r"^\d+ (s|min)$"))
    expect(gpus.get_by_role("row").nth(2)).to_contain_text("free")
    expect(slots.get_by_role("row", name=re.compile("^2 slots.*wide.*ana"))).to_be_visible()
    expect(slots.get_by_role("row", name=re.compile("^1 slot .*free"))).to_be_visible()
    expect(page.get_by_role("img", name="3 of 4 CPU slots are taken")).to_be_visible()
    expect(row(page, "local").get_by_role("meter", name="GPUs: 1 of 2")).to_be_visible()
    assert page.get_by_role("main").locator("img").count() == 0
    link = slots.get_by_role("link", name="wide", exact=True)
    link.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="wide")).to_be_visible()
    page.goto(at(served, "devices"))
    expect(gpus.get_by_role("row").nth(1)).to_contain_text("document.title")
    stage.ask("POST", "/api/jobs/cancel", json={"jobs": jobs})
    expect(gpus.get_by_role("row").nth(1)).to_contain_text("free")
    expect(slots).to_contain_text("4 slots")


def test_the_other_providers_have_numbers(stage: Stage, page: Page, served: Served) -> None:
    job = stage.submit("elsewhere", spec={"duration": 600}, resources={"cpus": 2, "gpus": 3})["job_id"]
    page.goto(at(served, "devices"))
    expect(row(page, "there")).to_contain_text(re.compile(r"scripted\s*1\s*2 not limited here\s*3 not limited here"))
    stage.ask("POST", "/api/queue/pause", json={"provider": "there", "reason": "being repaired"})
    expect(row(page, "there")).to_contain_text("being repaired")
    stage.ask("POST", "/api/queue/resume", json={"provider": "there"})
    stage.ask("POST", f"/api/jobs/{job}/cancel")
    expect(row(page, "there")).not_to_contain_text("being repaired")


def test_what_others_hold_is_counted_and_not_told(
    browser: Browser, served: Served, holding: Callable[..., str]
) -> None:
    """Who sees only their own jobs is not told that a GPU is free which another user's job has."""
    holding("of-ana", gpus=2, cpus=3)
    made = served.ask("POST", "/api/tokens", json={"user_id": "vi", "level": "viewer"})
    with page_of(browser) as page:
        page.goto(served.address)
        page.get_by_label("Token", exact=True).fill(made["token"])
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Devices").click()
        main = page.get_by_role("main")
        expect(table(page, "GPUs of local").get_by_role("row").nth(1)).to_contain_text("a job that you do not see")
        expect(table(page, "CPU slots of local")).to_contain_text("3 slots")
        expect(main).not_to_contain_text("of-ana")
        expect(main).not_to_contain_text("ana")


def test_what_is_kept_for_whom_is_linked(stage_of_its_own: Stage, browser: Browser) -> None:
    """A wide job was passed over long enough, so what is free is kept for it."""
    stage = stage_of_its_own
    stage.config.write_text(stage.config.read_text() + "queue: {reserve_after: 0s}\n")
    with serving(stage.config, stage.state) as served, page_of(browser) as page:
        jobs = [on_this_machine(stage, name, {"cpus": cpus}) for name, cpus in (("runs", 3), ("wide-one", 4))]
        page.goto(stage.link())
        page.goto(at(served, "queue"))
        expect(row(page, "wide-one")).to_contain_text("waiting for 4 CPUs, 1 free")
        kept = page.get_by_role("listitem").filter(has_text="wide-one")
        expect(kept).to_have_text("local: keeping 1 of 4 CPUs free for wide-one")
        kept.get_by_role("link").click()
        expect(page.get_by_role("heading", name="wide-one")).to_be_visible()
        end(stage, jobs)
