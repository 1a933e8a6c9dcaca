import numpy as np
import torch

from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import build_inputs
from tests.contracts.models import CPU, ModelContract, build, scores


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


def test_the_regulariser_reads_the_rows_before_propagation(dataset: Dataset):
    model = build("lightgcn", dataset)
    users, positives, negatives = np.array([0, 0, 5]), np.array([1, 2, 3]), np.array([4, 4, 9])
    triples = Triples(*(torch.from_numpy(rows) for rows in (users, positives, negatives)))
    batch = model.vectors(build_inputs(dataset, model.required_inputs(), CPU)).of_triples(triples)
    u, i = model.users.weight.detach().numpy(), model.items.weight.detach().numpy()
    total = sum((rows**2).sum() for rows in (u[users], i[positives], i[negatives]))
    np.testing.assert_allclose(model.auxiliary_loss(batch).item(), 1e-3 * total / (2 * 3), rtol=1e-5)
