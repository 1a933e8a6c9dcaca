"""Ids and rows, there and back."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrecun.data.ids import IdMap
from mmrecun.errors import DataError


@given(names=st.lists(st.text(min_size=1, max_size=4), unique=True, min_size=1, max_size=12), data=st.data())
def test_ids_and_rows_are_inverse(names, data):
    ids = IdMap.of("user", names)
    wanted = data.draw(st.lists(st.sampled_from(names)))
    assert ids.rows(wanted).tolist() == [names.index(name) for name in wanted]
    assert ids.find(wanted).dtype == np.int64
    assert ids.take(np.arange(len(names))[::-1]).names.to_list() == names[::-1]


@given(names=st.lists(st.text(max_size=3), unique=True, min_size=1, max_size=10), probes=st.lists(st.text(max_size=3)))
def test_finding_agrees_with_a_dictionary(names, probes):
    known = {name: row for row, name in enumerate(names)}
    assert IdMap.of("item", names).find(probes).tolist() == [known.get(name, -1) for name in probes]


@given(names=st.lists(st.text(max_size=3), unique=True, min_size=1, max_size=10), data=st.data())
def test_taking_rows_takes_their_names(names, data):
    rows = data.draw(st.lists(st.integers(0, len(names) - 1), unique=True))
    taken = IdMap.of("item", names).take(np.array(rows, dtype=np.int64))
    assert taken == IdMap.of("item", [names[row] for row in rows])
    assert taken.find(names).tolist() == [rows.index(row) if row in rows else -1 for row in range(len(names))]


def test_unknown_ids_are_minus_one_or_named():
    ids = IdMap.of("item", ["a", "b"])
    assert ids.find(["b", "x", "a"]).tolist() == [1, -1, 0]
    with pytest.raises(DataError, match="unknown item id: x"):
        ids.rows(["b", "x"])
    with pytest.raises(DataError, match="unknown item ids: x, y"):
        ids.rows(["y", "x"][::-1])


def test_ids_that_look_like_numbers_stay_text():
    assert IdMap.of("user", ["007", "7"]).rows(["7", "007"]).tolist() == [1, 0]


def test_nothing_asked_gives_nothing():
    assert IdMap.of("user", ["a"]).rows([]).tolist() == []


def test_ids_must_be_text_there_and_distinct():
    with pytest.raises(DataError, match="must be text"):
        IdMap("user", pl.Series([1, 2]))
    with pytest.raises(DataError, match="row 1 is missing"):
        IdMap("user", pl.Series(["a", None]))
    with pytest.raises(DataError, match="more than once: b, c"):
        IdMap.of("user", ["b", "c", "b", "a", "c"])


def test_maps_are_equal_by_kind_and_order():
    assert IdMap.of("user", ["a", "b"]) == IdMap.of("user", ["a", "b"])
    assert IdMap.of("user", ["a", "b"]) != IdMap.of("user", ["b", "a"])
    assert IdMap.of("user", ["a"]) != IdMap.of("item", ["a"])
    assert IdMap.of("user", ["a"]) != "a"


def test_a_series_is_looked_up_like_a_list():
    ids = IdMap.of("user", ["b", "a", "c"])
    wanted = ["c", "b", "c"]
    assert ids.rows(pl.Series(wanted)).tolist() == ids.rows(wanted).tolist() == [2, 0, 2]
    with pytest.raises(DataError, match="unknown user ids: y, x"):
        ids.rows(pl.Series(["y", "a", "x", "y"]))


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        ("José", "jose"),
        ("jose", "JOSÉ"),
        ("\uff21\uff11", "a1"),
        ("a\u2013b", "A-b"),
        ("straße", "STRASSE"),
        ("Łódź", "lodz"),
    ],
)
def test_words_for_an_unknown_id_see_through_accents_case_and_width(known: str, asked: str):
    ids = IdMap.of("user", [known, "x"])
    assert ids.alike([asked]) == f"; '{known}' looks alike"
    assert ids.find([asked]).tolist() == [-1]  # it is a suggestion, and nobody is taken for another
    assert ids.alike(["xx"]) == ""
