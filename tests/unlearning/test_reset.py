import numpy as np
import torch

from mmrecun.data.dataset import Dataset
from mmrecun.rng import Seed
from mmrecun.unlearning.base import with_fresh_rows
from mmrecun.unlearning.reset import Reset, affected_rows
from tests.contracts.models import build, disturb
from tests.contracts.unlearning import Trained, UnlearnerContract, pairs_of, task_of


class TestReset(UnlearnerContract):
    name = "reset"


def test_touched_are_the_ends_of_forgotten_pairs_and_items_that_lost_features(trained: Trained):
    partition = task_of(trained, "mixed").partition
    users, items = affected_rows(partition, trained.model.modalities())
    pairs = pairs_of(partition.forgotten)
    lost = {int(row) for mask in partition.removed_features.values() for row in np.flatnonzero(mask)}
    assert set(users.tolist()) == {user for user, _ in pairs}
    assert set(items.tolist()) == {item for _, item in pairs} | lost
    assert lost


def test_exactly_the_touched_rows_are_drawn_anew(trained: Trained):
    task = task_of(trained, "pairs")
    users, items = affected_rows(task.partition, trained.model.modalities())
    result = Reset(Reset.Config()).run(task)
    before, tables = trained.model.state_dict(), result.model.tables()
    assert 0 < len(users) < len(trained.dataset.users)
    for name, value in result.model.state_dict().items():
        if name not in tables:
            assert torch.equal(value, before[name]), name
            continue
        inside = np.zeros(len(value), dtype=bool)
        inside[users if tables[name].side == "users" else items] = True
        present = task.partition.original.modalities[tables[name].modality].present if tables[name].modality else True
        bound = 0 if tables[name].zeros else (6 / sum(value.shape)) ** 0.5
        assert value[inside].abs().max() <= bound, name
        assert tables[name].zeros or (value[inside] != before[name][inside]).all(), name
        assert torch.equal(value[~inside & present], before[name][~inside & present]), name


def test_a_feature_that_the_model_has_never_read_resets_nothing(dataset: Dataset):
    model = disturb(build("lightgcn", dataset))
    result = Reset(Reset.Config()).run(task_of(Trained(model, dataset), "all audio"))
    before = model.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in result.model.state_dict().items())
    assert "0 items" in result.stop_reason


def test_fresh_rows_leave_the_source_and_every_other_row_alone(trained: Trained):
    model = disturb(build("mgcn", trained.dataset))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    other = with_fresh_rows(model, np.array([1, 4]), np.array([], dtype=np.int64), Seed(8))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    changed = (other.users.weight != model.users.weight).any(dim=1)
    assert changed.nonzero().flatten().tolist() == [1, 4]
    rest = {name: value for name, value in other.state_dict().items() if name != "users.weight"}
    assert all(torch.equal(value, before[name]) for name, value in rest.items())
