import numpy as np
import pytest
import torch

from mmrecun.data.forget import partition, retain
from mmrecun.data.interactions import Split
from mmrecun.rng import Seed
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.fading import Fade, kept_shares
from mmrecun.unlearning.mmrecun import single_pairs
from mmrecun.unlearning.touched import Touched
from tests.contracts.unlearning import TRAINING, Trained, requests, validate


@pytest.fixture
def work(trained: Trained) -> Touched:
    parts = partition(trained.dataset, retain(trained.dataset, requests(trained.dataset)["pairs"]))
    task = Task(trained.model, parts, TRAINING, Seed(4), validate)
    return Touched(task, kept_shares(parts, ("image", "audio"), Fade(8, 8, 1)), single_pairs(parts), 64)


def test_one_side_is_what_it_is_beside_the_other(work: Touched):
    whole = work.vectors()
    torch.testing.assert_close(work.side("users"), whole.users)
    torch.testing.assert_close(work.side("items"), whole.items)


def test_rows_go_back_by_a_share_and_no_others_move(work: Touched):
    rows = work.rows_of("users")
    before = {weight: weight.detach().clone() for weight in work.rows}
    values = work.values(rows)
    with torch.no_grad():
        for weight in work.rows:
            weight.add_(1)
    work.back(rows, values, 0.75)
    for weight, old in before.items():
        moved = torch.ones_like(old)
        if weight in rows:
            moved[rows[weight]] = 0.25
        torch.testing.assert_close(weight.detach(), old + moved)


def test_what_is_learned_again_are_retained_pairs_of_touched_rows(work: Touched):
    parts = work.task.parts
    users, items = np.unique(parts.forgotten.users), np.unique(parts.forgotten.items)
    drawn = work.drawn()
    pairs = set(zip(drawn.users.tolist(), drawn.positives.tolist(), strict=True))
    train = parts.held.part(Split.TRAIN)
    assert len(drawn) == 64
    assert pairs <= set(zip(train.users.tolist(), train.items.tolist(), strict=True))
    assert all(user in users or item in items for user, item in pairs)
    had = parts.original.train.keys(len(parts.original.items))
    assert not np.isin(drawn.users.numpy() * len(parts.original.items) + drawn.negatives.numpy(), had).any()
