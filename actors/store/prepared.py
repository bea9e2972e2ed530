"""Prepared statements: what runs for each job is compiled once and run on the driver's cursor.

SQLAlchemy is the language of all statements. Executing one through it costs several times what SQLite needs for a row,
so a statement that runs for each job is written once, at the top of its module, as a :class:`Prepared`::

    _BY_ID = Prepared(select(jobs).where(jobs.c.job_id == bindparam("job_id")))
    row = _BY_ID.one_dict(connection, job_id=job_id)

**What is kept.** For each kind of dialect: the SQL text, the order of its parameters, and the functions of the column
types by which a value becomes a parameter and a column becomes a value. Nothing of a row and nothing of a connection is
kept, so a prepared statement cannot become stale, and any thread may use it.

**Transactions** are the connection's own: a prepared statement runs in the one that is open, and opens none.

**Lists** (``column.in_(bindparam("ids", expanding=True))``): each length of a list is another SQL text. A list is
padded with its last value to the next power of two, so that few texts are compiled and the driver keeps them prepared.
That changes no result of IN or NOT IN. Above :data:`_PADDED` values the text is made anew, for the exact number.

**NULL** stays NULL without the column type being asked, as all types of :mod:`actors.store.types` have it.

**Errors** are those of SQLAlchemy's own execution: an error of the driver is a ``DBAPIError``, a value that a column
type refuses a ``StatementError``, what the driver raises beyond its own errors is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import CompoundSelect, Connection, Delete, Insert, Select, Update
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.sql.compiler import SQLCompiler

T = TypeVar("T")
Convert = Callable[[Any], Any]
Row = tuple[Any, ...]
Statement = Select[Any] | CompoundSelect[Any] | Insert | Update | Delete

_PADDED = 4_096
"""Values of one list up to which its statement is kept for the next list: the texts of 13 lengths."""

_UNFIT = (TypeError, ValueError, OverflowError, KeyError, AttributeError)
"""What is raised for a value that a column type refuses, or that is missing."""


class Prepared:
    """A statement whose values are given when it runs: its named ``bindparam``s, and for INSERT its columns.

    ``columns``: those that an INSERT or UPDATE writes; None: all columns of an INSERT, none of an UPDATE but those in
    its ``values``.
    """

    __slots__ = ("_by_columns", "_columns", "_compiled", "_statement")

    def __init__(self, statement: Statement, columns: Iterable[str] | None = None) -> None:
        self._statement = statement
        self._columns = None if columns is None else tuple(columns)
        self._compiled: dict[type[Dialect], _Compiled] = {}
        self._by_columns: dict[tuple[str, ...], Prepared] = {}

    def writing(self, columns: Iterable[str]) -> Prepared:
        """The same statement for these columns, kept: for an UPDATE whose columns differ from call to call."""
        names = tuple(columns)
        found = self._by_columns.get(names)
        if found is None:
            found = self._by_columns[names] = Prepared(self._statement, names)
        return found

    def run(self, connection: Connection, /, **values: Any) -> int:
        """Execute once; how many rows were written."""
        return _execute(self._for(connection), connection, values, _written)

    def run_many(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute once for each of ``rows``. All have the same keys; lists (IN) are not possible here."""
        compiled = self._for(connection)
        shape = compiled.shape(())
        try:
            arguments = [_arguments(compiled, shape, row) for row in rows]
        except _UNFIT as error:
            raise _statement_error(compiled, error) from error
        if arguments:
            _with_cursor(connection, lambda cursor: cursor.executemany(shape.text, arguments), shape.text, arguments)

    def all(self, connection: Connection, /, **values: Any) -> list[Row]:
        """All rows of the result as tuples, in the order of the statement's columns."""
        compiled = self._for(connection)
        rows = _execute(compiled, connection, values, _all)
        return [tuple(_converted(row, compiled.results)) for row in rows] if compiled.results else rows

    def one(self, connection: Connection, /, **values: Any) -> Row | None:
        """The first row of the result, None where there is none."""
        compiled = self._for(connection)
        row = _execute(compiled, connection, values, _first)
        return None if row is None else tuple(_converted(row, compiled.results))

    def dicts(self, connection: Connection, /, **values: Any) -> list[dict[str, Any]]:
        """All rows of the result, each by the names of its columns: what :func:`actors.store.rows.read_all` takes."""
        compiled = self._for(connection)
        rows = _execute(compiled, connection, values, _all)
        return [dict(zip(compiled.names, _converted(row, compiled.results), strict=True)) for row in rows]

    def one_dict(self, connection: Connection, /, **values: Any) -> dict[str, Any] | None:
        """The first row by the names of its columns, None where there is none."""
        compiled = self._for(connection)
        row = _execute(compiled, connection, values, _first)
        return None if row is None else dict(zip(compiled.names, _converted(row, compiled.results), strict=True))

    def _for(self, connection: Connection) -> _Compiled:
        kind = type(connection.dialect)
        found = self._compiled.get(kind)
        if found is None:
            found = self._compiled[kind] = _Compiled(self._statement, self._columns, connection.dialect)
        return found


class _Compiled:
    """A statement in the words of one dialect. ``names``: its result's columns. ``results``: index and converter of
    those that have one.
    """

    __slots__ = ("_compiled", "_converters", "_lists", "_shapes", "defaults", "names", "results")

    def __init__(self, statement: Statement, columns: tuple[str, ...] | None, dialect: Dialect) -> None:
        returned = list(statement.exported_columns)
        compiled = statement.compile(
            dialect=dialect,
            column_keys=None if columns is None else list(columns),
            # A key that the database draws is returned where the statement says so, and not otherwise.
            for_executemany=isinstance(statement, Insert) and not returned,
        )
        assert isinstance(compiled, SQLCompiler)
        assert not compiled.prefetch, "a default that Python works out is no part of a prepared statement"
        self._compiled = compiled
        self.names = tuple(map(str, statement.exported_columns.keys()))
        kinds = [column.type.dialect_impl(dialect) for column in returned]
        converters = [kind.result_processor(dialect, None) for kind in kinds]
        self.results = [(index, convert) for index, convert in enumerate(converters) if convert is not None]
        binds = compiled.binds
        self.defaults = {name: bind.effective_value for name, bind in binds.items() if not bind.required}
        self._lists = [name for name, bind in binds.items() if bind.expanding]
        impls = {name: bind.type.dialect_impl(dialect) for name, bind in binds.items()}
        self._converters = {name: impl.bind_processor(dialect) for name, impl in impls.items()}
        self._shapes: dict[tuple[int, ...], _Shape] = {}

    def prepare(self, values: Mapping[str, Any]) -> tuple[_Shape, Any]:
        """The SQL text and the driver's parameters. Raises one of :data:`_UNFIT` for a value that cannot be one."""
        if not self._lists:
            shape = self._shapes.get(()) or self.shape(())
            return shape, _arguments(self, shape, values)
        lists = {name: _padded(values[name]) for name in self._lists}
        shape = self.shape(tuple(map(len, lists.values())))
        singly = {
            single: value
            for name, all_values in lists.items()
            for single, value in zip(shape.singles[name], all_values, strict=True)
        }
        return shape, _arguments(self, shape, {**values, **singly})

    def __str__(self) -> str:
        return str(self._compiled)

    def shape(self, lengths: tuple[int, ...]) -> _Shape:
        """The statement for lists of these lengths."""
        found = self._shapes.get(lengths)
        if found is None:
            lists = {name: [None] * length for name, length in zip(self._lists, lengths, strict=True)}
            found = _Shape(self._compiled, self._converters, lists)
            if max(lengths, default=0) <= _PADDED:
                self._shapes[lengths] = found
        return found


class _Shape:
    """SQL text for lists of certain lengths; ``order``: its parameters' names, ``singles``: those of each list."""

    __slots__ = ("converters", "order", "pick", "positional", "singles", "text")

    def __init__(
        self, compiled: SQLCompiler, converters: Mapping[str, Convert | None], lists: Mapping[str, Sequence[Any]]
    ) -> None:
        state = compiled.construct_expanded_state({**dict.fromkeys(compiled.binds), **lists})
        expanded = state.parameter_expansion
        of_list = {single: name for name, singles in expanded.items() for single in singles}
        self.text = state.statement
        self.positional = state.positiontup is not None
        self.order = tuple(state.positiontup if state.positiontup is not None else state.parameters)
        self.pick: Callable[[Mapping[str, Any]], Row] = (
            itemgetter(*self.order)
            if len(self.order) > 1
            else lambda values: tuple(values[name] for name in self.order)
        )
        self.singles = {name: expanded.get(name, []) for name in lists}
        found = [(index, converters[of_list.get(name, name)]) for index, name in enumerate(self.order)]
        self.converters = [(index, convert) for index, convert in found if convert is not None]


def _padded(values: Iterable[Any]) -> list[Any]:
    found = list(values)
    if 0 < len(found) <= _PADDED:
        found += found[-1:] * ((1 << (len(found) - 1).bit_length()) - len(found))
    return found


def _arguments(compiled: _Compiled, shape: _Shape, values: Mapping[str, Any]) -> Any:
    given = {**compiled.defaults, **values} if compiled.defaults else values
    row = _converted(shape.pick(given), shape.converters) if shape.converters else shape.pick(given)
    return tuple(row) if shape.positional else dict(zip(shape.order, row, strict=True))


def _statement_error(compiled: _Compiled, error: Exception) -> StatementError:
    kind = type(error)
    return StatementError(f"({kind.__module__}.{kind.__name__}) {error}", str(compiled), None, error)


def _converted(values: Sequence[Any], converters: Sequence[tuple[int, Convert]]) -> Sequence[Any]:
    if not converters:
        return values
    row = list(values)
    for index, convert in converters:
        if row[index] is not None:
            row[index] = convert(row[index])
    return row


def _execute(
    compiled: _Compiled, connection: Connection, values: Mapping[str, Any], fetch: Callable[[DBAPICursor], T]
) -> T:
    try:
        shape, arguments = compiled.prepare(values)
    except _UNFIT as error:
        raise _statement_error(compiled, error) from error

    def execute(cursor: DBAPICursor) -> T:
        cursor.execute(shape.text, arguments)
        return fetch(cursor)

    return _with_cursor(connection, execute, shape.text, arguments)


def command(connection: Connection, text: str) -> None:
    """Execute a statement without values and without a result: what begins and ends transactions."""
    _with_cursor(connection, lambda cursor: cursor.execute(text), text, ())


def _with_cursor(connection: Connection, use: Callable[[DBAPICursor], T], text: str, arguments: Any) -> T:
    cursor = connection.connection.cursor()
    try:
        return use(cursor)
    except connection.dialect.loaded_dbapi.Error as error:
        raise DBAPIError.instance(
            text,
            arguments,
            error,
            connection.dialect.loaded_dbapi.Error,
            hide_parameters=connection.engine.hide_parameters,
            dialect=connection.dialect,
            ismulti=isinstance(arguments, list),
        ) from error
    finally:
        cursor.close()


def _written(cursor: DBAPICursor) -> int:
    return cursor.rowcount


def _all(cursor: DBAPICursor) -> list[Row]:
    return list(cursor.fetchall())


def _first(cursor: DBAPICursor) -> Row | None:
    row: Row | None = cursor.fetchone()
    return row
