"""Warnings about values that an expression may have meant in another spelling."""

import ast
from collections.abc import Iterator

import polars as pl

from mmrecun.arrays import Bools
from mmrecun.data.lookalikes import DIFFERENCES, folded
from mmrecun.text import counted, preview


def spelled_otherwise(tree: ast.expr, name: str, table: pl.DataFrame, selected: Bools) -> list[str]:
    """Describe rows that are not selected, with a value that looks like a named one, such as "ACME " for "Acme".

    Args:
        tree: the parsed expression.
        name: table, "users", "items" or "pairs".
        table: its attributes.
        selected: bool [rows], those that the expression selects.
    """
    remarks = []
    for column, texts in _named(tree, table):
        values = _texts(table, column).filter(pl.Series(~selected))
        others = values.filter(~values.is_in(texts) & folded(values).is_in(folded(pl.Series(texts)).implode()))
        if len(others):
            quoted = preview(f"'{value}'" for value in others.unique(maintain_order=True))
            rows = counted(len(others), name.removesuffix("s"), "that stays has", "that stay have")
            remarks.append(f"{rows} {quoted} in '{column}', which differs from what is named in {DIFFERENCES} alone")
    return remarks


def parts_of_values(tree: ast.expr, table: pl.DataFrame) -> list[str]:
    """Describe named values that occur only within longer ones, such as "Drama" in "Drama|War"."""
    remarks = []
    for column, texts in _named(tree, table):
        values = _texts(table, column).unique(maintain_order=True)
        for text in texts:
            longer = values.filter(values.str.contains(text, literal=True) & (values != text))
            if text and len(longer):
                remarks.append(f"'{column}' has longer values with it, such as '{longer[0]}': \"{text}\" in {column}")
    return remarks


def _named(tree: ast.expr, table: pl.DataFrame) -> Iterator[tuple[str, list[str]]]:
    """Yield the text columns that are compared by `==`, or by `in` with a list, and the texts."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
                sides = [left, right]
            case ast.Compare(left=left, ops=[ast.In()], comparators=[ast.List(elts=found) | ast.Tuple(elts=found)]):
                sides = [left, *found]
            case _:
                continue
        texts = [side.value for side in sides if isinstance(side, ast.Constant) and isinstance(side.value, str)]
        columns = [side.id for side in sides if isinstance(side, ast.Name)]
        columns += [side.attr for side in sides if isinstance(side, ast.Attribute)]
        if texts and len(columns) == 1 and table[columns[0]].dtype in (pl.String, pl.Categorical, pl.Enum):
            yield columns[0], texts


def _texts(table: pl.DataFrame, column: str) -> pl.Series:
    return table[column].cast(pl.String).fill_null("")
