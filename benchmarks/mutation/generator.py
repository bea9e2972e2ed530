"""Mutants of a module, from its syntax tree: one small change each, in a fixed order.

Changed are comparisons, guards (a condition whose branch only leaves), what a function returns, defaults and constants
of numbers and truth values, ``and``/``or``/``not``, and calls that stand alone, which are left out. Annotations,
docstrings, assertions and log lines at DEBUG stay as they are.
"""

from __future__ import annotations

import ast
import copy
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_LEAVES = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_Function = (ast.FunctionDef, ast.AsyncFunctionDef)
Change = Callable[[], None]


@attrs.frozen
class Mutant:
    """The change of this ``number`` in ``file``: of ``kind``, at ``line``, in words. ``key``: of its content alone.

    ``last``: the last line of what is changed, which is reached when one of ``line`` to ``last`` is executed.
    ``in_function``: it is part of a function's body; otherwise it is executed when the module is imported.
    """

    file: str
    number: int
    kind: str
    line: int
    last: int
    in_function: bool
    text: str
    key: str


def mutants_of(file: Path, root: Path) -> list[Mutant]:
    """All mutants of a file."""
    source = file.read_text()
    name = file.relative_to(root).as_posix()
    digest = hashlib.sha256(f"{name}\n{source}".encode())
    tree = ast.parse(source)
    statements, bodies = _statements(tree), _in_functions(tree)
    found = []
    for number, (kind, node, text, _) in enumerate(_changes(tree)):
        key = digest.copy()
        key.update(f"{number} {kind} {text}".encode())
        first, last = statements[node].lineno, (node.test if isinstance(node, ast.If) else node).end_lineno
        found.append(Mutant(name, number, kind, first, last or first, node in bodies, text, key.hexdigest()[:24]))
    return found


def _statements(tree: ast.Module) -> dict[ast.AST, ast.stmt]:
    """The innermost statement of each node."""
    found: dict[ast.AST, ast.stmt] = {}
    for parent in ast.walk(tree):  # each parent before its children
        for child in ast.iter_child_nodes(parent):
            if isinstance(child, ast.stmt):
                found[child] = child
            elif parent in found:
                found[child] = found[parent]
    return found


def _in_functions(tree: ast.Module) -> set[ast.AST]:
    return {
        node
        for function in ast.walk(tree)
        if isinstance(function, _Function)
        for statement in function.body
        for node in ast.walk(statement)
    }


def mutated(source: str, number: int) -> ast.Module:
    """The tree of ``source`` with the change of this number made. Raises :class:`IndexError` where there is none."""
    tree = ast.parse(source)
    for index, (*_, change) in enumerate(_changes(tree)):
        if index == number:
            change()
            return ast.fix_missing_locations(tree)
    raise IndexError(number)


_Found = tuple[str, ast.expr | ast.stmt, str, Change]


def _changes(tree: ast.Module) -> Iterator[_Found]:
    """Each change, which is made in ``tree`` when it is called."""
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if field in ("annotation", "returns", "decorator_list") or isinstance(parent, ast.Assert):
                continue
            for place, node in enumerate(value) if isinstance(value, list) else ((None, value),):
                if isinstance(node, ast.expr | ast.stmt):
                    yield from _of_node(parent, field, place, node)


def _of_node(parent: ast.AST, field: str, place: int | None, node: ast.expr | ast.stmt) -> Iterator[_Found]:
    def put(new: ast.AST) -> Change:
        def change() -> None:
            if place is None:
                setattr(parent, field, new)
            else:
                getattr(parent, field)[place] = new

        return change

    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARED:
            other = copy.copy(node)
            other.ops = [_COMPARED[type(op)]()]
            yield "comparison", node, _text(node, other), put(other)
        case ast.BoolOp():
            other_op = copy.copy(node)
            other_op.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield "comparison", node, _text(node, other_op), put(other_op)
        case ast.UnaryOp(op=ast.Not()):
            yield "comparison", node, _text(node, node.operand), put(node.operand)
        case ast.If(body=[last], orelse=[]) if isinstance(last, _LEAVES):
            yield "guard", node, f"left out: if {ast.unparse(node.test)}", put(ast.Pass())
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield "return", node, f"None for {ast.unparse(value)}", put(ast.Return(ast.Constant(None)))
        case ast.Expr(value=ast.Call() | ast.Await(value=ast.Call())) if not _is_debug(node):
            yield "call", node, f"left out: {ast.unparse(node)}", put(ast.Pass())
        case ast.Constant(value=bool() as value) if _is_default(parent, field):
            yield "default", node, f"{value} -> {not value}", put(ast.Constant(not value))
        case ast.Constant(value=(int() | float()) as value) if _is_default(parent, field):
            yield "default", node, f"{value} -> {value + 1}", put(ast.Constant(value + 1))


def _is_default(parent: ast.AST, field: str) -> bool:
    """Whether it is a default, a keyword's value, or all that a name is given."""
    return field in ("defaults", "kw_defaults") or (
        field == "value" and isinstance(parent, ast.Assign | ast.AnnAssign | ast.keyword)
    )


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _is_debug(node: ast.Expr) -> bool:
    return ast.unparse(node).startswith(("_logger.debug", "passes_events_on"))


def _text(before: ast.AST, after: ast.AST) -> str:
    return f"{ast.unparse(before)} -> {ast.unparse(after)}"
