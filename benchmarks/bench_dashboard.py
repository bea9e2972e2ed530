"""The dashboard in Chromium over 100,000 jobs, beside a bare page of as many rows; the longest task of the page.

    python benchmarks/bench_dashboard.py [--jobs 100000] [--rounds 7] [--json]

Entry: HTTP on TCP, a session of the operator; jobs as :mod:`bench_history` inserts them. The first view is timed from
the navigation until its fifty rows are there; the bare page is the same table as plain HTML, without a script or a
request. The longest task is what the browser reports of tasks of 50 ms and more (``longtask``): while the page is
opened, while ten pages are scrolled through, and during 10,000 events of jobs that are submitted at once. Such a task
is timed by the clock, so what else the machine does is in it; how long it kept a CPU busy stands beside it. The heap is
what a collection leaves after 100,000 events of a stream of the benchmark's own, compared with what it leaves after
10,000; the page lists them meanwhile.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import trio
from bench_history import fill, opened
from common import Figure, arguments, at_most, below, environment, in_turn, ratio, report

ROWS = 50
EVENTS = 10_000
SHOWN = "table.jobs tbody[data-page] tr"
LONG_TASKS = """
window.tasks = [];
new PerformanceObserver((list) => { for (const one of list.getEntries()) tasks.push(one.duration); })
  .observe({ type: "longtask", buffered: true });
"""
LONGEST = 100
"""Milliseconds of a task, at most."""
GROWN = 1.2
"""The heap after 100,000 events beside that after 10,000, at most."""
BATCH = 1_000
STREAM = Path(__file__).parents[1] / "tests" / "browser" / "sent_events.js"
"""In place of the server's stream of events one that the benchmark writes."""


@contextmanager
def served(folder: Path) -> Iterator[httpx.Client]:
    """A supervisor that serves HTTP; a client of its socket."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "bench.yaml"
    config.write_text(
        f"http: {{port: {port}}}\nretention: {{days: 0}}\nproviders: {{local: {{}}, there: {{kind: scripted}}}}\n"
    )
    command = [sys.executable, "-m", "actors", "run", "--config", str(config)]
    transport = httpx.HTTPTransport(uds=str(folder / "greenroom.sock"), retries=0)
    with (
        subprocess.Popen(command, env=environment(folder), stdout=subprocess.PIPE, text=True) as process,
        httpx.Client(transport=transport, base_url="http://greenroom", timeout=60) as client,
    ):
        assert process.stdout is not None
        try:
            if not any("Supervisor is ready" in line for line in process.stdout):
                raise SystemExit("the supervisor did not come up")
            yield client
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@contextmanager
def chromium() -> Iterator[Any]:
    """The system's browser. Ends the benchmark where there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise SystemExit("needs playwright: pip install -e '.[parts]'") from None
    path = os.environ.get("GREENROOM_TEST_CHROMIUM") or shutil.which("chromium")
    if path is None:
        raise SystemExit("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        arguments_ = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=path, args=arguments_)
        try:
            yield browser
        finally:
            browser.close()


async def make(folder: Path) -> None:
    """Have a runtime make its database."""
    async with opened(folder):
        pass


def bare(cells: list[list[str]]) -> str:
    """A page of these cells and nothing else."""
    rows = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in cells)
    return f"<!doctype html><title>bare</title><table><tbody>{rows}</tbody></table>"


def longest(page: Any) -> float:
    """Milliseconds of the longest task since the last call; 0 where none took 50."""
    found = page.evaluate("tasks.splice(0)")
    return float(max(found, default=0.0))


def longest_on_cpu(trace: bytes) -> float:
    """Milliseconds that the longest task of a page's main thread kept a CPU busy."""
    events = json.loads(trace)["traceEvents"]
    names = {(one["pid"], one["tid"]): one["args"]["name"] for one in events if one["name"] == "thread_name"}
    return max(
        one.get("tdur", 0) / 1e3
        for one in events
        if one["ph"] == "X" and names.get((one["pid"], one["tid"])) == "CrRendererMain"
    )


def heap_after(page: Any, devtools: Any, first: int, last: int) -> int:
    """Bytes that the page holds after these events."""
    for seq in range(first, last, BATCH):
        page.evaluate("([seq, number]) => send(seq, number)", [seq, BATCH])
    page.get_by_role("cell", name=str(last - 1), exact=True).wait_for()
    devtools.send("HeapProfiler.collectGarbage")
    return int(devtools.send("Runtime.getHeapUsage")["usedSize"])


def heap(page: Any) -> Figure:
    """How the heap grows with events; the page is signed in."""
    page.add_init_script(path=STREAM)
    page.goto(page.url.split("#")[0] + "#/events")
    page.reload()
    page.get_by_role("heading", name="Events").wait_for()
    devtools = page.context.new_cdp_session(page)
    early, late = heap_after(page, devtools, 1, EVENTS + 1), heap_after(page, devtools, EVENTS + 1, 10 * EVENTS + 1)
    figure = Figure(f"heap after {10 * EVENTS:,} events", late / 1e6, "MB", f"after {EVENTS:,}", late / early)
    return at_most(figure, GROWN)


def figures(rounds: int, number: int, folder: Path) -> list[Figure]:
    """The first view, then the longest tasks."""
    trio.run(make, folder)
    fill(folder / "greenroom.db", number, datetime.now(UTC))
    with served(folder) as client, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(LONG_TASKS)
        page.goto(client.post("/api/session/code").json()["link"])
        shown = page.locator(SHOWN).nth(ROWS - 1)
        shown.wait_for(state="attached")
        cells = [row.locator("th, td").all_inner_texts() for row in page.locator(SHOWN).all()]
        plain = folder / "bare.html"
        plain.write_text(bare(cells))
        other = browser.new_page(viewport={"width": 1280, "height": 900})

        def ours() -> None:
            page.reload(wait_until="commit")
            shown.wait_for(state="attached")

        def theirs() -> None:
            other.goto(plain.as_uri(), wait_until="commit")
            other.locator("tr").nth(ROWS - 1).wait_for(state="attached")

        taken = trio.run(in_turn, rounds, {"ours": ours, "bare": theirs})
        view = sorted(taken["ours"])[rounds // 2] * 1e3
        found = [Figure("first view", view, "ms", "a bare page of 50 rows", ratio(taken["ours"], taken["bare"]))]
        found.append(below(Figure("longest task, opening", longest(page), "ms", note="0: none of 50 ms"), LONGEST))
        browser.start_tracing(page=page, categories=["toplevel"])
        for count in range(1, 11):
            page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
            page.locator(f"tbody[data-page='{count}'] tr").nth(ROWS - 1).wait_for(state="attached")
        note = f"on the CPU {longest_on_cpu(browser.stop_tracing()):.0f} ms"
        found.append(below(Figure("longest task, ten pages scrolled", longest(page), "ms", note=note), LONGEST))
        page.evaluate("scrollTo(0, 0)")
        page.locator("tbody[data-page='0'] tr").first.wait_for(state="attached")
        longest(page)
        browser.start_tracing(page=page, categories=["toplevel"])
        client.post("/api/jobs", json=[{"provider": "there", "start_after": "+2h"}] * EVENTS).raise_for_status()
        page.get_by_text(f"{EVENTS} now.").wait_for()
        note = f"on the CPU {longest_on_cpu(browser.stop_tracing()):.0f} ms"
        found.append(below(Figure(f"longest task, {EVENTS:,} events", longest(page), "ms", note=note), LONGEST))
        found.append(heap(page))
        return found


def main() -> None:
    """Measure and report."""
    options = arguments(__doc__, jobs=(100_000, "ended jobs"), rounds=(7, "openings of each page"))
    with tempfile.TemporaryDirectory() as name:
        report(figures(options.rounds, options.jobs, Path(name)), as_json=options.json)


if __name__ == "__main__":
    main()
