"""What every unlearning method must do; a method's test file inherits it."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from mmrecun.audit.probes import probe_of, vectors_of, with_newcomers
from mmrecun.data.dataset import Dataset
from mmrecun.data.forget import ForgetRequest, Partition, partition, retain
from mmrecun.data.graph import build_inputs
from mmrecun.data.interactions import Interactions
from mmrecun.evaluation.ranking import percentiles
from mmrecun.models.base import Recommender
from mmrecun.rng import Seed
from mmrecun.training.fit import TrainConfig, fit
from mmrecun.unlearning.base import Task, Unlearned
from mmrecun.unlearning.registry import method_class
from tests.contracts.models import CPU, build

TRAINING = TrainConfig(epochs=12, batch_size=128, learning_rate=0.02)


def validate(model: Recommender, inputs) -> float:
    """Grows with every epoch, so that the last one is kept."""
    return float(model.users.weight.detach().abs().sum())


@dataclass(frozen=True)
class Trained:
    model: Recommender
    dataset: Dataset


@pytest.fixture(scope="module")
def trained(dataset: Dataset) -> Trained:
    model = build("mgcn", dataset)
    scores = iter(range(1, 100))
    fit(model, dataset, build_inputs(dataset, model.spec(), CPU), TRAINING, Seed(1), lambda _: float(next(scores)))
    return Trained(model, dataset)


def pairs_of(pairs: Interactions) -> list[tuple[int, int]]:
    return list(zip(pairs.users.tolist(), pairs.items.tolist(), strict=True))


def requests(dataset: Dataset) -> dict[str, ForgetRequest]:
    users, items = list(dataset.users.names), list(dataset.items.names)
    train = dataset.train
    carriers = np.flatnonzero(dataset.modalities["audio"].present)[:10]
    return {
        "users": ForgetRequest(users=tuple(users[:6])),
        "items": ForgetRequest(items=tuple(items[:4])),
        "pairs": ForgetRequest(pairs=tuple((users[train.users[n]], items[train.items[n]]) for n in range(0, 300, 6))),
        "some audio": ForgetRequest(modalities={"audio": tuple(items[row] for row in carriers)}),
        "all audio": ForgetRequest(modalities={"audio": None}),
        "mixed": ForgetRequest(users=(users[7],), items=(items[8],), modalities={"image": (items[9], items[10])}),
    }


class UnlearnerContract:
    name: str
    settings: dict = {}

    def run(self, trained: Trained, request: ForgetRequest) -> tuple[Partition, Unlearned]:
        parts = partition(trained.dataset, retain(trained.dataset, request))
        cls = method_class(self.name)
        task = Task(trained.model, parts, TRAINING, Seed(5), validate)
        return parts, cls(cls.Config.of(self.settings)).run(task)

    @pytest.mark.parametrize("target", ["users", "items", "pairs", "some audio", "all audio", "mixed"])
    def test_the_new_model_fits_the_retained_data_and_the_old_one_is_untouched(self, trained: Trained, target: str):
        before = {name: value.clone() for name, value in trained.model.state_dict().items()}
        parts, result = self.run(trained, requests(trained.dataset)[target])
        assert all(torch.equal(value, before[name]) for name, value in trained.model.state_dict().items())
        assert result.stop
        vectors = vectors_of(result.model, parts.retained)
        assert vectors.users.shape[0] == len(parts.retained.users)
        assert vectors.items.shape[0] == len(parts.retained.items)
        assert vectors.users.isfinite().all()
        assert set(result.model.sizes.widths) == set(parts.retained.modalities)
        self.assert_no_forgotten_edge(result.model, parts)

    def assert_no_forgotten_edge(self, model: Recommender, parts: Partition) -> None:
        graph = build_inputs(parts.retained, model.spec(), CPU).user_block.forward.to_dense()
        names = [(parts.original.users.names[u], parts.original.items.names[i]) for u, i in pairs_of(parts.forgotten)]
        for user, item in names:
            row, column = parts.retained.users.find([user])[0], parts.retained.items.find([item])[0]
            assert min(row, column) < 0 or graph[row, column] == 0
        assert int((graph != 0).sum()) == len(parts.original.train) - len(names)

    @pytest.mark.parametrize("target", ["users", "items", "pairs"])
    def test_what_was_forgotten_ranks_lower(self, trained: Trained, target: str):
        self.assert_forgotten_falls(trained, target)

    def assert_forgotten_falls(self, trained: Trained, target: str) -> None:
        parts, result = self.run(trained, requests(trained.dataset)[target])
        probe = probe_of(parts)
        before, after = vectors_of(trained.model, trained.dataset), with_newcomers(result.model, parts)
        ranks = []
        for vectors in (before, after):
            users, items = vectors.branches[probe.branch] if probe.branch else (vectors.users, vectors.items)
            ranks.append(percentiles(users, items, probe.seen, probe.forgotten).mean())
        assert ranks[1] < ranks[0] - 0.02

    @pytest.mark.parametrize("target", ["users", "items"])
    def test_newcomers_change_nobody_else(self, trained: Trained, target: str):
        parts, result = self.run(trained, requests(trained.dataset)[target])
        alone, beside = vectors_of(result.model, parts.retained), with_newcomers(result.model, parts)
        torch.testing.assert_close(beside.users[parts.user_rows], alone.users, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(beside.items[parts.item_rows], alone.items, rtol=1e-6, atol=1e-6)
