"""The strict converter: no coercion, and every problem of a document at once with its path."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

import attrs
import pytest
from attrs.validators import ge, gt

from actors.jobs.quantities import Bytes
from actors.validation import INPUT, CheckedError, Shape, StrictConverter, Wrong, plain_value
from actors.validation.values import fits


class Mode(StrEnum):
    """What a server does."""

    FAST = "fast"
    SAFE = "safe"


@attrs.frozen
class Http:
    """A section with a field of each kind."""

    port: int = 80
    tls: bool = False
    rate: float = attrs.field(default=1.0, validator=gt(0))
    retries: int = attrs.field(default=1, validator=ge(0))
    hosts: tuple[str, ...] = ()
    types: frozenset[str] = frozenset()
    mode: Mode = Mode.SAFE
    proto: Literal["h1", "h2"] = "h1"
    workers: int | tuple[str, ...] | None = None
    since: datetime | None = None
    memory: Bytes | None = None
    extra: Any = None


@attrs.frozen
class Span:
    """Two ends that belong together, both required."""

    first: int
    last: int

    def __attrs_post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError("last must not be before first")


@attrs.frozen
class App:
    """Sections, a mapping, and a class that checks itself as a whole."""

    http: Http = attrs.field(factory=Http)
    sizes: Mapping[str, int] = attrs.field(factory=dict)
    span: Span | None = None


@attrs.frozen
class Subscribe:
    """One of two messages."""

    after: int | None = None


@attrs.frozen
class Ack:
    """The other."""

    seq: int


def problems(data: Any, kind: Any = App, converter: StrictConverter = INPUT) -> list[str]:
    with pytest.raises(CheckedError) as refused:
        converter.read(data, kind)
    return str(refused.value).splitlines()


def test_what_is_right_becomes_its_class() -> None:
    section = {
        "port": 8080, "rate": 2, "hosts": ["a"], "types": ["x", "x"], "mode": "fast", "workers": ["w"],
        "since": "2026-01-31T10:30:00+01:00", "memory": "2GiB", "extra": {"a": [1, None, {"b": "c"}]},
    }  # fmt: skip
    app = INPUT.read({"http": section, "sizes": {"a": 1}, "span": {"first": 1, "last": 2}}, App)
    assert app == App(
        Http(
            8080, rate=2.0, hosts=("a",), types=frozenset("x"), mode=Mode.FAST, workers=("w",),
            since=datetime(2026, 1, 31, 9, 30, tzinfo=UTC), memory=2**31, extra={"a": [1, None, {"b": "c"}]},
        ), {"a": 1}, Span(1, 2),
    )  # fmt: skip
    assert isinstance(app.http.rate, float)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("port", "12"), ("port", 1.9), ("port", 1.0), ("port", True), ("port", None), ("port", 2**63),
        ("tls", "yes please"), ("tls", 1), ("tls", None), ("rate", "1"), ("rate", float("nan")), ("rate", True),
        ("hosts", "abc"), ("hosts", [1]), ("hosts", {"a": 1}), ("types", "abc"), ("mode", "FAST"), ("mode", 1),
        ("proto", None), ("workers", 1.5), ("workers", "a"), ("since", "2026-01-31"), ("since", 5), ("memory", "lots"),
        ("extra", {1}), ("extra", [float("inf")]), ("extra", {"a": "\0"}), ("extra", {1: 2}), ("extra", "\ud800"),
    ],
)  # fmt: skip
def test_nothing_is_coerced(field: str, value: Any) -> None:
    (problem,) = problems({"http": {field: value}})
    assert problem.startswith(f"http.{field}")


def test_every_problem_is_told_at_once() -> None:
    """Types, ranges and unknown keys at two depths; two ranges in one section; missing keys; rules over fields."""
    found = problems(
        {
            "http": {"port": "80", "rate": 0, "retries": -1, "hots": 1, "extra": {"a": [float("nan")], "b": "\0"}},
            "sizes": {"a": "x", "b\0": 1},
            "span": {"last": 1},
            "htp": {},
        }
    )
    assert found == [
        "http.port: must be a whole number, not '80'; take the quotes away",
        "http.rate: must be more than 0, not 0",
        "http.retries: must be at least 0, not -1",
        "http.extra.a[0]: must be a finite number, not nan",
        "http.extra.b: must not hold a NUL character",
        "http.hots: unknown key; did you mean hosts?",
        "sizes.a: must be a whole number, not 'x'",
        'sizes."b\\u0000": must not hold a NUL character',
        "span.first: is missing",
        "htp: unknown key; did you mean http?",
    ]


def test_a_rule_over_several_fields_speaks_where_they_are_good() -> None:
    assert problems({"span": {"first": 2, "last": 1}}) == ["span.last: must not be before first"]
    assert problems({"span": {"first": 2, "last": "1"}}) == [
        "span.last: must be a whole number, not '1'; take the quotes away"
    ]


def test_what_is_nested_too_deep_is_refused() -> None:
    deep: list[Any] = []
    deep.append(deep)
    assert problems({"http": {"extra": deep}}) == ["nested deeper than 64 levels"]


def test_a_tagged_union_is_read_by_its_tag() -> None:
    converter = StrictConverter()
    message = Subscribe | Ack
    converter.tagged_union(message, {"subscribe": Subscribe, "ack": Ack})
    assert converter.read({"type": "ack", "seq": 1}, message) == Ack(1)
    assert converter.read({"type": "subscribe"}, message) == Subscribe()
    for data, problem in (
        ({"type": "acc", "seq": 1}, "type: must be one of subscribe, ack; did you mean ack?"),
        ({"seq": 1}, "type: must be one of subscribe, ack"),
        ({"type": ["ack"]}, "type: must be one of subscribe, ack"),
        ({"type": "ack", "sec": 1}, "seq: is missing\nsec: unknown key; did you mean seq?"),
        ([], "must be a mapping, not a list"),
    ):
        assert problems(data, message, converter) == problem.splitlines()


def check_rate(http: Http) -> None:
    if http.rate > http.port:
        raise Wrong("is too high for that port", "rate")


def test_a_shape_says_how_a_class_is_written() -> None:
    shape = Shape(
        names={"listen": "port"},
        hidden={"tls"},
        also={"kind"},
        types={"retries": Bytes},
        validators={"port": fits(lambda port: port != 22, "is taken")},
        whole=check_rate,
    )
    converter = StrictConverter({Http: shape})
    assert converter.read({"listen": 1, "kind": 3, "retries": "1kB"}, Http) == Http(port=1, retries=1000)
    assert problems({"listen": 22, "rat": True, "port": 1}, Http, converter) == [
        "listen: is taken",
        "rat: unknown key; did you mean rate?",
        "port: unknown key; did you mean proto?",
    ]
    assert problems({"tls": True}, Http, converter)[0].startswith("tls: unknown key")
    assert problems({"listen": 1, "rate": 2}, Http, converter) == ["rate: is too high for that port"]


def test_texts_of_a_query_are_read_as_yaml_has_them() -> None:
    assert INPUT.read({"port": plain_value("20"), "tls": plain_value("true")}, Http) == Http(20, True)
    assert problems({"port": plain_value("020"), "rate": plain_value("1e999"), "tls": plain_value("yes")}, Http) == [
        "port: must be a whole number, not 020",
        "tls: must be true or false, not yes",
        "rate: must be a finite number, not 1e999",
    ]
