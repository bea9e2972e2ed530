"""Commands about series, the numbers of jobs over time: metrics, compare."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import click

from actors.cli.client import Client
from actors.cli.context import BadInput
from actors.cli.options import given, with_client
from actors.cli.sparkline import WIDTH, sparkline
from actors.cli.tables import plain, print_json, print_table, short, space_left

_CURVE_POINTS = 4 * WIDTH
_NARROWEST_CURVE = 8
_WITH_CSV = click.option("--csv", "as_csv", is_flag=True, help="Print CSV instead of text.")


@click.command()
@click.argument("job")
@_WITH_CSV
@with_client
def metrics(client: Client, as_json: bool, as_csv: bool, job: str) -> None:
    """Show the numbers that a JOB reported over time.

    They come from its progress file. Each has an x: the step or, without steps, the number of its line.
    """
    _one_form(as_json, as_csv)
    points = {} if as_json or as_csv else {"points": _CURVE_POINTS}
    found = client.read("api", "jobs", job, "metrics", params=points)
    if as_json:
        print_json(found)
    elif as_csv:
        _print_csv(("series", "x", "y"), _points_of(found["series"]))
    else:
        print_curves(found["series"], "This job has reported no numbers.")


def print_curves_of(client: Client, job_id: str) -> None:
    """The series of a job, if it has any, each with its curve in one line."""
    found = client.read("api", "jobs", job_id, "metrics", params={"points": _CURVE_POINTS})
    if found["series"]:
        click.echo()
        print_curves(found["series"], "")


def _points_of(series: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for name, one in series.items():
        for x, y in one["points"]:
            yield name, x, y


def print_curves(series: Mapping[str, Any], empty: str) -> None:
    """A table of the series of a job, each with its curve in one line."""
    rows = [(name, *(_value_at(one[end]) for end in ("last", "min", "max"))) for name, one in series.items()]
    width = space_left(("NAME", "LAST", "MIN", "MAX"), rows, _NARROWEST_CURVE, WIDTH)
    curves = [sparkline(one["points"], width) for one in series.values()]
    whole = [(name, curve, *values) for (name, *values), curve in zip(rows, curves, strict=True)]
    print_table(("NAME", "CURVE", "LAST", "MIN", "MAX"), whole, empty)


def _value_at(point: Sequence[float | None] | None) -> str:
    """``0.25 at 12``: a value, and where it was reached."""
    if point is None:
        return ""
    x, y = point
    return f"{_number(y)} at {_number(x)}"


def _number(value: float | None) -> str:
    return "nan" if value is None else f"{value:.5g}" if abs(value) < 1e5 else f"{value:g}"


@click.command()
@click.argument("group")
@click.option("--sort", metavar="COLUMN", help="Sort by this column; -COLUMN: the greatest first.")
@click.option("--user", "user_id", help="Whose group it is, if not yours.")
@_WITH_CSV
@with_client
def compare(client: Client, as_json: bool, as_csv: bool, group: str, sort: str | None, user_id: str | None) -> None:
    """Compare the jobs of a GROUP.

    A row is a job with its parameters, and with the last and the best value of each number that it reported. COLUMN is
    job, name, status, a parameter, a number (loss) or its best value (loss.best).
    """
    _one_form(as_json, as_csv)
    params = given({"group": group, "user_id": user_id})
    rows = client.all_rows("jobs", "api", "compare", params=params, of_store=True)
    if sort is not None:
        rows = _sorted(rows, sort)
    if as_json:
        print_json(rows)
    elif as_csv:
        columns = _columns(rows, ".last")
        _print_csv(columns, _cells(rows, columns.values()))
    else:
        print_comparison(rows)


def _one_form(as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        raise click.UsageError("give one of --json and --csv")


Cell = Callable[[Any], Any]


def _columns(rows: Iterable[Any], last: str) -> dict[str, Cell]:
    """Every column by its title; ``last`` is appended to the titles of last values."""
    parameters, metrics = dict[str, None](), dict[str, bool]()
    for row in rows:
        parameters |= dict.fromkeys(row["parameters"])
        for name, one in row["metrics"].items():
            metrics[name] = metrics.get(name, False) or one["best"] is not None
    columns: dict[str, Cell] = {"job_id": _field("job_id"), "name": _field("name"), "status": _field("status")}
    for name in parameters:
        columns[_free(name, "parameters", columns)] = _parameter(name)
    for name, has_best in metrics.items():
        columns[_free(name + last, "metrics", columns)] = _metric(name, "last")
        if has_best:
            columns[_free(f"{name}.best", "metrics", columns)] = _metric(name, "best")
    return columns


def _free(title: str, kind: str, taken: Mapping[str, Cell]) -> str:
    """``title``, or where another column has it, with its kind before it: ``metrics.lr``."""
    while title in taken or title == "job":
        title = f"{kind}.{title}"
    return title


def _field(name: str) -> Cell:
    return lambda row: row[name]


def _parameter(name: str) -> Cell:
    return lambda row: row["parameters"].get(name)


def _metric(name: str, which: str) -> Cell:
    def value(row: Any) -> Any:
        one = row["metrics"].get(name)
        if one is None:
            return None
        return math.nan if one[which] is None and which == "last" else one[which]

    return value


def _cells(rows: Iterable[Any], columns: Iterable[Cell]) -> Iterator[list[Any]]:
    cells = list(columns)
    for row in rows:
        yield [cell(row) for cell in cells]


def _sorted(rows: list[Any], sort: str) -> list[Any]:
    """``rows`` sorted by a column; rows without a value, or without a finite one, come last in both directions."""
    columns = _columns(rows, "")
    columns["job"] = columns["job_id"]
    backwards = sort.startswith("-") and sort not in columns
    cell = columns.get(sort[1:] if backwards else sort)
    if cell is None:
        from actors.jobs.suggestions import did_you_mean

        raise BadInput(f"--sort: there is no column {sort!r:.80}{did_you_mean(sort.lstrip('-'), columns)}")
    ranked = [(_rank(cell(row)), row) for row in rows]
    known = [one for one in ranked if one[0] is not None]
    known.sort(key=lambda one: one[0] or (), reverse=backwards)
    return [row for _, row in known] + [row for rank, row in ranked if rank is None]


def _rank(value: Any) -> tuple[int, float, str] | None:
    """The sort key: numbers, also those written as texts, before other texts; None: it comes last."""
    if value is None or isinstance(value, bool):
        return None if value is None else (1, 0.0, str(value))
    try:
        number = float(value)
    except (TypeError, ValueError):
        return 1, 0.0, str(value)
    return (0, number, "") if math.isfinite(number) else None


def print_comparison(rows: list[Any]) -> None:
    """A table of jobs side by side, with every parameter and number that any of them has."""
    columns = _columns(rows, "")
    titles = ["JOB", *(title.upper() if title in ("name", "status") else title for title in list(columns)[1:])]
    cells = (
        [short(job_id), name or short(job_id), *map(_shown, others)]
        for job_id, name, *others in _cells(rows, columns.values())
    )
    print_table([plain(title) for title in titles], cells, "There are no jobs.")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return "nan" if math.isnan(value) else _number(value)
    return "" if value is None else str(value)


def _print_csv(titles: Iterable[str], rows: Iterable[Sequence[Any]]) -> None:
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(titles)
    writer.writerows(rows)
    click.echo(out.getvalue(), nl=False)
