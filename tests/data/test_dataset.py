"""Dataset: what belongs together stays together, and what does not fit is refused."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions
from mmrecun.data.modality import Modality
from mmrecun.errors import DataError, ShapeError

USERS, ITEMS = [f"u{row}" for row in range(6)], [f"i{row}" for row in range(7)]


def build(keys: list[int]) -> Dataset:
    """Every attribute and feature says which user or item it belongs to."""
    users, items = np.array(keys) // 7, np.array(keys) % 7
    return Dataset(
        "small",
        IdMap.of("user", USERS),
        IdMap.of("item", ITEMS),
        Interactions(users, items, np.array(keys) % 3 * (np.array(keys) != keys[0]), pl.DataFrame({"key": keys})),
        {"image": Modality("image", np.arange(14, dtype=np.float32).reshape(7, 2), np.arange(7) % 3 > 0)},
        pl.DataFrame({"name": USERS}),
        pl.DataFrame({"name": ITEMS, "row": range(7)}),
    )


KEYS = st.lists(st.integers(0, 41), unique=True, min_size=1, max_size=30)


def triples(dataset: Dataset) -> set[tuple[str, str, int, int]]:
    pairs = dataset.interactions
    names = dataset.users.names.gather(pairs.users), dataset.items.names.gather(pairs.items)
    return set(zip(*names, pairs.splits.tolist(), pairs.attributes["key"], strict=True))


@given(
    keys=KEYS,
    users=st.permutations(range(6)),
    items=st.permutations(range(7)),
    sizes=st.tuples(*[st.integers(1, 7)] * 2),
)
@settings(deadline=None)
def test_a_restriction_keeps_what_belongs_to_its_rows(keys, users, items, sizes):
    whole = build(keys)
    rows = np.array(users[: sizes[0]]), np.array(items[: sizes[1]])
    expected = {
        row for row in triples(whole) if int(row[0][1:]) in rows[0].tolist() and int(row[1][1:]) in rows[1].tolist()
    }
    if not any(split == 0 for _, _, split, _ in expected):
        with pytest.raises(DataError, match="has no training interactions"):
            whole.restrict(*rows)
        return
    part = whole.restrict(*rows)
    assert triples(part) == expected
    assert part.users.names.to_list() == part.user_attributes["name"].to_list() == [USERS[row] for row in rows[0]]
    assert part.items.names.to_list() == part.item_attributes["name"].to_list() == [ITEMS[row] for row in rows[1]]
    image = part.modalities["image"]
    assert image.features[:, 0].tolist() == [2 * row for row in rows[1]]
    assert image.present.tolist() == [row % 3 > 0 for row in rows[1]]
    assert whole.restrict(np.arange(6), np.arange(7)).digest == whole.digest


@given(keys=KEYS, users=st.permutations(range(6)), items=st.permutations(range(7)))
@settings(deadline=None, max_examples=30)
def test_another_order_and_back_is_the_same_dataset(keys, users, items):
    whole = build(keys)
    turned = whole.restrict(np.array(users), np.array(items))
    assert triples(turned) == triples(whole)
    assert turned.restrict(np.argsort(users), np.argsort(items)).digest == whole.digest


def test_the_digest_names_the_content_and_not_the_name():
    whole = build([0, 8, 16])
    image = whole.modalities["image"]
    assert replace(whole, name="other").digest == whole.digest
    assert replace(whole, name="other") == whole
    assert hash(replace(whole, name="other")) == hash(whole)
    others = [
        build([0, 8, 17]),
        replace(whole, users=IdMap.of("user", ["x", *USERS[1:]])),
        replace(whole, item_attributes=pl.DataFrame({"name": ITEMS})),
        replace(whole, user_attributes=pl.DataFrame({"nom": USERS})),
        replace(whole, modalities={}),
        replace(whole, modalities={"image": replace(image, present=~image.present)}),
        replace(whole, modalities={"image": replace(image, features=image.features.astype(np.float64))}),
    ]
    assert len({whole.digest, *(other.digest for other in others)}) == 1 + len(others)
    assert whole not in others


def test_parts_that_do_not_fit_are_refused():
    whole = build([0, 8, 16])
    image = whole.modalities["image"]
    with pytest.raises(DataError, match="names user row 2, but the dataset has 2 users"):
        replace(whole, users=IdMap.of("user", USERS[:2]), user_attributes=pl.DataFrame())
    with pytest.raises(DataError, match="'image' has features for 3"):
        replace(whole, modalities={"image": image.take(np.arange(3))})
    with pytest.raises(DataError, match="'image' is filed under 'text'"):
        replace(whole, modalities={"text": image})
    with pytest.raises(ShapeError, match="item attributes has shape"):
        replace(whole, item_attributes=pl.DataFrame({"a": [1]}))


def test_features_too_large_for_float32_are_refused():
    with pytest.raises(DataError, match="NaN or infinity in row 1, read as float32"):
        Modality("image", np.array([[1.0], [1e300]]), np.array([True, True]))
    assert Modality("image", np.array([[1.0], [1e300]]), np.array([True, False])).values().tolist() == [[1.0], [0.0]]
