"""Jobs are submitted on the page: from an entry point, as a sweep, again with changes; and never as a command."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.supervised import Served
from tests.browser.stage import Browser, Page, Route, Stage, at, expect, marks, page_of

pytestmark = marks
MARKUP = "<img src=x onerror=\"document.title='broken in'\">"


@pytest.fixture
def form(page: Page, served: Served) -> Page:
    """The form of the entry point that has parameters."""
    page.goto(at(served, "submit?entry_point=training"))
    page.get_by_role("group", name="Parameters").wait_for()
    return page


def sentence(field: Any) -> Any:
    """What describes the field as wrong."""
    expect(field).to_have_attribute("aria-invalid", "true")
    why = field.get_attribute("aria-describedby").split()[-1]
    return field.page.locator(f"#{why}")


def test_a_form_is_made_from_the_checked_parameters(form: Page, stage: Stage) -> None:
    """Numbers arrive as numbers, choices as choices; what is left empty is left to the configuration."""
    expect(form.get_by_text("Whole number; at least 1; at most 100; required")).to_be_visible()
    form.get_by_label("epochs", exact=True).fill("3")
    form.get_by_label("optimizer", exact=True).select_option("sgd")
    form.get_by_label("fast", exact=True).select_option("true")
    form.get_by_label("Name").fill("by-form")
    form.get_by_label("GPU slots").fill("1")
    form.get_by_role("button", name="Submit").click()
    made = form.get_by_role("group", name="Submitted jobs")
    expect(made.get_by_role("heading", name="1 job submitted")).to_be_visible()
    expect(made).to_be_focused()
    job = stage.ask("GET", "/api/jobs/by-form")
    assert job["params"] == {"epochs": 3, "optimizer": "sgd", "fast": True}
    assert job["resources"] == {"cpus": 1, "gpus": 1, "memory": None}
    made.get_by_role("link", name="by-form").click()
    expect(form.get_by_role("region", name="Output")).to_contain_text("'--epochs=3', '--rate=0.1', '--tag=none'")


def test_each_fault_stands_beside_its_field(form: Page, stage: Stage) -> None:
    """In the server's words; what was typed stays, and nothing was submitted."""
    form.get_by_label("epochs", exact=True).fill("500")
    form.get_by_label("rate", exact=True).fill("much")
    form.get_by_label("tag", exact=True).fill(MARKUP)
    form.get_by_label("Name").fill("refused-by-form")
    form.get_by_role("button", name="Submit").click()
    expect(sentence(form.get_by_label("epochs", exact=True))).to_have_text("params.epochs must be at most 100")
    expect(form.get_by_label("epochs", exact=True)).to_be_focused()
    expect(sentence(form.get_by_label("rate", exact=True))).to_contain_text("params.rate must be a number")
    expect(sentence(form.get_by_label("tag", exact=True))).to_contain_text("params.tag may hold letters")
    form.get_by_label("epochs", exact=True).fill("2")
    form.get_by_label("rate", exact=True).fill("")
    form.get_by_label("tag", exact=True).fill("")
    form.get_by_label("CPU slots").fill("many")
    form.get_by_role("button", name="Submit").click()
    expect(sentence(form.get_by_label("CPU slots"))).to_contain_text("resources.cpus")
    expect(form.get_by_label("epochs", exact=True)).not_to_have_attribute("aria-invalid", "true")
    expect(form.get_by_label("epochs", exact=True)).to_have_value("2")
    assert stage.ask("GET", "/api/jobs?name=refused-by-form")["jobs"] == []


def test_a_sweep_makes_a_job_for_each_combination(form: Page, stage: Stage) -> None:
    """Values are used as they are written, ranges are counted, braces of other values are text."""
    form.get_by_label("Several values of epochs").check()
    form.get_by_label("Values of epochs, one a line").fill("1..3")
    form.get_by_label("Several values of rate").check()
    form.get_by_label("Values of rate, one a line").fill("0.10\n0.2\n")
    form.get_by_label("Name").fill("swept-{epochs}-{rate}")
    form.get_by_label("Group").fill("by-form")
    form.get_by_role("button", name="Submit 6 jobs").click()
    expect(form.get_by_role("heading", name="6 jobs submitted")).to_be_visible()
    made = stage.ask("GET", "/api/jobs?group=by-form")["jobs"]
    assert {one["config_name"] for one in made} == {f"swept-{n}-{rate}" for n in (1, 2, 3) for rate in ("0.10", "0.2")}
    form.get_by_role("link", name="Group by-form").click()
    expect(form.get_by_role("rowheader", name="swept-1-0.10")).to_be_visible()


def test_a_fault_in_a_sweep_stands_beside_the_values(form: Page) -> None:
    form.get_by_label("Several values of epochs").check()
    values = form.get_by_label("Values of epochs, one a line")
    values.fill("1\n1")
    form.get_by_role("button", name="Submit 2 jobs").click()
    expect(sentence(values)).to_contain_text("matrix.epochs")
    values.fill("1\n1000")
    form.get_by_role("button", name="Submit 2 jobs").click()
    expect(sentence(values)).to_contain_text("params.epochs must be at most 100")


def test_an_answer_that_is_lost_makes_no_second_job(form: Page, stage: Stage) -> None:
    """The page says that it does not know; the same form once more finds the job that is there."""

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    form.get_by_label("epochs", exact=True).fill("1")
    form.get_by_label("Name").fill("once-by-form")
    form.route("**/api/jobs", lose, times=1)
    form.get_by_role("button", name="Submit").click()
    expect(form.get_by_text("it is not known whether this was submitted")).to_be_visible()
    form.get_by_role("button", name="Submit").click()
    expect(form.get_by_role("heading", name="1 job submitted")).to_be_visible()
    assert len(stage.ask("GET", "/api/jobs?name=once-by-form")["jobs"]) == 1


def test_a_job_runs_again_with_changes(page: Page, served: Served, stage: Stage) -> None:
    """Parameters, resources, priority and group are those of the job until they are changed."""
    first = stage.submit(
        "first-try", provider="local", spec=None, entry_point="training", params={"epochs": 4, "tag": "a tag"},
        resources={"cpus": 2}, group="tries", priority_override=7,
    )  # fmt: skip
    stage.ended(first["job_id"])
    page.goto(at(served, f"jobs/{first['job_id']}"))
    page.get_by_role("link", name="Retry with changes").click()
    expect(page.get_by_label("epochs", exact=True)).to_have_value("4")
    page.get_by_label("epochs", exact=True).fill("5")
    page.get_by_label("CPU slots").fill("1")
    page.get_by_label("Name").fill("second-try")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name="1 job submitted")).to_be_visible()
    second = stage.ask("GET", "/api/jobs/second-try")
    assert second["params"] == {"epochs": 5, "tag": "a tag"}
    assert (second["resources"]["cpus"], second["group"], second["priority_override"]) == (1, "tries", 7)


def test_a_job_of_options_runs_again_with_changes(page: Page, served: Served, stage: Stage) -> None:
    """Only what was changed is sent: a value that is not shown stays what it is."""
    spec = {"duration": 0.5, "metrics": {"api_key": "kept-7361", "loss": 0.5}}
    first = stage.submit("of-options", spec=spec, group="tries")
    stage.ended(first["job_id"])
    page.goto(at(served, f"jobs/{first['job_id']}"))
    expect(page.get_by_role("main")).to_contain_text('metrics {"api_key":"***","loss":0.5}')
    page.get_by_role("link", name="Retry with changes").click()
    options = page.get_by_label("Options of there")
    shown = options.input_value()
    assert "kept-7361" not in shown
    for wrong, why in (("{", "This is not JSON"), (shown.replace("duration", "durration"), "spec.durration")):
        options.fill(wrong)
        page.get_by_role("button", name="Submit").click()
        expect(sentence(options)).to_contain_text(why)
    options.fill(shown.replace("0.5\n  }", "0.25\n  }"))
    page.get_by_label("Name").fill("of-other-options")
    page.get_by_label("Group").fill("")
    page.get_by_label("CPU slots").fill("2")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name="1 job submitted")).to_be_visible()
    page.get_by_role("link", name="of-other-options").click()
    expect(page.get_by_role("heading", name="of-other-options")).to_be_visible()
    second = stage.ask("GET", "/api/jobs/of-other-options")
    stage.ended(second["job_id"])
    assert (second["retry_of"], second["group"], second["resources"]["cpus"]) == (first["job_id"], None, 2)
    result = stage.ask("GET", "/api/jobs/of-other-options")["result"]
    assert (result["api_key"], result["loss"]) == ("kept-7361", 0.25)


def test_a_command_is_shown_for_a_shell_and_never_sent(page: Page, served: Served, stage: Stage) -> None:
    job = stage.submit(
        MARKUP, provider="local", spec=None, command=["echo", MARKUP, "it's"], cwd="/tmp", group="shell"
    )  # fmt: skip
    stage.ended(job["job_id"])
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.goto(at(served, f"jobs/{job['job_id']}"))
    page.get_by_role("link", name="Line for a shell").click()
    line = page.get_by_role("region", name="Line for a shell")
    expect(line).to_contain_text("-- echo '<img src=x onerror=\"document.title='\\''broken in'\\''\">' 'it'\\''s'")
    page.get_by_label("Group").fill("another group")
    expect(line).to_contain_text("'--group=another group'")
    page.get_by_role("button", name="Copy the line").click()
    expect(page.get_by_role("button", name="Submit")).to_have_count(0)
    assert "POST" not in sent
    assert page.title() != "broken in"


def test_who_may_not_submit_reads_why(browser: Browser, served: Served, stage: Stage) -> None:
    token = stage.ask("POST", "/api/tokens", json={"user_id": "vi", "level": "viewer"})["token"]
    with page_of(browser) as page:
        page.goto(at(served, "submit"))
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("Submitting needs level researcher; your level is viewer.")).to_be_visible()
        expect(page.get_by_role("combobox")).to_have_count(0)
