import torch

from mmrecun.data.dataset import inverse_index
from mmrecun.unlearning.unlink import Unlink
from tests.contracts.unlearning import Trained, UnlearnerContract, task_of


class TestUnlink(UnlearnerContract):
    name = "unlink"


def test_what_stays_keeps_its_weights_to_the_last_bit(trained: Trained):
    task = task_of(trained, "mixed")
    result = Unlink(Unlink.Config()).run(task)
    before = trained.model.state_dict()
    tables = result.model.tables()
    for name, value in result.model.state_dict().items():
        if name not in tables:
            assert torch.equal(value, before[name]), name
            continue
        rows = task.partition.user_rows if tables[name].side == "users" else task.partition.item_rows
        lost = task.partition.removed_features.get(tables[name].modality)
        kept = slice(None) if lost is None else torch.from_numpy(~lost[rows])
        assert torch.equal(value[kept], before[name][rows][kept]), name
    assert (inverse_index(task.partition.user_rows, len(trained.dataset.users)) < 0).sum() == 1
    assert result.history == []
