"""What an expression leaves that its author may have meant."""

import polars as pl
import pytest

from mmrecun import Dataset, ForgetRequest
from mmrecun.errors import ForgetError
from mmrecun.forget.attribute_filter import select
from mmrecun.forget.parsing import add_matching

ITEMS = pl.DataFrame(
    {
        "licensor": ["Acme", " Acme", "ACME", "Acme Ltd", None, "Beta", "Acme", ""],
        "genre": pl.Series(
            ["Drama|War", "War", "Drama|War", "Drama", "War", "War", "War", "War"], dtype=pl.Categorical
        ),
        "kind": pl.Series(["a", "A", "b", "b", "b", "b", "b", "b"], dtype=pl.Enum(["a", "A", "b"])),
        "year": range(8),
    }
)


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ('licensor == "Acme"', "2 items that stay have ' Acme', 'ACME' in 'licensor'"),
        ('"acme" == items.licensor', "4 items that stay have 'Acme', ' Acme', 'ACME' in 'licensor'"),
        ('licensor in ["Acme", "ACME"] and year < 9', "1 item that stays has ' Acme' in 'licensor'"),
        ('genre == "drama"', "1 item that stays has 'Drama' in 'genre'"),
        ('kind == "a"', "1 item that stays has 'A' in 'kind'"),
    ],
)
def test_values_that_look_like_a_named_one_are_told(expression: str, told: str):
    (remark, *_) = select(expression, {"items": ITEMS}).remarks
    assert remark == f"{told}, which differs from what is named in blanks, case, leading zeros or Unicode form alone"


@pytest.mark.parametrize(
    "expression",
    [
        'licensor == "Beta"',
        'not licensor == "Acme"',
        'licensor != "Acme"',
        "year < 3",
        '"Acme" in licensor',
        'genre == "War"',
    ],
)
def test_nothing_is_told_where_nothing_else_can_be_meant(expression: str):
    assert select(expression, {"items": ITEMS}).remarks == ()


def test_a_part_of_a_value_is_told_only_where_nothing_fits():
    assert select('genre == "Drama"', {"items": ITEMS}).remarks == ()
    told = select('genre == "Dra"', {"items": ITEMS}).remarks
    assert told == ("'genre' has longer values with it, such as 'Drama|War': \"Dra\" in genre",)
    assert select('licensor == ""', {"items": ITEMS.head(3)}).remarks == ()


def test_who_asks_is_warned_and_a_refusal_says_what_there_is():
    events = pl.DataFrame({"user": ["a", "b", "a", "b"], "item": ["i", "i", "j", "j"], "split": ["train"] * 4})
    items = pl.DataFrame({"id": ["i", "j"], "licensor": ["Acme", "ACME "]})
    data, warned = Dataset.from_frames(events, items=items), []
    request, _ = add_matching(ForgetRequest(), data, 'licensor == "Acme"', warned.append)
    assert (request.items, len(warned)) == (("i",), 1)
    assert warned[0].startswith('--where licensor == "Acme": 1 item that stays has \'ACME ')
    with pytest.raises(ForgetError, match="no row of items fits; 2 items that stay have 'Acme', 'ACME"):
        add_matching(ForgetRequest(), data, 'licensor == "acme"')
    with pytest.raises(
        ForgetError, match=r"no row of items fits; 'licensor' has longer values with it, such as 'Acme'"
    ):
        add_matching(ForgetRequest(), data, 'licensor == "cme"')
