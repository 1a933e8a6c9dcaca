import numpy as np
import polars as pl
import pytest
import torch

from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import normalised_block
from mmrecun.data.sparse import SparseMatrix
from mmrecun.evaluation.spectral import spectral_vectors

CPU = torch.device("cpu")
ROWS_PER_DIM = "mmrecun.evaluation.spectral._ROWS_PER_DIM"


def factors(data: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    pairs = normalised_block(data.train, len(data.users), len(data.items))
    return spectral_vectors(SparseMatrix.of(pairs, CPU), np.random.default_rng(0))


def dense(data: Dataset) -> np.ndarray:
    pairs = np.zeros((len(data.users), len(data.items)))
    for user, item in zip(data.train.users, data.train.items, strict=True):
        pairs[user, item] = 1 / np.sqrt(data.degrees[0][user] * data.degrees[1][item])
    return pairs


def test_with_as_many_dimensions_as_items_the_pairs_come_back(dataset: Dataset, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ROWS_PER_DIM, 1)
    users, items = factors(dataset)
    assert users.shape[1] == min(len(dataset.users), len(dataset.items)) <= 64
    np.testing.assert_allclose((users @ items.T).numpy(), dense(dataset), atol=1e-5)


def test_with_fewer_they_come_nearly_as_near_as_the_svd(dataset: Dataset, monkeypatch):
    monkeypatch.setattr("mmrecun.evaluation.spectral._DIM", 8)
    users, items = factors(dataset)
    best = np.sqrt((np.linalg.svd(dense(dataset), compute_uv=False)[8:] ** 2).sum())
    assert best <= np.linalg.norm((users @ items.T).numpy() - dense(dataset)) < 1.1 * best


def test_a_small_dataset_leaves_dimensions_out(dataset: Dataset):
    """Else all pairs that are not retained would score 0, and rank by rounding errors."""
    users, items = factors(dataset)
    assert users.shape[1] == items.shape[1] == min(len(dataset.users), len(dataset.items)) // 4
    scores = (users @ items.T).numpy()[dense(dataset) == 0]
    assert np.abs(scores).mean() > 0.01


def test_both_sides_carry_the_square_roots_of_the_singular_values(dataset: Dataset, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ROWS_PER_DIM, 1)
    users, items = (part.numpy() for part in factors(dataset))
    sizes = np.linalg.svd(dense(dataset), compute_uv=False)
    for side in (users, items):
        np.testing.assert_allclose(side.T @ side, np.diag(sizes[: side.shape[1]]), atol=1e-4)


def test_fewer_independent_columns_than_dimensions_do_not_stop_it():
    """Every user has all 64 items: the rank is one."""
    pairs = pl.DataFrame({"user": np.repeat(np.arange(300), 64), "item": np.tile(np.arange(64), 300), "split": "train"})
    users, items = factors(Dataset.from_frames(pairs))
    assert users.isfinite().all()
    assert items.isfinite().all()
