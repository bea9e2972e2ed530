"""The fake as a program, examined by parts that are not ours: the official client, and Prism with the schema."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
import replicate
import replicate.exceptions
from replicate.pagination import paginate

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = Path(__file__).with_name("replicate-openapi-relaxed-v1.json")
VERSION = "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa"
PATIENCE = 60

pytestmark = [
    pytest.mark.parts,
    # The official client passes a time zone by a name that Python's newer versions warn about.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:replicate"),
]


class Program:
    """A child process whose output is read until a line holds ``ready``."""

    def __init__(self, argv: list[str], ready: str) -> None:
        self.process = subprocess.Popen(
            argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL
        )
        watchdog = threading.Timer(PATIENCE, self.process.kill)
        watchdog.start()
        self.said: list[str] = []
        for line in self.process.stdout:
            self.said.append(line)
            if ready in line:
                break
        watchdog.cancel()
        if ready not in "".join(self.said[-1:]):
            self.process.kill()
        assert ready in "".join(self.said[-1:]), "".join(self.said)
        self._rest = threading.Thread(target=self._drain)
        self._rest.start()

    def _drain(self) -> None:
        self.said.extend(self.process.stdout)

    def end(self) -> int:
        self.process.terminate()
        status = self.process.wait(PATIENCE)
        self._rest.join(PATIENCE)
        self.process.stdout.close()
        return status


@contextmanager
def a_fake():
    argv = [sys.executable, "-m", "actors.testing.fake_replicate", "--port", "0", "--token", "t0ken"]
    program = Program(argv, "http://")
    try:
        yield program
    finally:  # a test that skips or fails inside the block ends it, too
        status = program.end()
    assert status == 0


@pytest.fixture(scope="module")
def program():
    with a_fake() as program:
        yield program


@pytest.fixture
def address(program):
    address = program.said[0].strip()
    yield address
    httpx.delete(f"{address}/_fake/faults")


@contextmanager
def a_prism(program):
    """The fake behind Prism, which answers 500 where an answer of the fake breaks the schema."""
    path = os.environ.get("GREENROOM_TEST_PRISM") or shutil.which("prism")
    if path is None:
        pytest.skip("needs Prism: npm install @stoplight/prism-cli@5.14.2, then GREENROOM_TEST_PRISM=.../.bin/prism")
    port = free_port()
    argv = [path, "proxy", "-h", "127.0.0.1", "-p", str(port), str(SCHEMA), program.said[0].strip(), "--errors"]
    proxy = Program(argv, "listening on")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        proxy.end()


@pytest.fixture(scope="module")
def prism(program):
    with a_prism(program) as origin:
        yield origin


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture(params=["fake", "prism"])
def server(request):
    return request.getfixturevalue({"fake": "address", "prism": "prism"}[request.param])


@pytest.fixture
def official(server):
    client = replicate.Client(api_token="t0ken", base_url=server)
    yield client
    client._client.close()


def inject(address: str, **fault) -> None:
    assert httpx.post(f"{address}/_fake/faults", json=[fault]).status_code == 200


def until(job, status: str) -> None:
    """Ask again until the job has that status; the fake decides by its own clock."""
    for _ in range(PATIENCE * 10):
        job.reload()
        if job.status == status:
            return
        threading.Event().wait(0.05)
    pytest.fail(f"{job.id} is still {job.status}")


def test_the_official_client_runs_a_prediction(official):
    job = official.predictions.create(
        version=VERSION, input={"fake": {"queue_seconds": 0.3, "seconds": 0.3, "logs": "hi\n"}}
    )
    assert job.status == "starting"
    until(job, "succeeded")
    assert (job.logs, job.error, job.version) == ("hi\n", None, VERSION)
    assert job.metrics["predict_time"] == 0.3
    assert job.output[0].endswith(f"/outputs/{job.id}/out.txt")


def test_the_official_client_reads_a_failure(official):
    job = official.predictions.create(
        version=VERSION, input={"fake": {"seconds": 0.1, "outcome": "failed", "error": "no"}}
    )
    until(job, "failed")
    assert job.error == "no"


def test_the_official_client_cancels(official):
    job = official.predictions.create(version=VERSION, input={"fake": {"outcome": "never"}})
    job.cancel()
    assert job.status == "canceled"
    assert official.predictions.get(job.id).status == "canceled"


def test_the_official_client_walks_the_pages(official):
    made = [official.predictions.create(version=VERSION, input={}).id for _ in range(120)]
    pages = list(paginate(official.predictions.list))
    ids = [job.id for page in pages for job in page]
    assert len(pages) >= 2
    assert ids[: len(made)] == made[::-1]
    assert len(ids) == len(set(ids))


def test_the_official_client_trains(official):
    training = official.trainings.create(
        version=f"ana/trainer:{VERSION}", input={"fake": {"seconds": 0.2}}, destination="greenroom/mine"
    )
    until(training, "succeeded")
    assert training.output["version"].startswith("greenroom/mine:")
    assert training.id in [one.id for one in official.trainings.list()]
    other = official.trainings.create(
        version=f"ana/trainer:{VERSION}", input={"fake": {"outcome": "never"}}, destination="greenroom/mine"
    )
    other.cancel()
    until(other, "canceled")


def test_the_official_client_reads_the_secret_and_the_account(official):
    assert official.webhooks.default.secret().key.startswith("whsec_")
    assert official.accounts.current().username == "greenroom"


def test_the_official_client_is_told_what_is_not_there(address):
    client = replicate.Client(api_token="t0ken", base_url=address)
    with pytest.raises(replicate.exceptions.ReplicateError) as caught:
        client.predictions.get("unknown")
    assert (caught.value.status, caught.value.detail) == (404, "Prediction not found")
    with pytest.raises(replicate.exceptions.ReplicateError) as caught:
        client.trainings.create(version=f"ana/trainer:{VERSION}", input={}, destination="somebody/else")
    assert caught.value.status == 404
    client._client.close()


def test_the_official_client_is_refused_with_a_wrong_token(address):
    client = replicate.Client(api_token="other", base_url=address)
    with pytest.raises(replicate.exceptions.ReplicateError) as caught:
        client.accounts.current()
    assert (caught.value.status, caught.value.title) == (401, "Unauthenticated")
    client._client.close()


def test_the_official_client_waits_as_long_as_a_429_says(address):
    client = replicate.Client(api_token="t0ken", base_url=address)
    inject(address, kind="rate_limited", seconds=1, path="/v1/account", times=2)
    assert client.accounts.current().username == "greenroom"
    answers = httpx.get(f"{address}/_fake/requests").json()
    assert [one["status"] for one in answers if one["target"] == "/v1/account"][-3:] == [429, 429, 200]
    client._client.close()


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
