"""Comparisons of attributes with values of their own kind: numbers, texts, dates, yes and no, entries of lists."""

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

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
_MISSING: dict[type[ast.cmpop], bool] = {ast.Is: True, ast.Eq: True, ast.IsNot: False, ast.NotEq: False}


@dataclass(frozen=True)
class Column:
    """An attribute in an expression.

    Attributes:
        name: name of the column.
        dtype: what it holds.
    """

    name: str
    dtype: pl.DataType

    @property
    def expression(self) -> pl.Expr:
        """Return the values to compare: NaN is missing, times are in UTC, and categories are texts."""
        column, dtype = pl.col(self.name), self.dtype
        if isinstance(dtype, pl.Datetime) and dtype.time_zone:
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        if isinstance(dtype, pl.Date | pl.Datetime):
            return column.cast(pl.Datetime("us"))
        if isinstance(dtype, pl.Categorical | pl.Enum):
            return column.cast(pl.String)
        if dtype.is_decimal():
            return column.cast(pl.Float64)
        return column.fill_nan(None) if dtype.is_float() else column


def compared(op: ast.cmpop, left: Any, right: Any) -> pl.Expr:
    """Return the comparison of two sides: columns, or plain values or lists of them.

    A value is read in the type of the column it is compared with: a text as a date where the column holds dates.
    `is None` and `== None` select missing values. A text is `in` a list that holds it, or a text that contains it.

    Raises:
        TypeError: when a value does not fit the column; its text says which values do.
    """
    if left is None or right is None:
        return _missing(op, right if left is None else left)
    if isinstance(op, ast.In | ast.NotIn):
        if isinstance(right, Column) and isinstance(left, str):
            found = _holding(right, left)
            return found if isinstance(op, ast.In) else ~found
        if not isinstance(right, list) or isinstance(left, list):
            raise TypeError("'in' takes a list on its right, such as in [1, 2], or a column that holds lists or texts")
    elif isinstance(left, list) or isinstance(right, list):
        raise TypeError("only 'in' takes a list")
    if type(op) not in _COMPARISONS:
        raise TypeError("use == != < <= > >= in, not in, is None")
    return _COMPARISONS[type(op)](_side(left, right), _side(right, left))


def _missing(op: ast.cmpop, column: Any) -> pl.Expr:
    if type(op) not in _MISSING or not isinstance(column, Column):
        raise TypeError("None is compared with an attribute by 'is' or 'is not'")
    return column.expression.is_null() if _MISSING[type(op)] else column.expression.is_not_null()


def _holding(column: Column, text: str) -> pl.Expr:
    if isinstance(column.dtype, pl.List | pl.Array):
        return column.expression.cast(pl.List(pl.String)).list.contains(text)
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        raise TypeError(f"'{column.name}' holds {_kind(column.dtype)}, so no text is in it")
    return column.expression.str.contains(text, literal=True)


def _side(side: Any, other: Any) -> Any:
    if isinstance(side, Column):
        return side.expression
    if not isinstance(other, Column):
        return side if isinstance(side, list) else pl.lit(side)
    return [_fitted(value, other) for value in side] if isinstance(side, list) else pl.lit(_fitted(side, other))


def _fitted(value: Any, column: Column) -> Any:
    """Return a value in the form in which it is compared with a column."""
    dtype, kind = column.dtype, _kind(column.dtype)
    text = isinstance(value, str)
    if isinstance(dtype, pl.Date | pl.Datetime):
        return _time(value, column.name)
    if dtype.is_nested():
        raise TypeError(f"'{column.name}' holds lists or objects; for an entry of a list write \"x\" in {column.name}")
    if kind == "texts" and not text:
        raise TypeError(f"'{column.name}' holds texts; write the value in quotation marks")
    if kind == "numbers" and text and (seconds := _seconds(value)) is not None:
        meant = f"as seconds since 1970, in UTC, {value} is {seconds}, as milliseconds {1000 * seconds}"
        raise TypeError(f"'{column.name}' holds numbers; {meant}")
    if kind in ("numbers", "True and False") and text:
        raise TypeError(f"'{column.name}' holds {kind}; write the value without quotation marks")
    return value


def _seconds(text: str) -> int | None:
    """Return a date of ISO 8601, with a dash, as seconds since 1970; None for any other text."""
    try:
        return int(_time(text, "").replace(tzinfo=UTC).timestamp()) if "-" in text else None
    except TypeError:
        return None


def _kind(dtype: pl.DataType) -> str:
    if dtype.is_numeric():
        return "numbers"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "texts"
    return "True and False" if dtype == pl.Boolean else str(dtype)


def _time(value: Any, name: str) -> datetime:
    """Return a text of ISO 8601 as a time in UTC; without a zone it is taken to be in UTC."""
    try:
        read = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise TypeError(f"'{name}' holds dates; write one such as \"2020-01-31\"") from None
    return read.astimezone(UTC).replace(tzinfo=None) if read.tzinfo else read
