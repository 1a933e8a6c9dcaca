import numpy as np

from mmrecun.data.dataset import Dataset
from tests.contracts.models import ModelContract, build, scores


class TestVBPR(ModelContract):
    name = "vbpr"


def test_scores_are_the_papers_sum_of_products(dataset: Dataset):
    model = build("vbpr", dataset)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    expected = weights["users.weight"] @ weights["items.weight"].T + weights["bias.weight"].T
    for name, modality in dataset.modalities.items():
        features = modality.values()
        unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
        content = unit @ weights[f"projections.{name}.weight"].T
        expected = expected + weights[f"tastes.{name}.weight"] @ content.T
        expected = expected + (unit @ weights[f"content_bias.{name}.weight"].T).T
    np.testing.assert_allclose(scores(model, dataset).numpy(), expected, rtol=1e-4, atol=1e-5)
