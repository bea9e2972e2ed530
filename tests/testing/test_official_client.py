"""The fake as a program, examined by the official client of Replicate, once through Prism with the schema."""

from __future__ import annotations

import threading

import httpx
import pytest
import replicate
import replicate.exceptions
from replicate.pagination import paginate

from tests.testing.fake_program import PATIENCE, VERSION, inject

pytestmark = [
    pytest.mark.parts,
    # The official client passes a time zone by a name that Python's newer versions warn about.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:replicate"),
]


@pytest.fixture(params=["fake", "prism"])
def server(request):
    return request.getfixturevalue({"fake": "address", "prism": "prism"}[request.param])


@pytest.fixture
def official(server):
    client = replicate.Client(api_token="t0ken", base_url=server)
    yield client
    client._client.close()


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
