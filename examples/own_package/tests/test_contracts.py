"""What `mmrecun` asks of models, methods, importers and adapters, asked of those here."""

from pathlib import Path

import numpy as np
import pytest

from mmrecun.data.dataset import Dataset
from mmrecun.testing import (
    AdapterContract,
    ImporterContract,
    ModelContract,
    SavedModel,
    UnlearnerContract,
    dataset,
    trained,
)

__all__ = ["dataset", "trained"]


class TestUnitMF(ModelContract):
    name = "unitmf"


class TestShrink(UnlearnerContract):
    name = "shrink"
    settings = {"keep": 0.5}


class TestBaskets(ImporterContract):
    name = "baskets"

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        path = tmp_path / "baskets.txt"
        path.write_text("anna: milk, bread, salt, tea\nben: tea, milk, tea\ncarl: bread, salt, jam\n", encoding="utf-8")
        return path

    def test_a_basket_is_read_as_written(self, source: Path) -> None:
        made = self.imported(source)
        pairs = made.dataset.interactions
        names = zip(
            made.dataset.users.names.gather(pairs.users), made.dataset.items.names.gather(pairs.items), strict=True
        )
        assert ("ben", "tea") in set(names)
        assert made.report.left_out == {"repeated": 1}


class TestSVD(AdapterContract):
    name = "svd"

    @pytest.fixture
    def saved(self, dataset: Dataset, tmp_path: Path) -> SavedModel:
        matrix = dataset.train.matrix(len(dataset.users), len(dataset.items)).toarray()
        u, weight, v = np.linalg.svd(matrix, full_matrices=False)
        np.savez(tmp_path / "svd.npz", u=(u * weight)[:, :8].astype(np.float32), v=v.T[:, :8].astype(np.float32))
        return SavedModel(tmp_path / "svd.npz", dataset, unlearning={"min_cosine": -1})
