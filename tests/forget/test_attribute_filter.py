"""Expressions: what they select, and that they can do nothing else."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrecun.errors import ForgetError
from mmrecun.forget.attribute_filter import select

TABLES = {
    "users": pl.DataFrame({"country": ["AT", "DE", "AT"], "year": [1980, 1990, 2000]}),
    "items": pl.DataFrame(
        {
            "licensor": ["X", "Y", None, "X"],
            "year": [2005, 2015, 2001, None],
            "rating": [1.5, -2.0, 3.0, 4.0],
            "adult": [True, False, None, False],
        }
    ),
    "pairs": pl.DataFrame(),
}


@pytest.mark.parametrize(
    ("expression", "table", "selected"),
    [
        ('licensor == "X"', "items", [0, 3]),
        ('"X" == licensor', "items", [0, 3]),
        ('licensor != "X"', "items", [1]),
        ('licensor == "X" and items.year < 2010', "items", [0]),
        ('licensor == "Y" or rating >= 3', "items", [1, 2, 3]),
        ('not licensor == "X"', "items", [1]),
        ('licensor in ["X", "Z"]', "items", [0, 3]),
        ('licensor not in ("X", "Z")', "items", [1]),
        ("2001 < items.year <= 2015", "items", [0, 1]),
        ("rating == -2", "items", [1]),
        ("rating > 1.5 and not (rating > 3.5)", "items", [2]),
        ("adult", "items", [0]),
        ("not adult", "items", [1, 3]),
        ("items.adult == False", "items", [1, 3]),
        ('  country == "AT"  ', "users", [0, 2]),
        ("users.year > 1985", "users", [1, 2]),
        ("licensor in []", "items", []),
        ("licensor is None", "items", [2]),
        ("licensor == None", "items", [2]),
        ("items.year is not None and adult is not None", "items", [0, 1]),
        ("adult == true", "items", [0]),
    ],
)
def test_what_is_selected(expression, table, selected):
    matches = select(expression, TABLES)
    assert matches.table == table
    assert matches.selected.dtype == bool
    assert len(matches.selected) == TABLES[table].height
    assert np.flatnonzero(matches.selected).tolist() == selected


ODD = {
    "users": pl.DataFrame({"country": ["AT", "DE"]}),
    "items": pl.DataFrame({"class": ["A", "B"], "Book-Author": ["X", "Y"], "release date": [1994, 1996], "in": [1, 2]}),
    "pairs": pl.DataFrame(),
}


@pytest.mark.parametrize(
    "expression",
    [
        'class == "A"',
        'items.class == "A"',
        "items['class'] == 'A'",
        "`class` == 'A'",
        "`Book-Author` == 'X'",
        '"Book-Author" == "X"',
        "'X' == \"Book-Author\"",
        'items["Book-Author"] in ["X", "class"]',
        "`release date` < 1995",
        '"release date" < 1995',
        "1990 < items.`release date` < 1995",
        "`in` == 1",
        "not (`release date` > 1995 or class == 'B')",
    ],
)
def test_names_that_are_no_words_can_be_written(expression):
    assert select(expression, ODD).selected.tolist() == [True, False]


def test_a_quoted_name_that_is_not_there_is_named():
    with pytest.raises(ForgetError, match="unknown attribute 'release dat'; did you mean 'release date'"):
        select("`release dat` < 1995", ODD)
    with pytest.raises(ForgetError, match="no attribute is named"):
        select('"nothing" == "A"', ODD)


@pytest.mark.parametrize(
    ("expression", "undecided"),
    [('licensor == "X"', 1), ('licensor != "X"', 1), ("items.year < 2010", 1), ("rating < 2", 0), ("not adult", 1)],
)
def test_a_missing_attribute_selects_nothing_and_is_counted(expression, undecided):
    assert select(expression, TABLES).undecided == undecided


def test_a_missing_attribute_does_not_matter_where_the_rest_decides():
    matches = select('licensor == "X" or rating > 2', TABLES)
    assert matches.selected.tolist() == [True, False, True, True]
    assert matches.undecided == 0


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true')",
        "licensor.upper() == 'X'",
        "len(licensor) == 1",
        "licensor == open('x')",
        "licensor.__class__ == 'X'",
        "__class__ == 'X'",
        "items.__class__ == 'X'",
        "items.licensor.__class__ == 'X'",
        "items.licensor.adult",
        "rating + 1 == 2",
        "rating[0] == 2",
        "lambda: adult",
        "[adult for adult in [1]]",
        "(adult := True)",
        "adult if adult else adult",
        "licensor == f'{adult}'",
        "licensor == b'X'",
        "licensor < None",
        "None is None",
        "licensor in [None]",
        "items.year == 1j",
        "adult; adult",
        "import os",
        "adult = True",
        "",
        "(((",
        "'\x00' == licensor",
        "*adult",
        "yield adult",
    ],
)
def test_all_else_is_refused(expression):
    with pytest.raises(ForgetError, match=r"^--where") as caught:
        select(expression, TABLES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ('licensr == "X"', "unknown attribute 'licensr'; did you mean 'licensor'"),
        ('itmes.licensor == "X"', "unknown table 'itmes'; did you mean 'items'"),
        ('items.country == "AT"', "belong to different tables"),
        ('country == "AT" and licensor == "X"', "belong to different tables"),
        ('user == "u1" and licensor == "X"', "'user' is not an attribute"),
        ("year < 2010", r"users and items both have it; write users\.year"),
        ("1 == 1", "no attribute is named"),
        ("rating", "not a condition on items"),
        ('rating == "X"', "types do not fit"),
        ('rating < "1970-01-02"', "as seconds since 1970, in UTC, 1970-01-02 is 86400, as milliseconds 86400000"),
        ("rating < 1970-01-02", "put a date into quotation marks"),
        ('licensor == "X" && rating < 2', "join comparisons by and, or, not"),
        ('licensor == "X" OR rating < 2', "join comparisons by and, or, not"),
        ('licensor = "X OR Y"', "compare by =="),
        ('licensor in ["X", 1]', "types do not fit"),
        ('licensor in "X"', "takes a list"),
        ('licensor == ["X"]', "takes a list"),
        ('licensor in [["X"]]', "neither an attribute nor a plain value"),
        ("rating is 2", "use == != <"),
    ],
)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_a_mistake_is_explained(expression, message):
    with pytest.raises(ForgetError, match=message):
        select(expression, TABLES)


def test_a_deep_expression_is_answered():
    assert select("not " * 300 + "adult", TABLES).undecided == 1


@pytest.mark.parametrize("depth", [2500, 100_000])
def test_a_deeper_one_is_refused(depth):
    with pytest.raises(ForgetError, match=r"^--where"):
        select("not " * depth + "adult", TABLES)


@given(text=st.text(alphabet="adult raing<>=!()[]'\"12.,-_:*+notrixlse%{}@~\\", max_size=30))
@settings(max_examples=300, deadline=None)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_any_text_ends_in_an_answer_or_an_error(text):
    try:
        matches = select(text, TABLES)
    except ForgetError:
        return
    assert matches.table in TABLES
