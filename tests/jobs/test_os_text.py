"""Values of the operating system: any bytes in memory, in JSON and for people, and never two for one."""

from __future__ import annotations

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.job_requests.job_request import request_from_mapping
from actors.jobs.codec import fingerprint, request_bytes, request_to_json
from actors.jobs.os_text import from_bytes, from_plain, kept, readable, shown, to_bytes, to_plain
from actors.jobs.records import JobRequest, Rerun, Resources
from actors.jobs.request_texts import text_fault
from actors.store.rows import read
from actors.validation import CheckedError

ANY_BYTES = st.binary(max_size=40).filter(lambda data: b"\0" not in data)
HALF = "\ud800"


def asking(value: bytes) -> JobRequest:
    text = from_bytes(value)
    return JobRequest(command=("p", text), cwd="/" + text, env={"A": text}, inherited_env={"B": text}, user_id="ana")


@given(ANY_BYTES)
def test_any_bytes_survive_memory_and_json(data: bytes) -> None:
    plain = orjson.loads(orjson.dumps(to_plain(from_bytes(data))))
    assert to_bytes(from_plain(plain)) == data


@given(ANY_BYTES)
def test_a_request_survives_the_store_and_the_socket(data: bytes) -> None:
    """What the store keeps and what the command line sends is JSON; the same request comes out of both."""
    request = asking(data)
    document = orjson.loads(orjson.dumps(request_to_json(request)))
    assert read(JobRequest, document) == request
    assert request_from_mapping(document) == request


@given(ANY_BYTES, ANY_BYTES)
def test_two_byte_strings_never_have_one_fingerprint(one: bytes, other: bytes) -> None:
    assert (fingerprint(asking(one)) == fingerprint(asking(other))) == (one == other)


@given(ANY_BYTES)
def test_what_people_read_is_utf8(data: bytes) -> None:
    shown(from_bytes(data)).encode()
    assert kept(kept(from_bytes(data))) == kept(from_bytes(data))


def test_a_byte_that_is_not_utf8_is_shown_by_its_number() -> None:
    assert shown(from_bytes(b"caf\xe9")) == r"caf\xe9"
    assert shown("café") == "café"


def test_what_cannot_be_kept_is_replaced() -> None:
    assert kept(f"a\0b{HALF}c\udce9") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c\\xe9"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("command", ["a", {"base64": "x"}], "command[1]: base64: is not base64"),
        ("command", ["a", {"base_64": "eA=="}], "command[1]: must be a text, or"),
        ("command", ["a", {"base64": "eA==", "more": "x"}], "command[1]: must be a text, or"),
        ("command", ["a", {"base64": "AA=="}], "command[1]: must not hold a NUL"),
        ("command", ["a", "\udcff"], "command[1]: must not hold half of a surrogate pair"),
        ("cwd", {"base64": ["/"]}, "cwd: must be a text"),
        ("env", {"A": {"base64": "x"}}, "env.A: base64: is not base64"),
        ("inherited_env", {"A": {"base64": "x"}}, "inherited_env.A: base64: is not base64"),
        ("config_name", {"base64": "eA=="}, "config_name: must be a text"),
    ],
)
def test_a_value_that_is_written_wrongly_is_refused_at_its_place(field: str, value: object, said: str) -> None:
    with pytest.raises(CheckedError) as refusal:
        request_from_mapping({field: value})
    assert said in str(refusal.value)


def test_a_text_that_is_not_utf8_is_refused_with_how_to_write_it() -> None:
    with pytest.raises(ValueError, match=r"must be UTF-8; write other bytes as"):
        from_plain("caf\udce9")


@pytest.mark.parametrize("plain", [7, None, ["a"], b"a"])
def test_what_is_neither_a_text_nor_an_object_stands_for_no_bytes(plain: object) -> None:
    with pytest.raises(ValueError, match="must be a text, or"):
        from_plain(plain)


TEXTS = [field.name for field in attrs.fields(JobRequest) if field.name not in ("command", "cwd")]


@pytest.mark.parametrize("bad", ["\udcff", HALF, "\0"])
@pytest.mark.parametrize("name", TEXTS)
def test_every_other_text_of_a_request_is_utf8(name: str, bad: str) -> None:
    """The generated test: each field of a request, with a text in it that no store could keep."""
    present = getattr(JobRequest(), name)
    if isinstance(present, dict) or name == "inherited_env":
        values: list[object] = [{bad: "x"}, *([{"x": [{"y": bad}]}] if name in ("params", "spec") else [])]
    elif isinstance(present, tuple):
        values = [(bad,)]
    elif present is None or isinstance(present, str):
        values = [bad]
    elif isinstance(present, Rerun):
        values = [Rerun(on=(bad,))]
    else:
        assert isinstance(present, int | float | Resources), f"{name}: say how a text gets into it"
        values = []
    for value in values:
        request = attrs.evolve(JobRequest(), **{name: value})
        fault = text_fault(request)
        assert fault is not None
        assert text_fault(request, request_bytes(request)) == fault
        assert fault[0].startswith(name)
        (fault[0] + fault[1]).encode()


@pytest.mark.parametrize("name", ["command", "cwd", "env", "inherited_env"])
def test_a_value_of_the_system_may_be_any_bytes_but_nul(name: str) -> None:
    def request(value: str) -> JobRequest:
        whole: object = (value,) if name == "command" else value if name == "cwd" else {"A": value}
        return attrs.evolve(JobRequest(), **{name: whole})

    assert text_fault(request("/\udcff")) is None
    for bad in ("/\0", "/\0\udcff", HALF):
        fault = text_fault(request(bad))
        assert fault is not None
        assert text_fault(request(bad), request_bytes(request(bad))) == fault
        assert fault[0].startswith(name)


def test_a_document_is_readable_in_all_its_texts_and_names() -> None:
    document = {"a\0": [from_bytes(b"\xff"), ("x", HALF), 3, None], 4: {"b": True}}
    assert readable(document) == {"a\ufffd": ["\\xff", ["x", "\ufffd"], 3, None], "4": {"b": True}}
