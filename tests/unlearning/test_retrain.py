import pytest
import torch

from mmrecun.data.graph import build_inputs
from mmrecun.rng import Seed
from mmrecun.training.fit import fit
from tests.contracts.models import CPU
from tests.contracts.unlearning import TRAINING, Trained, UnlearnerContract, validate


class TestRetrain(UnlearnerContract):
    name = "retrain"

    @pytest.mark.parametrize("target", ["users", "items", "pairs", "some audio", "all audio"])
    def test_it_equals_a_training_that_never_saw_the_rest(self, trained: Trained, target: str, results: dict):
        partition, result = self.of_target(trained, target, results)
        fresh = type(trained.model)(trained.model.config, result.model.sizes, Seed(5).child("model").torch())
        inputs = build_inputs(partition.retained, fresh.required_inputs(), CPU)
        fit(fresh, partition.retained, inputs, TRAINING, Seed(5), lambda model: validate(model, inputs))
        assert all(torch.equal(value, fresh.state_dict()[name]) for name, value in result.model.state_dict().items())
