"""Entry points: programs named in the configuration, with parameters that are checked before they become an argv.

    EntryPoint(command=("python", "train.py", "--epochs={epochs}"), params={"epochs": Param("int", min=1, max=100)})

A user who may not send commands may start one of these (B21). A value is put into its place inside one argument and
never makes a second argument, and no value becomes an option: a finished argument begins with ``-`` only if the
configuration's own text does, or if the configuration lists this value among the ``choices`` of its parameter.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal

import attrs

from actors.jobs import maxima
from actors.jobs.approval_rules import compiled
from actors.jobs.records import JobRequest
from actors.jobs.suggestions import did_you_mean, suggestion_of_configured
from actors.providers.errors import FieldFault, Invalid, wrong
from actors.validation import Wrong, plain_value, values

MAX_TEXT = 1024  # characters of one text value without a pattern of its own
PLAIN_TEXT = r"[\pL\pN_ ./:=@+,~%-]*"  # what a text may hold unless its parameter says otherwise: no control characters
MISSING = object()


@attrs.frozen
class Param:
    """One parameter: its type, and its allowed values.

    ``type``: the type of the value. ``choices``: the only allowed values. ``min``, ``max``: bounds of a number, or of
    the length of a text. ``pattern``: an RE2 expression that must match the whole text. It replaces the default rules
    for texts. ``default``: the value if a job does not give one. Without a default, the job must give the parameter.
    """

    type: Literal["str", "int", "float", "bool"] = "str"
    choices: tuple[str | int | float, ...] | None = None
    min: float | None = None
    max: float | None = None
    pattern: str | None = None
    default: str | int | float | bool | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse an invalid pattern. Raises ValueError."""
        if self.pattern is not None:
            try:
                compiled(self.pattern)
            except ValueError as error:
                raise ValueError(f"pattern {self.pattern!r} {error}") from error

    def read(self, value: object) -> object:
        """The value for a text of a matrix: for a number or a switch the value that it would be without quotes."""
        return plain_value(value) if isinstance(value, str) and self.type != "str" else value

    def fault_of(self, value: object) -> str | None:
        """Why ``value`` is not accepted, in words that follow the parameter's name; None if it is."""
        try:
            _TYPES[self.type](value)
        except Wrong as error:
            return error.message
        if self.choices is not None and value not in self.choices:
            return f"must be one of {', '.join(map(str, self.choices))}, not {value!r:.80}"
        size, what = (len(value), "characters") if isinstance(value, str) else (value, "")
        assert isinstance(size, (int, float))
        if self.min is not None and size < self.min:
            return f"must be at least {self.min:g} {what}".rstrip()
        if self.max is not None and size > self.max:
            return f"must be at most {self.max:g} {what}".rstrip()
        return self._fault_of_text(value) if isinstance(value, str) and self.choices is None else None

    def _fault_of_text(self, value: str) -> str | None:
        if self.pattern is not None:
            return None if compiled(self.pattern).fullmatch(value) else f"must match {self.pattern}"
        if len(value) > MAX_TEXT and self.max is None:
            return f"must be at most {MAX_TEXT} characters"
        if not compiled(PLAIN_TEXT).fullmatch(value):
            return (
                "may hold letters, digits, spaces and ./:=@+,~%-_ only; a `pattern` in the configuration may allow more"
            )
        return None


_TYPES: Mapping[str, Callable[[Any], object]] = {
    "str": values.text, "int": values.integer, "float": values.number, "bool": values.boolean,
}  # fmt: skip


@attrs.frozen
class EntryPoint:
    """A program of the configuration.

    ``command``: the argv, with places such as ``{parameter}`` (``{{`` and ``}}`` are braces). ``params``: the
    parameters, by name. ``cwd``: the working directory; None: a new directory of the job. ``env``: variables of its
    environment.
    """

    command: tuple[str, ...]
    params: Mapping[str, Param] = attrs.field(factory=dict)
    cwd: str | None = None
    env: Mapping[str, str] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        """Check that places and parameters match. Raises ValueError."""
        if not self.command or not self.command[0]:
            raise ValueError("command must name a program")
        used = {name for argument in self.command for name in _places(argument)}
        if unknown := sorted(used - set(self.params)):
            raise ValueError(f"command uses {{{unknown[0]}}}, which is not among params")
        if unused := sorted(set(self.params) - used):
            raise ValueError(f"params.{unused[0]} is used nowhere in command")
        if list(_places(self.command[0])):
            raise ValueError("the program itself (the first argument) cannot hold a parameter")

    def argv(self, params: Mapping[str, Any], *, swept: bool = False) -> tuple[str, ...]:
        """The command with ``params`` in their places. Raises :class:`Invalid` with every fault.

        ``swept``: they come from a matrix, so a number may be a text; it is used as it is written.
        """
        faults = [
            wrong(f"params.{name}", f"is unknown{did_you_mean(name[:80], self.params)}")
            for name in params
            if name not in self.params
        ]
        values = {}
        for name, param in self.params.items():
            value = params.get(name, MISSING)
            if value is MISSING:
                if param.default is None:
                    faults.append(wrong(f"params.{name}", "is missing"))
                values[name] = param.default
            elif (fault := param.fault_of(param.read(value) if swept else value)) is not None:
                faults.append(wrong(f"params.{name}", fault))
            else:
                values[name] = value
        if faults:
            raise Invalid(*faults)
        texts = {name: _text(value) for name, value in values.items()}
        finished = [(argument, argument.format_map(texts)) for argument in self.command]
        if faults := [one for written, made in finished if (one := self._fault_of(written, made, values)) is not None]:
            raise Invalid(*faults)
        return tuple(made for _, made in finished)

    def _fault_of(self, written: str, made: str, values: Mapping[str, Any]) -> FieldFault | None:
        """Why the argument ``made`` of the configuration's text ``written`` is refused; None: it is not."""
        too_long = maxima.WORD.fault(made)
        if too_long is None and (not made.startswith("-") or written.startswith("-")):
            return None
        names = [f"params.{name}" for name in dict.fromkeys(_places(written))]
        if too_long is not None:
            return FieldFault(names[0] if names else None, f"the argument {written!r:.80} {too_long}")
        alone = written[1:-1]  # the name, where a parameter is the whole argument
        sole = self.params.get(alone)
        if sole is not None and sole.choices is not None and sole.read(values[alone]) in sole.choices:
            return None  # the configuration lists this very word
        message = f"{' and '.join(names)}: {made!r:.80} must not begin with '-': it would be taken for an option"
        return FieldFault(names[0], message)


def find_entry_point(entry_points: Mapping[str, EntryPoint], name: str) -> EntryPoint:
    """The entry point of this name. Raises :class:`Invalid`, with a suggestion if the name is nearly right."""
    if name not in entry_points:
        near = suggestion_of_configured(name[:80], entry_points, "entry_points")
        raise Invalid(wrong("entry_point", f"{name!r:.80} is not configured{near}"))
    return entry_points[name]


def entry_point_faults(request: JobRequest, entry: EntryPoint, of_commands: Collection[str]) -> list[FieldFault]:
    """The faults of a request for ``entry`` that gives what only a command may have: keys of ``spec``, a directory."""
    given = [f"spec.{name}" for name in of_commands if name in request.spec]
    if request.cwd is not None and request.cwd != entry.cwd:
        given.append("cwd")
    return [wrong(name, "belongs to a command; an entry point has that of the configuration") for name in given]


def _places(argument: str) -> list[str]:
    names = []
    for _, name, form, conversion in string.Formatter().parse(argument):
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            raise ValueError(f"{argument!r}: a place is a plain name in braces, such as {{epochs}}")
        names.append(name)
    return names


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
