import numpy as np
import pytest
import torch

from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import GraphInputs
from tests.contracts.models import ModelContract, build, disturb


class TestBPRMF(ModelContract):
    name = "bprmf"


def test_the_regulariser_is_half_the_squared_norm_of_a_triples_rows(dataset: Dataset):
    model = disturb(build("bprmf", dataset))
    rows = [0, 0, 5], [1, 2, 3], [4, 4, 9]
    batch = model.vectors(GraphInputs(len(dataset.users), len(dataset.items))).of_triples(
        Triples(*map(torch.tensor, rows))
    )
    tables = [table.weight.detach().double().numpy() for table in (model.users, model.items, model.items)]
    total = sum(np.square(table[of]).sum() for table, of in zip(tables, rows, strict=True))
    assert model.auxiliary_loss(batch).item() == pytest.approx(model.config.l2 * total / (2 * 3), rel=1e-5)
