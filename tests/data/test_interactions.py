"""Interactions against Python sets."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrecun.data.interactions import Interactions, Split
from mmrecun.errors import DataError, ShapeError

PAIRS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 8), st.integers(0, 2)), unique_by=lambda row: row[:2], max_size=30
)


def build(rows):
    columns = np.array(rows, dtype=np.int64).reshape(len(rows), 3)
    codes = pl.DataFrame({"code": columns[:, 0] * 100 + columns[:, 1]})
    return Interactions(columns[:, 0], columns[:, 1], columns[:, 2].astype(np.int8), codes)


def as_rows(pairs):
    return list(zip(pairs.users.tolist(), pairs.items.tolist(), pairs.splits.tolist(), strict=True))


@given(rows=PAIRS, data=st.data())
def test_the_order_is_canonical_and_attributes_follow(rows, data):
    pairs = build(rows)
    shuffled = build(data.draw(st.permutations(rows)))
    assert as_rows(pairs) == as_rows(shuffled) == sorted(rows)
    assert pairs.attributes["code"].to_list() == [user * 100 + item for user, item, _ in sorted(rows)]


@given(rows=PAIRS, probes=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 8))))
def test_contains_agrees_with_a_set(rows, probes):
    known = {(user, item) for user, item, _ in rows}
    columns = np.array(probes, dtype=np.int64).reshape(len(probes), 2)
    answer = build(rows).contains(columns[:, 0], columns[:, 1], 9)
    assert answer.tolist() == [probe in known for probe in probes]


@given(rows=PAIRS)
def test_the_parts_make_up_the_whole(rows):
    pairs = build(rows)
    assert sorted(row for split in Split for row in as_rows(pairs.split(split))) == as_rows(pairs)
    assert pairs.split(Split.VALID).attributes.height == len(pairs.split(Split.VALID))


@given(rows=PAIRS, dropped=st.sets(st.integers(0, 6)))
def test_renumbering_drops_and_renames(rows, dropped):
    kept = [user for user in range(7) if user not in dropped]
    users = np.array([kept.index(user) if user in kept else -1 for user in range(7)])
    items = np.arange(9)[::-1].copy()
    renumbered = build(rows).renumbered(users, items)
    assert as_rows(renumbered) == sorted((kept.index(u), 8 - i, s) for u, i, s in rows if u in kept)


@given(rows=PAIRS, data=st.data())
def test_a_selection_is_that_of_a_list_and_attributes_follow(rows, data):
    pairs = build(rows)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))), dtype=bool)
    chosen, rest = pairs.select(mask), pairs.select(~mask)
    assert as_rows(chosen) == [row for row, keep in zip(sorted(rows), mask, strict=True) if keep]
    assert sorted(as_rows(chosen) + as_rows(rest)) == sorted(rows)
    for part in (chosen, rest):
        assert part.attributes["code"].to_list() == [user * 100 + item for user, item, _ in as_rows(part)]


@given(rows=PAIRS, users=st.permutations(range(7)), items=st.permutations(range(9)), gone=st.sets(st.integers(0, 8)))
def test_attributes_follow_a_renumbering(rows, users, items, gone):
    new_items = np.array([-1 if item in gone else new for item, new in enumerate(items)])
    renumbered = build(rows).renumbered(np.array(users), new_items)
    expected = sorted((users[u], items[i], s, u * 100 + i) for u, i, s in rows if i not in gone)
    assert [
        (*row, code) for row, code in zip(as_rows(renumbered), renumbered.attributes["code"], strict=True)
    ] == expected
    back = renumbered.renumbered(np.argsort(users), np.argsort(items))
    assert as_rows(back) == sorted(row for row in rows if row[1] not in gone)


def test_the_matrix_holds_a_one_for_each_pair():
    dense = build([(0, 2, 0), (1, 0, 1)]).matrix(2, 3).toarray()
    assert dense.dtype == np.float32
    assert dense.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_arrays_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        build([(0, 0, 0)]).users[0] = 1


def test_a_repeated_pair_is_named_with_its_places():
    with pytest.raises(DataError, match=r"user row 1 and item row 2 occurs more than once \(interactions 0 and 2\)"):
        build([(1, 2, 0), (0, 0, 0), (1, 2, 1)])


def test_what_is_no_interaction_is_refused():
    with pytest.raises(DataError, match="negative"):
        build([(0, -1, 0)])
    with pytest.raises(DataError, match="negative"):
        build([(-1, 0, 0)])
    with pytest.raises(DataError, match="split label"):
        build([(0, 0, 3)])
    with pytest.raises(ShapeError, match="splits"):
        Interactions(np.arange(2), np.arange(2), np.zeros(3, dtype=np.int8))
    with pytest.raises(ShapeError, match="attributes"):
        Interactions(np.arange(2), np.arange(2), np.zeros(2, dtype=np.int8), pl.DataFrame({"a": [1]}))


def test_the_arrays_given_are_neither_changed_nor_kept():
    users, items, splits = np.array([0, 1]), np.array([1, 0]), np.zeros(2, dtype=np.int8)
    pairs = Interactions(users, items, splits)
    users[0] = 5
    assert pairs.users.tolist() == [0, 1]


@given(rows=PAIRS)
def test_what_nobody_can_write_to_is_shared(rows):
    pairs = build(rows)
    again = Interactions(pairs.users, pairs.items, pairs.splits, pairs.attributes)
    assert again.users is pairs.users
    assert as_rows(again) == as_rows(pairs)
    assert not any(array.flags.writeable for array in (pairs.select(pairs.users > 2).users, pairs.splits))
