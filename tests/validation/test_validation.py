"""Checked YAML: what is refused, in which words, at which place."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest
from attrs.validators import ge, gt, in_

from actors.validation import INPUT, CheckedError, Problems, document, read_bytes


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
    hosts: tuple[str, ...] = ()
    mode: Mode = Mode.SAFE
    proto: Literal["h1", "h2"] = "h1"
    workers: int | tuple[str, ...] | None = None
    retries: int = attrs.field(default=1, validator=ge(0))
    level: str = attrs.field(default="a", validator=in_(("a", "b")))
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
    """A document with a section, a mapping, and a class that checks itself as a whole."""

    http: Http = attrs.field(factory=Http)
    sizes: Mapping[str, int] = attrs.field(factory=dict)
    span: Span | None = None
    folder: Path | None = None


def read(text: str | bytes) -> App:
    problems = Problems()
    root = document(text.encode() if isinstance(text, str) else text, "app.yaml", problems)
    app = INPUT.read(root, App, problems=problems)
    assert isinstance(app, App)
    return app


def faults(text: str | bytes) -> list[str]:
    with pytest.raises(CheckedError) as caught:
        read(text)
    return str(caught.value).splitlines()


def test_a_whole_document_becomes_its_class() -> None:
    app = read(
        "http: {port: 8080, tls: true, rate: 1, hosts: [a, 2024-01-01], mode: fast, proto: h2, workers: [x]}\n"
        "sizes: {a: 1, on: 2}\nspan: {first: 1, last: 2}\nfolder: /x\n"
    )
    assert app == App(
        Http(8080, True, 1.0, ("a", "2024-01-01"), Mode.FAST, "h2", ("x",)), {"a": 1, "on": 2}, Span(1, 2), Path("/x")
    )
    assert isinstance(app.http.rate, float)


@pytest.mark.parametrize("text", ["{}", "http:\nsizes:\n", "http: ~\n", "{http: {hosts: }}", "\ufeff{}"])
def test_a_section_without_content_is_its_defaults(text: str) -> None:
    assert read(text) == App()


def test_json_is_read_as_it_is() -> None:
    app = read('{\n\t"http": {"port": 8080, "rate": 1e-3, "hosts": ["a\\/b", "\\u00e9"]},\n\t"sizes": {}\n}')
    assert app.http == Http(port=8080, rate=0.001, hosts=("a/b", "é"))


def test_an_anchor_may_be_used_again() -> None:
    app = read("http: {hosts: &h [a, b], workers: *h}\n")
    assert app.http.hosts == app.http.workers == ("a", "b")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("80a", "must be a whole number, not '80a'"),
        ('"12"', "must be a whole number, not '12'; take the quotes away"),
        ("1.9", "must be a whole number, not 1.9"),
        ("1e3", "must be a whole number, not 1e3"),
        ("true", "must be a whole number, not true"),
        ("no", "must be a whole number, not no"),
        ("010", "must be a whole number, not 010"),
        ("0x1F", "must be a whole number, not 0x1F"),
        ("1_000", "must be a whole number, not 1_000"),
        ("12:30", "must be a whole number, not 12:30"),
        ("2024-01-01", "must be a whole number, not '2024-01-01'"),
        ("", "must be a whole number, not nothing"),
        ("[1]", "must be a whole number, not a list"),
        ("{a: 1}", "must be a whole number, not a mapping"),
        ("9223372036854775808", "is a number too large to keep"),
        ("9" * 399, "is a number too large to keep"),
        ("x" * 70, f"must be a whole number, not '{'x' * 59}..."),
        ("!!int 3", "tags are not read; write the value plainly"),
        ("!secret x", "tags are not read; write the value plainly"),
        ("*none", "*none names no anchor that stands before it"),
    ],
)
def test_a_whole_number_is_written_as_one(value: str, message: str) -> None:
    (fault,) = faults(f"http:\n  port: {value}\n")
    assert fault in {f"app.yaml:2:3: http.port: {message}", f"app.yaml:2:9: http.port: {message}"}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("tls: no", "2:3: http.tls: must be true or false, not no"),
        ('tls: "true"', "2:3: http.tls: must be true or false, not 'true'; take the quotes away"),
        ("tls: 1", "2:3: http.tls: must be true or false, not 1"),
        ("rate: fast", "2:3: http.rate: must be a number, not 'fast'"),
        ('rate: "1.5"', "2:3: http.rate: must be a number, not '1.5'; take the quotes away"),
        ("rate: .nan", "2:3: http.rate: must be a finite number, not .nan"),
        ("rate: 1e999", "2:3: http.rate: must be a finite number, not 1e999"),
        ("rate: -3", "2:3: http.rate: must be more than 0, not -3"),
        ("rate: 9" + "0" * 30, "2:3: http.rate: is a number too large to keep"),
        ("retries: -1", "2:3: http.retries: must be at least 0, not -1"),
        ("level: c", "2:3: http.level: must be one of a, b"),
        ("mode: fsat", "2:3: http.mode: cannot be 'fsat'; did you mean fast?"),
        ("mode: 3", "2:3: http.mode: must be one of fast, safe, not 3"),
        ("proto: quic", "2:3: http.proto: must be one of h1, h2, not 'quic'"),
        ("workers: 1.5", "2:3: http.workers: must be a whole number or a list, not 1.5"),
        ("hosts: a", "2:3: http.hosts: must be a list, not 'a'"),
        ("hosts: [a, no]", '2:14: http.hosts[1]: must be a text, not no; put it in quotes: "no"'),
        ("hosts: [010]", '2:11: http.hosts[0]: must be a text, not 010; put it in quotes: "010"'),
        ("hosts: [~]", "2:11: http.hosts[0]: must be a text, not nothing"),
        ('hosts: ["a\\0"]', "2:11: http.hosts[0]: must not hold a NUL character"),
        ("extra: {a: off}", '2:11: http.extra.a: off can be read in two ways; put it in quotes if it is a text: "off"'),
        ("extra: [.inf]", "2:11: http.extra[0]: must be a finite number, not .inf"),
        ("hots: 80", "2:3: http.hots: unknown key; did you mean hosts?"),
        ("zzz: 80", None),
        ('"a.b\\n": 80', None),
    ],
)
def test_each_fault_names_place_path_and_fix(line: str, fault: str | None) -> None:
    known = "port, tls, rate, hosts, mode, proto, workers, retries, level, extra"
    (found,) = faults(f"http:\n  {line}\n")
    if fault is None:
        key = "zzz" if line.startswith("z") else '"a.b\\n"'
        fault = f"2:3: http.{key}: unknown key; known are {known}"
    assert found == f"app.yaml:{fault}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "app.yaml: is empty"),
        ("# nothing but a comment\n", "app.yaml: is empty"),
        ("- a\n", "app.yaml:1:1: must be a mapping (key: value) as a whole"),
        ("just words\n", "app.yaml:1:1: must be a mapping (key: value) as a whole"),
        ("http:\n\tport: 1\n", "app.yaml:2:1: a tab cannot indent YAML; use spaces"),
        ("folder: @x\n", "app.yaml:1:9: a text cannot begin with '@'; put it in quotes"),
        ("sizes: {a: 1, a: 2}\n", "app.yaml:1:15: sizes.a: given twice, first in line 1"),
        ("http: {}\nhttp: {}\n", "app.yaml:2:1: http: given twice, first in line 1"),
        ("http:\n  <<: {port: 1}\n", "app.yaml:2:3: http: merge keys (<<) are not read; write the keys out"),
        ("sizes: {[a]: 1}\n", "app.yaml:1:9: sizes: a key must be a text"),
        ('sizes: {"": 1}\n', "app.yaml:1:9: sizes: a key is missing before the colon"),
        ("http: &a {extra: *a}\n", "app.yaml:1:18: http.extra: *a stands inside what it names"),
        ("http: {}\n---\nhttp: {}\n", "app.yaml:2:1: a second document begins here; one file holds one"),
        (b"http:\n  level: \xe9\n", "app.yaml:2:10: is not UTF-8: byte 0xe9"),
        ("http: {}\n".encode("utf-16"), "app.yaml:1:1: is not UTF-8: byte 0xff"),
        ("folder: a\x07\n", "app.yaml:1:10: holds the control character U+0007"),
        ("http: " + "[" * 65 + "]" * 65, "app.yaml:1:70: nested deeper than 64 levels"),
        ("sizes: 3\n", "app.yaml:1:1: sizes: must be a mapping, not 3"),
        ("sizes: {a: b}\n", "app.yaml:1:9: sizes.a: must be a whole number, not 'b'"),
        ("span: {first: 2, last: 1}\n", "app.yaml:1:18: span.last: must not be before first"),
        ("folder: 3\n", 'app.yaml:1:1: folder: must be a text, not 3; put it in quotes: "3"'),
    ],
)
def test_a_document_that_cannot_be_meant_is_refused(text: str | bytes, expected: str) -> None:
    assert faults(text) == [expected]


def test_what_is_no_yaml_is_refused_where_it_ends_to_be() -> None:
    (fault,) = faults("http: {port: 1\nsizes: {}\n")
    assert fault.startswith("app.yaml:2:6: is not YAML: while parsing a flow mapping, ")


def test_every_fault_is_told_at_once_in_the_order_of_the_file() -> None:
    text = "http:\n  port: 80a\n  tls: on\n  hots: 1\n  rate: 0\nsizes: {a: x}\nspan: {last: 1}\nhtp: {}\n"
    assert faults(text) == [
        "app.yaml:2:3: http.port: must be a whole number, not '80a'",
        "app.yaml:3:3: http.tls: must be true or false, not on",
        "app.yaml:4:3: http.hots: unknown key; did you mean hosts?",
        "app.yaml:5:3: http.rate: must be more than 0, not 0",
        "app.yaml:6:9: sizes.a: must be a whole number, not 'x'",
        "app.yaml:7:1: span.first: is missing",
        "app.yaml:8:1: htp: unknown key; did you mean http?",
    ]


def test_a_fault_shared_through_an_alias_is_told_once_and_spoils_every_use() -> None:
    assert faults("http: {hosts: &h [1], workers: *h}\n") == [
        'app.yaml:1:19: http.hosts[0]: must be a text, not 1; put it in quotes: "1"'
    ]


def test_a_bomb_of_aliases_is_refused_before_it_is_followed() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    (fault,) = faults("\n".join(lines))
    assert fault.endswith(": more than 200000 values, aliases followed")


def test_levels_hidden_behind_aliases_count() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 80)]
    (fault,) = faults("\n".join(lines))
    assert fault.endswith(": nested deeper than 64 levels")


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(CheckedError, match=r"gone\.yaml: cannot be read: No such file or directory"):
        read_bytes(tmp_path / "gone.yaml", "gone.yaml")
    with pytest.raises(CheckedError, match=r"here: cannot be read: Is a directory"):
        read_bytes(tmp_path, "here")
    (tmp_path / "big").write_bytes(b"x" * 11)
    with pytest.raises(CheckedError, match="big: is larger than 10 bytes"):
        read_bytes(tmp_path / "big", "big", 10)


def test_an_error_survives_a_process_boundary() -> None:
    with pytest.raises(CheckedError) as caught:
        read("http: 3")
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.faults == caught.value.faults
    assert str(again) == str(caught.value)
