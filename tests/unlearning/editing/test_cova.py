import numpy as np
import pytest
import torch

from mmrecun.forget.partition import Partition
from mmrecun.models.inference import vectors_of
from mmrecun.rng import Seed
from mmrecun.unlearning.editing.cova import COVA, COVAConfig, Stack, stack_of, truncated_svd
from tests.contracts.unlearning import Trained, UnlearnerContract, task_of

SIZES = (80, 50)


class TestCOVA(UnlearnerContract):
    name = "cova"
    settings = {"rank": 8, "alpha": 2.0}


@pytest.fixture(scope="module")
def partition(trained: Trained) -> Partition:
    return task_of(trained, "pairs").partition


@pytest.fixture(scope="module")
def stack(trained: Trained, partition: Partition) -> Stack:
    vectors = vectors_of(trained.model, trained.dataset)
    return stack_of(vectors.users, vectors.items, partition.original.train, partition.forgotten)


def dense_of(trained: Trained, partition: Partition) -> np.ndarray:
    """[R_o; R_i; P] by its definition, user by user."""
    vectors = vectors_of(trained.model, trained.dataset)
    predicted = (vectors.users.double() @ vectors.items.double().T).numpy()
    observed, ideal = np.empty_like(predicted), np.empty_like(predicted)
    for user, row in enumerate(predicted):
        liked = np.zeros(len(row), dtype=bool)
        liked[partition.original.train.items[partition.original.train.users == user]] = True
        observed[user] = np.where(liked, row[liked].mean(), row[~liked].mean())
        ideal[user] = observed[user]
        ideal[user, partition.forgotten.items[partition.forgotten.users == user]] = row.min()
    return np.concatenate([observed, ideal, predicted])


def test_products_are_those_of_the_dense_matrices(trained: Trained, partition: Partition, stack: Stack):
    dense, rng = dense_of(trained, partition), np.random.default_rng(0)
    right = rng.normal(size=(dense.shape[1], 5)).astype(np.float32)
    left = rng.normal(size=(dense.shape[0], 5)).astype(np.float32)
    np.testing.assert_allclose(stack.times(torch.from_numpy(right)).numpy(), dense @ right, rtol=1e-3, atol=1e-4)
    found = stack.transposed_times(torch.from_numpy(left)).numpy()
    np.testing.assert_allclose(found, dense.T @ left, rtol=1e-3, atol=1e-4)


def test_the_factorisation_is_the_leading_part_of_the_dense_one(
    trained: Trained,
    partition: Partition,
    stack: Stack,
):
    left, values, right = truncated_svd(stack, 8, 10, Seed(0).torch())
    u, s, vt = np.linalg.svd(dense_of(trained, partition), full_matrices=False)
    np.testing.assert_allclose(values.numpy(), s[:8], rtol=1e-3)
    best = (u[:, :8] * s[:8]) @ vt[:8]
    np.testing.assert_allclose(((left * values) @ right.T).numpy(), best, atol=2e-2 * np.abs(best).max())
    np.testing.assert_allclose((left.T @ left).numpy(), np.eye(8), atol=1e-4)


def test_without_corrections_the_scores_are_the_predicted_ones(trained: Trained):
    task = task_of(trained, "pairs")
    result = COVA(COVAConfig(rank=50, alpha=0, beta=0)).run(task)
    vectors = vectors_of(trained.model, trained.dataset)
    torch.testing.assert_close(
        result.model.users.weight @ result.model.items.weight.T, vectors.users @ vectors.items.T, rtol=1e-3, atol=1e-3
    )


def test_beta_one_gives_the_observed_preference(trained: Trained, partition: Partition):
    result = COVA(COVAConfig(rank=50, alpha=0, beta=1)).run(task_of(trained, "pairs"))
    observed = dense_of(trained, partition)[: SIZES[0]]
    found = (result.model.users.weight @ result.model.items.weight.T).detach().numpy()
    np.testing.assert_allclose(found, observed, rtol=1e-3, atol=1e-3)


def test_alpha_moves_no_user_without_forgotten_pairs(trained: Trained):
    task = task_of(trained, "pairs")
    some, more = (COVA(COVAConfig(rank=8, alpha=alpha)).run(task).model.users.weight.detach() for alpha in (0, 5))
    affected = np.zeros(len(some), dtype=bool)
    affected[task.partition.forgotten.users] = True
    assert affected.any()
    assert not affected.all()
    torch.testing.assert_close(some[~affected], more[~affected], rtol=1e-3, atol=1e-4)
    assert ((some - more).abs().sum(dim=1)[affected] > 1e-3).all()
