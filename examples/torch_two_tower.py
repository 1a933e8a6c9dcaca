"""Forget users from a model written by hand: `python examples/torch_two_tower.py [plain|towers]`."""

import sys
import time

import movielens
import torch
from torch import nn
from torch.nn.functional import softplus

from mmrecun.adapters import torch_module
from mmrecun.adapters.foreign import seconds_of


class TwoTower(nn.Module):
    """A table and a linear tower for users, and the same for items; `plain` leaves the towers out."""

    def __init__(self, users, items, plain, dim=64):
        super().__init__()
        self.user, self.item = nn.Embedding(users, dim), nn.Embedding(items, dim)
        for table in (self.user, self.item):
            nn.init.xavier_uniform_(table.weight)
        self.user_tower, self.item_tower = (nn.Identity() if plain else nn.Linear(dim, dim) for _ in range(2))

    def forward(self, users, items):
        """Scores [B] of pairs."""
        return (self.user_tower(self.user(users)) * self.item_tower(self.item(items))).sum(dim=1)


def train(data, part, seed, plain, epochs=40):
    """BPR with Adam, as in any tutorial; the module and the time it took."""
    torch.manual_seed(seed)
    users, items = (torch.from_numpy(rows) for rows in movielens.rows(data, part))
    has = torch.zeros(len(data.users), len(data.items), dtype=torch.bool)
    has[users, items] = True
    module = TwoTower(len(data.users), len(data.items), plain)
    optimizer, started = torch.optim.Adam(module.parameters(), lr=2e-3, weight_decay=1e-5), time.perf_counter()
    for _ in range(epochs):
        for batch in torch.randperm(len(users)).split(2048):
            negatives = torch.randint(len(data.items), (len(batch),))
            free = ~has[users[batch], negatives]
            margin = module(users[batch], items[batch]) - module(users[batch], negatives)
            optimizer.zero_grad()
            (softplus(-margin) * free).mean().backward()
            optimizer.step()
    return module, time.perf_counter() - started


def main(plain):
    """Train, forget, train again, compare."""
    data = movielens.dataset()
    request = movielens.request(data)
    module, trained = train(data, data, 1, plain)

    towers = None if plain else ("user_tower", "item_tower")  # shared by everybody: they stay as they are
    mine = torch_module.load(module, "user.weight", "item.weight", data, towers=towers)
    less = mine.unlearn(request)
    module = torch_module.module_of(less)  # of the same class

    less = mine.unlearn(request)  # once more, now that everything is loaded: this time is reported
    golds = []
    for seed in (2, 3):
        gold, seconds = train(data, less.dataset, seed, plain)
        order = data.users.names, data.items.names
        loaded = torch_module.load(gold, "user.weight", "item.weight", less.dataset, *order, towers=towers)
        golds.append(seconds_of(loaded, seconds))
    movielens.report("torch, plain dot product" if plain else "torch, two towers", less.audit(golds), trained)


if __name__ == "__main__":
    for kind in sys.argv[1:] or ("plain", "towers"):
        main(plain=kind == "plain")
