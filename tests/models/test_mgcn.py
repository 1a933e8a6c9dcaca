import numpy as np
import torch

from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import build_inputs
from mmrecun.models.contrast import info_nce
from tests.contracts.models import CPU, ModelContract, build, scores


class TestMGCN(ModelContract):
    name = "mgcn"


def _dense(dataset: Dataset, model) -> np.ndarray:
    """MGCN once more, in dense NumPy and one row at a time where rows differ."""
    inputs = build_inputs(dataset, model.spec(), CPU)
    weights = {name: value.numpy().astype(float) for name, value in model.state_dict().items()}
    users = len(dataset.users)

    def linear(name: str, rows: np.ndarray) -> np.ndarray:
        return rows @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", 0)

    def sigmoid(rows: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-rows))

    graph = inputs.user_item.forward.to_dense().numpy()
    rows = np.concatenate([weights["users.weight"], weights["items.weight"]])
    content = (rows + graph @ rows + graph @ graph @ rows) / 3
    branch, present = {}, {}
    for name, modality in dataset.modalities.items():
        features = linear(f"projections.{name}", modality.values() + weights[f"offsets.{name}.weight"])
        items = weights["items.weight"] * sigmoid(linear(f"gates.{name}", features)) * modality.present[:, None]
        items = inputs.item_graphs[name].forward.to_dense().numpy() @ items
        branch[name] = np.concatenate([graph[:users, users:] @ items, items])
        reached = [modality.present[dataset.train.items[dataset.train.users == user]].any() for user in range(users)]
        present[name] = np.concatenate([reached, modality.present])
    side = np.zeros_like(content)
    for row in range(len(side)):
        names = [name for name in branch if present[name][row]]
        if not names:
            continue
        logits = np.array([linear("attention.2", np.tanh(linear("attention.0", branch[name][row]))) for name in names])
        weight = np.exp(logits - logits.max()).ravel()
        shared = (weight / weight.sum()) @ np.array([branch[name][row] for name in names])
        own = [sigmoid(linear(f"preferences.{name}", content[row])) * (branch[name][row] - shared) for name in names]
        side[row] = (shared + np.sum(own, axis=0)) / (1 + len(names))
    final = content + side
    return final[:users] @ final[users:].T


def test_scores_equal_a_dense_recomputation(dataset: Dataset):
    model = build("mgcn", dataset)
    with torch.no_grad():
        for table in model.offsets.values():
            table.weight.normal_(generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(scores(model, dataset).numpy(), _dense(dataset, model), rtol=1e-3, atol=1e-5)


def test_info_nce_equals_a_loop():
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 5, 3))
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (one, other)]
    total = 0.0
    for row in range(5):
        similar = np.exp(unit[0][row] @ unit[1].T / 0.2)
        total -= np.log(similar[row] / similar.sum())
    found = info_nce(torch.tensor(one), torch.tensor(other), 0.2).item()
    np.testing.assert_allclose(found, total / 5, rtol=1e-6)
