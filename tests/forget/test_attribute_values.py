"""Values are read as the attribute they are compared with, and never as something else."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from mmrecun.errors import ForgetError
from mmrecun.forget.attribute_filter import select

DAYS = [date(1994, 5, 1), date(1996, 1, 2), None, date(2001, 1, 1)]
TIMES = [datetime(2020, 1, 1, 23, 30), datetime(2020, 1, 2, 0, 30), None, datetime(2021, 1, 1)]
ITEMS = pl.DataFrame(
    {
        "released": DAYS,
        "added": TIMES,
        "seen": pl.Series([None if time is None else time.replace(tzinfo=UTC) for time in TIMES]).dt.convert_time_zone(
            "Europe/Vienna"
        ),
        "tags": [["film", "war"], ["news"], None, []],
        "ranks": [[1, 10], [10], None, []],
        "genre": ["Film|War", "News", None, "Film"],
        "code": ["007", "7", "8", "9"],
        "year": [1994, 1996, None, 2001],
        "score": [0.5, float("nan"), float("nan"), 3.0],
        "price": pl.Series([Decimal("1.50"), Decimal("2.00"), None, Decimal("9.99")], dtype=pl.Decimal(10, 2)),
        "colour": pl.Series(["red", "blue", None, "red"], dtype=pl.Categorical),
        "adult": [True, False, None, False],
    }
)


@pytest.mark.parametrize(
    ("expression", "selected", "undecided"),
    [
        ("released < '1995-01-01'", [0], 1),
        ("'1995-01-01' <= released < '2001-01-01'", [1], 1),
        ("released in ['1996-01-02', '2001-01-01']", [1, 3], 1),
        ("added < '2020-01-02'", [0], 1),
        ("added >= '2020-01-02T00:30:00'", [1, 3], 1),
        ("seen < '2020-01-02'", [0], 1),
        ("seen < '2020-01-02T01:00:00+01:00'", [0], 1),
        ("seen == added", [0, 1, 3], 1),
        ("'film' in tags", [0], 1),
        ("'film' not in tags", [1, 3], 1),
        ("'Film' in genre", [0, 3], 1),
        ("'Film|' in genre", [0], 1),
        ("'1' in ranks", [0], 1),
        ("score > 1", [3], 2),
        ("score is None", [1, 2], 0),
        ("price < 2", [0], 1),
        ("colour == 'red' and year < 2000", [0], 1),
    ],
)
def test_values_of_each_kind(expression: str, selected: list[int], undecided: int):
    found = select(expression, {"items": ITEMS})
    assert found.selected.nonzero()[0].tolist() == selected
    assert found.undecided == undecided


def test_the_zone_of_a_column_changes_nothing_that_is_selected():
    for hours in range(-12, 36):
        text = (datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=hours)).isoformat()
        plain, zoned = (select(f"{name} < '{text}'", {"items": ITEMS}).selected.tolist() for name in ("added", "seen"))
        assert plain == zoned


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("released < 1995", "'released' holds dates; write one such as"),
        ("added > 1577836800", "'added' holds dates"),
        ("released == 'May 1994'", "'released' holds dates"),
        ("code == 7", "'code' holds texts; write the value in quotation marks"),
        ("code in ['7', 8]", "'code' holds texts"),
        ("year == '1994'", "'year' holds numbers; write the value without quotation marks"),
        ("year == '19940501'", "'year' holds numbers; write the value without quotation marks"),
        ("year == '-1994'", "'year' holds numbers; write the value without quotation marks"),
        ("adult == 'yes'", "'adult' holds True and False"),
        ("tags == 'film'", '"x" in tags'),
        ("'9' in year", "'year' holds numbers, so no text is in it"),
        ("year in 1994", r"'in' takes a list on its right, such as in \[1, 2\]"),
        ("year == [1994]", "only 'in' takes a list"),
        ("year = 1994", "compare by ==, not ="),
        ("(year > 1) & (year < 9)", "join comparisons by and, or, not"),
        ("item == 'i3'", "'item' is not an attribute; name ids by --item"),
    ],
)
def test_what_does_not_fit_is_refused_in_words_that_help(expression: str, reason: str):
    with pytest.raises(ForgetError, match=f"^--where .*{reason}"):
        select(expression, {"items": ITEMS})
