import pytest
import torch

from mmrecun.data.bpr_sampling import NegativeSampler, bpr_batches
from mmrecun.data.graph import build_inputs
from mmrecun.training.losses import bpr
from mmrecun.unlearning.base import working_copy
from mmrecun.unlearning.gradient.finetune import Finetune, FinetuneConfig
from tests.contracts.models import CPU
from tests.contracts.unlearning import Trained, UnlearnerContract, task_of


class TestFinetune(UnlearnerContract):
    name = "finetune"
    settings = {"epochs": 1, "batch_size": 256}


def test_it_equals_training_on_the_retained_data_from_the_trained_weights(trained: Trained):
    task = task_of(trained, "pairs")
    config = FinetuneConfig(epochs=2, batch_size=256, learning_rate=0.01)
    result = Finetune(config).run(task)
    data, model = task.partition.retained, working_copy(task)
    inputs, optimizer = build_inputs(data, model.required_inputs(), CPU), torch.optim.Adam(model.parameters(), lr=0.01)
    sampler = NegativeSampler(data.train, len(data.users), len(data.items))
    losses = []
    for number in range(2):
        rng = task.seed.child(f"unaware pass {number}").numpy()
        for triples in bpr_batches(data.train, sampler, 256, rng):
            batch = model.vectors(inputs).of_triples(triples)
            loss = bpr(batch.margins()) + model.auxiliary_loss(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    for name, value in result.model.state_dict().items():
        torch.testing.assert_close(value, model.state_dict()[name], rtol=1e-3, atol=1e-5, msg=name)
    assert result.history[0]["loss"] == pytest.approx(sum(losses[:4]) / 4, rel=1e-4)
    assert len(losses) == 8
