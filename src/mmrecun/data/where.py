"""Attribute expressions such as `licensor == "X" and year < 2010`, read safely: parsed, never evaluated as code."""

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import polars as pl

from mmrecun.errors import ForgetError
from mmrecun.settings import unknown_name
from mmrecun.shapes import Bools

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], pl.Expr]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left.is_in(right),
    ast.NotIn: lambda left, right: ~left.is_in(right),
}


@dataclass(frozen=True)
class Matches:
    """Which rows of one table an expression selects.

    Attributes:
        table: "users", "items" or "pairs".
        selected: bool [rows]; a row whose attribute is missing is not selected.
        undecided: how many rows could not be decided because an attribute is missing there.
    """

    table: str
    selected: Bools
    undecided: int


def select(expression: str, tables: dict[str, pl.DataFrame]) -> Matches:
    """Apply `expression` to the one table that has all its columns.

    Comparisons (`== != < <= > >= in not in`) of column names with numbers, quoted texts, True, False or lists of
    them, joined by `and`, `or`, `not` and parentheses. A name may say its table: `items.licensor`.

    Raises:
        ForgetError: when it does not parse, does more than that, or fits no table or several.
    """
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ForgetError(
            f'--where {expression}: not an expression; example: licensor == "X" and year < 2010'
        ) from None
    table = _table_of(expression, tree, tables)
    try:
        result = tables[table].select(_build(expression, tree, tables[table]).alias("selected"))["selected"]
    except RecursionError:
        raise ForgetError(f"--where {expression}: it is nested too deeply") from None
    except (pl.exceptions.PolarsError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ForgetError(f"--where {expression}: the types do not fit: {reason}") from None
    if result.dtype != pl.Boolean or len(result) != tables[table].height:
        raise ForgetError(f"--where {expression}: this is not a condition on {table}")
    return Matches(table, result.fill_null(value=False).to_numpy(), result.null_count())


def _names(tree: ast.expr) -> list[tuple[str | None, str]]:
    owners = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    found: list[tuple[str | None, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.append((node.value.id, node.attr))
        elif isinstance(node, ast.Name) and id(node) not in owners:
            found.append((None, node.id))
    return found


def _table_of(expression: str, tree: ast.expr, tables: dict[str, pl.DataFrame]) -> str:
    names = _names(tree)
    if not names:
        raise ForgetError(f"--where {expression}: no attribute is named")
    fitting = [
        table
        for table, frame in tables.items()
        if all(owner in (None, table) and column in frame.columns for owner, column in names)
    ]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ForgetError(
            f"--where {expression}: {' and '.join(fitting)} both have it; write {fitting[0]}.{names[0][1]}"
        )
    known = [column for frame in tables.values() for column in frame.columns]
    for owner, column in names:
        if owner is not None and owner not in tables:
            raise ForgetError(f"--where {expression}: {unknown_name('table', owner, list(tables))}")
        if column not in known:
            raise ForgetError(f"--where {expression}: {unknown_name('attribute', column, known)}")
    raise ForgetError(f"--where {expression}: its attributes belong to different tables")


def _build(expression: str, node: ast.expr, table: pl.DataFrame) -> pl.Expr:
    match node:
        case ast.BoolOp(op=op, values=values):
            join = operator.and_ if isinstance(op, ast.And) else operator.or_
            return reduce(join, (_build(expression, value, table) for value in values))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ~_build(expression, operand, table)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [_side(expression, side) for side in (left, *comparators)]
            return reduce(
                operator.and_,
                (_compare(expression, op, a, b) for op, a, b in zip(ops, sides, sides[1:], strict=False)),
            )
        case ast.Name() | ast.Attribute(value=ast.Name()):
            return _column(node)
    raise ForgetError(f"--where {expression}: '{ast.unparse(node)}' is not a comparison")


def _compare(expression: str, op: ast.cmpop, left: Any, right: Any) -> pl.Expr:
    if type(op) not in _COMPARISONS:
        raise ForgetError(f"--where {expression}: use == != < <= > >= in, not in")
    if isinstance(op, ast.In | ast.NotIn) != isinstance(right, list) or isinstance(left, list):
        raise ForgetError(f"--where {expression}: 'in' takes a list on its right, and only 'in' does")
    return _COMPARISONS[type(op)](left if isinstance(left, pl.Expr) else pl.lit(left), right)


def _column(node: ast.Name | ast.Attribute) -> pl.Expr:
    return pl.col(node.id if isinstance(node, ast.Name) else node.attr)


def _side(expression: str, node: ast.expr) -> Any:
    match node:
        case ast.Name() | ast.Attribute(value=ast.Name()):
            return _column(node)
        case ast.Constant(value=str() | int() | float() | bool() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            values = [_side(expression, element) for element in elements]
            if not any(isinstance(value, list | pl.Expr) for value in values):
                return values
    raise ForgetError(f"--where {expression}: '{ast.unparse(node)}' is neither an attribute nor a plain value")
