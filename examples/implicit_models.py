"""Forget users from models that `implicit` trained and saved: `python examples/implicit_models.py [als|bpr|lmf]`."""

import sys
import tempfile
import time
from pathlib import Path

import movielens
import numpy as np
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.lmf import LogisticMatrixFactorization

from mmrecun.adapters import implicit
from mmrecun.adapters.foreign import seconds_of

KINDS = {
    "als": (AlternatingLeastSquares, {"factors": 64, "regularization": 5.0}),
    "bpr": (BayesianPersonalizedRanking, {"factors": 64, "learning_rate": 0.03, "regularization": 0.01}),
    "lmf": (LogisticMatrixFactorization, {"factors": 16, "regularization": 2.0}),
}


def train(kind, data, part, seed, path):
    """Train on `part` of the data as anybody would; the time it took."""
    cls, settings = KINDS[kind]
    users, items = movielens.rows(data, part)
    ones = np.ones(len(users), dtype=np.float32)
    matrix = sp.csr_matrix((ones, (users, items)), shape=(len(data.users), len(data.items)))
    model = cls(num_threads=1, random_state=seed, **settings)
    started = time.perf_counter()
    model.fit(matrix, show_progress=False)
    seconds = time.perf_counter() - started
    model.save(str(path))
    return seconds


def main(kind, folder):
    """Train, forget, train again, compare."""
    data = movielens.dataset()
    request = movielens.request(data)
    trained = train(kind, data, data, 1, folder / "model.npz")

    mine = implicit.load(folder / "model.npz", data)
    less = mine.unlearn(request)
    less.save(folder / "less.npz")

    less = mine.unlearn(request)  # once more, now that everything is loaded: this time is reported
    golds = []
    for seed in (2, 3, 4):
        seconds = train(kind, data, less.dataset, seed, folder / "gold.npz")
        gold = implicit.load(folder / "gold.npz", less.dataset, data.users.names, data.items.names)
        golds.append(seconds_of(gold, seconds))
    movielens.report(f"implicit {kind}", less.audit(golds), trained)


if __name__ == "__main__":
    for kind in sys.argv[1:] or list(KINDS):
        with tempfile.TemporaryDirectory() as folder:
            main(kind, Path(folder))
