import numpy as np
import pytest
import torch

from mmrecun.auditing.co_occurrence import CoOccurrence
from mmrecun.auditing.membership import matched_auc
from mmrecun.data.dataset import Dataset
from mmrecun.data.interactions import Interactions
from mmrecun.evaluation.left_out import RIDGE, LeaveOneOut
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest


def pairs(users: list[int], items: list[int], split: int = 0) -> Interactions:
    return Interactions(np.array(users), np.array(items), np.full(len(users), split, dtype=np.int8))


def parted(dataset: Dataset, **request: object) -> Partition:
    return Partition.from_request(dataset, ForgetRequest(**request))


def test_rows_are_those_of_a_ridge_regression_without_the_one_left_out():
    table = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    trained, held_out = pairs([0, 0, 0, 2, 2], [1, 3, 5, 0, 7]), pairs([0, 2], [2, 4], 1)
    for asked in (trained, held_out):
        left_out = LeaveOneOut.of(trained, asked, trained, np.random.default_rng(0))
        values = table.double().numpy()
        common = values.T @ values / 9
        common += RIDGE * common.diagonal().mean() * np.eye(4)
        for row, owner, silent in zip(left_out.rows(table), left_out.queries.users, left_out.left_out, strict=True):
            spoken = values[[item for item in trained.items[trained.users == owner] if item != silent]]
            expected = np.linalg.solve(common + spoken.T @ spoken, spoken.sum(axis=0))
            assert row.numpy() == pytest.approx(expected, abs=1e-5)
            assert silent in trained.items[trained.users == owner]
    assert (LeaveOneOut.of(trained, trained, trained, np.random.default_rng(0)).left_out == trained.items).all()


def test_owners_of_a_single_pair_are_not_asked():
    trained = pairs([0, 1, 1], [0, 1, 2])
    assert LeaveOneOut.of(trained, trained, trained, np.random.default_rng(0)).queries.users.tolist() == [1, 1]


def test_places_are_among_what_the_owner_never_had():
    table = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9], [0.8, 0.0]])
    trained = pairs([0, 0, 0], [0, 1, 4])
    found = LeaveOneOut.of(trained, trained, trained, np.random.default_rng(0)).percentiles(table)
    assert found.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("users", [True, False])
def test_what_went_together_shows_and_what_never_met_does_not(dataset: Dataset, users: bool):
    """Items of a removed user lie together: remembered. Random vectors, which never met anybody: at chance."""
    names = dataset.users.names if users else dataset.items.names
    gone = np.arange(0, len(names), 3)
    partition = parted(dataset, **{"users" if users else "items": tuple(names.gather(gone))})
    asked = CoOccurrence.of(partition, users, np.random.default_rng(0))
    rng = torch.Generator().manual_seed(1)
    partners = torch.randn(len(dataset.items if users else dataset.users), 16, generator=rng)
    forgotten, held_out, known = asked.groups(partners)
    estimate = matched_auc(forgotten, held_out)
    assert abs(estimate.value - 0.5) < 3 * estimate.error
    taste = torch.randn(len(names), 16, generator=rng)
    trained = partition.forgotten if users else partition.forgotten.swapped()
    partners.index_add_(0, torch.from_numpy(trained.items.copy()), taste[torch.from_numpy(trained.users.copy())])
    forgotten, held_out, _ = asked.groups(partners)
    assert matched_auc(forgotten, held_out).value > 0.6
    assert not np.isin(known.owners, gone).any()
    assert np.isin(forgotten.owners, gone).all()
    assert np.isin(held_out.owners, gone).all()


def test_known_owners_are_as_active_as_those_who_left(dataset: Dataset):
    degree = dataset.degrees[0]
    busiest = np.argsort(-degree, kind="stable")[:10]
    asked = CoOccurrence.of(
        parted(dataset, users=tuple(dataset.users.names.gather(busiest))), True, np.random.default_rng(0)
    )
    rest = np.setdiff1d(np.arange(len(degree)), busiest)
    chosen = np.unique(asked.known.queries.users)
    assert degree[chosen].mean() > degree[rest].mean()


def test_nobody_removed_is_no_question(dataset: Dataset):
    partition = parted(dataset, users=tuple(dataset.users.names[:5]))
    assert CoOccurrence.of(partition, False, np.random.default_rng(0)) is None
