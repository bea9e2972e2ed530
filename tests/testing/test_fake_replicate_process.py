"""The fake as a program: what it answers keeps the published schema, as Prism examines it; and real connections."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from tests.testing.fake_program import PATIENCE, Program, a_fake, a_prism, inject

pytestmark = [
    pytest.mark.parts,
    # The official client passes a time zone by a name that Python's newer versions warn about.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:replicate"),
]


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("lost_answer", httpx.RemoteProtocolError),
        ("refused", httpx.RemoteProtocolError),
        ("cut_body", httpx.RemoteProtocolError),
        ("hang", httpx.ReadTimeout),
    ],
)
def test_connections_are_treated_badly_on_a_real_socket_too(address, kind, seen):
    inject(address, kind=kind, path="/v1/account")
    with httpx.Client(base_url=address, headers={"authorization": "Bearer t0ken"}, timeout=2) as client:
        with pytest.raises(seen):
            client.get("/v1/account")
        assert client.get("/v1/account").status_code == 200


def test_a_body_drips_and_is_huge_on_a_real_socket_too(address):
    with httpx.Client(base_url=address, headers={"authorization": "Bearer t0ken"}, timeout=10) as client:
        inject(address, kind="drip", seconds=0.001, path="/v1/account")
        assert client.get("/v1/account").json()["username"] == "greenroom"
        inject(address, kind="huge_body", size=2_000_000, path="/v1/account")
        assert len(client.get("/v1/account").content) == 2_000_000


def test_prism_refuses_an_answer_that_breaks_the_schema(address, prism):
    """The judge is awake: what it lets through above, it has looked at."""
    headers = {"authorization": "Bearer t0ken"}
    job = httpx.post(f"{address}/v1/predictions", headers=headers, json={"version": "v", "input": {}}).json()
    good = httpx.get(f"{prism}/v1/predictions/{job['id']}", headers=headers)
    assert good.status_code == 200
    inject(address, kind="unknown_status", path="/v1/predictions/*")
    bad = httpx.get(f"{prism}/v1/predictions/{job['id']}", headers=headers)
    assert bad.status_code == 500
    assert "status" in json.dumps(bad.json()["validation"])


def test_prism_finds_every_state_of_a_job_in_order():
    """On a fake of its own: the official client refuses a list that holds an aborted job."""
    headers = {"authorization": "Bearer t0ken"}
    scripts = [{"outcome": outcome, "seconds": 0} for outcome in ("succeeded", "failed", "canceled", "aborted")]
    scripts += [{"outcome": "never"}, {"queue_seconds": 1000}]
    with a_fake() as program, a_prism(program) as origin, httpx.Client(base_url=origin, headers=headers) as client:
        client.timeout = PATIENCE
        for script in scripts:
            created = client.post("/v1/predictions", json={"version": "v", "input": {"fake": script}})
            assert created.status_code == 201, created.text
            read = client.get(f"/v1/predictions/{created.json()['id']}")
            assert read.status_code == 200, read.text
        assert client.get("/v1/predictions").status_code == 200
        cut = client.get("/v1/predictions", params={"created_after": created.json()["created_at"]})
        assert cut.status_code == 200, cut.text


def test_a_signal_ends_it():
    program = Program([sys.executable, "-m", "actors.testing.fake_replicate"], "http://")
    assert program.end() == 0


def test_a_delivery_reaches_a_server_on_this_machine(address):
    """Signed, from the fake's own process."""
    got = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append((self.headers["webhook-id"], json.loads(body)["status"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        server.timeout = PATIENCE
        hook = f"http://127.0.0.1:{server.server_port}/hook"
        httpx.post(
            f"{address}/v1/predictions",
            headers={"authorization": "Bearer t0ken"},
            json={
                "version": "v", "input": {"fake": {"seconds": 0.1}}, "webhook": hook,
                "webhook_events_filter": ["completed"],
            },
        ).raise_for_status()  # fmt: skip
        server.handle_request()
    assert [status for _, status in got] == ["succeeded"]
