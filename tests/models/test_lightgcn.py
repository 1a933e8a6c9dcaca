import numpy as np

from mmrecun.data.dataset import Dataset
from tests.contracts.models import ModelContract, build, scores


class TestLightGCN(ModelContract):
    name = "lightgcn"


def test_vectors_are_the_mean_of_dense_matrix_powers(dataset: Dataset):
    model = build("lightgcn", dataset)
    users, items = len(dataset.users), len(dataset.items)
    adjacency = np.zeros((users + items, users + items))
    adjacency[dataset.train.users, users + dataset.train.items] = 1
    adjacency += adjacency.T
    degree = np.maximum(adjacency.sum(axis=1), 1)
    normal = adjacency / np.sqrt(np.outer(degree, degree))
    rows = np.concatenate([model.users.weight.detach().numpy(), model.items.weight.detach().numpy()])
    mean = sum(np.linalg.matrix_power(normal, hop) @ rows for hop in range(4)) / 4
    np.testing.assert_allclose(scores(model, dataset).numpy(), mean[:users] @ mean[users:].T, rtol=1e-4, atol=1e-6)
