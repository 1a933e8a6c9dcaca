from pathlib import Path

import numpy as np
import pytest
import torch

from mmrecun.audit import newcomers
from mmrecun.audit.measure import Subject, measure_state, newcomer_groups
from mmrecun.audit.membership import matched_auc
from mmrecun.audit.newcomers import choose, with_newcomers, without_edges
from mmrecun.audit.probes import probe_of
from mmrecun.data.dataset import Dataset
from mmrecun.data.forget import ForgetRequest, Partition, partition, retain
from mmrecun.models.base import Sizes
from mmrecun.models.bprmf import BPRMF
from mmrecun.models.lightgcn import LightGCN
from mmrecun.rng import Seed


def parted(dataset: Dataset, **request: object) -> Partition:
    return partition(dataset, retain(dataset, ForgetRequest(**request)))


@pytest.fixture(scope="module")
def users_gone(dataset: Dataset) -> Partition:
    return parted(dataset, users=tuple(dataset.users.names[::9]))


@pytest.mark.parametrize("kind", ["users", "items"])
def test_the_chosen_are_retained_and_as_active_as_those_removed(dataset: Dataset, kind: str):
    names = dataset.users.names if kind == "users" else dataset.items.names
    counts = np.bincount(getattr(dataset.train, kind), minlength=len(names))
    busiest = np.argsort(-counts)[: len(names) // 8]
    parts = parted(dataset, **{kind: tuple(names.gather(busiest))})
    more = choose(parts, Seed(0))
    chosen = getattr(more, kind)
    assert 0 < chosen.sum() <= max(1, 0.1 * len(names))
    assert not chosen[busiest].any()
    others = np.setdiff1d(np.arange(len(names)), busiest)
    assert counts[chosen].mean() > counts[others].mean()


def test_each_is_the_nearest_in_activity_that_is_still_free():
    lost, degree = np.arange(60) < 1, np.array([7, *range(100, 148), 9, 6, *[300] * 9])
    assert np.flatnonzero(newcomers._alike(lost, degree, np.random.default_rng(0)))[-2:].tolist() == [49, 50]


def test_their_pairs_leave_the_graph_and_nothing_else_does(users_gone: Partition):
    more = choose(users_gone, Seed(0))
    items = len(users_gone.original.items)
    train = users_gone.held.select(users_gone.held.splits == 0)
    assert more.users[more.pairs.users].all()
    assert not more.users[more.seen.users].any()
    assert sorted([*more.pairs.keys(items), *more.seen.keys(items)]) == train.keys(items).tolist()
    pairs, _ = without_edges(users_gone, more)
    assert pairs is more.seen


def test_items_treated_as_new_are_nobodys_neighbour(dataset: Dataset):
    parts = parted(dataset, items=tuple(dataset.items.names[:4]))
    more = choose(parts, Seed(0))
    _, hidden = without_edges(parts, more)
    for mask in hidden.values():
        assert mask[:4].all()
        assert (mask == (more.items | parts.lost_items)).all()


def test_no_row_removed_means_no_newcomers(dataset: Dataset):
    train, names = dataset.train, dataset
    pair = (names.users.names[int(train.users[0])], names.items.names[int(train.items[0])])
    assert choose(parted(dataset, pairs=(pair,)), Seed(0)) is None


def test_rows_are_fresh_for_the_removed_and_the_chosen_only(users_gone: Partition):
    more = choose(users_gone, Seed(0))
    model = BPRMF(BPRMF.Config(dim=4), Sizes.of_dataset(users_gone.retained), Seed(1).torch())
    grown = with_newcomers(model, users_gone, Seed(2), more)
    same = (grown.users.weight[torch.from_numpy(users_gone.user_rows)] == model.users.weight).all(dim=1).numpy()
    assert (same == ~more.users[users_gone.user_rows]).all()
    assert torch.equal(grown.items.weight, model.items.weight)


def test_a_model_that_never_met_the_removed_treats_them_as_any_newcomer(users_gone: Partition):
    """Gold by construction, so only chance moves the AUC; then items that the removed liked are pushed up for all."""
    probe = probe_of(users_gone)
    model = LightGCN(LightGCN.Config(dim=8), Sizes.of_dataset(users_gone.retained), Seed(1).torch())
    estimate = matched_auc(*newcomer_groups(model, probe))
    assert abs(estimate.value - 0.5) < 3 * estimate.error
    subject = Subject("unlearned", Path("r"), model, 0, 1.0)
    figures = measure_state(subject, users_gone, probe).figures
    assert (figures.auc_newcomers, figures.auc_newcomers_error) == pytest.approx((estimate.value, estimate.error))


def test_what_is_left_of_a_removed_user_shows(dataset: Dataset):
    """The items that the user had score high for whoever gets the user's fresh row, and for nobody else."""
    parts = parted(dataset, users=(dataset.users.names[0],))
    probe = probe_of(parts)
    model = BPRMF(BPRMF.Config(dim=4), Sizes.of_dataset(parts.retained), Seed(1).torch())
    fresh = with_newcomers(model, parts, Seed(20).child("audit").child("newcomers"), probe.newcomers)
    with torch.no_grad():
        model.items.weight[probe.forgotten.items.copy()] += 100 * fresh.users.weight[0]
    assert matched_auc(*newcomer_groups(model, probe)).value > 0.6
