import numpy as np
import pytest
import torch

from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import build_inputs
from tests.contracts.models import CPU, ModelContract, build, disturb, scores


class TestVBPR(ModelContract):
    name = "vbpr"


def test_scores_are_the_papers_sum_of_products(dataset: Dataset):
    model = disturb(build("vbpr", dataset))
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    expected = np.zeros((len(dataset.users), len(dataset.items)))
    for user, item in np.ndindex(expected.shape):
        score = weights["bias.weight"][item, 0] + weights["users.weight"][user] @ weights["items.weight"][item]
        for name, modality in dataset.modalities.items():
            if not modality.present[item]:
                continue
            feature = modality.features[item] / np.linalg.norm(modality.features[item])
            score += weights[f"tastes.{name}.weight"][user] @ (weights[f"projections.{name}.weight"] @ feature)
            score += weights[f"content_bias.{name}.weight"][0] @ feature
        expected[user, item] = score
    np.testing.assert_allclose(scores(model, dataset).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_the_regulariser_leaves_out_the_constant_column_of_users_alone(dataset: Dataset):
    model = disturb(build("vbpr", dataset))
    vectors = model.vectors(build_inputs(dataset, model.required_inputs(), CPU))
    users, positives, negatives = [0, 0, 5], [1, 2, 3], [4, 4, 9]
    batch = vectors.of_triples(Triples(*map(torch.tensor, (users, positives, negatives))))
    u, i = (side.detach().double().numpy() for side in (vectors.users, vectors.items))
    assert (u[:, -1] == 1).all()
    total = np.square(u[users]).sum() - 3 + np.square(i[positives + negatives]).sum()
    assert model.auxiliary_loss(batch).item() == pytest.approx(model.config.l2 * total / (2 * 3), rel=1e-5)
