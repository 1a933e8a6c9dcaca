"""Titles of items, for lists that people read."""

from mmrecun.arrays import Ints
from mmrecun.data.dataset import Dataset


def titles_of(dataset: Dataset, rows: Ints) -> list[str | None]:
    """Return the attribute `title` of the items `rows` (int64 [K]) as text; None where there is none, or NaN.

    The titles of an item with several are joined by commas.
    """
    attributes = dataset.item_attributes
    if "title" not in attributes.columns:
        return [None] * len(rows)
    return [_text(value) for value in attributes["title"].gather(rows).to_list()]


def _text(value: object) -> str | None:
    if isinstance(value, list):
        return ", ".join(text for part in value if (text := _text(part)) is not None) or None
    return None if value is None or value != value else str(value)  # noqa: PLR0124 - NaN alone differs from itself
