"""A submission whose answer cannot be relied on is settled by asking for its id: never a second job, never a guess."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import trio

from actors.jobs.records import JobRequest, Phase
from actors.providers import errors
from actors.providers.base import ABSENT, UNKNOWABLE, Submitted
from actors.providers.ray.preparing import JOB_ID
from actors.providers.ray.provider import submission_id
from tests.providers.ray.canned import SESSION, VERSION, Canned, already_exists, details, submit, text, unknown

POST, GET = "POST /api/jobs/", "GET /api/jobs/k1"
ACCEPTED = {"job_id": "k1", "submission_id": "k1"}
LOST = httpx.ReadError("connection reset")


async def test_an_accepted_job_is_known_by_our_id_and_the_session_that_took_it() -> None:
    ray = Canned({POST: ACCEPTED})
    submitted = await submit(ray.provider())
    assert (submitted.handle, submitted.existed) == ({"id": "k1", "session": SESSION}, False)
    sent = ray.sent()
    assert sent["submission_id"] == "k1"
    assert sent["metadata"] == {
        "greenroom_token": "t1", "greenroom_job_id": "j1", "greenroom_correlation_id": "c1",
    }  # fmt: skip
    assert sent["runtime_env"]["env_vars"]["GREENROOM_JOB_ID"] == "j1"
    assert sent["runtime_env"]["env_vars"]["GREENROOM_CORRELATION_ID"] == "c1"


async def test_an_attempt_finds_its_number_and_where_the_one_before_it_left_its_output(tmp_path: Path) -> None:
    for shared, expected in ((None, None), (str(tmp_path), f"{tmp_path}/jobs/j1-1/output")):
        ray = Canned({POST: {"submission_id": "j1-2"}})
        provider = ray.provider(shared_dir=shared)
        context = {"job_id": "j1", "correlation_id": "c1", "attempt": "2", "previous_key": "j1-1"}
        await provider.submit("j1-2", "t1", provider.prepare(JobRequest(command=("true",), cwd=None)), context)
        variables = ray.sent()["runtime_env"]["env_vars"]
        assert variables["GREENROOM_ATTEMPT"] == "2"
        assert variables.get("GREENROOM_PREVIOUS_OUTPUT_DIR") == expected


@pytest.mark.parametrize(
    "answer", [already_exists(), text(400, "already exists"), LOST, httpx.ReadTimeout(""), text(504, "gateway")]
)
async def test_a_job_that_is_there_under_our_id_and_token_is_ours(answer: httpx.Response | Exception) -> None:
    """However the answer to the submission looked, or whether there was one."""
    submitted = await submit(Canned({POST: answer, GET: details("RUNNING")}).provider())
    assert submitted.existed
    assert submitted.observation is not None
    assert submitted.observation.phase is Phase.RUNNING


async def test_a_job_under_our_id_with_another_token_is_not_ours() -> None:
    ray = Canned({POST: already_exists(), GET: details(token="of-somebody")})
    with pytest.raises(errors.Conflict, match="a job k1 that is not ours"):
        await submit(ray.provider())


async def test_a_failure_of_ray_without_a_job_is_safe_to_send_again() -> None:
    """Its own 500 is a whole answer: the request is no longer under way."""
    ray = Canned({POST: text(500, "Server got itself in trouble"), GET: unknown()})
    with pytest.raises(errors.Unavailable, match="Server got itself in trouble"):
        await submit(ray.provider())


@pytest.mark.parametrize("answer", [LOST, text(502, "bad gateway")])
async def test_a_lost_answer_without_a_job_stays_unknown(answer: httpx.Response | Exception) -> None:
    """The request may still be on its way: not being there yet proves nothing at this moment."""
    with pytest.raises(errors.OutcomeUnknown):
        await submit(Canned({POST: answer, GET: unknown()}).provider())


async def test_whoever_cannot_be_asked_either_leaves_the_outcome_unknown(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ray = Canned({POST: LOST, GET: httpx.ConnectError("refused")})
    with pytest.raises(errors.OutcomeUnknown, match="whether job k1 was accepted is not known"):
        await submit(ray.provider())


async def test_a_refused_request_fails_with_the_last_line_of_the_traceback_and_no_path() -> None:
    answer = text(400, 'Traceback:\n  File "/opt/ana/x.py", line 1\nTypeError: entrypoint must be a string, got int')
    with pytest.raises(errors.Invalid, match="TypeError: entrypoint must be a string") as caught:
        await submit(Canned({POST: answer, GET: unknown()}).provider())
    assert "/opt/ana" not in str(caught.value)


@pytest.mark.parametrize("call", ["GET /api/version", POST])
@pytest.mark.parametrize("status", [401, 403])
async def test_a_missing_and_a_wrong_token_name_the_setting(
    call: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "wrong-token-of-ours")
    ray = Canned({POST: ACCEPTED, call: text(status, "Unauthorized: invalid token wrong-token-of-ours")})
    with pytest.raises(errors.Auth, match="RAY_AUTH_TOKEN") as caught:
        await submit(ray.provider())
    assert "wrong-token-of-ours" not in str(caught.value)
    assert ray.requests[0].headers["Authorization"] == "Bearer wrong-token-of-ours"


async def test_a_head_that_is_down_takes_nothing(autojump_clock: trio.testing.MockClock) -> None:
    ray = Canned({"GET /api/version": httpx.ConnectError("refused")})
    with pytest.raises(errors.Unavailable):
        await submit(ray.provider())
    assert ray.asked(POST) == []


@pytest.mark.parametrize("key", ["a/b", "a b", "", "x" * 65, "ä", "-x", "a\nb", "../version"])
def test_a_key_that_is_no_id_is_mapped_to_one_always_the_same(key: str) -> None:
    """Ray answers 500 for an id with a slash and keeps a job that nobody can reach."""
    assert submission_id(key) == submission_id(key)
    assert submission_id(key) != submission_id(key + "x")
    assert submission_id(key).replace("-", "").isalnum()
    assert len(submission_id(key)) <= 64


def test_a_key_that_is_an_id_stays() -> None:
    assert submission_id("0199-ab_C-1") == "0199-ab_C-1"


async def test_find_knows_its_job_again_and_surely_denies_an_unknown_one() -> None:
    found = await Canned({GET: details("PENDING")}).provider().find("k1", "t1")
    assert isinstance(found, Submitted)
    assert found.handle == {"id": "k1", "session": SESSION}
    assert await Canned({GET: unknown()}).provider().find("k1", "t1") is ABSENT


async def test_a_lost_answer_is_no_absence_while_the_head_may_still_accept_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    provider = Canned({POST: LOST, GET: unknown()}).provider()
    with pytest.raises(errors.OutcomeUnknown):
        await submit(provider)
    with pytest.raises(errors.ProviderError, match="too soon to be sure: asked again within 10 s"):
        await provider.find("k1", "t1")
    await trio.sleep(10)
    assert await provider.find("k1", "t1") is ABSENT


@pytest.mark.parametrize("answer", [text(200, "<html>Sign in</html>"), {"submission_id": "another"}, []])
async def test_an_answer_that_does_not_name_the_job_accepts_nothing(answer: object) -> None:
    """As the page of a proxy: whether the job was accepted is not known."""
    with pytest.raises(errors.OutcomeUnknown):
        await submit(Canned({POST: answer, GET: unknown()}).provider())
    assert (await submit(Canned({POST: answer, GET: details()}).provider())).existed


async def test_an_earlier_submission_that_was_accepted_late_makes_the_outcome_unknown() -> None:
    """It has the token of then; the job must not get another id, under which it would run twice."""
    late = details(token="of-the-first-try")
    late["metadata"][JOB_ID] = "j1"
    with pytest.raises(errors.OutcomeUnknown, match="an earlier submission had been accepted late"):
        await submit(Canned({POST: already_exists(), GET: late}).provider())


async def test_find_cannot_tell_when_the_id_is_somebody_elses() -> None:
    assert await Canned({GET: details(token="other")}).provider().find("k1", "t1") is UNKNOWABLE


async def test_find_cannot_tell_after_a_restart_of_the_head_that_was_asked() -> None:
    """What that head had accepted is forgotten, and may still run."""
    after = {**VERSION, "session_name": "session_later"}
    ray = Canned({"GET /api/version": (VERSION, after), POST: LOST, GET: unknown()})
    provider = ray.provider()
    with pytest.raises(errors.OutcomeUnknown):
        await submit(provider)
    assert await provider.find("k1", "t1") is UNKNOWABLE


async def lose(ray: Canned, root: Path) -> None:
    """Submit a job whose answer is lost, in a process that ends then."""
    with pytest.raises(errors.OutcomeUnknown):
        await submit(ray.provider(root))


def notes(root: Path) -> list[str]:
    return [path.stem for path in root.glob("handed-over/*")]


@pytest.mark.parametrize("note", [None, b"", b"[]", b"{}", b'{"session": 7}'])
async def test_the_next_process_cannot_tell_after_a_restart_of_the_head_that_was_asked(
    tmp_path: Path, note: bytes | None
) -> None:
    after = {**VERSION, "session_name": "session_later"}
    ray = Canned({"GET /api/version": (VERSION, after), POST: LOST, GET: unknown()})
    await lose(ray, tmp_path)
    if note is not None:  # damaged: all that it says is that a submission was sent
        (tmp_path / "handed-over" / "k1.json").write_bytes(note)
    assert await ray.provider(tmp_path).find("k1", "t1") is UNKNOWABLE


async def test_a_head_that_is_restarted_between_two_questions_does_not_count_as_one_that_denies_the_job() -> None:
    after = {**VERSION, "session_name": "session_later"}
    ray = Canned({"GET /api/version": (VERSION, VERSION, after), POST: LOST, GET: unknown()})
    provider = ray.provider()
    with pytest.raises(errors.OutcomeUnknown):
        await submit(provider)
    assert await provider.find("k1", "t1") is UNKNOWABLE


async def test_what_is_noted_of_a_job_that_a_person_settles_is_removed(tmp_path: Path) -> None:
    ray = Canned({POST: LOST, GET: unknown()})
    await lose(ray, tmp_path)
    await ray.provider(tmp_path).settled("k1")
    assert notes(tmp_path) == []


async def test_the_next_process_too_waits_while_the_head_may_still_accept_a_submission(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    ray = Canned({POST: LOST, GET: unknown()})
    await lose(ray, tmp_path)
    after = ray.provider(tmp_path)
    with pytest.raises(errors.ProviderError, match="too soon to be sure: asked again within 10 s"):
        await after.find("k1", "t1")
    await trio.sleep(10)
    assert await after.find("k1", "t1") is ABSENT
    assert await after.find("k1", "t1") is ABSENT


async def test_a_note_of_a_submission_is_kept_until_its_handle_is_in_the_rows(tmp_path: Path) -> None:
    ray = Canned({POST: ACCEPTED, GET: details()})
    handle = (await submit(ray.provider(tmp_path))).handle
    assert notes(tmp_path) == ["k1"]
    await ray.provider(tmp_path).observe_many({"k1": handle})
    assert notes(tmp_path) == []


async def test_nothing_is_submitted_that_cannot_be_noted(tmp_path: Path) -> None:
    (tmp_path / "handed-over").write_text("in the way")
    ray = Canned({POST: ACCEPTED})
    with pytest.raises(errors.Unavailable, match="cannot be written down before it is made"):
        await submit(ray.provider(tmp_path))
    assert ray.asked(POST) == []


async def test_a_secret_travels_by_name_and_stands_in_no_prepared_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_very_secret")
    ray = Canned({POST: ACCEPTED})
    provider = ray.provider(secret_env=("HF_TOKEN",))
    request = JobRequest(command=("true",), spec={"secret_env": ["HF_TOKEN"]})
    assert "hf_very_secret" not in str(provider.prepare(request))
    await submit(provider, request)
    assert ray.sent()["runtime_env"]["env_vars"]["HF_TOKEN"] == "hf_very_secret"


async def test_a_secret_that_is_not_set_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    ray = Canned({POST: ACCEPTED})
    with pytest.raises(errors.Invalid, match="HF_TOKEN is not set"):
        await submit(
            ray.provider(secret_env=("HF_TOKEN",)), JobRequest(command=("true",), spec={"secret_env": ["HF_TOKEN"]})
        )
    assert ray.asked(POST) == []
