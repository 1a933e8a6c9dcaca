"""State dicts with the names and shapes of MMRec's, made by modules written here, and scored by dense matrices."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mmrecun import ForgetRequest
from mmrecun.adapters import mmrec
from mmrecun.adapters.mmrec_layouts import MMRecConfig
from mmrecun.data.dataset import Dataset
from mmrecun.errors import ConfigError, DataError, ForgetError
from mmrecun.models.inference import vectors_of

DIM, NEAR = 5, 4


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Every item has every modality, as in MMRec."""
    made = Dataset.synthetic(seed=2, users=40, items=30, interactions=500, groups=3, width=6, missing=0.0)
    assert set(made.modalities) == {"image", "audio"}
    return made


def table(rows: int, width: int) -> nn.Embedding:
    return nn.Embedding(rows, width)


def gate() -> nn.Sequential:
    return nn.Sequential(nn.Linear(DIM, DIM), nn.Sigmoid())


class Ids(nn.Module):
    def __init__(self, data: Dataset):
        super().__init__()
        self.user_embedding = table(len(data.users), DIM)
        self.item_id_embedding = table(len(data.items), DIM)


class Contents(Ids):
    """Trained features, which began as the raw ones, and a layer for each."""

    def __init__(self, data: Dataset):
        super().__init__(data)
        for name, modality in (("image", "image"), ("text", "audio")):
            raw = torch.from_numpy(data.modalities[modality].values())
            setattr(self, f"{name}_embedding", nn.Embedding.from_pretrained(raw + 0.3 * torch.randn(raw.shape)))
            setattr(self, f"{name}_trs", nn.Linear(raw.shape[1], DIM))


class MGCN(Contents):
    def __init__(self, data: Dataset):
        super().__init__(data)
        self.query_common = nn.Sequential(nn.Linear(DIM, DIM), nn.Tanh(), nn.Linear(DIM, 1, bias=False))
        self.gate_v, self.gate_t, self.gate_image_prefer, self.gate_text_prefer = (gate() for _ in range(4))


class BM3(Contents):
    def __init__(self, data: Dataset):
        super().__init__(data)
        self.predictor = nn.Linear(DIM, DIM)


class LightGCN(nn.Module):
    def __init__(self, data: Dataset):
        super().__init__()
        sizes = {"user_emb": len(data.users), "item_emb": len(data.items)}
        self.embedding_dict = nn.ParameterDict({name: torch.randn(rows, DIM) for name, rows in sizes.items()})


class VBPR(nn.Module):
    def __init__(self, data: Dataset):
        super().__init__()
        self.u_embedding = nn.Parameter(torch.randn(len(data.users), 2 * DIM))
        self.i_embedding = nn.Parameter(torch.randn(len(data.items), DIM))
        self.item_linear = nn.Linear(12, DIM)


class Another(Ids):
    """A model that is not read whole."""

    def __init__(self, data: Dataset):
        super().__init__(data)
        self.hyper = nn.Linear(DIM, DIM)


CLASSES = {"mgcn": MGCN, "freedom": Contents, "bm3": BM3, "lightgcn": LightGCN, "vbpr": VBPR}


def saved(name: str, data: Dataset, folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    torch.manual_seed(3)
    state = {**CLASSES, "another": Another}[name](data).state_dict()
    torch.save(state, folder / f"{name}.pth")
    return folder / f"{name}.pth", {key: value.double().numpy() for key, value in state.items()}


def interactions(data: Dataset) -> tuple[np.ndarray, int]:
    """The normalised user-item graph, and U."""
    users, items = len(data.users), len(data.items)
    dense = np.zeros((users + items, users + items))
    dense[data.train.users, users + data.train.items] = 1
    dense += dense.T
    degree = np.maximum(dense.sum(axis=1), 1)
    return dense / np.sqrt(np.outer(degree, degree)), users


def smooth(data: Dataset, users: np.ndarray, items: np.ndarray, layers: int) -> tuple[np.ndarray, np.ndarray]:
    graph, count = interactions(data)
    rows = np.concatenate([users, items])
    mean = sum(np.linalg.matrix_power(graph, hop) @ rows for hop in range(layers + 1)) / (layers + 1)
    return mean[:count], mean[count:]


def neighbours(data: Dataset, modality: str, even: bool) -> np.ndarray:
    """Each item with its nearest, itself included, by cosine; normalised by degrees of rows."""
    features = data.modalities[modality].values().astype(float)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    likeness = unit @ unit.T
    links = np.zeros_like(likeness)
    for row, near in enumerate(np.argsort(-likeness, axis=1)[:, :NEAR]):
        links[row, near] = 1 if even else likeness[row, near]
    degree = links.sum(axis=1)
    return links / np.sqrt(np.outer(degree, degree))


def affine(state: dict[str, np.ndarray], name: str, rows: np.ndarray) -> np.ndarray:
    bias = state.get(f"{name}.bias", 0)
    return rows @ state[f"{name}.weight"].T + bias


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def of_mgcn(state: dict[str, np.ndarray], data: Dataset) -> np.ndarray:
    users, items = state["user_embedding.weight"], state["item_id_embedding.weight"]
    content = np.concatenate(smooth(data, users, items, 2))
    graph, count = interactions(data)
    views = []
    for name, door, modality in (("image", "gate_v.0", "image"), ("text", "gate_t.0", "audio")):
        features = affine(state, f"{name}_trs", state[f"{name}_embedding.weight"])
        own = neighbours(data, modality, even=False) @ (items * sigmoid(affine(state, door, features)))
        views.append(np.concatenate([graph[:count, count:] @ own, own]))
    weights = [
        np.exp(np.tanh(affine(state, "query_common.0", view)) @ state["query_common.2.weight"].T) for view in views
    ]
    common = (weights[0] * views[0] + weights[1] * views[1]) / (weights[0] + weights[1])
    liked = [sigmoid(affine(state, f"gate_{name}_prefer.0", content)) for name in ("image", "text")]
    side = (common + sum(like * (view - common) for like, view in zip(liked, views, strict=True))) / 3
    whole = content + side
    return whole[:count] @ whole[count:].T


def of_freedom(state: dict[str, np.ndarray], data: Dataset) -> np.ndarray:
    rows = state["user_embedding.weight"], state["item_id_embedding.weight"]
    users, items = smooth(data, *rows, 2)
    mixed = 0.1 * neighbours(data, "image", even=True) + 0.9 * neighbours(data, "audio", even=True)
    return users @ (items + mixed @ rows[1]).T


def of_bm3(state: dict[str, np.ndarray], data: Dataset) -> np.ndarray:
    rows = state["user_embedding.weight"], state["item_id_embedding.weight"]
    users, items = smooth(data, *rows, 2)
    return affine(state, "predictor", users) @ affine(state, "predictor", items + rows[1]).T


def of_lightgcn(state: dict[str, np.ndarray], data: Dataset) -> np.ndarray:
    users, items = smooth(data, state["embedding_dict.user_emb"], state["embedding_dict.item_emb"], 2)
    return users @ items.T


def of_vbpr(state: dict[str, np.ndarray], data: Dataset) -> np.ndarray:
    features = np.concatenate([data.modalities[name].values() for name in ("audio", "image")], axis=1)
    items = np.concatenate([state["i_embedding"], affine(state, "item_linear", features)], axis=1)
    return state["u_embedding"] @ items.T


SCORES = {"mgcn": of_mgcn, "freedom": of_freedom, "bm3": of_bm3, "lightgcn": of_lightgcn, "vbpr": of_vbpr}
CONFIG = MMRecConfig(text="audio", layers=2, neighbours=NEAR)


@pytest.mark.parametrize("name", SCORES)
def test_scores_equal_a_dense_recomputation(name, data, tmp_path):
    path, state = saved(name, data, tmp_path)
    mine = mmrec.load(path, data, config=CONFIG)
    vectors = vectors_of(mine.model, mine.dataset)
    scores = (vectors.users @ vectors.items.T).detach().numpy()
    np.testing.assert_allclose(scores, SCORES[name](state, data), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", SCORES)
def test_the_new_state_dict_scores_as_the_unlearned_model(name, data, tmp_path):
    """With the retained users and items in their rows, the graphs of the retained pairs, and nobody in the others."""
    path, state = saved(name, data, tmp_path)
    gone = ForgetRequest(users=[data.users.names[3]], items=[data.items.names[8]])
    mine = mmrec.load(path, data, config=CONFIG)
    less = mine.unlearn(gone, settings={"min_cosine": -1, "epochs": 1})
    less.save(tmp_path / "less.pth")
    new = {key: value.double().numpy() for key, value in torch.load(tmp_path / "less.pth", weights_only=True).items()}
    assert {key: value.shape for key, value in new.items()} == {key: value.shape for key, value in state.items()}
    kept = data.users.rows(less.dataset.users.names), data.items.rows(less.dataset.items.names)
    rows = {len(data.users): kept[0], len(data.items): kept[1]}
    for key, value in new.items():
        if len(value) in rows:
            new[key] = value[rows[len(value)]]
            assert not np.delete(value, rows[len(value)], axis=0).any(), key
    vectors = vectors_of(less.model, less.dataset)
    scores = (vectors.users @ vectors.items.T).detach().numpy()
    np.testing.assert_allclose(scores, SCORES[name](new, less.dataset), rtol=1e-3, atol=1e-4)
    changed = {key for key, value in new.items() if not np.array_equal(value, state[key][: len(value)])}
    assert changed >= {part.theirs for part in mine.artifact.parts if not part.side}
    again = mmrec.load(tmp_path / "less.pth", less.dataset, *less.row_map.order(less.dataset), CONFIG)
    torch.testing.assert_close(again.model.state_dict(), less.model.state_dict(), rtol=1e-5, atol=1e-6)


def test_a_model_cannot_say_that_features_are_absent(data, tmp_path):
    for name in ("mgcn", "freedom"):
        mine = mmrec.load(saved(name, data, tmp_path)[0], data, config=CONFIG)
        with pytest.raises(ForgetError, match="cannot be without modalities: train it again"):
            mine.unlearn(ForgetRequest(modalities={"image": None}))
    path, state = saved("vbpr", data, tmp_path)
    less = mmrec.load(path, data, config=CONFIG).unlearn(
        ForgetRequest(modalities={"audio": None}), settings={"min_cosine": -1, "epochs": 0}
    )
    less.save(tmp_path / "less.pth")
    new = torch.load(tmp_path / "less.pth", weights_only=True)["item_linear.weight"].numpy()
    assert state["item_linear.weight"][:, :6].any()
    assert not new[:, :6].any()
    assert new[:, 6:].any()


def test_of_any_other_model_the_tables_are_edited_alone(data, tmp_path):
    path, state = saved("another", data, tmp_path)
    less = mmrec.load(path, data).unlearn(ForgetRequest(users=[data.users.names[3]]), settings={"min_cosine": -1})
    less.save(tmp_path / "less.pth")
    new = torch.load(tmp_path / "less.pth", weights_only=True)
    np.testing.assert_array_equal(new["hyper.weight"], state["hyper.weight"].astype(np.float32))
    assert not new["user_embedding.weight"][3].any()
    assert any("towers, layers" in limit for limit in less.limits)


def test_what_no_state_dict_holds_has_to_be_said(data, tmp_path):
    path = saved("lightgcn", data, tmp_path)[0]
    with pytest.raises(ConfigError, match="give layers=N, its n_layers"):
        mmrec.load(path, data)
    path = saved("mgcn", data, tmp_path)[0]
    with pytest.raises(DataError, match=r"reads 'text' features: unknown modality 'text'.*name it with text=NAME"):
        mmrec.load(path, data)
    with pytest.raises(DataError, match="the model has 30 item rows"):
        mmrec.load(path, data.restrict(np.arange(40), np.arange(29)), config=CONFIG)
