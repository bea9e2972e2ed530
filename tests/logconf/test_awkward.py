"""The battery: awkward records, each in a process of its own.

For each: exactly one line, strict JSON (no NaN, one physical line, at most 64 KiB), the fixed keys, the field beside
the awkward one still there, nothing on stderr, nothing raised into the caller.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.logconf.awkward_exceptions import EXCEPTIONS
from tests.logconf.awkward_forms import FRAME, KEYS, Check, broken, extra, message, value, within

pytestmark = pytest.mark.parts

CASES: dict[str, tuple[str, Check]] = {
    # text
    "newlines": ("log.info('a\\nb\\r\\nc')", lambda line: line["message"] == "a\nb\r\nc"),
    "a forged line": (
        """log.info('x"}\\n{"timestamp": "2024-01-15T10:30:00.000Z", "level": "INFO"}')""",
        message('x"}\n{"timestamp"'),
    ),
    "a message that is JSON": (
        """log.info('{"level": "ERROR"}')""",
        lambda line: line["message"] == '{"level": "ERROR"}',
    ),
    "control characters": (
        "log.info('\\x00\\x07\\x1b[31m\\x7f')",
        lambda line: line["message"] == "\x00\x07\x1b[31m\x7f",
    ),
    "a lone surrogate": ("log.info('a\\udc80b')", message("a\\udc80b")),
    "a lone surrogate in a field": value("'a\\ud800'", extra("v", "a\\ud800")),
    "unicode line separators": ("log.info('a\\u2028b\\u2029c\\x85d')", message("a\u2028b\u2029c\x85d")),
    "the empty message": ("log.info('')", lambda line: line["message"] == ""),
    "10 MB of message": ("log.info('x' * 10_000_000)", message("xxx", "[cut: 10000000 characters]")),
    "10 MB of a field": value("'x' * 10_000_000", within("v", "xxx", "[cut: 10000000 characters]")),
    "10 MB of control characters": ("log.info('\\x01' * 10_000_000)", message("[cut: 10000000 characters]")),
    "10 MB through an argument": ("log.info('%s', 'y' * 10_000_000)", message("[cut: 10000000 characters]")),
    "ten thousand fields": (
        "log.info('m', extra={f'f{n}': 'x' * 100 for n in range(10_000)})",
        lambda line: "more fields" in line["extra"]["…"] and line["extra"]["f0"] == "x" * 100,
    ),
    "wide fields, an exception, and the job's id behind them": (
        (
            "wide = {**{f'k{n}': '日' * 1000 for n in range(25)}, 'job_id': 'j1'}\n"
            "try:\n    1 / 0\nexcept ZeroDivisionError:\n    log.exception('m', extra=wide)"
        ),
        lambda line: line["extra"]["job_id"] == "j1" and "ZeroDivisionError" in line["exception"],
    ),
    "three times 10 MB, and the job's id behind them": (
        "log.info('m', extra={**{f'k{n}': 'x' * 10_000_000 for n in range(3)}, 'job_id': 'j1'})",
        extra("job_id", "j1"),
    ),
    "a thousand short fields that JSON inflates": (
        "log.info('m', extra={f'f{n}': '\\x01' * 60 for n in range(1_000)})",
        lambda line: line["message"] == "m" and line["extra"]["f0"] == "\x01" * 60,
    ),
    "a key of 70,000 characters": (
        "log.info('m', extra={'k' * 70_000: 1, 'job_id': 'j1'})",
        extra("job_id", "j1"),
    ),
    "a very long logger name": ("get_logger('n' * 100_000).info('m')", lambda line: "[cut: 100000" in line["logger"]),
    # what is logged is not text
    "a message that is not text": ("log.info(12)", lambda line: line["message"] == "12"),
    "a message of None": ("log.info(None)", lambda line: line["message"] == "None"),
    "a message of bytes": ("log.info(b'raw')", lambda line: line["message"] == "b'raw'"),
    "a message whose __str__ raises": (f"{broken('__str__')}\nlog.info(Broken())", message("Broken", "ValueError")),
    "a message whose __str__ exits": (
        f"{broken('__str__', 'SystemExit(3)')}\nlog.info(Broken())",
        message("SystemExit"),
    ),
    "a message whose __str__ returns no text": (
        "class Odd(Base):\n    def __str__(self): return 5\nlog.info(Odd())",
        message("Odd", "TypeError"),
    ),
    # arguments
    "too few arguments": ("log.info('%s and %s', 1)", message("%s and %s", "1")),
    "too many arguments": ("log.info('one', 1, 2)", message("one", "1, 2")),
    "an argument of the wrong type": ("log.info('%d items', 'three')", message("%d items", "'three'")),
    "a wrong format character": ("log.info('100%', 1)", message("100%", "1")),
    "an argument whose __repr__ raises": (f"{broken('__repr__')}\nlog.info('%r', Broken())", message("%r", "Broken")),
    "an argument whose __class__ raises": (
        "class Broken(Base):\n    @property\n    def __class__(self): raise ValueError\nlog.info('%s', Broken())",
        message("Broken"),
    ),
    "a mapping argument whose __len__ raises": (
        (
            "class Broken(dict):\n    def __len__(self): raise ValueError\n    __bool__ = __len__\n"
            "log.info('%(a)s', Broken(a=1))"
        ),
        message("%(a)s"),
    ),
    "a named argument that is missing": ("log.info('%(a)s', {'b': 1})", message("%(a)s", "'b': 1")),
    # values
    "NaN and the infinities": value("[float('nan'), float('inf'), -float('inf')]", extra("v", [None] * 3)),
    "NaN alone": value("float('nan')", extra("v", None)),
    "an integer past 64 bits": value("2 ** 70", extra("v", 2**70)),
    "ten to the 5000th": value("10 ** 5000", within("v", "cut", "5001 digits")),
    "ten to the 5000th as an argument": ("log.info('%d', 10 ** 5000)", message("%d")),
    "bytes": value("b'a\\xff'", extra("v", "a\\xff")),
    "10 MB of bytes": value("b'x' * 10_000_000", within("v", "[cut: 10000000 bytes]")),
    "a set": value("{1}", extra("v", [1])),
    "a tuple and a deque": value("(1, collections.deque([2]))", extra("v", [1, [2]])),
    "an enum": value("E.A", extra("v", 7), "class E(enum.Enum):\n    A = 7"),
    "a date, a path, an UUID": value(
        "[datetime.date(2024, 1, 15), pathlib.PurePath('/a/b'), uuid.UUID(int=1)]",
        extra("v", ["2024-01-15", "/a/b", "00000000-0000-0000-0000-000000000001"]),
    ),
    "decimals and fractions": value(
        "[decimal.Decimal('2.50'), decimal.Decimal('NaN'), fractions.Fraction(1, 2)]", extra("v", [2.5, None, 0.5])
    ),
    "a circular list": value("a", within("v", "[circular reference]"), "a = []\na.append(a)"),
    "a circular dict": value(
        "a", lambda line: line["extra"]["v"]["a"]["b"] == "[circular reference]", "a = {}\na['a'] = {'b': a}"
    ),
    "100,000 deep nesting": value(
        "a", lambda line: "nested deeper" in json.dumps(line["extra"]["v"]), "a = []\nfor _ in range(100_000): a = [a]"
    ),
    "100,000 deep nesting as an argument": (
        "a = []\nfor _ in range(100_000): a = [a]\nlog.info('%s', a)",
        message("%s", "RecursionError"),
    ),
    "a million items": value("list(range(1_000_000))", lambda line: "more items" in line["extra"]["v"][-1]),
    "a field whose __repr__ raises": value("Broken()", within("v", "Broken", "ValueError"), broken("__repr__")),
    "a field whose __repr__ exits": value("Broken()", within("v", "SystemExit"), broken("__repr__", "SystemExit(1)")),
    "a field whose attributes raise": value("Broken()", within("v", "Broken"), broken("__getattribute__")),
    "a dict whose items() raises": value(
        "B(a=1)", within("v", "a"), "class B(dict):\n    def items(self): raise ValueError"
    ),
    "a str subclass that lies": value(
        "B('ok')", extra("v", "ok"), "class B(str):\n    def __str__(self): return 5\n    def __len__(self): return -1"
    ),
    "a decimal with a text of its own": value(
        "B('5')", extra("v", 5), "class B(decimal.Decimal):\n    def __str__(self): return '5.00 EUR\\n{}'"
    ),
    "an int subclass that lies": value("B(5)", extra("v", 5), "class B(int):\n    def __int__(self): raise ValueError"),
    "non-string keys": value(
        "{1: 'a', '1': 'b', None: 'c', (2, 3): 'd', 2.5: 'e'}",
        lambda line: sorted(line["extra"]["v"].values()) == ["a", "b", "c", "d", "e"],
    ),
    "a key whose __str__ raises": value(
        "{Broken(): 1}", lambda line: list(line["extra"]["v"].values()) == [1], broken("__str__")
    ),
    "a key whose hash raises the second time": (
        (
            "class Key(str):\n    asked = 0\n    def __hash__(self):\n        Key.asked += 1\n"
            "        if Key.asked > 1: raise ValueError\n        return 1\n"
            "log.info('m', extra={Key('k'): 1})"
        ),
        message("m"),
    ),
    "a non-string key of extra": ("log.info('m', extra={5: 'x'})", extra("5", "x")),
    "extra that is not a mapping": ("log.info('m', extra=['x'])", extra("extra", ["x"])),
    "a generator is not consumed": value("g", within("v", "generator"), "g = (n for n in [1])"),
    "a class, a function, a coroutine": value(
        "[int, len, functools.partial]", lambda line: "int" in line["extra"]["v"][0]
    ),
    # collisions
    "every attribute of a record": (
        (
            "names = [*logging.makeLogRecord({}).__dict__, 'message', 'asctime']\n"
            "log.info('m', extra={name: 'x' for name in names})"
        ),
        lambda line: line["message"] == "m" and line["extra"]["name"] == line["extra"]["message"] == "x",
    ),
    "every top-level key": (
        f"with LogContext(**{{k: 'x' for k in {KEYS} + ['exception']}}):\n    log.info('m')",
        lambda line: line["message"] == "m" and set(line["extra"]) == {*KEYS, "exception"} and "exception" not in line,
    ),
    "LogContext fields named self and args": (
        "with LogContext(self=1, args=2, fields=3):\n    log.info('m')",
        lambda line: line["extra"] == {"self": 1, "args": 2, "fields": 3},
    ),
    # records of other makers
    "a record made by hand": (
        (
            "odd = {'msg': 'm', 'levelno': 20, 'lineno': 'x', 'funcName': 5, 'pathname': None}\n"
            "logging.getLogger().handle(logging.makeLogRecord(odd))"
        ),
        lambda line: line["message"] == "m" and line["source"]["line"] == 0,
    ),
    "a record without a time": (
        (
            "odd = {'msg': 'm', 'levelno': 20, 'created': 'now', 'levelname': 'INFO'}\n"
            "logging.getLogger().handle(logging.makeLogRecord(odd))"
        ),
        message("m"),
    ),
    "an unusual level": ("log.log(15, 'm')", lambda line: line["level"] == "Level 15"),
    "an ID that is no valid one": (
        "import logconf.context\nlogconf.context._correlation_id.set('a\\n\\udc80' + 'x' * 1000)\nlog.info('m')",
        lambda line: line["message"] == "m" and len(line["correlation_id"]) < 200,
    ),
    **EXCEPTIONS,
}


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


@pytest.mark.parametrize("case", CASES)
def test_awkward_record(case: str, run_script: Any) -> None:
    source, check = CASES[case]
    body = "".join(f"    {line}\n" for line in source.splitlines())
    result = run_script(FRAME + body)
    assert result.stderr == ""
    assert result.stdout.endswith("\n")
    (text,) = result.stdout.splitlines()
    assert len(text.encode()) < 65_536
    line = json.loads(text, parse_constant=refuse)
    assert list(line)[:7] == KEYS
    assert isinstance(line["message"], str)
    assert isinstance(line["extra"], dict)
    assert check(line), text[:2000]


def test_the_battery_is_big_enough() -> None:
    assert len(CASES) >= 50
