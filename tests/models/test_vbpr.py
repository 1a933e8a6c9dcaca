import numpy as np

from mmrecun.data.dataset import Dataset
from tests.contracts.models import ModelContract, build, disturb, scores


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
