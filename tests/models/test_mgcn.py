from dataclasses import replace

import numpy as np
import torch

from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import build_inputs
from mmrecun.models.base import Sizes, transfer_rows
from mmrecun.models.lightgcn import LightGCN, LightGCNConfig
from mmrecun.rng import Seed
from tests.contracts.models import CPU, ModelContract, build, disturb, scores, with_modalities


class TestMGCN(ModelContract):
    name = "mgcn"


def _user_item_graph(dataset: Dataset) -> np.ndarray:
    users, train = len(dataset.users), dataset.train
    adjacency = np.zeros((users + len(dataset.items), users + len(dataset.items)))
    adjacency[train.users, users + train.items] = 1
    adjacency += adjacency.T
    degree = np.maximum(adjacency.sum(axis=1), 1)
    return adjacency / np.sqrt(np.outer(degree, degree))


def _item_graph(features: np.ndarray, present: np.ndarray, k: int) -> np.ndarray:
    graph = np.zeros((len(features), len(features)))
    for item in np.flatnonzero(present):
        unit = features[present] / np.linalg.norm(features[present], axis=1, keepdims=True)
        similar = unit @ (features[item] / np.linalg.norm(features[item]))
        best = np.argsort(-similar)[:k]
        graph[item, np.flatnonzero(present)[best]] = np.maximum(similar[best], 0)
    degree = np.where(present, graph.sum(axis=1), 1)
    return graph / np.sqrt(np.outer(degree, degree))


def _dense(dataset: Dataset, model) -> np.ndarray:
    """MGCN once more, graphs included, in dense NumPy and one row at a time where rows differ."""
    weights = {name: value.numpy().astype(float) for name, value in model.state_dict().items()}
    users = len(dataset.users)

    def linear(name: str, rows: np.ndarray) -> np.ndarray:
        return rows @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", 0)

    def sigmoid(rows: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-rows))

    graph = _user_item_graph(dataset)
    rows = np.concatenate([weights["users.weight"], weights["items.weight"]])
    hops = [np.linalg.matrix_power(graph, hop) @ rows for hop in range(model.config.layers + 1)]
    content = np.mean(hops, axis=0)
    branch, present = {}, {}
    for name, modality in dataset.modalities.items():
        features = linear(f"projections.{name}", modality.values() + weights[f"offsets.{name}.weight"])
        items = weights["items.weight"] * sigmoid(linear(f"gates.{name}", features)) * modality.present[:, None]
        items = _item_graph(modality.values().astype(float), modality.present, model.config.neighbours) @ items
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
    model = disturb(build("mgcn", dataset))
    np.testing.assert_allclose(scores(model, dataset).numpy(), _dense(dataset, model), rtol=1e-3, atol=1e-5)


def test_without_modalities_it_is_lightgcn(dataset: Dataset):
    bare = with_modalities(dataset)
    model, plain = (
        build("mgcn", bare),
        LightGCN(LightGCNConfig(dim=8, layers=4), Sizes.of_dataset(bare), Seed(1).torch()),
    )
    plain.load_state_dict({name: model.state_dict()[name] for name in ("users.weight", "items.weight")})
    assert torch.equal(scores(model, bare), scores(plain, bare))


def test_a_branch_reads_its_own_modality_alone(dataset: Dataset):
    model = disturb(build("mgcn", dataset))
    lost = np.arange(len(dataset.items)) < 20
    other = replace(dataset, modalities={**dataset.modalities, "audio": dataset.modalities["audio"].without(lost)})
    with torch.no_grad():
        before, after = (
            model.vectors(build_inputs(data, model.required_inputs(), CPU)).branches for data in (dataset, other)
        )
    assert all(torch.equal(one, two) for one, two in zip(before["image"], after["image"], strict=True))
    assert not after["audio"][1][:20].any()


def test_an_offset_of_a_lost_feature_is_not_taken_over(dataset: Dataset):
    model = disturb(build("mgcn", dataset))
    users, items = np.arange(len(dataset.users)), np.arange(len(dataset.items))
    present = {"image": np.ones(len(items), dtype=bool), "audio": items >= 20}
    other = transfer_rows(model, model.sizes, users, items, present, Seed(0))
    assert not other.offsets["audio"].weight[:20].any()
    assert torch.equal(other.offsets["audio"].weight[20:], model.offsets["audio"].weight[20:])
    assert torch.equal(other.offsets["image"].weight, model.offsets["image"].weight)
