from dataclasses import replace

import numpy as np
import pytest
import torch

from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import user_item_graph
from mmrecun.data.synthetic import SyntheticConfig, make
from mmrecun.forget import views
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.base import Recommender, Sizes
from mmrecun.models.registry import model_class
from mmrecun.rng import Seed
from mmrecun.unlearning.base import Task, retained_model
from mmrecun.unlearning.mmrecun import non_members
from mmrecun.unlearning.mmrecun.non_members import (
    _predictors,
    _side,
    _wanted,
    agree_as_non_members,
    edges_of,
)
from mmrecun.unlearning.mmrecun.trained_vectors import TrainedVectors
from tests.contracts.unlearning import TRAINING

USER = 5


@pytest.fixture(scope="module")
def data() -> Dataset:
    return make(SyntheticConfig(users=400, items=300, interactions=8000, groups=6, width=4), Seed(1))[0]


def without_user(data: Dataset, row: int = USER) -> Partition:
    return Partition.from_request(data, ForgetRequest(users=(data.users.names[row],)))


def task_for(data: Dataset, name: str, lean: float, request: ForgetRequest | None = None) -> Task:
    """A model of random rows in which every item leans towards its users, by `lean` times the sum of their rows."""
    cls = model_class(name)
    model: Recommender = cls(cls.Config(dim=16), Sizes.of_dataset(data), Seed(2).torch())
    with torch.no_grad():
        users, items = (table.weight for table in model.id_tables().values())
        for weight in (users, items):
            weight.copy_(torch.randn(weight.shape, generator=Seed(len(weight)).torch()))
        items.index_add_(0, torch.from_numpy(data.train.items.copy()), lean * users[torch.tensor(data.train.users)])
    partition = without_user(data) if request is None else Partition.from_request(data, request)
    return Task(model, partition, TRAINING, Seed(3), lambda *_: 0.5)


def moved(task: Task, scale: float = 1.0) -> Recommender:
    model = retained_model(task, task.model)
    trained, data = TrainedVectors(task.model, task.inputs(views.original)), task.partition.retained
    graph = user_item_graph(data.train, len(data.users), len(data.items), task.device)  # BPR-MF reads none
    inputs = replace(task.inputs(views.retained), user_item=graph)
    agree_as_non_members(model, inputs, task.partition, trained, Seed(4).numpy(), scale)
    return model


def agreement(model: Recommender, task: Task) -> np.ndarray:
    """Products of all items' vectors with the unit vector of the user who left."""
    with torch.no_grad():
        gone = task.model.vectors(task.inputs(views.original)).users[USER]
        found = model.vectors(task.inputs(views.retained)).items @ (gone / gone.norm())
    return found.numpy()


def test_what_a_user_left_in_its_items_is_taken_out(data: Dataset):
    task = task_for(data, "bprmf", lean=0.5)
    before, after = agreement(retained_model(task, task.model), task), agreement(moved(task), task)
    liked = np.unique(data.train.items[data.train.users == USER])
    others = np.setdiff1d(np.arange(len(data.items)), liked)
    spread = before[others].std()
    assert before[liked].mean() - before[others].mean() > 0.5 * spread
    assert abs(after[liked].mean() - after[others].mean()) < 0.5 * spread
    assert after[liked].std() > 0.5 * spread  # as different as other items are


def test_what_neighbours_predict_is_reached_through_a_graph(data: Dataset, monkeypatch: pytest.MonkeyPatch):
    """The rows that move are each other's neighbours; together they reach it in the mean."""
    task, asked = task_for(data, "lightgcn", lean=0.5), list[torch.Tensor]()
    predicted = non_members._wanted
    monkeypatch.setattr(non_members, "_wanted", lambda *given: asked.extend(predicted(*given)) or asked)
    liked = np.unique(data.train.items[data.train.users == USER])
    liked = liked[task.partition.retained.degrees[1][liked] > 0]
    start = float(agreement(retained_model(task, task.model), task)[liked].mean())
    reached, wanted = float(agreement(moved(task), task)[liked].mean()), float(asked[0].mean())
    assert wanted < start
    assert reached == pytest.approx(wanted, abs=0.2 * (start - wanted))


def test_rows_that_lost_no_pair_stay_bit_for_bit(data: Dataset):
    task = task_for(data, "lightgcn", lean=0.5)
    start, model = retained_model(task, task.model), moved(task)
    liked = np.unique(data.train.items[data.train.users == USER])
    changed = (model.get_parameter("items.weight") != start.get_parameter("items.weight")).any(dim=1).numpy()
    assert set(np.flatnonzero(changed)) == set(liked[task.partition.retained.degrees[1][liked] > 0])
    assert torch.equal(model.get_parameter("users.weight"), start.get_parameter("users.weight"))


def test_a_row_moves_in_proportion_to_the_scale(data: Dataset):
    task = task_for(data, "bprmf", lean=0.5)
    start = retained_model(task, task.model).get_parameter("items.weight")
    once, twice = (moved(task, scale).get_parameter("items.weight") - start for scale in (1.0, 2.0))
    torch.testing.assert_close(twice, 2 * once, atol=1e-5, rtol=1e-4)


def test_non_members_share_a_partner_with_a_row_and_never_had_the_forgotten_one(data: Dataset):
    """Of both sides of single pairs, by sets."""
    names = [(data.users.names[user], data.items.names[item]) for user, item in zip(*first_pairs(data), strict=True)]
    task = task_for(data, "bprmf", 0.5, ForgetRequest(pairs=tuple(names)))
    partition, vectors = task.partition, TrainedVectors(task.model, task.inputs(views.original)).sides
    graph = user_item_graph(partition.retained.train, len(data.users), len(data.items), torch.device("cpu")).forward
    forgotten = set(zip(partition.forgotten.users.tolist(), partition.forgotten.items.tolist(), strict=True))
    train = set(zip(data.train.users.tolist(), data.train.items.tolist(), strict=True))
    for number in (0, 1):
        side = _side(number, partition, vectors, edges_of(graph), Seed(5).numpy())
        assert side is not None
        partners = {pair[number]: set[int]() for pair in forgotten}
        for pair in forgotten:
            partners[pair[number]].add(pair[1 - number])
        near = {row: {pair[1 - number] for pair in train - forgotten if pair[number] == row} for row in partners}
        for other, like in zip(side.others.tolist(), side.like.tolist(), strict=True):
            row = int(side.rows[like])
            own = {pair[1 - number] for pair in train if pair[number] == other}
            assert own & near[row]
            assert partners[row] - own
            assert other not in partners


def first_pairs(data: Dataset) -> tuple[list[int], list[int]]:
    """Of four users each another item."""
    users = [0, 40, 80, 120]
    return users, [int(data.train.items[data.train.users == user][number]) for number, user in enumerate(users)]


def test_the_prediction_is_that_of_least_squares(data: Dataset):
    """With another solver, and the deviations of single non-members taken off."""
    task = task_for(data, "bprmf", lean=0.5)
    partition, vectors = task.partition, TrainedVectors(task.model, task.inputs(views.original)).sides
    kept = vectors[0][torch.from_numpy(partition.user_rows)], vectors[1]
    graph = user_item_graph(partition.retained.train, len(kept[0]), len(kept[1]), torch.device("cpu")).forward
    side = _side(1, partition, vectors, edges_of(graph), Seed(5).numpy())
    assert side is not None
    whole = torch.cat(kept)
    near = graph.to_dense() @ whole
    square = graph.to_dense() @ graph.to_dense()
    far = square @ whole - square.diagonal()[:, None] * whole
    hood = tuple(part[len(kept[0]) :] for part in (whole, near, far))
    logs = torch.from_numpy(np.log1p(partition.retained.degrees[1])).float()
    seen, agreed = (part.numpy() for part in _predictors(hood, logs, side.others, side.towards[side.like]))
    weights = np.linalg.lstsq(seen, agreed, rcond=None)[0]
    predicted = _predictors(hood, logs, side.rows, side.towards)[0].numpy() @ weights
    draws = [_wanted([side], kept, graph, partition.retained.degrees, Seed(number).numpy())[0] for number in range(200)]
    spread = (agreed - seen @ weights).std()
    np.testing.assert_allclose(torch.stack(draws).mean(dim=0).numpy(), predicted, atol=5 * spread / np.sqrt(200))
    assert torch.stack(draws).std(dim=0).mean() == pytest.approx(spread, rel=0.05)


def test_too_few_non_members_leave_rows_as_they_are():
    """Where everybody has nearly everything, nothing tells what a row would be like without a pair."""
    data = make(SyntheticConfig(users=12, items=12, interactions=140, groups=1, width=2), Seed(1))[0]
    task = task_for(data, "bprmf", lean=0.5)
    start, model = retained_model(task, task.model), moved(task)
    for name, parameter in start.named_parameters():
        assert torch.equal(parameter, model.get_parameter(name))
