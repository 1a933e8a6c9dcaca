"""Stand-ins, their standing and what loosens them, against plain loops."""

from typing import Literal

import numpy as np
import pytest
import torch

from mmrecun.data.dataset import Dataset
from mmrecun.data.forget import partition, retain
from mmrecun.data.interactions import Split
from mmrecun.training.losses import reverse_bpr
from mmrecun.unlearning.ties import Ties, whitener
from tests.contracts.models import CPU
from tests.contracts.unlearning import requests

Of = Literal["users", "items"]
SIDES: list[tuple[str, Of]] = [("users", "items"), ("items", "users")]


def random_vectors(dataset: Dataset, of: Of, seed: int = 0) -> torch.Tensor:
    count = len(dataset.items if of == "items" else dataset.users)
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(seed))


def ties_of(dataset: Dataset, kind: str, of: Of):
    parts = partition(dataset, retain(dataset, requests(dataset)[kind]))
    return parts, Ties(parts, of, np.random.default_rng(0), CPU)


@pytest.mark.parametrize(("kind", "of"), SIDES)
def test_stand_ins_are_made_of_the_other_partners(dataset: Dataset, kind: str, of: Of):
    """Each forgotten pair scored by a loop over those who speak, with the whitened sum in NumPy."""
    parts, ties = ties_of(dataset, kind, of)
    vectors = random_vectors(dataset, of)
    values = vectors.double().numpy()
    rows = parts.item_rows if of == "items" else parts.user_rows
    moment = values[rows].T @ values[rows] / len(rows)
    inverse = np.linalg.inv(moment + 0.1 * np.diag(moment).mean() * np.eye(len(moment)))
    train = dataset.train
    who, partner = (train.users, train.items) if of == "items" else (train.items, train.users)
    gone = parts.lost_users if of == "items" else parts.lost_items
    asked = [(w, p) for w, p in sorted(zip(who.tolist(), partner.tolist(), strict=True)) if gone[w]]
    asked = [(w, p) for w, p in asked if (who == w).sum() > 1]
    forgotten = ties.contest.forgotten
    assert forgotten.pairs.items.tolist() == [p for _, p in asked]
    found = ties.too_strong(vectors)
    own, others = forgotten.scores((ties._forgotten.stand_ins(vectors, found.whitener), vectors), np.arange(len(asked)))
    for row, (w, p) in enumerate(asked):
        group = partner[who == w]
        spoken = values[group[group != p]].sum(axis=0) @ inverse
        spoken /= np.linalg.norm(spoken)
        assert own[row] == pytest.approx(spoken @ values[p], abs=1e-5)
        counting = ~np.isin(forgotten.items, group)
        assert (others[row] > -np.inf).tolist() == counting.tolist()
        np.testing.assert_allclose(
            others[row][counting], values[forgotten.items[counting]] @ spoken, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(("kind", "of"), SIDES)
def test_held_out_partners_are_spoken_for_by_all_of_the_training(dataset: Dataset, kind: str, of: Of):
    parts, ties = ties_of(dataset, kind, of)
    valid, train = (parts.held.part(split) for split in (Split.VALID, Split.TRAIN))
    if of == "users":
        valid, train = valid.flipped(), train.flipped()
    known = [user in set(train.users.tolist()) for user in valid.users.tolist()]
    assert ties.contest.controls.pairs.items.tolist() == valid.items[known].tolist()
    groups = ties._controls.groups.forward.to_dense()
    for row, user in enumerate(valid.users[known].tolist()):
        speaking = groups[ties._controls.whose[row]].nonzero().flatten()
        assert speaking.tolist() == np.unique(train.items[train.users == user]).tolist()


@pytest.mark.parametrize(("kind", "of"), SIDES)
def test_vectors_that_learned_nothing_have_no_ties(dataset: Dataset, kind: str, of: Of):
    _, ties = ties_of(dataset, kind, of)
    found = np.mean([ties.too_strong(random_vectors(dataset, of, seed)).auc for seed in range(20)])
    assert found == pytest.approx(0.5, abs=4 * ties.contest.chance() / 20**0.5)


def test_tied_vectors_are_found_and_only_those_asked_about_are_loosened(dataset: Dataset):
    """Items of each removed user are moved towards one point; descent takes them apart until ties are as held-out."""
    parts, ties = ties_of(dataset, "users", "items")
    items, rng = random_vectors(dataset, "items"), torch.Generator().manual_seed(1)
    for user in np.unique(parts.forgotten.users):
        items[torch.from_numpy(parts.forgotten.items[parts.forgotten.users == user])] += 3 * torch.randn(
            6, generator=rng
        )
    seen = []
    for _ in range(60):
        items = items.detach().requires_grad_()
        strong = ties.too_strong(items.detach())
        seen.append(strong.auc)
        if strong.auc <= 0.5:
            break
        (gradient,) = torch.autograd.grad(reverse_bpr(ties.margins(items, strong)), items)
        asked = np.unique(ties.contest.forgotten.pairs.items[strong.places.numpy()])
        assert set(gradient.abs().sum(dim=1).nonzero().flatten().tolist()) <= set(asked.tolist())
        items = items - 3 * gradient
    assert seen[0] > 0.8
    assert 0.4 < seen[-1] <= 0.5


def test_whitened_vectors_have_a_second_moment_of_almost_one():
    vectors = torch.randn(500, 4, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 2.0, 3.0, 4.0])
    white = whitener(vectors)
    moment = vectors.T @ vectors / len(vectors)
    expected = torch.linalg.inv(moment + 0.1 * moment.diagonal().mean() * torch.eye(4))
    torch.testing.assert_close(white, expected, rtol=1e-4, atol=1e-5)
