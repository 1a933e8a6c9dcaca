"""Forget users from models of Cornac, in the process that trained them: `python examples/cornac_models.py [BPR|MF]`."""

import sys
import time

import cornac as library
import movielens

from mmrecun.adapters import cornac
from mmrecun.adapters.foreign import seconds_of
from mmrecun.data.interactions import Split

KINDS = {
    "BPR": {"k": 32, "max_iter": 100, "learning_rate": 0.05, "lambda_reg": 0.01},
    "MF": {"k": 16, "max_iter": 40, "learning_rate": 0.01, "lambda_reg": 0.02},
}


def triples(data, stars, split):
    """(user, item, stars) by id."""
    users, items = movielens.rows(data, data, split)
    named = zip(data.users.names.gather(users), data.items.names.gather(items), strict=True)
    return [(user, item, stars[user, item]) for user, item in named]


def train(kind, pairs, seed):
    """Return a fitted model and the time it took."""
    model = getattr(library.models, kind)(seed=seed, **KINDS[kind])
    started = time.perf_counter()
    model.fit(library.data.Dataset.from_uir(pairs))
    return model, time.perf_counter() - started


def main(kind):
    """Train, forget, train again, compare."""
    data, stars = movielens.dataset(), movielens.ratings()
    request = movielens.request(data)
    pairs, valid, test = (triples(data, stars, split) for split in Split)
    model, trained = train(kind, pairs, 1)

    mine = cornac.load(model, valid, test)
    less = mine.unlearn(request)
    model = cornac.model_of(less)  # of the same class

    less = mine.unlearn(request)  # once more, now that everything is loaded: this time is reported
    left = [pair for pair in pairs if pair[0] not in set(request.users)]
    golds = []
    for seed in (2, 3, 4):
        gold, seconds = train(kind, left, seed)
        golds.append(seconds_of(cornac.of_dataset(gold, less.dataset), seconds))
    movielens.report(f"cornac {kind}", less.audit(golds), trained)


if __name__ == "__main__":
    for kind in sys.argv[1:] or list(KINDS):
        main(kind)
