"""What is masked and what is not."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logconf import LogContext, get_logger, register_secret, set_correlation_id
from logconf.masking import forget_secrets, key_names_secret, mask_text
from logconf.testing import capture_logs
from logconf.text_renderer import TextRenderer

logger = get_logger("tests.masking")

SECRET_KEYS = [
    "token", "hf_token", "authorization", "password", "secret", "api_key", "accessToken", "HF_TOKEN", "x-api-key",
    "Authorization", "client.secret", "clientSecret", "db_password", "Proxy-Authorization", "apikey", "APIKey",
    "private_key", "aws_secret_access_key", "set-cookie", "replicate_api_token",
]  # fmt: skip
ORDINARY_KEYS = [
    "max_tokens", "tokenizer", "pad_token_id", "token_count", "tokens", "secretary", "author", "key", "primary_key",
    "password_changed_at", "api_key_id", "keyboard", "job_id", "tokenizer_name", "hidden", "secrets_found", "passwords",
]  # fmt: skip


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_values_under_secret_keys_are_masked_everywhere(key: str) -> None:
    assert key_names_secret(key)
    with capture_logs() as lines, LogContext(**{key: "hunter2"}):
        logger.info("m")
        logger.info("m", extra={key: "hunter2"})
        logger.info("m", extra={"nested": [{key: {"deep": "hunter2"}}]})
        logger.info("request with %s", {key: "hunter2"})
        logger.info("%s=hunter2 was given", key)
    assert len(lines) == 5
    assert "hunter2" not in json.dumps(lines)


@pytest.mark.parametrize("key", ORDINARY_KEYS)
def test_values_under_ordinary_keys_are_not(key: str) -> None:
    assert not key_names_secret(key)
    with capture_logs() as lines:
        logger.info("%s=plain-text", key, extra={key: "plain-text", "nested": {key: "plain-text"}})
    assert lines[0]["extra"] == {key: "plain-text", "nested": {key: "plain-text"}}
    assert lines[0]["message"] == f"{key}=plain-text"


@pytest.mark.parametrize("secret", ['ab"cd-rest', "ab\\'\"cd-rest", "ab\\", "it's-rest", 'a"b"c-rest', "ab\\\\"])
def test_a_secret_with_quotes_and_backslashes_is_masked_to_its_end(secret: str) -> None:
    """As JSON, as JSON inside of JSON, and as Python shows it."""
    document = {"password": secret, "x": "kept"}
    for text in (json.dumps(document), json.dumps(json.dumps(document)), repr(document)):
        assert "rest" not in mask_text(text)
        assert "ab" not in mask_text(text)
        assert "kept" in mask_text(text)


def test_the_password_of_an_address_is_masked_to_the_last_at() -> None:
    assert mask_text("postgres://u:p@ss@host/db and a@b") == "postgres://***@host/db and a@b"


@pytest.mark.parametrize("value", [0, 512, 1.5, True, False, None])
def test_numbers_booleans_and_null_are_never_masked(value: Any) -> None:
    with capture_logs() as lines:
        logger.info("token=%s", value, extra={"token": value, "nested": {"secret": value}})
    assert lines[0]["extra"] == {"token": value, "nested": {"secret": value}}
    assert lines[0]["message"] == f"token={value}"


def test_other_kinds_of_numbers_are_not_masked_either_and_what_cannot_be_asked_is() -> None:
    class Liar:
        @property
        def __class__(self) -> Any:
            raise OSError

    with capture_logs() as lines:
        logger.info("x", extra={"token": Decimal("3.50"), "secret": Fraction(1, 2), "password": Liar(), "after": 1})
    assert lines[0]["extra"] == {"token": 3.5, "secret": 0.5, "password": "***", "after": 1}


def test_names_of_headers_as_a_server_has_them_name_secrets_too() -> None:
    with capture_logs() as lines:
        logger.info("x", extra={"headers": {b"x-api-key": b"hunter2", b"accept": b"a", b"\xff": 1}})
    assert lines[0]["extra"] == {"headers": {"x-api-key": "***", "accept": "a", "\\xff": 1}}


@pytest.mark.parametrize("correlation_id", ["token:abc", "sk-abcdefghijklmnop1234", "password=x/y+z"])
def test_an_id_is_shown_as_it_was_accepted(correlation_id: str) -> None:
    """Else nobody finds the lines by it, and several IDs become one."""
    set_correlation_id(correlation_id)
    with capture_logs() as lines:
        logger.info("x")
    assert lines[0]["correlation_id"] == correlation_id
    assert f"({correlation_id}): x" in TextRenderer()(logger.makeRecord("n", 20, "f", 1, "x", (), None)).decode()


def test_a_registered_secret_is_masked_in_an_id_too() -> None:
    register_secret("hunter2-hunter2")
    try:
        set_correlation_id("run:hunter2-hunter2")
        with capture_logs() as lines:
            logger.info("x")
    finally:
        forget_secrets()
    assert lines[0]["correlation_id"] == "run:***"


def test_a_secret_that_is_registered_inside_of_a_block_is_masked_in_its_fields_too() -> None:
    try:
        with capture_logs() as lines, LogContext(url="hunter2-hunter2"):
            logger.info("before")
            logger.info("before")
            register_secret("hunter2-hunter2")
            logger.info("after")
    finally:
        forget_secrets()
    assert [line["extra"]["url"] for line in lines] == ["hunter2-hunter2", "hunter2-hunter2", "***"]


TEXTS = [
    ("Authorization: Bearer abc.DEF-123", "Authorization: ***"),
    ("sent bearer abc123== to it", "sent bearer *** to it"),
    ("BEARER abc123", "BEARER ***"),
    ("a\\nBearer abcSECRET", "a\\nBearer ***"),
    ("b'\\r\\nBearer abcSECRET'", "b'\\r\\nBearer ***'"),
    ("Bearer 12|abcSECRET, then more", "Bearer ***, then more"),
    ("Authorization: Basic dXNlcjpwYXNz rest", "Authorization: *** rest"),
    ("https://user:hunter2@host/x", "https://***@host/x"),
    ("https://hunter2@host/x?a=1", "https://***@host/x?a=1"),
    ("GET https://host/x?a=1&token=hunter2&b=2", "GET https://host/x?a=1&token=***&b=2"),
    ("https://s3/x?X-Amz-Signature=hunter2&y=1", "https://s3/x?X-Amz-Signature=***&y=1"),
    ('{"password": "hunter2", "n": 1}', '{"password": "***", "n": 1}'),
    ("{'api_key': 'hunter2'}", "{'api_key': '***'}"),
    ('{\\"token\\": \\"hunter2\\"}', '{\\"token\\": \\"***\\"}'),
    ("password='my hunter2'", "password='***'"),
    ("(b'authorization', b'Bearer hunter2')", "(b'authorization', b'Bearer ***')"),
    ("clientSecret=hunter2", "clientSecret=***"),
    ("hf_abcdefghijklmnopqrstuvwxyz0123 was used", "*** was used"),
    ("r8_abcdefghijklmnopqrstuvwxyz0123", "***"),
    ("AKIAIOSFODNN7EXAMPLE", "***"),
]


@pytest.mark.parametrize(("text", "masked"), TEXTS)
def test_secrets_inside_text_are_masked(text: str, masked: str) -> None:
    with capture_logs() as lines:
        logger.info(text, extra={"field": text, "list": [text]})
        try:
            raise ValueError(text)
        except ValueError:
            logger.exception("m")
    assert lines[0]["message"] == masked
    assert lines[0]["extra"] == {"field": masked, "list": [masked]}
    assert f"ValueError: {masked}" in lines[1]["exception"]


@pytest.mark.parametrize(
    "text",
    [
        "Synced 5 active jobs",
        "Failed to sync job x: timeout",
        "max_tokens=512 tokenizer=llama pad_token_id: 0",
        "https://host:8000/path?page=2",
        "token_count: 5, tokens: many",
        "12:30:45 key=value",
        "unauthorized: who are you",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert mask_text(text) is text


def test_registered_values_are_masked_wherever_they_appear() -> None:
    assert register_secret("s3cr/et value")
    with capture_logs() as lines, LogContext(where="in s3cr/et value context"):
        logger.info(
            "got s3cr/et value and s3cr%2Fet%20value", extra={"a": "s3cr/et value", "n": {"b": ["s3cr/et value"]}}
        )
        try:
            raise RuntimeError("s3cr/et value")
        except RuntimeError:
            logger.exception("m")
    assert "s3cr" not in json.dumps(lines)
    assert lines[0]["message"] == "got *** and ***"


def test_a_value_too_short_to_mask_is_refused() -> None:
    assert not register_secret("abc")
    assert mask_text("abc") == "abc"


def test_a_registered_number_does_not_break_the_line() -> None:
    register_secret("12345")
    with capture_logs() as lines:
        logger.info("m", extra={"n": 12345, "s": "12345"})
    assert lines[0]["extra"] == {"n": 12345, "s": "***"}


def test_source_lines_in_tracebacks_are_masked() -> None:
    with capture_logs() as lines:
        try:
            dict(password="hunter2")["missing"]  # noqa: C408
        except KeyError:
            logger.exception("m")
    assert "hunter2" not in lines[0]["exception"]
    assert "password" in lines[0]["exception"]


@given(st.text())
def test_masking_is_idempotent_and_never_raises(text: str) -> None:
    once = mask_text(text)
    assert mask_text(once) == once


def test_a_long_text_is_masked_in_linear_time() -> None:
    """Texts made to send a careless pattern into quadratic work, at a size where that would not end."""
    for text in ("token" * 20_000, "a" * 200_000 + "=", "://" * 30_000, "bearer " * 20_000, "password='" * 10_000):
        assert isinstance(mask_text(text), str)


def test_the_text_form_masks_too() -> None:
    from logconf.text_renderer import TextRenderer

    record = logging.makeLogRecord({"msg": "token=hunter2", "levelname": "INFO", "name": "n"})
    assert b"hunter2" not in TextRenderer()(record)
