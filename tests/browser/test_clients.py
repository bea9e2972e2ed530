"""Chromium's own EventSource, WebSocket and fetch as clients that are not ours, from our pages and from others'."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.api.supervised import Served
from tests.browser.stage import Browser, Page, Stage, at, marks

pytestmark = marks
LISTEN = """([address, most]) => new Promise((done, failed) => {
  const seen = [], source = new EventSource(address, {withCredentials: true});
  const take = (message) => {
    seen.push([message.type, message.lastEventId]);
    if (seen.length === most) { source.close(); done(seen); }
  };
  for (const type of ["connection", "job_queued", "job_dispatched", "message"]) source.addEventListener(type, take);
  source.onerror = () => { source.close(); failed(new Error("refused")); };
})"""
TALK = """([address, says, most]) => new Promise((done) => {
  const seen = [], socket = new WebSocket(address);
  socket.onopen = () => says.forEach((one) => socket.send(JSON.stringify(one)));
  socket.onmessage = (message) => {
    seen.push(JSON.parse(message.data));
    if (seen.length === most) socket.close();
  };
  socket.onclose = () => done(seen);
})"""
ASK = """([method, address]) =>
  fetch(address, {method, mode: method === "GET" ? "cors" : "no-cors", credentials: "include"})
  .then((answer) => answer.type, (error) => error.name)"""


class _Empty(BaseHTTPRequestHandler):
    """Somebody else's page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Elsewhere</title>")

    def log_message(self, *_: object) -> None:
        """Tell nobody."""


@pytest.fixture
def elsewhere() -> Iterator[int]:
    """The port of another origin on the same machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Empty) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def lured(browser: Browser, stage: Stage, served: Served) -> Iterator[Page]:
    """A browser in which the operator is signed in, and which then goes elsewhere."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(stage.link())
    page.get_by_role("navigation").wait_for()
    yield page
    context.close()


def test_an_event_source_is_told_each_event_once(stage: Stage, page: Page, served: Served) -> None:
    """Named and unnamed events with their numbers, as the table has them."""
    start = max(stage.events(0), default=0)
    job = stage.submit("for-a-source")
    page.goto(at(served, "health"))
    seen = page.evaluate(LISTEN, [f"/api/events?after={start}&job_id={job['job_id']}", 4])
    assert [type_ for type_, _ in seen] == ["connection", "job_queued", "job_dispatched", "message"]
    assert [int(number) for _, number in seen] == [start, *stage.events(start, job["job_id"])[:2], int(seen[3][1])]


def test_a_web_socket_of_our_page_follows_the_feed(stage: Stage, page: Page, served: Served) -> None:
    """It cannot set a header: its first message brings the token. The page's policy lets it reach the feed's port."""
    start = max(stage.events(0), default=0)  # so many are there that the first ones may be forgotten
    job = stage.submit("for-a-socket")
    subscribe = {"type": "subscribe", "after": start, "job_id": job["job_id"]}
    says = [{"type": "authenticate", "token": served.token}, subscribe]
    seen = page.evaluate(TALK, [f"ws://127.0.0.1:{stage.feed_port}/", says, 3])
    assert [one["type"] for one in seen] == ["connected", "subscribed", "job_queued"]
    assert seen[2]["job_id"] == job["job_id"]


def test_another_page_can_use_no_session_of_ours(stage: Stage, served: Served, lured: Page, elsewhere: int) -> None:
    """Its requests carry the cookie, since a port makes no site: nothing of the answers is read, nothing is changed."""
    lured.goto(f"http://127.0.0.1:{elsewhere}/")
    with pytest.raises(Exception, match="refused"):
        lured.evaluate(LISTEN, [f"{served.address}/api/events?after=0", 1])
    assert lured.evaluate(ASK, ["GET", f"{served.address}/api/jobs"]) == "TypeError"
    assert lured.evaluate(ASK, ["POST", f"{served.address}/api/queue/pause"]) in ("opaque", "TypeError")
    assert stage.ask("GET", "/api/queue")["paused"] is None
    lured.goto(served.address)  # whereas from our own page the same request is done
    assert lured.evaluate(ASK, ["POST", f"{served.address}/api/queue/pause"]) == "basic"
    assert stage.ask("POST", "/api/queue/resume", json={})["paused"] is None


def test_another_page_can_talk_to_no_feed_of_ours(stage: Stage, served: Served, lured: Page, elsewhere: int) -> None:
    """A page of another name is refused whatever it knows, even the token; one of our name needs the token."""
    address, says = f"ws://127.0.0.1:{stage.feed_port}/", [{"type": "authenticate", "token": served.token}]
    lured.goto(f"http://localhost:{elsewhere}/")
    assert lured.evaluate(TALK, [address, says, 1]) == []
    lured.goto(f"http://127.0.0.1:{elsewhere}/")
    assert [one["type"] for one in lured.evaluate(TALK, [address, says, 1])] == ["connected"]
