"""Retain and forget sets against Python sets of names."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions, Split
from mmrecun.data.modality import Modality
from mmrecun.errors import DataError, ForgetError
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.forget.views import padded, placeholder_items

USERS = [f"u{row}" for row in range(5)]
ITEMS = [f"i{row}" for row in range(6)]


def build(rows, present=None):
    columns = np.array(rows, dtype=np.int64).reshape(len(rows), 3)
    features = np.arange(12, dtype=np.float32).reshape(6, 2) + 1
    present = np.ones(6, dtype=bool) if present is None else np.array(present)
    return Dataset(
        "small",
        IdMap.of("user", USERS),
        IdMap.of("item", ITEMS),
        Interactions(columns[:, 0], columns[:, 1], columns[:, 2].astype(np.int8)),
        {"image": Modality("image", features, present), "text": Modality("text", -features, np.ones(6, dtype=bool))},
        pl.DataFrame({"age": range(5)}),
        pl.DataFrame({"year": range(6)}),
    )


def named(dataset, pairs=None):
    """Pairs with their split, by name."""
    pairs = dataset.interactions if pairs is None else pairs
    users, items = dataset.users.names.gather(pairs.users), dataset.items.names.gather(pairs.items)
    return set(zip(users, items, pairs.splits.tolist(), strict=True))


@st.composite
def cases(draw):
    """A dataset and a request that fits it."""
    cells = st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 2))
    rows = draw(st.lists(cells, unique_by=lambda row: row[:2], min_size=1, max_size=25))
    rows[0] = (*rows[0][:2], 0)
    dataset = build(rows, draw(st.lists(st.booleans(), min_size=6, max_size=6)))
    features = {}
    carriers = [name for name, there in zip(ITEMS, dataset.modalities["image"].present, strict=True) if there]
    if carriers:
        chosen = draw(st.none() | st.sets(st.sampled_from(carriers), min_size=1))
        if draw(st.booleans()):
            features["image"] = None if chosen is None else tuple(chosen)
    request = ForgetRequest(
        users=tuple(draw(st.sets(st.sampled_from(USERS), max_size=2))),
        items=tuple(draw(st.sets(st.sampled_from(ITEMS), max_size=2))),
        pairs=tuple((USERS[u], ITEMS[i]) for u, i, _ in draw(st.lists(st.sampled_from(rows), max_size=4))),
        modalities=features,
    )
    return dataset, request


@given(case=cases())
@settings(deadline=None, max_examples=200)
def test_retained_and_forgotten_agree_with_sets(case):
    dataset, request = case
    whole = named(dataset)
    gone_users, gone_items, gone_pairs = set(request.users), set(request.items), set(request.pairs)
    kept = {p for p in whole if p[0] not in gone_users and p[1] not in gone_items and p[:2] not in gone_pairs}
    if request.empty() or not any(split == Split.TRAIN for _, _, split in kept):
        with pytest.raises(ForgetError, match=r"empty|leaves no training"):
            Partition.from_request(dataset, request)
        return
    retained = Partition.from_request(dataset, request).retained
    partition = Partition.between(dataset, retained)
    assert named(retained) == kept
    assert retained.users.names.to_list() == [name for name in USERS if name not in gone_users]
    assert retained.items.names.to_list() == [name for name in ITEMS if name not in gone_items]
    assert named(dataset, partition.retained_pairs) == kept
    assert named(dataset, dataset.train.select(partition.kept_train)) == {p for p in kept if p[2] == Split.TRAIN}
    assert named(dataset, partition.forgotten) == {p for p in whole - kept if p[2] == Split.TRAIN}
    assert {USERS[row] for row in np.flatnonzero(partition.removed_users)} == gone_users
    assert {ITEMS[row] for row in np.flatnonzero(partition.removed_items)} == gone_items
    assert retained.user_attributes["age"].to_list() == partition.user_rows.tolist()
    assert retained.item_attributes["year"].to_list() == partition.item_rows.tolist()


@given(case=cases())
@settings(deadline=None, max_examples=200)
def test_what_is_taken_out_is_what_two_datasets_differ_in(case):
    dataset, request = case
    try:
        expected = Partition.between(dataset, Partition.from_request(dataset, request).retained)
    except ForgetError as error:
        with pytest.raises(ForgetError, match=str(error)[:20]):
            Partition.from_request(dataset, request)
        return
    partition = Partition.from_request(dataset, request)
    assert "retained" not in vars(partition)
    for name in ("user_rows", "item_rows"):
        assert getattr(partition, name).tolist() == getattr(expected, name).tolist()
    assert partition.kept.tolist() == expected.kept.tolist()
    assert partition.removed_modalities == expected.removed_modalities
    assert named(dataset, partition.forgotten) == named(dataset, expected.forgotten)
    assert list(partition.removed_features) == list(expected.removed_features)
    for name, mask in partition.removed_features.items():
        assert mask.tolist() == expected.removed_features[name].tolist()
    assert partition.counts() == expected.counts()
    assert partition.retained.digest == expected.retained.digest


@given(case=cases())
@settings(deadline=None, max_examples=100)
def test_features_agree_with_sets(case):
    dataset, request = case
    try:
        retained = Partition.from_request(dataset, request).retained
    except ForgetError:
        return
    partition = Partition.between(dataset, retained)
    carriers = {ITEMS[row] for row in np.flatnonzero(dataset.modalities["image"].present)}
    named_items = request.modalities.get("image", ())
    gone = (carriers if named_items is None else set(named_items)) - set(request.items)
    assert {ITEMS[row] for row in np.flatnonzero(partition.removed_features.get("image", np.zeros(6)))} == gone
    assert "text" not in partition.removed_features
    if named_items is None:
        assert "image" not in retained.modalities
    else:
        left = retained.modalities["image"]
        assert {retained.items.names[int(row)] for row in np.flatnonzero(left.present)} == carriers - gone - set(
            request.items
        )
        lost = partition.removed_features.get("image", np.zeros(6, dtype=bool))[partition.item_rows]
        assert not np.asarray(left.features)[lost].any()
    newcomers = placeholder_items(partition)
    assert set(newcomers) == {"image", "text"}
    assert {ITEMS[row] for row in np.flatnonzero(newcomers["image"])} == gone | set(request.items)
    assert {ITEMS[row] for row in np.flatnonzero(newcomers["text"])} == set(request.items)


@given(case=cases())
@settings(deadline=None, max_examples=60)
def test_the_padded_view_has_every_row_and_only_retained_pairs(case):
    dataset, request = case
    try:
        retained = Partition.from_request(dataset, request).retained
    except ForgetError:
        return
    partition = Partition.between(dataset, retained)
    shown = padded(partition).dataset
    assert named(shown) == named(retained)
    assert (shown.users, shown.items) == (dataset.users, dataset.items)
    assert (shown.modalities["image"].values() == dataset.modalities["image"].values()).all()
    counts = partition.counts()
    assert counts["users"] == len(set(request.users))
    assert counts["items"] == len(set(request.items))
    assert counts["interactions"] == len(dataset.train) - len(retained.train)
    assert counts["modalities"] == sum(int(mask.sum()) for mask in partition.removed_features.values())


def test_the_original_is_left_as_it_was():
    dataset = build([(0, 0, 0), (1, 1, 0), (2, 2, 1)])
    before = dataset.digest
    request = ForgetRequest(users=("u0",), items=("i5",), modalities={"image": ("i1",)})
    assert len(Partition.from_request(dataset, request).retained.users) == len(dataset.users) - 1
    assert build([(0, 0, 0), (1, 1, 0), (2, 2, 1)]).digest == before
    assert dataset.modalities["image"].features.all()


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "the request is empty"),
        ({"users": ("u0", "x")}, "unknown user id: x"),
        ({"items": ("x", "y")}, "unknown item ids: x, y"),
        ({"pairs": (("u0", "i1"),)}, r"no such interaction in 'small': \(u0, i1\)"),
        ({"pairs": (("u0", "i0"), ("x", "i0"))}, r"\(x, i0\)"),
        ({"modalities": {"imgae": None}}, "did you mean 'image'"),
        ({"modalities": {"image": ("x",)}}, "unknown item id: x"),
        ({"modalities": {"image": ("i5",)}}, "none of the named items has the modality 'image'"),
        ({"users": ("u0", "u1")}, "leaves no training interaction"),
        ({"items": tuple(ITEMS)}, "leaves no training interaction"),
    ],
)
def test_what_cannot_be_forgotten_is_named(request_, message):
    dataset = build([(0, 0, 0), (1, 1, 0), (2, 2, 1)], [True] * 5 + [False])
    with pytest.raises(ForgetError, match=message):
        Partition.from_request(dataset, ForgetRequest(**request_))


@pytest.mark.parametrize("ids", [[3, 5], (3, 5), np.array([3, 5]), pl.Series([3, 5]), ["3", "5"], range(3, 6, 2)])
def test_numbers_of_a_notebook_are_ids(ids):
    assert ForgetRequest(users=ids).users == ("3", "5")
    assert ForgetRequest(modalities={"image": ids}).modalities == {"image": ("3", "5")}
    assert ForgetRequest(pairs=[ids]).pairs == (("3", "5"),)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"user": ["u0"]}, "unknown target 'user'; did you mean 'users'"),
        ({"users": "u0"}, r"'u0' is not a list of ids; give one, such as \['u1', 'u2'\]"),
        ({"users": 3}, "3 is not a list of ids"),
        ({"users": bytearray(b"u0")}, "is not a list of ids"),
        ({"users": pl.LazyFrame({"user": ["u0"]})}, "a data frame is not a list"),
        ({"items": [3.5]}, "3.5 is not an id"),
        ({"items": [None]}, "None is not an id"),
        ({"items": [True]}, "True is not an id"),
        ({"pairs": [("u0",)]}, "is not a pair of a user and an item"),
        ({"pairs": ["ui"]}, "'ui' is not a pair"),
        ({"pairs": "ui"}, "'ui' is not a list of pairs"),
        ({"modalities": ["image"]}, "is not a mapping of modalities; write {name: None}"),
    ],
)
def test_a_request_is_strict_about_what_it_names(values, message):
    with pytest.raises(ForgetError, match=message) as caught:
        ForgetRequest(**values)
    assert "\n" not in str(caught.value)
    with pytest.raises(ForgetError, match=message):
        ForgetRequest.coerce(values)


def test_a_request_may_come_as_a_mapping():
    request = ForgetRequest(users=["u0"])
    assert ForgetRequest.coerce({"users": ["u0"]}) == ForgetRequest.coerce(request) == request
    with pytest.raises(ForgetError, match="is not a forget request"):
        ForgetRequest.coerce(["u0"])


def test_held_out_pairs_that_leave_are_counted():
    dataset = build([(0, 0, 0), (0, 1, 1), (0, 2, 2), (1, 1, 0), (1, 2, 2)])
    names = dataset.users.names[0], dataset.items.names[1]
    alone = Partition.from_request(dataset, ForgetRequest(pairs=(names,)))
    assert (alone.counts()["interactions"], alone.counts()["held_out"], len(alone.single_pairs)) == (0, 1, 1)
    whole = Partition.from_request(dataset, ForgetRequest(users=(names[0],)))
    assert (whole.counts()["interactions"], whole.counts()["held_out"], len(whole.single_pairs)) == (1, 2, 0)


def test_a_partition_refuses_what_the_original_lacks():
    dataset = build([(0, 0, 0), (1, 1, 0)])
    with pytest.raises(DataError, match="holds interactions that"):
        Partition.between(dataset, build([(0, 0, 0), (2, 2, 0)]))
    strangers = IdMap.of("user", ["x", *USERS[1:]])
    other = Dataset("other", strangers, dataset.items, dataset.interactions)
    with pytest.raises(DataError, match="unknown user id"):
        Partition.between(dataset, other)


def test_a_partition_matches_by_id_whatever_the_order():
    dataset = build([(0, 0, 0), (1, 1, 0), (2, 3, 2)])
    reordered = dataset.restrict(np.array([2, 0, 1]), np.array([3, 1, 0]))
    partition = Partition.between(dataset, reordered)
    assert named(dataset, partition.retained_pairs) == named(dataset)
    assert not len(partition.forgotten)


def test_held_out_pairs_are_those_not_trained_on():
    dataset = build([(0, 0, 0), (1, 1, 1), (2, 3, 2)])
    assert named(dataset, dataset.interactions.held_out) == {("u1", "i1", 1), ("u2", "i3", 2)}
