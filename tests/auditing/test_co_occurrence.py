import numpy as np
import pytest
import torch

from mmrecun.auditing.co_occurrence import CoOccurrence
from mmrecun.auditing.membership import matched_auc
from mmrecun.data.dataset import Dataset
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest


def parted(dataset: Dataset, **request: object) -> Partition:
    return Partition.from_request(dataset, ForgetRequest(**request))


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


@pytest.mark.parametrize("users", [True, False])
def test_there_are_thirty_known_owners_where_the_most_active_left(dataset: Dataset, users: bool):
    """Nobody who stays is as active as they were, so the most active of those are taken."""
    names, degree = (dataset.users.names, dataset.degrees[0]) if users else (dataset.items.names, dataset.degrees[1])
    most = np.argsort(-degree, kind="stable")[:2]
    partition = parted(dataset, **{"users" if users else "items": tuple(names.gather(most))})
    asked = CoOccurrence.of(partition, users, np.random.default_rng(0))
    rest = np.setdiff1d(np.arange(len(degree)), most)
    chosen = np.unique(asked.known.queries.users)
    assert 30 <= len(chosen) < 60
    assert degree[chosen].min() >= np.sort(degree[rest])[-len(chosen) :].min()


def test_nobody_removed_is_no_question(dataset: Dataset):
    partition = parted(dataset, users=tuple(dataset.users.names[:5]))
    assert CoOccurrence.of(partition, False, np.random.default_rng(0)) is None
