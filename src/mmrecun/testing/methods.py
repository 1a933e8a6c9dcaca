"""Contract of unlearning methods; a method's test class inherits it."""

from dataclasses import dataclass
from itertools import count

import numpy as np
import pytest
import torch

from mmrecun.auditing.setup import InputCache, audit_setup
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import GraphInputs, RequiredInputs, build_inputs
from mmrecun.data.interactions import Interactions, Split
from mmrecun.errors import ForgetError
from mmrecun.evaluation.ranking import percentiles
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.base import Recommender
from mmrecun.models.inference import vectors_of
from mmrecun.rng import Seed
from mmrecun.testing.models import CPU, build
from mmrecun.training.fit import TrainConfig, fit
from mmrecun.unlearning.base import Task, UnlearnResult, targets_of
from mmrecun.unlearning.gradient.base import GradientRun
from mmrecun.unlearning.gradient.sampling import Step
from mmrecun.unlearning.registry import method_class

TRAINING = TrainConfig(epochs=12, batch_size=128, learning_rate=0.02)


def validate(model: Recommender, inputs: GraphInputs) -> float:  # noqa: ARG001
    """Return what grows with every epoch, so that the last one is kept."""
    users, _ = model.id_tables().values()
    return float(users.weight.detach().abs().sum())


@dataclass(frozen=True)
class Trained:
    """A model and what it was trained on."""

    model: Recommender
    dataset: Dataset


def trained_on(dataset: Dataset, name: str, training: TrainConfig, seed: int = 1) -> Trained:
    """Train for all epochs: every validation is better than the one before."""
    model, scores = build(name, dataset), count(1)
    fit(
        model,
        dataset,
        build_inputs(dataset, model.required_inputs(), CPU),
        training,
        Seed(seed),
        lambda _: float(next(scores)),
    )
    return Trained(model, dataset)


@pytest.fixture(scope="session")
def trained(dataset: Dataset) -> Trained:
    """Train one MGCN for all tests of a session."""
    return trained_on(dataset, "mgcn", TRAINING)


def pairs_of(pairs: Interactions) -> list[tuple[int, int]]:
    """Return the pairs as (user row, item row)."""
    return list(zip(pairs.users.tolist(), pairs.items.tolist(), strict=True))


def requests(dataset: Dataset) -> dict[str, ForgetRequest]:
    """Return name -> a request for each kind of target."""
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


def task_of(trained: Trained, request: ForgetRequest | str, seed: int = 5) -> Task:
    """Set up the task of a request, or of one of `requests` by its name."""
    wanted = requests(trained.dataset)[request] if isinstance(request, str) else request
    partition = Partition.from_request(trained.dataset, wanted)
    return Task(trained.model, partition, TRAINING, Seed(seed), validate)


def state_of(result: UnlearnResult) -> dict[str, torch.Tensor]:
    """Return parameter name -> value of the new model."""
    return result.model.state_dict()


def without_effect(dataset: Dataset) -> ForgetRequest:
    """Return a request for a pair that is not among the training pairs."""
    test = dataset.interactions.split(Split.TEST)
    return ForgetRequest(pairs=((dataset.users.names[int(test.users[0])], dataset.items.names[int(test.items[0])]),))


class UnlearnerContract:
    """The tests that every method passes. A subclass states the method's registered `name` and its `settings`."""

    name: str
    settings: dict = {}

    @pytest.fixture(scope="class")
    @classmethod
    def results(cls) -> dict[str, tuple[Partition, UnlearnResult]]:
        """Keep the result for each target, which several tests read."""
        return {}

    def of_target(
        self, trained: Trained, target: str, results: dict[str, tuple[Partition, UnlearnResult]]
    ) -> tuple[Partition, UnlearnResult]:
        """Return the result for one target, made when it is first needed."""
        if target not in results:
            wanted = {**requests(trained.dataset), "nothing": without_effect(trained.dataset)}
            results[target] = self.run(trained, wanted[target])
        return results[target]

    def run(self, trained: Trained, request: ForgetRequest, seed: int = 5) -> tuple[Partition, UnlearnResult]:
        """Unlearn a request; skip the test where the method refuses its target, as declared."""
        task = task_of(trained, request, seed)
        cls = method_class(self.name)
        if targets_of(task.partition) - cls.forgets:
            with pytest.raises(ForgetError, match="does not forget"):
                cls(cls.Config.of(self.settings)).run(task)
            pytest.skip("this target is refused")
        return task.partition, cls(cls.Config.of(self.settings)).run(task)

    @pytest.mark.parametrize("target", ["users", "items", "pairs", "some audio", "all audio", "mixed"])
    def test_the_new_model_fits_the_retained_data_and_the_old_one_is_untouched(
        self, trained: Trained, target: str, results: dict
    ) -> None:
        """The new model has finite rows of the retained data and nothing forgotten; the old one keeps its bits."""
        before = {name: value.clone() for name, value in trained.model.state_dict().items()}
        partition, result = results[target] = self.run(trained, requests(trained.dataset)[target])
        assert all(torch.equal(value, before[name]) for name, value in trained.model.state_dict().items())
        assert result.stop_reason
        vectors = vectors_of(result.model, partition.retained)
        assert vectors.users.shape[0] == len(partition.retained.users)
        assert vectors.items.shape[0] == len(partition.retained.items)
        assert vectors.users.isfinite().all()
        assert vectors.items.isfinite().all()
        assert set(result.model.sizes.widths) == set(partition.retained.modalities)
        assert all(np.isfinite(value) for row in result.history for value in row.values())
        self.assert_no_forgotten_edge(partition)
        self.assert_nothing_is_kept(trained.model, result.model, partition)

    def assert_no_forgotten_edge(self, partition: Partition) -> None:
        """Compare the retained graph with the original pairs, edge by edge."""
        graph = build_inputs(partition.retained, RequiredInputs(user_item=True), CPU).user_block.forward.to_dense()
        names = [
            (partition.original.users.names[u], partition.original.items.names[i])
            for u, i in pairs_of(partition.forgotten)
        ]
        for user, item in names:
            row, column = partition.retained.users.find([user])[0], partition.retained.items.find([item])[0]
            assert min(row, column) < 0 or graph[row, column] == 0
        assert int((graph != 0).sum()) == len(partition.original.train) - len(names)

    def assert_nothing_is_kept(self, before: Recommender, after: Recommender, partition: Partition) -> None:
        """Search the new tables for the bits of every removed row, and the parameters for removed modalities."""
        gone = {"users": partition.removed_users, "items": partition.removed_items}
        tables = after.tables()
        for name, table in before.tables().items():
            if name not in tables:
                continue
            lost = gone[table.side]
            if table.feature is not None:
                lost = lost | partition.removed_features.get(table.feature, False)
            rows = {row.tobytes() for row in table.weight[lost].detach().numpy() if row.any()}
            assert not rows & {row.tobytes() for row in tables[name].weight.detach().numpy()}, name
        for name in partition.original.modalities.keys() - partition.retained.modalities.keys():
            assert not [key for key in after.state_dict() if name in key.split(".")]

    @pytest.mark.parametrize("target", ["users", "items", "pairs"])
    def test_what_was_forgotten_ranks_lower(self, trained: Trained, target: str, results: dict) -> None:
        """Forgotten pairs rank lower than before."""
        self.assert_forgotten_falls(trained, *self.of_target(trained, target, results))

    def assert_forgotten_falls(self, trained: Trained, partition: Partition, result: UnlearnResult) -> None:
        """Compare the mean rank percentile of the forgotten pairs before and after."""
        setup = audit_setup(partition)
        before, after = vectors_of(trained.model, trained.dataset), setup.cache.padded(result.model)
        ranks = []
        for vectors in (before, after):
            users, items = vectors.branches[setup.branch] if setup.branch else (vectors.users, vectors.items)
            ranks.append(percentiles(users, items, setup.seen, setup.forgotten).mean())
        assert ranks[1] < ranks[0] - 0.02

    @pytest.mark.parametrize("target", ["users", "items"])
    def test_newcomers_change_nobody_else(self, trained: Trained, target: str, results: dict) -> None:
        """Vectors of retained users and items are the same beside placeholders for removed ones."""
        partition, result = self.of_target(trained, target, results)
        alone, beside = vectors_of(result.model, partition.retained), InputCache(partition).padded(result.model)
        torch.testing.assert_close(beside.users[partition.user_rows], alone.users, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(beside.items[partition.item_rows], alone.items, rtol=1e-6, atol=1e-6)

    def test_the_same_seed_gives_the_same_bits(self, trained: Trained, results: dict) -> None:
        """Two unlearnings with one seed give equal parameters."""
        one = self.of_target(trained, "pairs", results)[1]
        two = self.run(trained, requests(trained.dataset)["pairs"])[1]
        assert one.stop_reason == two.stop_reason
        assert state_of(one).keys() == state_of(two).keys()
        assert all(torch.equal(value, state_of(two)[name]) for name, value in state_of(one).items())

    def test_a_request_without_a_training_pair_is_fine(self, trained: Trained, results: dict) -> None:
        """Forgetting a pair that was not trained on gives finite vectors."""
        partition, result = self.of_target(trained, "nothing", results)
        assert not len(partition.forgotten)
        assert vectors_of(result.model, partition.retained).users.isfinite().all()


class GradientContract(UnlearnerContract):
    """The further tests of methods that push forgotten pairs down.

    Attributes:
        sign: settings under which one step has to lower what is forgotten.
        pushes: the targets for which it has to.
    """

    sign: dict = {}
    pushes: tuple[str, ...] = ("users", "items", "pairs", "some audio")

    def first_step(self, run: GradientRun) -> Step:
        """Return the step that `test_one_plain_step_downhill_lowers_what_is_forgotten` takes."""
        return next(iter(run.steps(0)))

    @pytest.mark.parametrize("target", ["users", "items", "pairs", "some audio"])
    def test_one_plain_step_downhill_lowers_what_is_forgotten(self, trained: Trained, target: str) -> None:
        """One step of gradient descent on the loss lowers the mean margin of what is forgotten."""
        method, task = method_class(self.name), task_of(trained, target)
        if targets_of(task.partition) - method.forgets or target not in self.pushes:
            pytest.skip("nothing is claimed for this target")
        run = method.Run(task, method.Config.of(self.settings | self.sign))
        step = self.first_step(run)
        before = forget_margin(run)
        run.loss(step).backward()
        with torch.no_grad():
            for parameter in run.model.parameters():
                if parameter.grad is not None:
                    parameter.sub_(1e-2 * parameter.grad)
        assert forget_margin(run) < before

    def test_without_effect_nothing_is_trained(self, trained: Trained, results: dict) -> None:
        """A request for what was not trained on makes no pass and changes no shared parameter."""
        _, result = self.of_target(trained, "nothing", results)
        assert result.history == []
        assert "nothing to train" in result.stop_reason
        before = trained.model.state_dict()
        tables = result.model.tables()
        assert all(torch.equal(value, before[name]) for name, value in state_of(result).items() if name not in tables)


@torch.no_grad()
def forget_margin(run: GradientRun) -> float:
    """Compute the mean margin of what is forgotten, over all of it and the same negatives at each call."""
    margins = []
    for step in run.sampler.forget_only(99):
        margins += run.forward(step)[1]
    return torch.cat(margins).mean().item()
