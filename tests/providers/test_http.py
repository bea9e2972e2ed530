"""The client of remote providers: to one origin, and each failure told as what it means."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import trio

from actors.providers import errors
from actors.providers.http import ProviderClient
from actors.providers.samples import sample
from logconf.masking import MASK, mask_text
from tests.providers.outside import TOKEN, Asked, always, client_of

# Statuses.


@pytest.mark.parametrize(
    ("status", "asking", "posting"),
    [
        (400, errors.Invalid, errors.Invalid),
        (401, errors.Auth, errors.Auth),
        (402, errors.Forbidden, errors.Forbidden),
        (403, errors.Forbidden, errors.Forbidden),
        (404, errors.NotFound, errors.NotFound),
        (408, errors.Unavailable, errors.OutcomeUnknown),
        (409, errors.Conflict, errors.Conflict),
        (418, errors.ProviderError, errors.ProviderError),
        (422, errors.Invalid, errors.Invalid),
        (429, errors.RateLimited, errors.RateLimited),
        (500, errors.Unavailable, errors.OutcomeUnknown),
        (502, errors.Unavailable, errors.OutcomeUnknown),
        (503, errors.Unavailable, errors.OutcomeUnknown),
        (504, errors.Unavailable, errors.OutcomeUnknown),
        (302, errors.Protocol, errors.Protocol),
        (304, errors.Protocol, errors.Protocol),
    ],
)
async def test_what_a_status_means_depends_on_whether_the_request_may_have_taken_effect(
    autojump_clock, status, asking, posting
):
    client = client_of(always(status, json={"detail": "so it is"}))
    for method, kind in (("GET", asking), ("POST", posting)):
        with pytest.raises(kind) as caught:
            await client.request(method, "/jobs")
        assert type(caught.value) is kind


async def test_a_status_that_is_an_answer_here_is_given_back():
    answer = await client_of(always(404, json={"detail": "gone"})).request("POST", "/jobs/1/cancel", accept=(404,))
    assert (answer.status, answer.object()) == (404, {"detail": "gone"})


async def test_a_401_says_the_setting_and_never_the_token():
    client = client_of(always(401, text=f"bad token {TOKEN}"), auth="cloud does not accept the token in $CLOUD_TOKEN")
    with pytest.raises(errors.Auth) as caught:
        await client.request("GET", "/jobs")
    assert str(caught.value) == "cloud does not accept the token in $CLOUD_TOKEN"


async def test_what_a_provider_says_is_told_without_secrets_and_control_characters():
    client = client_of(always(400, text=f"no:\r\n\x1b[31m{TOKEN} is wrong {'x' * 5000}"))
    with pytest.raises(errors.Invalid) as caught:
        await client.request("GET", "/jobs")
    said = str(caught.value)
    assert TOKEN not in said
    assert MASK in said
    assert said.isprintable()
    assert len(said) < 300


async def test_a_credential_is_masked_in_every_line_from_its_first_use_on():
    await client_of(always(200), headers=lambda: {"Authorization": "Bearer another-secret-of-mine"}).request("GET", "/")
    assert mask_text("I saw another-secret-of-mine") == f"I saw {MASK}"


@pytest.mark.parametrize("token", ["new\nline-in-it", "é-in-it-is-not-ascii", "nul\0-in-it"])
async def test_a_token_that_no_header_can_carry_is_an_auth_error_that_does_not_show_it(token):
    asked = Asked(httpx.Response(200))
    with pytest.raises(errors.Auth) as caught:
        await client_of(asked, headers=lambda: {"Authorization": f"Bearer {token}"}).request("GET", "/jobs")
    assert token not in str(caught.value)
    assert asked == []


# Bodies.


async def test_json_that_is_none_is_a_protocol_error_with_its_beginning():
    answer = await client_of(always(200, text="<html>welcome</html>")).request("GET", "/jobs")
    with pytest.raises(errors.Protocol, match="<html>welcome"):
        answer.json()
    answer = await client_of(always(200, json=[1])).request("GET", "/jobs")
    assert answer.json() == [1]
    with pytest.raises(errors.Protocol, match="not a JSON object"):
        answer.object()


async def test_a_body_larger_than_asked_for_is_not_read_to_its_end():
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1000
            await trio.lowlevel.checkpoint()
            yield b"x" * 1000

    client = client_of(lambda _request: httpx.Response(200, content=endless()))
    with pytest.raises(errors.Protocol, match="more than 10000 bytes"):
        await client.request("GET", "/jobs", most_bytes=10_000)
    assert sent <= 12_000


async def test_a_packed_body_is_refused_for_it_may_unpack_to_anything():
    asked = Asked(httpx.Response(200, content=b"x", headers={"Content-Encoding": "br"}))
    with pytest.raises(errors.Protocol, match="packed"):
        await client_of(asked).request("GET", "/jobs")
    assert asked[0][1].headers["accept-encoding"] == "identity"


async def test_json_goes_out_as_json_and_bytes_as_they_are():
    asked = Asked(httpx.Response(201))
    client = client_of(asked)
    await client.request("POST", "/jobs", json={"a": 1}, headers={"Cancel-After": "5s"})
    await client.request("PUT", "/packages/1", content=b"zip", params={"kind": "zip"})
    first, second = (request for _, request in asked)
    assert (first.content, first.headers["content-type"], first.headers["cancel-after"]) == (
        b'{"a":1}', "application/json", "5s",
    )  # fmt: skip
    assert (second.content, second.url.query) == (b"zip", b"kind=zip")


# Where to.


@pytest.mark.parametrize("path", ["jobs", "//evil.invalid/jobs", "https://evil.invalid/jobs", "", ":8080/x", "@evil/x"])
async def test_no_request_leaves_the_configured_origin(path):
    asked = Asked(httpx.Response(200))
    with pytest.raises(errors.Protocol):
        await client_of(asked).request("GET", path)
    assert asked == []


async def test_a_redirect_is_not_followed():
    asked = Asked(httpx.Response(307, headers={"Location": "https://evil.invalid/steal"}))
    with pytest.raises(errors.Protocol, match=r"redirect to evil\.invalid"):
        await client_of(asked).request("GET", "/jobs")
    assert len(asked) == 1


@pytest.mark.parametrize(
    "address", ["cloud.invalid", "ftp://cloud.invalid", "https://", "https://u:p@cloud.invalid", "https://c.invalid/?a"]
)
def test_an_address_that_is_none_is_refused_without_showing_a_password(address):
    with pytest.raises(ValueError) as caught:
        ProviderClient("cloud", address)
    assert "u:p@" not in str(caught.value)


def test_a_sample_is_one_short_line():
    assert sample(b"\xff\xfe a\n\tb \x00") == "\ufffd\ufffd a b"
    assert len(sample("x" * 10_000)) == 200
