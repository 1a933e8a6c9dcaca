import numpy as np
import pytest
import scipy.sparse as sp

from mmrecun.adapters.interactions import dataset_of

USERS, ITEMS, DIM = 30, 40, 6


@pytest.fixture(scope="session")
def matrices():
    """A training matrix of whole weights with groups in it, and held-out pairs beside it."""
    rng = np.random.default_rng(0)
    liked = (np.arange(USERS)[:, None] % 3 == np.arange(ITEMS)[None] % 3) & (rng.random((USERS, ITEMS)) < 0.7)
    label = rng.choice(3, size=liked.shape, p=[0.7, 0.15, 0.15])
    weights = rng.integers(1, 4, size=liked.shape)
    return tuple(sp.csr_array(np.where(liked & (label == part), weights, 0).astype(np.float32)) for part in range(3))


@pytest.fixture(scope="session")
def dataset(matrices):
    users, items = ([f"{kind}-{row}" for row in range(size)] for kind, size in (("user", USERS), ("item", ITEMS)))
    return dataset_of(*matrices, users=users, items=items)


@pytest.fixture(scope="session")
def ranked(dataset):
    """Rows [U, D] and [I, D] that plain gradient descent taught to rank, in NumPy."""
    rng = np.random.default_rng(1)
    users, items = rng.normal(0, 0.1, (USERS, DIM)), rng.normal(0, 0.1, (ITEMS, DIM))
    has = dataset.train.matrix(USERS, ITEMS).toarray() > 0
    for _ in range(300):
        scores = users @ items.T
        slope = np.zeros_like(scores)
        for user in range(USERS):
            own, other = has[user], ~has[user]
            force = 1 / (1 + np.exp(scores[user, own][:, None] - scores[user, other][None])) / other.sum()
            slope[user, own], slope[user, other] = force.sum(axis=1), -force.sum(axis=0)
        users, items = users + 0.05 * (slope @ items - 0.05 * users), items + 0.05 * (slope.T @ users - 0.05 * items)
    return users.astype(np.float32), items.astype(np.float32)
