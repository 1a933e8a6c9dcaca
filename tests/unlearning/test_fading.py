"""What rows keep, and how they fade, against plain loops."""

import numpy as np
import pytest
import torch

from mmrecun.data.dataset import Dataset
from mmrecun.data.forget import ForgetRequest, partition, retain
from mmrecun.data.graph import graph_of
from mmrecun.rng import Seed
from mmrecun.unlearning.fading import Fade, Kept, faded, kept_shares, neighbourly
from tests.contracts.models import CPU, build, disturb
from tests.contracts.unlearning import requests

MODALITIES = ("image", "audio")


def test_rows_keep_less_the_more_they_lost(dataset: Dataset):
    train = dataset.train
    user = int(train.users[0])
    mine = train.items[train.users == user]
    names = [(dataset.users.names[user], dataset.items.names[int(item)]) for item in mine[: len(mine) // 2]]
    parts = partition(dataset, retain(dataset, ForgetRequest(pairs=tuple(names))))
    kept = kept_shares(parts, MODALITIES, Fade(3, 5, 2))
    users, items = kept.users, kept.items
    assert users[user] == pytest.approx((1 - len(names) / len(mine)) ** 3)
    assert (users == 1).sum() == len(dataset.users) - 1
    for item in mine[: len(names)]:
        assert items[item] == pytest.approx((1 - 1 / (train.items == item).sum()) ** 5)
    assert (items == 1).sum() == len(dataset.items) - len(names)


def test_an_item_keeps_less_the_more_of_its_modalities_it_lost(dataset: Dataset):
    parts = partition(dataset, retain(dataset, requests(dataset)["some audio"]))
    kept = kept_shares(parts, MODALITIES, Fade(8, 8, 2))
    image = dataset.modalities["image"].present
    expected = np.where(parts.lost_features["audio"], np.where(image, 0.25, 0.0), 1.0)
    assert kept.features.tolist() == expected.tolist()
    assert (kept.users == 1).all()
    assert (kept.items == 1).all()
    unread = kept_shares(parts, ("image",), Fade(8, 8, 2))
    assert not unread.touched("items").any()


def test_rows_that_leave_do_not_count(dataset: Dataset):
    parts = partition(dataset, retain(dataset, requests(dataset)["users"]))
    kept = kept_shares(parts, MODALITIES, Fade(8, 8, 2))
    assert (kept.users == 1).all()
    assert (kept.touched("items") == np.isin(np.arange(len(dataset.items)), parts.forgotten.items)).all()


def test_faded_rows_turn_by_pairs_and_shrink_by_features(dataset: Dataset):
    model, twin = (disturb(build("mgcn", dataset)) for _ in range(2))
    users, items = len(dataset.users), len(dataset.items)
    kept = Kept(np.ones(users), np.ones(items), np.ones(items))
    kept.users[[3, 6]], kept.items[4], kept.features[[4, 5]] = [0.25, 0.001], 0.5, 0.75
    with torch.no_grad():
        for some in (model, twin):
            some.users.weight[6] *= 100
    seed = Seed(2)
    faded(model, kept, seed)
    rng = seed.torch()
    for name, table in model.tables().items():
        old, chosen = twin.tables()[name].weight.detach().double().numpy(), [3, 6] if table.of == "users" else [4, 5]
        new, expected = np.zeros_like(old), old.copy()
        new[chosen] = table.fresh(len(chosen), rng).numpy()
        for row in chosen:
            share = kept.users[row] if table.of == "users" else kept.items[row]
            turned = share * old[row] + (1 - share) * new[row]
            if share < 1 and new[row].any():
                turned *= min(np.linalg.norm(old[row]) / np.linalg.norm(turned), 8)
            part = 1.0 if table.of == "users" else kept.features[row]
            expected[row] = part * turned + (1 - part) * new[row]
        np.testing.assert_allclose(table.weight.detach().numpy(), expected, rtol=1e-5, atol=1e-7)
        untouched = np.delete(np.arange(len(old)), chosen)
        assert torch.equal(table.weight[untouched], twin.tables()[name].weight[untouched])


def test_neighbours_speak_for_those_asked_for_alone(dataset: Dataset):
    """Two hops in dense arithmetic."""
    model = disturb(build("lightgcn", dataset))
    users, items, train = len(dataset.users), len(dataset.items), dataset.train
    adjacency = np.zeros((users + items, users + items))
    adjacency[train.users, users + train.items] = adjacency[users + train.items, train.users] = 1
    degree = np.maximum(adjacency.sum(axis=1), 1)
    graph = adjacency / np.sqrt(np.outer(degree, degree))
    rows = np.concatenate([model.users.weight.detach().numpy(), model.items.weight.detach().numpy()])
    pairs = train.select(np.arange(len(train)) % 50 == 0)
    others = graph @ graph
    np.fill_diagonal(others, 0)
    found = neighbourly(
        model, graph_of(train, users, items, CPU), {"users": np.unique(pairs.users), "items": np.unique(pairs.items)}
    )
    for name, expected, ends in (
        ("users.weight", (others @ rows)[:users], pairs.users),
        ("items.weight", (others @ rows)[users:], pairs.items),
    ):
        asked = np.isin(np.arange(len(expected)), ends)
        assert not found[name][~asked].any()
        np.testing.assert_allclose(found[name].numpy()[asked], expected[asked], rtol=1e-4, atol=1e-6)


def test_faded_rows_turn_towards_what_is_given_and_keep_their_length(dataset: Dataset):
    model, twin = (disturb(build("lightgcn", dataset)) for _ in range(2))
    kept = Kept(np.ones(len(dataset.users)), np.ones(len(dataset.items)), np.ones(len(dataset.items)))
    kept.users[[3, 6]] = 0.25
    aim = torch.zeros_like(model.users.weight)
    aim[3] = torch.arange(8.0)
    faded(model, kept, Seed(2), {"users.weight": aim})
    old = twin.users.weight.detach()
    expected = 0.25 * old[3] + 0.75 * aim[3] / aim[3].norm() * old[3].norm()
    torch.testing.assert_close(model.users.weight[3], expected / expected.norm() * old[3].norm())
    fresh = twin.users.fresh(2, Seed(2).torch())[1]
    mixed = 0.25 * old[6] + 0.75 * fresh
    torch.testing.assert_close(model.users.weight[6], mixed / mixed.norm() * old[6].norm())
    assert torch.equal(model.items.weight, twin.items.weight)
