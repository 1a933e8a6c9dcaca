import numpy as np
import pytest
import torch

from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.interactions import Interactions
from mmrecun.errors import ConfigError
from mmrecun.unlearning.gradient.amnesiac import AmnesiacConfig, AmnesiacRun, relabelled
from tests.contracts.unlearning import GradientContract, Trained, pairs_of, task_of


class TestAmnesiac(GradientContract):
    name = "amnesiac"
    settings = {"epochs": 1, "batch_size": 256}


def test_only_what_is_wrong_changes_places():
    wrong = Interactions(np.array([0, 2]), np.array([5, 1]), np.zeros(2, dtype=np.int8))
    triples = Triples(*(torch.tensor(rows) for rows in ([0, 0, 2, 1], [5, 6, 1, 1], [7, 8, 9, 3])))
    found = relabelled(triples, wrong, 10)
    assert found.users.tolist() == [0, 0, 2, 1]
    assert found.positives.tolist() == [7, 6, 9, 1]
    assert found.negatives.tolist() == [5, 8, 1, 3]


def test_a_pass_shows_every_training_pair_once_and_forgotten_ones_reversed(trained: Trained):
    run = AmnesiacRun(task_of(trained, "pairs"), AmnesiacConfig(batch_size=100))
    forgotten, known = set(pairs_of(run.sampler.forget)), set(pairs_of(trained.dataset.train))
    shown = [
        row
        for step in run.steps(0)
        for row in zip(
            *(c.tolist() for c in (step.retain.users, step.retain.positives, step.retain.negatives)), strict=True
        )
    ]
    assert {(u, p) for u, p, _ in shown} & forgotten == set()
    reversed_pairs = [(u, n) for u, p, n in shown if (u, p) not in known]
    assert sorted(reversed_pairs) == sorted(forgotten)
    assert sorted((u, p) for u, p, _ in shown if (u, p) in known) == sorted(known - forgotten)


def test_subtraction_is_refused_with_a_reason():
    with pytest.raises(ConfigError, match="no training logs the update of each batch"):
        AmnesiacConfig.of({"variant": "subtract"})
