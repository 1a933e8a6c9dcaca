"""The same mathematics as plain PyTorch has it: what a straightforward implementation costs.

Whole tables are worked out and then indexed, hops are products of sparse COO tensors whose transposes nobody keeps,
InfoNCE holds its similarities in one piece, Adam goes parameter by parameter.
"""

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, logsigmoid, normalize

from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import neighbour_graph, normalised_block
from mmrecun.data.interactions import Interactions
from mmrecun.evaluation import metrics
from mmrecun.models.base import Recommender
from mmrecun.models.bprmf import BPRMF
from mmrecun.models.lightgcn import LightGCN
from mmrecun.models.mgcn import MGCN
from mmrecun.models.vbpr import VBPR


class PlainTraining:
    """Trains `model`, whose parameters it shares, step by step.

    Args:
        model: a BPR-MF, VBPR, LightGCN or MGCN.
        dataset: what it learns from.
        learning_rate: of Adam.
    """

    def __init__(self, model: Recommender, dataset: Dataset, learning_rate: float) -> None:
        self.model, self.users = model, len(dataset.users)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, foreach=False, fused=False)
        block = normalised_block(dataset.train, len(dataset.users), len(dataset.items))
        self.block = _coo(block)
        self.adjacency = _coo(sp.block_array([[None, block], [block.T, None]], format="coo"))
        self.features, self.present, self.graphs = {}, {}, {}
        for name, modality in dataset.modalities.items():
            values = modality.values()
            self.features[name] = torch.from_numpy(values)
            self.present[name] = self._present(dataset, modality.present)
            if isinstance(model, MGCN):
                graph = neighbour_graph(values, modality.present, modality.present, model.config.neighbours)
                self.graphs[name] = _coo(graph)

    def _present(self, dataset: Dataset, items: np.ndarray) -> Tensor:
        """Which users (by their items), then which items have the modality; bool [U + I, 1]."""
        users = np.zeros(len(dataset.users), dtype=bool)
        users[dataset.train.users[items[dataset.train.items]]] = True
        return torch.from_numpy(np.concatenate([users, items])).unsqueeze(1)

    def step(self, triples: Triples) -> None:
        """One step of the optimiser."""
        self.optimizer.zero_grad()
        self.loss(triples).backward()
        self.optimizer.step()

    def loss(self, triples: Triples) -> Tensor:
        """BPR and what the model adds to it."""
        model = self.model
        if isinstance(model, MGCN):
            return self._mgcn(model, triples)
        if isinstance(model, LightGCN):
            nodes = self._smoothed(torch.cat([model.users.weight, model.items.weight]), model.config.layers)
            rows = (model.users.weight[triples.users], *self._of_items(model.items.weight, triples))
            return _bpr(*self._at(nodes, triples)) + model.config.l2 * _norm(*rows)
        if isinstance(model, VBPR):
            return self._vbpr(model, triples)
        assert isinstance(model, BPRMF)
        rows = (model.users.weight[triples.users], *self._of_items(model.items.weight, triples))
        return _bpr(*rows) + model.config.l2 * _norm(*rows)

    def _smoothed(self, rows: Tensor, layers: int) -> Tensor:
        hops = [rows]
        for _ in range(layers):
            hops.append(torch.sparse.mm(self.adjacency, hops[-1]))
        return torch.stack(hops, dim=1).mean(dim=1)

    def _of_items(self, items: Tensor, triples: Triples) -> tuple[Tensor, Tensor]:
        return items[triples.positives], items[triples.negatives]

    def _at(self, nodes: Tensor, triples: Triples) -> tuple[Tensor, Tensor, Tensor]:
        return (nodes[: self.users][triples.users], *self._of_items(nodes[self.users :], triples))

    def _vbpr(self, model: VBPR, triples: Triples) -> Tensor:
        users, items, bias = [model.users.weight], [model.items.weight], model.bias.weight
        for name, values in self.features.items():
            unit = normalize(values, dim=1)
            users.append(model.tastes[name].weight)
            items.append(model.projections[name](unit))
            bias = bias + model.content_bias[name](unit)
        left = torch.cat(users, dim=1)[triples.users]
        right = self._of_items(torch.cat([*items, bias], dim=1), triples)
        ones = torch.ones(len(left), 1)
        return _bpr(torch.cat([left, ones], dim=1), *right) + model.config.l2 * _norm(left, *right)

    def _mgcn(self, model: MGCN, triples: Triples) -> Tensor:
        config = model.config
        content = self._smoothed(torch.cat([model.users.weight, model.items.weight]), config.layers)
        branches = [self._branch(model, name) for name in self.features]
        side = self._side(model, content, branches) if branches else torch.zeros_like(content)
        rows = self._at(content + side, triples)
        loss = _bpr(*rows) + config.l2 * _norm(*rows)
        if not branches or not config.contrast:
            return loss
        views = zip(self._at(side, triples)[:2], self._at(content, triples)[:2], strict=True)
        return loss + config.contrast * sum(
            _info_nce(*pair, config.temperature, config.negatives_per_block) for pair in views
        )

    def _branch(self, model: MGCN, name: str) -> Tensor:
        features = model.projections[name](self.features[name] + model.offsets[name].weight)
        items = model.items.weight * torch.sigmoid(model.gates[name](features)) * self.present[name][self.users :]
        for _ in range(model.config.item_layers):
            items = torch.sparse.mm(self.graphs[name], items)
        return torch.cat([torch.sparse.mm(self.block, items), items])

    def _side(self, model: MGCN, content: Tensor, branches: list[Tensor]) -> Tensor:
        present = torch.cat([self.present[name] for name in self.features], dim=1)
        logits = torch.cat([model.attention(branch) for branch in branches], dim=1)
        weights = torch.softmax(logits.masked_fill(~present, -1e9), dim=1) * present
        shared = (torch.stack(branches, dim=1) * weights.unsqueeze(2)).sum(dim=1)
        own = [
            torch.sigmoid(model.preferences[name](content)) * (branch - shared) * self.present[name]
            for name, branch in zip(self.features, branches, strict=True)
        ]
        return (shared + sum(own)) / (1 + present.sum(dim=1, keepdim=True))


def _coo(matrix: sp.sparray) -> Tensor:
    listed = sp.coo_array(matrix)
    places = torch.from_numpy(np.stack(listed.coords).astype(np.int64))
    values = torch.from_numpy(listed.data.astype(np.float32))
    return torch.sparse_coo_tensor(places, values, listed.shape, check_invariants=False).coalesce()


def _bpr(users: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    return -logsigmoid((users * positives).sum(dim=1) - (users * negatives).sum(dim=1)).mean()


def _norm(*rows: Tensor) -> Tensor:
    return sum((row**2).sum() for row in rows) / (2 * len(rows[0]))


def _info_nce(one: Tensor, other: Tensor, temperature: float, rivals: int) -> Tensor:
    total = torch.zeros(())
    for left, right in zip(torch.split(one, rivals), torch.split(other, rivals), strict=True):
        logits = normalize(left, dim=1) @ normalize(right, dim=1).T / temperature
        total = total + cross_entropy(logits, torch.arange(len(left)), reduction="sum")
    return total / len(one)


def evaluate(users: Tensor, items: Tensor, seen: Interactions, truth: Interactions, k: int = 50) -> dict[str, float]:
    """Recall and NDCG at 20 user by user: scores of all items, seen ones hidden, the k best, looked up one by one."""
    found = {"recall@20": [], "ndcg@20": []}
    rows = np.intersect1d(truth.users, seen.users)
    for user in rows:
        scores = items @ users[user]
        scores[torch.from_numpy(seen.items[seen.users == user])] = -torch.inf
        wanted = set(truth.items[truth.users == user].tolist())
        best = torch.topk(scores, min(k, len(items))).indices.tolist()
        hits, relevant = np.array([[item in wanted for item in best]]), np.array([len(wanted)])
        found["recall@20"].append(metrics.recall(hits[:, :20], relevant)[0])
        found["ndcg@20"].append(metrics.ndcg(hits[:, :20], relevant)[0])
    return {name: float(np.mean(values)) for name, values in found.items()}


def neighbours(features: np.ndarray, k: int) -> Tensor:
    """Return the k nearest of each item by cosine similarity, itself among them, from one [I, I] array.

    int64 [I, k].
    """
    unit = normalize(torch.from_numpy(features), dim=1)
    return (unit @ unit.T).topk(k, dim=1).indices


def adjacency(pairs: Interactions, users: int, items: int) -> Tensor:
    """D^-1/2 A D^-1/2 of the user-item graph as a sparse tensor, from products of SciPy matrices."""
    block = sp.coo_array((np.ones(len(pairs), dtype=np.float32), (pairs.users, pairs.items)), shape=(users, items))
    whole = sp.coo_array(sp.block_array([[None, block], [block.T, None]]))
    degree = whole.sum(axis=1)
    scale = sp.diags_array(np.where(degree > 0, np.maximum(degree, 1) ** -0.5, 0))
    return _coo(scale @ whole @ scale)
