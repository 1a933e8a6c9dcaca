"""Attribute expressions such as `licensor == "X" and year < 2010`, read safely: parsed, never evaluated as code."""

import ast
import keyword
import operator
import re
from dataclasses import dataclass
from functools import reduce
from typing import Any

import polars as pl

from mmrecun.arrays import Bools
from mmrecun.errors import ForgetError
from mmrecun.forget.attribute_spelling import parts_of_values, spelled_otherwise
from mmrecun.forget.attribute_values import Column, compared
from mmrecun.text import reason_of, unknown_name

_IDS = {"user": "--user or --users", "item": "--item or --items", "id": "--user or --item"}
_CONSTANTS = {"true": True, "false": False, "null": None, "none": None}  # as other languages write them


@dataclass(frozen=True)
class Matches:
    """The rows of one table that an expression selects.

    Attributes:
        table: "users", "items" or "pairs".
        selected: bool [rows]; a row whose attribute is missing is not selected.
        undecided: number of rows that could not be decided because an attribute is missing.
        remarks: warnings about rows that may have been meant as well, such as those with a similar value.
    """

    table: str
    selected: Bools
    undecided: int
    remarks: tuple[str, ...] = ()


def select(expression: str, tables: dict[str, pl.DataFrame]) -> Matches:
    """Apply `expression` to the one table that has all its columns.

    Comparisons (`== != < <= > >= in, not in, is None`) of column names with numbers, quoted texts, True, False or lists
    of them, joined by `and`, `or`, `not` and parentheses; `"x" in tags` matches lists and texts that contain it. A name
    may include its table: `items.licensor`. Put a name that is not a plain word in back-ticks, in quotation marks
    before the comparison, or in brackets: items["release date"].

    Raises:
        ForgetError: when it does not parse, uses anything else, or fits no table or several.
    """
    known = {column for frame in tables.values() for column in frame.columns}
    text, names = _without_marks(expression.strip(), known)
    try:
        tree = _Names(names, set(tables), known).visit(ast.parse(text, mode="eval")).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ForgetError(f"--where {expression}: not an expression; {_hint(text)}") from None
    table = _table_of(expression, tree, tables)
    try:
        result = tables[table].select(_build(expression, tree, tables[table]).alias("selected"))["selected"]
    except RecursionError:
        raise ForgetError(f"--where {expression}: it is nested too deeply") from None
    except (pl.exceptions.PolarsError, TypeError, OverflowError) as error:
        reason = reason_of(error)
        raise ForgetError(f"--where {expression}: the types do not fit: {reason}") from None
    if result.dtype != pl.Boolean or len(result) != tables[table].height:
        raise ForgetError(f"--where {expression}: this is not a condition on {table}")
    selected = result.fill_null(value=False).to_numpy()
    remarks = spelled_otherwise(tree, table, tables[table], selected)
    if not selected.any():
        remarks += parts_of_values(tree, tables[table])
    return Matches(table, selected, result.null_count(), tuple(remarks))


_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`([^`]*)`')
_RESERVED = set(keyword.kwlist) - {"and", "or", "not", "in", "is", "if", "else", "True", "False", "None"}
_WORD = re.compile(r"\w+")


def _hint(expression: str) -> str:
    """Return what may be wrong with an expression that does not parse; other languages write some signs otherwise."""
    bare = _QUOTED.sub("", expression)
    if re.search(r"&&|\|\||\b(AND|OR|NOT|IN|IS)\b", bare):
        return "join comparisons by and, or, not, in small letters"
    if re.search(r"\d-0?\d+-\d", bare):
        return 'put a date into quotation marks: "2020-01-31"'
    if re.search(r"(?<![=<>!])=(?!=)", bare):
        return "compare by ==, not ="
    return 'example: licensor == "X" and `release date` < 2010'


def _without_marks(expression: str, known: set[str]) -> tuple[str, dict[str, str]]:
    """Replace names in back-ticks, and columns that are Python keywords, by plain words.

    Returns:
        The expression, and the name that each such word stands for.
    """
    names: dict[str, str] = {}

    def stand_in(name: str) -> str:
        names[word := f"quoted_name_{len(names)}"] = name
        return word

    def reserved(text: str) -> str:
        return _WORD.sub(lambda m: stand_in(m[0]) if m[0] in _RESERVED and m[0] in known else m[0], text)

    parts, end = [], 0
    for match in _QUOTED.finditer(expression):
        parts += [reserved(expression[end : match.start()]), match[0] if match[1] is None else stand_in(match[1])]
        end = match.end()
    return "".join([*parts, reserved(expression[end:])]), names


class _Names(ast.NodeTransformer):
    """Puts column names in place of their substitutes, quoted forms and brackets."""

    def __init__(self, names: dict[str, str], tables: set[str], known: set[str]) -> None:
        self.names, self.tables, self.known = names, tables, known

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Replace a plain word by the name or the constant that it stands for."""
        name = self.names.get(node.id, node.id)
        if name.lower() in _CONSTANTS and name not in self.known and node.id not in self.names:
            return ast.Constant(_CONSTANTS[name.lower()])
        return ast.Name(name, ast.Load())

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return ast.Attribute(self.visit(node.value), self.names.get(node.attr, node.attr), ast.Load())

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        match node:
            case ast.Subscript(value=ast.Name(id=table), slice=ast.Constant(value=str(column))) if table in self.tables:
                return ast.Attribute(ast.Name(table, ast.Load()), column, ast.Load())
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """Read a quoted text as a column if nothing else in the comparison is one."""
        sides = [self.visit(side) for side in (node.left, *node.comparators)]
        if not any(isinstance(side, ast.Name | ast.Attribute) for side in sides):
            place = next((n for n, side in enumerate(sides) if self._is_column(side)), None)
            if place is not None:
                sides[place] = ast.Name(sides[place].value, ast.Load())
        return ast.Compare(sides[0], node.ops, sides[1:])

    def _is_column(self, side: ast.expr) -> bool:
        return isinstance(side, ast.Constant) and isinstance(side.value, str) and side.value in self.known


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
        if column in _IDS and column not in known:
            raise ForgetError(f"--where {expression}: '{column}' is not an attribute; name ids by {_IDS[column]}")
        if column not in known:
            raise ForgetError(f"--where {expression}: {unknown_name('attribute', column, known)}")
    raise ForgetError(f"--where {expression}: its attributes belong to different tables")


def _build(expression: str, node: ast.expr, table: pl.DataFrame) -> pl.Expr:
    match node:
        case ast.BoolOp(op=op, values=values):
            join = operator.and_ if isinstance(op, ast.And) else operator.or_
            parts = [_build(expression, value, table) for value in values]
            while len(parts) > 1:  # in pairs, since polars is slow where hundreds are nested
                parts = [reduce(join, parts[place : place + 2]) for place in range(0, len(parts), 2)]
            return parts[0]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ~_build(expression, operand, table)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [_side(expression, side, table) for side in (left, *comparators)]
            return reduce(operator.and_, map(compared, ops, sides, sides[1:]))
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(), attr=name):
            return pl.col(name)
    raise ForgetError(
        f"--where {expression}: '{ast.unparse(node)}' is not a comparison; join comparisons by and, or, not"
    )


def _side(expression: str, node: ast.expr, table: pl.DataFrame) -> Any:
    match node:
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(), attr=name):
            return Column(name, table.schema[name])
        case ast.Constant(value=str() | int() | float() | bool() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            values = [_side(expression, element, table) for element in elements]
            if not any(isinstance(value, list | Column | None) for value in values):
                return values
    raise ForgetError(f"--where {expression}: '{ast.unparse(node)}' is neither an attribute nor a plain value")
