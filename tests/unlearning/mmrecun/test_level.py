import numpy as np
import polars as pl
import pytest
import torch

from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import normalised_block
from mmrecun.data.interactions import Split
from mmrecun.data.sparse import SparseMatrix
from mmrecun.evaluation.spectral import spectral_vectors
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.rng import Seed
from mmrecun.unlearning.mmrecun import level
from mmrecun.unlearning.mmrecun.level import ForgettingLevel

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(level, "FEWEST", 5)
    monkeypatch.setattr(level, "_FEWEST_OF_GROUP", 5)
    monkeypatch.setattr(level, "_SPLIT_MARGIN", 0.3)


def taken_out(dataset: Dataset, kind: str) -> Partition:
    users, items = list(dataset.users.names), list(dataset.items.names)
    train = dataset.train
    request = {
        "users": ForgetRequest(users=tuple(users[:20])),
        "items": ForgetRequest(items=tuple(items[:12])),
        "pairs": ForgetRequest(pairs=tuple((users[train.users[n]], items[train.items[n]]) for n in range(0, 400, 4))),
    }[kind]
    return Partition.from_request(dataset, request)


@pytest.mark.parametrize("kind", ["users", "items", "pairs"])
def test_vectors_that_learned_nothing_are_near_chance_and_those_that_learned_are_not(dataset: Dataset, kind: str):
    partition = taken_out(dataset, kind)
    asked = ForgettingLevel(partition, np.random.default_rng(0), CPU)
    rng = Seed(1).torch()
    count = len(partition.original.users), len(partition.original.items)
    noise = torch.randn(count[0], 64, generator=rng), torch.randn(count[1], 64, generator=rng)
    train = torch.from_numpy(partition.original.train.matrix(*count).toarray()).float()
    learned = train @ noise[1] + 0.1 * noise[0], train.T @ noise[0] + noise[1]
    (alike, errors), (apart, _) = (
        asked.aucs((users[partition.user_rows], items[partition.item_rows])) for users, items in (noise, learned)
    )
    assert len(alike) == len(apart) == len(errors) == (3 if kind == "pairs" else 1)
    assert (np.abs(alike - 0.5) < 4 * errors).all()
    assert apart.mean() > alike.mean() + 0.1


@pytest.mark.parametrize("kind", ["users", "items", "pairs"])
def test_the_references_exceed_nothing(dataset: Dataset, kind: str, monkeypatch: pytest.MonkeyPatch):
    retained = taken_out(dataset, kind).retained
    pairs = normalised_block(retained.train, len(retained.users), len(retained.items))
    reference = spectral_vectors(SparseMatrix.of(pairs, CPU), np.random.default_rng(0))
    monkeypatch.setattr(level, "spectral_vectors", lambda *_: reference)
    excess, errors = ForgettingLevel(taken_out(dataset, kind), np.random.default_rng(1), CPU).excess(reference)
    assert len(errors) == len(excess) >= 1
    np.testing.assert_allclose(excess, 0, atol=1e-9)


def test_nothing_is_told_where_too_few_can_be_compared(dataset: Dataset, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(level, "FEWEST", 10_000)
    partition = taken_out(dataset, "pairs")
    vectors = torch.randn(len(partition.user_rows), 4), torch.randn(len(partition.item_rows), 4)
    assert not len(ForgettingLevel(partition, np.random.default_rng(0), CPU).aucs(vectors)[0])


def test_nothing_is_told_where_no_random_draw_set_pairs_aside(dataset: Dataset, monkeypatch: pytest.MonkeyPatch):
    """The most popular pairs are forgotten: validation pairs are not like them."""
    monkeypatch.setattr(level, "_SPLIT_MARGIN", 0.05)
    train, degree = dataset.train, dataset.degrees[1]
    most = np.argsort(-degree[train.items])[:100]
    names = dataset.users.names.gather(train.users[most]), dataset.items.names.gather(train.items[most])
    partition = Partition.from_request(dataset, ForgetRequest(pairs=tuple(zip(*names, strict=True))))
    vectors = torch.randn(len(partition.user_rows), 4), torch.randn(len(partition.item_rows), 4)
    assert not len(ForgettingLevel(partition, np.random.default_rng(0), CPU).aucs(vectors)[0])
    assert len(partition.retained_pairs.split(Split.VALID))


def test_only_removed_users_and_items_are_compared_where_validation_pairs_are_of_other_items(monkeypatch):
    """The references know neither the forgotten nor the validation pairs of an owner, and tell how they differ."""
    monkeypatch.setattr(level, "_SPLIT_MARGIN", 0.05)
    rng = np.random.default_rng(3)
    users = np.repeat(np.arange(100), 40)
    items = np.concatenate([np.r_[rng.permutation(300)[:32], 300 + rng.permutation(20)[:8]] for _ in range(100)])
    pairs = pl.DataFrame({"user": users, "item": items, "split": np.where(items < 300, "train", "valid")})
    dataset = Dataset.from_frames(
        pairs.with_columns(split=pl.when(pl.int_range(pl.len()) % 40 == 39).then(pl.lit("train")).otherwise("split"))
    )
    vectors = torch.randn(len(dataset.users), 4), torch.randn(len(dataset.items), 4)
    found = []
    for kind in ("users", "pairs"):
        partition = taken_out(dataset, kind)
        known = vectors[0][partition.user_rows], vectors[1][partition.item_rows]
        found.append(len(ForgettingLevel(partition, np.random.default_rng(0), CPU).aucs(known)[0]))
    assert found == [1, 0]
