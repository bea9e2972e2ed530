"""Any Python value as something that JSON can represent: bounded in size and depth, secrets masked, never raising.

The renderer uses this for everything that is not a plain, short scalar. What is left out is marked in its place.
Numbers stay numbers, and NaN and the infinities become null, because an aggregator that has mapped a field to a number
drops a document with a string in it.
"""

from __future__ import annotations

import datetime as dt
import enum
import math
import numbers
import pathlib
import uuid
from collections.abc import Callable, Mapping, Sequence, Set
from decimal import Decimal
from itertools import islice
from types import TracebackType
from typing import Any, NamedTuple

import orjson

from logconf.correlation import is_correlation_id
from logconf.masking import MASK, key_names_secret, mask_registered, mask_text


class Limits(NamedTuple):
    """How much of each part of a line is kept; in characters unless said otherwise."""

    message: int
    string: int  # one value or key inside `extra`
    items: int  # entries of one container
    depth: int  # containers inside containers
    total: int  # all of `extra`
    exception: int  # the traceback; the stack gets a third of it


#: Tried in order until the line fits. The first is what is promised; the others serve text that JSON inflates.
LIMIT_STEPS = (
    Limits(message=16_384, string=8_192, items=500, depth=16, total=24_576, exception=20_480),
    Limits(message=4_096, string=1_024, items=50, depth=8, total=6_144, exception=5_120),
    Limits(message=1_024, string=128, items=10, depth=4, total=1_024, exception=1_280),
)

_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1  # what orjson writes
_EXACT_INT_BITS = 332  # about 100 digits: longer integers are no measurements, and str() of them is quadratic
_NODE_COST = 4  # characters a value costs at least: punctuation
_SHORT_FIELD = 64  # characters of a key or a text that is kept in any case
_LOOKED_AT = 1000  # fields of one line


def type_name(value: object) -> str:
    """The name of a value's class, whatever its metaclass says."""
    return str(type.__dict__["__name__"].__get__(type(value)))


class ForeignCode:
    """`with ForeignCode() as foreign:` around calls of logged objects' own code: a named border for broad `except`.

    Whatever that code raises, also SystemExit, ends the block and not the line; `foreign.error` has it. Only
    KeyboardInterrupt is raised on, because it is the user's. Nothing inside is awaited, so trio cancels nothing here.
    """

    __slots__ = ("error",)

    error: BaseException | None

    def __enter__(self) -> ForeignCode:
        self.error = None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> bool:
        self.error = error
        return error is not None and not isinstance(error, KeyboardInterrupt)


def text_of(value: object, convert: Callable[[Any], str] = str) -> str:
    """`convert(value)` (str or repr) as an exact str; a description if the object's own code raises."""
    with ForeignCode() as foreign:
        text = convert(value)
        return text if type(text) is str else str.__str__(text)
    return f"<{type_name(value)} object: {convert.__name__}() raised {type_name(foreign.error)}>"


def clean_text(text: str, limit: int) -> str:
    """`text` as valid UTF-8, masked, and cut to `limit` characters with a note of its length."""
    length = len(text)
    if length > limit + 1024:
        text = text[: limit + 1024]  # a margin, so that the cut does not hide a secret from the mask
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    text = mask_text(text)
    return f"{text[:limit]}… [cut: {length} characters]" if length > limit else text


def shown_id(correlation_id: str) -> str:
    """A correlation ID as lines show it. One of the accepted form is shown whole, because people search for it: only
    a registered secret is masked in it.
    """
    if is_correlation_id(correlation_id):
        return mask_registered(correlation_id)
    return clean_text(correlation_id, 128)


def _is_number(value: object) -> bool:
    """Whether a value is a number, a boolean or null, and so no secret."""
    with ForeignCode():
        return value is None or isinstance(value, numbers.Number)
    return False


def _is_short(key: object, value: object) -> bool:
    """Whether a field of a line is kept even behind others that used up the limits: it may be the job's id."""
    if type(key) is not str or len(key) > _SHORT_FIELD:
        return False
    return _is_number(value) or (type(value) is str and len(value) <= _SHORT_FIELD)


class Sanitizer:
    """Makes the `extra` object of one line. Not reusable, because it counts what it has used of the limits."""

    __slots__ = ("_left", "_limits", "_open")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.total
        self._open: set[int] = set()  # ids of the containers around the current value: finds cycles

    def fields(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of one line, keys as str, in their order."""
        return self._mapping(fields, 0)

    def value(self, value: object, depth: int = 0) -> Any:
        """One value; `depth` is how many containers it lies in."""
        self._left -= _NODE_COST
        kind = type(value)
        if kind is str:
            return self._text(value)  # type: ignore[arg-type]
        if value is None or kind is bool:
            return value
        if kind is int:
            return self._integer(value)  # type: ignore[arg-type]
        if kind is float:
            return value if math.isfinite(value) else None  # type: ignore[arg-type]
        with ForeignCode():
            return self._other(value, depth)
        return self._text(text_of(value, repr))

    def _text(self, text: str) -> str:
        limit = max(0, min(self._limits.string, self._left), _SHORT_FIELD)
        self._left -= min(len(text), limit)
        return clean_text(text, limit)

    def _integer(self, value: int) -> Any:
        if _INT_MIN <= value <= _INT_MAX:
            return value
        bits = value.bit_length()
        if bits <= _EXACT_INT_BITS:
            return orjson.Fragment(str(value))
        return f"[cut: an integer of about {int(bits * math.log10(2)) + 1} digits]"

    def _other(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            return self._nested(value, depth, self._mapping)
        if isinstance(value, (list, tuple)):
            return self._nested(value, depth, self._sequence)
        if isinstance(value, str):
            return self._text(str.__str__(value))
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self._bytes(value)
        if isinstance(value, enum.Enum):
            return self.value(value.value, depth + 1) if depth < self._limits.depth else self._text(text_of(value))
        if isinstance(value, (int, float, Decimal, numbers.Number)):
            return self._number(value)
        if isinstance(value, (dt.date, dt.time)):
            return self._text(value.isoformat())
        if isinstance(value, (uuid.UUID, pathlib.PurePath, dt.timedelta)):
            return self._text(str(value))
        if isinstance(value, Mapping):
            return self._nested(value, depth, self._mapping)
        if isinstance(value, (Set, Sequence)):
            return self._nested(value, depth, self._sequence)
        if getattr(value, "shape", None) == () and depth < self._limits.depth:
            return self.value(value.item(), depth + 1)  # a scalar of NumPy or of a tensor library
        return self._text(text_of(value, repr))

    def _number(self, value: Any) -> Any:
        if isinstance(value, int):
            return self._integer(int.__add__(value, 0))
        if isinstance(value, Decimal):  # by the class's own methods: a subclass may write anything
            if not Decimal.is_finite(value):
                return None
            text = Decimal.__str__(value)
            is_short = len(text) <= 100 and abs(Decimal.adjusted(value)) <= 300
            return orjson.Fragment(text) if is_short else self._text(text)
        if isinstance(value, numbers.Integral):
            return self._integer(int(value))
        if isinstance(value, (float, numbers.Real)):
            number = float(value)
            return number if math.isfinite(number) else None
        return self._text(text_of(value, repr))

    def _bytes(self, value: bytes | bytearray | memoryview) -> str:
        length = len(value)
        limit = max(0, min(self._limits.string, self._left))
        text = bytes(value[: limit + 1]).decode("utf-8", "backslashreplace")
        cut = f"… [cut: {length} bytes]" if length > limit else ""
        self._left -= min(length, limit)
        return clean_text(text[:limit] if cut else text, limit) + cut

    def _nested(self, value: Any, depth: int, build: Callable[[Any, int], Any]) -> Any:
        if id(value) in self._open:
            return "[circular reference]"
        if depth >= self._limits.depth:
            return f"[cut: nested deeper than {self._limits.depth} levels]"
        self._open.add(id(value))
        try:
            return build(value, depth + 1)
        finally:
            self._open.discard(id(value))

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        """Build an object. Of the line's own fields, short ones are kept even where the limits are used up."""
        out: dict[str, Any] = {}
        most = self._limits.items
        for number, (key, item) in enumerate(islice(value.items(), most if depth else _LOOKED_AT)):
            is_over = number >= most or self._left <= 0
            if is_over and (depth or len(out) >= 2 * most or not _is_short(key, item)):
                continue
            name = self._key(key)
            while name in out:
                name += "'"  # 1 and "1" are two keys here and would be one in JSON
            secret = key_names_secret(name) and not _is_number(item)
            out[name] = MASK if secret else self.value(item, depth)
        if (left_out := len(value) - len(out)) > 0:
            out["…"] = f"[cut: {left_out} more fields]"
        return out

    def _key(self, key: object) -> str:
        limit = min(self._limits.string, 256)
        if type(key) is bytes:  # such as names of headers, which may name secrets
            key = key[: limit + 1].decode("utf-8", "backslashreplace")
        text = clean_text(key if type(key) is str else text_of(key), limit)
        self._left -= len(text)
        return text

    def _sequence(self, value: Any, depth: int) -> list[Any]:
        out: list[Any] = []
        for item in islice(value, self._limits.items):
            if self._left <= 0:
                break
            out.append(self.value(item, depth))
        if len(value) > len(out):
            out.append(f"[cut: {len(value) - len(out)} more items]")
        return out
