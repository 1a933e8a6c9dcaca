"""Amazon Reviews as published in 2014, 2018 and 2023: reviews, ratings alone, and the metadata of products.

Reviews and metadata are JSON Lines; ratings alone are CSV, of 2014 as user,item,rating,timestamp without a header, of
2018 as item,user,rating,timestamp without one, and of 2023 with one. Times of 2014 and 2018 are seconds, of 2023
milliseconds. Products of 2023 are named by `parent_asin`, since variants share it.
"""

import ast
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from mmrecun.data.ids import IdMap
from mmrecun.data.importers.batches import Table, open_json, open_table
from mmrecun.data.importers.compressed import plain, readable_text
from mmrecun.data.importers.json_values import RepeatedNameError, without_repeated
from mmrecun.data.importers.options import ImportOptions
from mmrecun.data.importers.report import Report
from mmrecun.errors import DataError
from mmrecun.text import counted

_FIELDS = {
    "reviewerID": ("reviewerID", "asin", "overall", "unixReviewTime"),
    "parent_asin": ("user_id", "parent_asin", "rating", "timestamp"),
    "user_id": ("user_id", "asin", "rating", "timestamp"),
}
_PRODUCT = r"^(B[0-9A-Z]{9}|[0-9]{9}[0-9X])$"  # a product number, or the ISBN of a book
_SAMPLE = 1000
_BRANDS, _TOP = ("brand", "store"), ("main_category", "main_cat")


def open_reviews(path: Path, options: ImportOptions) -> tuple[Table, ImportOptions]:
    """Open reviews or ratings, with the column names of their edition in the returned options.

    Raises:
        DataError: when the file is none of these, or its columns of users and products cannot be distinguished.
    """
    if plain(path).suffix.lower() in (".json", ".jsonl", ".ndjson"):
        fields = _edition(path, _first_object(path))
        user, item, rating, time = fields
        types = {user: pl.String, item: pl.String, rating: pl.Float64, time: pl.Int64}
        return open_json(path, pl.Schema(types)), _named(options, fields)
    table = open_table(path, ",", options.columns)
    if not options.columns and "parent_asin" not in table.columns and len(table.columns) == 4:
        columns = _headless(path)
        return open_table(path, ",", columns), _named(options, ("user", "item", "rating", "timestamp"))
    if options.columns:
        return table, options
    return table, _named(options, _edition(path, dict.fromkeys(table.columns)))


def _named(options: ImportOptions, fields: tuple[str, ...]) -> ImportOptions:
    user, item, rating, time = fields
    return options.model_copy(
        update={
            "user": user if options.user == "user" else options.user,
            "item": item if options.item == "item" else options.item,
            "weight": options.weight or rating,
            "timestamp": options.timestamp or time,
        }
    )


def _edition(path: Path, record: dict[str, Any]) -> tuple[str, ...]:
    for key, fields in _FIELDS.items():
        if key in record and fields[1] in record:
            return fields
    raise DataError(
        f"{path}: neither reviews of 2014 or 2018 (reviewerID, asin) nor of 2023 (user_id, parent_asin); "
        f"there are: {', '.join(record)}"
    )


def _first_object(path: Path) -> dict[str, Any]:
    for _, record in _records(path):
        return record
    raise DataError(f"{path}: the file is empty")


def _headless(path: Path) -> tuple[str, str, str, str]:
    """Return the columns of ratings without a header; the values show which of the first two holds products."""
    table = open_table(path, ",", ("a", "b", "rating", "timestamp"))
    sample = next(iter(table.batches(("a", "b")))).table.head(_SAMPLE)
    products = [bool(sample[name].str.contains(_PRODUCT).all()) for name in ("a", "b")]
    if products == [False, True]:
        return "user", "item", "rating", "timestamp"
    if products == [True, False]:
        return "item", "user", "rating", "timestamp"
    raise DataError(
        f"{path}: which column holds the products cannot be told from its values; "
        "name all with --columns, such as user,item,rating,timestamp (2014) or item,user,rating,timestamp (2018)"
    )


def product_attributes(path: Path, items: IdMap, report: Report) -> pl.DataFrame:
    """Return title, brand, category and price of the items, from the metadata of any of the three editions.

    Categories are joined by " > "; of 2014, the first of several. Products without interactions are left out.

    Args:
        path: metadata as JSON Lines; the lines of 2014 are Python literals.
        items: items of the dataset.
        report: its warnings grow by what is left out or missing.

    Returns:
        One row for each item, null where nothing is known.

    Raises:
        DataError: naming the line of a record that cannot be read.
    """
    found: dict[str, dict[str, Any]] = {}
    known = dict(zip(items.names, range(len(items)), strict=True))
    left_out = repeated = 0
    for number, record in _records(path):
        name = record.get("parent_asin") or record.get("asin")
        if not isinstance(name, str) or not name:
            raise DataError(f"{path}, line {number}: neither 'parent_asin' nor 'asin' names the product")
        left_out += name not in known
        repeated += name in found
        if name in known and name not in found:
            found[name] = _attributes_of(record)
    if not found:
        raise DataError(f"{path}: none of its products is an item of the dataset")
    for count, noun, what in (
        (left_out, "product", "left out, without an interaction"),
        (repeated, "record", "of a product that was there already; the first was kept"),
        (len(items) - len(found), "item", "of the interactions not in it, and so without attributes"),
    ):
        if count:
            report.warnings.append(f"{path}: {counted(count, noun)} {what}")
    rows = [found.get(name, {}) for name in items.names]
    schema = {"title": pl.String, "brand": pl.String, "category": pl.String, "main_category": pl.String}
    table = pl.DataFrame(rows, schema={**schema, "price": pl.Float64})
    return table.select([column for column in table.get_columns() if column.null_count() < len(column)])


def _attributes_of(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": _text(record.get("title")),
        "brand": next((text for key in _BRANDS if (text := _text(record.get(key)))), None),
        "category": _category(record.get("categories") or record.get("category")),
        "main_category": next((text for key in _TOP if (text := _text(record.get(key)))), None),
        "price": _price(record.get("price")),
    }


def _text(value: Any) -> str | None:
    return (value.strip() or None) if isinstance(value, str) else None


def _category(value: Any) -> str | None:
    if isinstance(value, list) and value and isinstance(value[0], list):
        value = value[0]
    if isinstance(value, list):
        return " > ".join(text for part in value if (text := _text(part))) or None
    return _text(value)


def _price(value: Any) -> float | None:
    """Return dollars; 2018 writes "$9.99", and 2023 "None" where there is none."""
    try:
        price = float(value.strip().lstrip("$").replace(",", "") if isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError):
        return None
    return price if math.isfinite(price) else None


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with readable_text(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, _record(path, number, line)


def _record(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line, object_pairs_hook=without_repeated)
    except RepeatedNameError as repeated:
        raise DataError(f"{path}, line {number}: {repeated}") from None
    except (ValueError, RecursionError):
        try:
            record = ast.literal_eval(line.strip())  # of 2014: a literal is read, never run
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            record = None
    if not isinstance(record, dict):
        raise DataError(f"{path}, line {number}: neither a JSON object nor a Python literal of one")
    return record
