"""Ids that stand in attributes of others: they leave with whom they name, and nothing else does."""

import re
from urllib.parse import quote

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions
from mmrecun.data.reference_columns import referred
from mmrecun.data.references import RemovedIds, mentions, retained_mentions, without_references
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest

SIZE = 8


def build(users: dict[str, list], items: dict[str, list], name: str = "acc{:03}", item: str = "i{}") -> Dataset:
    rows = np.repeat(np.arange(SIZE), 3)
    pairs = Interactions(rows, (rows + np.tile(np.arange(3), SIZE)) % SIZE, np.zeros(len(rows), dtype=np.int8))
    ids = (IdMap.of(kind, [form.format(n) for n in range(SIZE)]) for kind, form in (("user", name), ("item", item)))
    frames = {"user_attributes": pl.DataFrame(users), "item_attributes": pl.DataFrame(items)}
    return Dataset("x", *ids, pairs, **frames)


UPLOADERS = [f"acc00{n % 3}" for n in range(SIZE)]
INVITERS = [None, *(f"acc00{n}" for n in range(SIZE - 1))]
TAGS = [["acc001", "acc002"] if n % 2 else None for n in range(SIZE)]


def test_references_leave_with_whom_they_name():
    data = build({"invited_by": INVITERS, "age": list(range(SIZE))}, {"uploader": UPLOADERS, "with": TAGS})
    kept = Partition.from_request(data, ForgetRequest(users=["acc001"])).retained
    assert kept.item_attributes["uploader"].to_list() == [None if n == "acc001" else n for n in UPLOADERS]
    assert kept.item_attributes["with"].to_list() == [["acc002"] if tags else None for tags in TAGS]
    assert kept.user_attributes["invited_by"].to_list() == [None, None, *(f"acc00{n}" for n in range(2, 7))]
    assert kept.user_attributes["age"].to_list() == [0, *range(2, SIZE)]
    removed = RemovedIds(data, pl.Series(["acc001"]), pl.Series(dtype=pl.String))
    assert mentions(kept, removed) == []
    partition = Partition.from_request(data, ForgetRequest(users=["acc001"]))
    found = retained_mentions(partition.removed_ids, partition.user_rows, partition.item_rows)
    assert [(str(mention), mention.refers) for mention in found] == [
        ("1 in users.invited_by", True),
        ("3 in items.uploader", True),
        ("4 in items.with", True),
    ]


def test_ids_among_other_texts_are_told_and_left():
    titles = ["by acc001", "acc001", "xacc001", "acc0011", *("t" * n for n in range(1, 5))]
    data = build({}, {"title": titles})
    kept = Partition.from_request(data, ForgetRequest(users=["acc001"])).retained
    assert kept.item_attributes.equals(data.item_attributes)
    (mention,) = mentions(kept, RemovedIds(data, pl.Series(["acc001"]), pl.Series(dtype=pl.String)))
    assert (mention.rows, mention.refers, mention.plain) == (2, False, False)


def test_a_user_called_like_a_genre_takes_no_genre_along():
    genres = ["comedy", "drama", "horror", "noir"] * 2
    data = build({}, {"genre": genres})
    names = IdMap.of("user", ["comedy", *data.users.names[1:]])
    data = Dataset("x", names, data.items, data.interactions, item_attributes=data.item_attributes)
    kept = Partition.from_request(data, ForgetRequest(users=["comedy"])).retained
    assert kept.item_attributes["genre"].to_list() == genres
    (mention,) = mentions(kept, RemovedIds(data, pl.Series(["comedy"]), pl.Series(dtype=pl.String)))
    assert mention.plain


@pytest.mark.parametrize(
    ("column", "values", "kinds"),
    [
        ("age", list(range(SIZE)), ()),
        ("uploader", [1, 2] * 4, ("users",)),
        ("invited_by", [1, 2] * 4, ("users",)),
        ("related_item", [1, 2] * 4, ("items",)),
        ("uploader", [100 + n for n in range(SIZE)], ()),
        ("code", ["1", "2"] * 4, ()),
        ("uploader", ["1", None] * 4, ("users",)),
    ],
)
def test_numbers_are_ids_where_the_name_says_so(column: str, values: list, kinds: tuple[str, ...]):
    data = build({}, {column: values}, name="{}", item="{}")
    assert referred(data.item_attributes[column], data) == kinds
    kept = Partition.from_request(data, ForgetRequest(users=["1"])).retained
    left = kept.item_attributes[column].cast(pl.String).to_list()
    assert ("1" in left) == ("1" in map(str, values) and kinds != ("users",))


def test_a_request_for_pairs_takes_no_reference():
    data = build({}, {"uploader": UPLOADERS})
    kept = Partition.from_request(data, ForgetRequest(pairs=[("acc001", "i1")])).retained
    assert kept.item_attributes.equals(data.item_attributes)


PARTS = {
    "texts of several": ([["u1;u2"], ["u2"], ["u1; u3"]], ["u2", "u2", "u3"]),
    "objects": (
        [[{"id": "u1", "role": "x"}], [{"id": "u2", "role": "y"}], [None]],
        [None, {"id": "u2", "role": "y"}, None],
    ),
    "lists of objects": (
        [[[{"id": "u1", "n": 1}, {"id": "u2", "n": 2}]], [[]], [[{"id": "u3", "n": 3}]]],
        [[{"id": "u2", "n": 2}], [], [{"id": "u3", "n": 3}]],
    ),
}


@pytest.mark.parametrize("case", PARTS)
def test_references_inside_other_values_leave_too(case: str):
    rows, left = PARTS[case]
    column = pl.DataFrame(rows, schema=["by"], orient="row")
    pairs = pl.DataFrame({"user": [f"u{n}" for n in (1, 2, 3) for _ in range(3)], "item": ["a", "b", "c"] * 3})
    known = Dataset.from_frames(pairs, items=pl.DataFrame({"id": ["a", "b", "c"]}).hstack(column))
    removed = RemovedIds(known, pl.Series(["u1"]), pl.Series([], dtype=pl.String))
    assert mentions(known, removed)[0].refers
    assert without_references(known, removed).item_attributes["by"].to_list() == left
    assert not mentions(without_references(known, removed), removed)


def test_ids_deep_inside_other_objects_are_told():
    column = pl.Series("meta", [{"notes": [{"text": "by user-0001, twice"}]}, {"notes": [{"text": "nobody"}]}, None])
    pairs = pl.DataFrame({"user": [f"user-000{n}" for n in (1, 2, 3) for _ in range(3)], "item": ["a", "b", "c"] * 3})
    known = Dataset.from_frames(pairs, items=pl.DataFrame({"id": ["a", "b", "c"], "meta": column}))
    found = mentions(known, RemovedIds(known, pl.Series(["user-0001"]), pl.Series([], dtype=pl.String)))
    assert [(mention.rows, mention.refers, mention.plain) for mention in found] == [(1, False, False)]


MISSING = [None, 5, 6, 1, 2, 3, 4, 7]
WRITTEN = {
    "numbers of pandas": ("{}", pl.Series([None if n is None else float(n) for n in MISSING])),
    "decimals": ("{}", pl.Series(MISSING).cast(pl.Decimal(10, 2))),
    "numbers without zeros": ("{:04}", pl.Series(MISSING)),
    "another case": ("Ann{}@x.org", pl.Series([n and f"ann{n}@X.ORG" for n in MISSING])),
    "another Unicode form": ("Jos\u00e9{}", pl.Series([n and f"Jose\u0301{n}" for n in MISSING])),
    "JSON in text": ("{}", pl.Series([n and f"[{n}, 7]" for n in MISSING])),
    "Python in text": ("acc{}", pl.Series([n and f"['acc{n}', 'acc7']" for n in MISSING])),
    "enumeration": (
        "acc{}",
        pl.Series([n and f"acc{n}" for n in MISSING], dtype=pl.Enum([f"acc{n}" for n in range(8)])),
    ),
    "array": ("acc{}", pl.Series([[f"acc{n}", "acc7"] for n in range(SIZE)], dtype=pl.Array(pl.String, 2))),
    "fields": ("acc{}", pl.Series([{"acc1": n, "acc2": n} for n in range(SIZE)])),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_references_leave_in_whatever_form_they_are_written(case: str):
    form, column = WRITTEN[case]
    data = build({}, {"invited_by": column}, name=form)
    partition = Partition.from_request(data, ForgetRequest(users=[form.format(1)]))
    assert [m.refers for m in retained_mentions(partition.removed_ids, partition.user_rows, partition.item_rows)] == [
        True
    ]
    left = partition.retained.item_attributes["invited_by"]
    removed = RemovedIds(data, pl.Series([form.format(1)]), pl.Series(dtype=pl.String))
    assert not mentions(partition.retained, removed)
    own = "ann1" if "@" in form else form.format("1") if "0" not in form else "1"
    said = f"{left.to_list()} {left.dtype}".lower().replace("'", " ")
    assert not re.search(rf"(?<![\w.]){re.escape(own.lower())}(?!\w)", said)
    others = [n for n in range(SIZE) if n not in {3, *column.is_null().arg_true()}]
    if case not in ("array", "fields", "JSON in text", "Python in text"):
        assert left[others].cast(pl.String).to_list() == column[others].cast(pl.String).to_list()


def test_an_id_that_another_user_may_have_stays():
    data = build({}, {"invited_by": ["007", "7", "1", "2", "3", "4", "5", "6"]}, name="{}")
    names = IdMap.of("user", ["007", *data.users.names[1:]])
    data = Dataset("x", names, data.items, data.interactions, item_attributes=data.item_attributes)
    kept = Partition.from_request(data, ForgetRequest(users=["007"])).retained
    assert kept.item_attributes["invited_by"].to_list() == [None, "7", "1", "2", "3", "4", "5", "6"]


def test_a_field_called_like_a_user_who_is_a_word_stays():
    data = build({}, {"about": [{"title": "a", "year": 1}] * SIZE})
    names = IdMap.of("user", ["title", *data.users.names[1:]])
    data = Dataset("x", names, data.items, data.interactions, item_attributes=data.item_attributes)
    kept = Partition.from_request(data, ForgetRequest(users=["title"])).retained
    assert kept.item_attributes.equals(data.item_attributes)


def rows_told(texts: list, erased: str, name: str = "acc{:03}", column: str = "about") -> list[bool]:
    """Say for each of eight texts of items whether it alone makes a mention of the erased user."""
    found = []
    for text in texts:
        data = build({}, {column: [text, *("-" * n for n in range(1, SIZE))]}, name)
        found.append(bool(mentions(data, RemovedIds(data, pl.Series([erased]), pl.Series(dtype=pl.String)))))
    return found


def test_ids_are_found_in_urls_whatever_is_escaped_there():
    named = ["see /u?q=anna%40x.org&p=1", "anna%40X.org", "http%3A%2F%2Fh%2Fanna%40x.org%2F", "mailto:anna@x.org"]
    other = ["joanna%40x.org", "anna%40x.orgs", "anna%41x.org", "100% anna"]
    assert rows_told([*named, *other], "anna@x.org", "{}") == [True] * 4 + [False] * 4


def test_references_in_escapes_leave_with_whom_they_name_and_not_with_whose_id_has_such_signs():
    names = ["a b", "a%20b", "c d", "e", "f", "g", "h", "i"]
    data = build({}, {"uploader": ["a%20b", "c%20d", "e", "f", "g", "h", "i", "c d"]}, "{}")
    data = Dataset("x", IdMap.of("user", names), data.items, data.interactions, item_attributes=data.item_attributes)
    kept = Partition.from_request(data, ForgetRequest(users=["c d"])).retained.item_attributes["uploader"].to_list()
    assert kept == ["a%20b", None, "e", "f", "g", "h", "i", None]
    kept = Partition.from_request(data, ForgetRequest(users=["a b"])).retained.item_attributes["uploader"].to_list()
    assert kept[0] == "a%20b"  # that is somebody else, who stays


def test_numbers_behind_words_for_persons_are_told_as_what_may_not_be_meant():
    named = ["recommended by user 5", "User_ID=5.", "/users/5/list", "(account #005)", "uid:5"]
    other = ["5 users", "user 55", "user 1", "part 5", "superuser 5", "5", "users 5 to 7"]
    assert rows_told([*named, *other], "5", "{}") == [True] * len(named) + [False] * len(other)
    data = build({}, {"about": ["by user 5", *["-"] * 7]}, "{}")
    (mention,) = mentions(data, RemovedIds(data, pl.Series(["5"]), pl.Series(dtype=pl.String)))
    assert (mention.rows, mention.refers, mention.plain) == (1, False, True)
    items = build({}, {"about": ["sequel of movie 5", "product 5", "item 7", *["-"] * 5]}, "{}", "{}")
    (mention,) = mentions(items, RemovedIds(items, pl.Series(dtype=pl.String), pl.Series(["5"])))
    assert (mention.rows, mention.plain) == (2, True)


def test_lists_of_fractions_hold_ids_unless_they_are_vectors():
    """Numbers of varied length are relations as pandas writes them; few different ones of one length are features."""
    related = [[1.0, 5.0], [5.0], [2.0, float("nan")], None, [], [7.0, 5.0, 3.0], [1.0], [0.0]]
    data = build({}, {"related_users": related}, "{}")
    kept = Partition.from_request(data, ForgetRequest(users=["5"])).retained.item_attributes["related_users"].to_list()
    assert str(kept) == str([[1.0], [], [2.0, float("nan")], None, [], [7.0, 3.0], [1.0], [0.0]])
    for vectors in ([[0.0, 1.0, 5.0]] * SIZE, [[0.5, 5.0], [1.0]] * (SIZE // 2)):
        data = build({}, {"user_traits": vectors}, "{}")
        assert Partition.from_request(data, ForgetRequest(users=["5"])).retained.item_attributes.equals(
            data.item_attributes
        )


@given(
    name=st.text("ab1@:/ é%+&=", min_size=4, max_size=8).filter(
        lambda text: text.strip() == text and not text.isalnum() and len(set(text)) > 1
    ),
    safe=st.sampled_from(["", "/", "@:", "/@:+&="]),
)
def test_any_id_is_found_in_a_url_that_was_made_with_it(name: str, safe: str):
    assert rows_told([f"https://h/u?id={quote(name, safe)}&v=2"], name, "{}") == [True]
