import numpy as np
import pytest
import torch

from mmrecun.data.bpr_sampling import NegativeSampler, Triples, bpr_batches
from mmrecun.errors import ConfigError
from mmrecun.forget import views
from mmrecun.forget.partition import Partition
from mmrecun.models.base import Recommender
from mmrecun.rng import Seed
from mmrecun.unlearning.base import Task, working_copy
from mmrecun.unlearning.gradient import base
from mmrecun.unlearning.gradient.mmrecun_paper import MMRecUnPaper, MMRecUnPaperConfig, MMRecUnPaperRun
from mmrecun.unlearning.gradient.sampling import Step, branch_pairs
from tests.contracts.unlearning import TRAINING, Trained, UnlearnerContract, requests, validate


class TestSwapped(UnlearnerContract):
    name = "mmrecun-paper"
    settings = {"learning_rate": 0.02, "epochs": 3}

    def test_the_branch_of_a_lost_feature_forgets_its_pairs(self, trained: Trained, results: dict):
        self.assert_forgotten_falls(trained, *self.of_target(trained, "some audio", results))


class TestNegated(TestSwapped):
    name = "mmrecun-paper"
    settings = {"learning_rate": 0.02, "epochs": 3, "form": "negated"}


def test_a_weight_of_one_would_leave_nothing_to_hold_the_rest():
    with pytest.raises(ConfigError, match="forget_weight"):
        MMRecUnPaperConfig.of({"forget_weight": 1})


def task_of(trained: Trained, target: str) -> Task:
    partition = Partition.from_request(trained.dataset, requests(trained.dataset)[target])
    return Task(trained.model, partition, TRAINING, Seed(5), validate)


@torch.no_grad()
def margins(model: Recommender, task: Task, target: str) -> float:
    """Mean margin of what the request names, on graphs that have lost it already: only parameters can lower it."""
    partition = task.partition
    pairs = branch_pairs(partition, "audio") if target == "some audio" else partition.forgotten
    sampler = NegativeSampler(partition.original.train, len(partition.original.users), len(partition.original.items))
    triples = next(iter(bpr_batches(pairs, sampler, len(pairs), Seed(11).numpy())))
    vectors = model.vectors(task.inputs(views.padded))
    rows = vectors.branch_of_triples("audio", triples) if target == "some audio" else vectors.of_triples(triples)
    return rows.margins().mean().item()


@pytest.mark.parametrize("form", ["swapped", "negated"])
@pytest.mark.parametrize("target", ["users", "items", "pairs", "some audio"])
def test_both_forms_lower_the_margins_of_the_parameters_themselves(
    trained: Trained,
    target: str,
    form: str,
    monkeypatch: pytest.MonkeyPatch,
):
    kept: list[Recommender] = []
    retained_model = base.retained_model
    monkeypatch.setattr(
        base, "retained_model", lambda task, working: kept.append(working) or retained_model(task, working)
    )
    task = task_of(trained, target)
    before = margins(working_copy(task), task, target)
    MMRecUnPaper(MMRecUnPaperConfig(learning_rate=0.02, form=form)).run(task)
    assert margins(kept[0], task, target) < before - 0.05


def test_attached_features_change_no_item_that_kept_its_own(trained: Trained):
    task = task_of(trained, "some audio")
    kept = torch.from_numpy(~task.partition.removed_features["audio"])
    with torch.no_grad():
        padded, retained = (
            task.model.vectors(task.inputs(view)) for view in (views.padded, views.padded_without_features)
        )
    assert torch.equal(padded.branches["audio"][1][kept], retained.branches["audio"][1][kept])
    assert padded.branches["audio"][1][~kept].any()
    assert not retained.branches["audio"][1][~kept].any()


def test_the_objective_is_the_weighted_sum_of_its_terms(trained: Trained):
    task = task_of(trained, "pairs")
    run = MMRecUnPaperRun(task, MMRecUnPaperConfig(forget_weight=0.3))
    forget = Triples(*(torch.tensor(rows) for rows in ([0, 1], [2, 3], [4, 5])))
    kept = Triples(*(torch.tensor(rows) for rows in ([6, 7], [8, 9], [10, 11])))
    with torch.no_grad():
        found = run.loss(Step(forget, {}, kept)).item()
        vectors = task.model.vectors(run.inputs)
        x, y = (vectors.of_triples(triples).margins().double().numpy() for triples in (forget, kept))
        own = task.model.auxiliary_loss(vectors.of_triples(kept)).item()
    reverse, retained = np.log1p(np.exp(x)).mean(), np.log1p(np.exp(-y)).mean()
    np.testing.assert_allclose(found, 0.7 * (retained + own) + 0.3 * reverse, rtol=1e-5)


def test_a_modality_that_goes_as_a_whole_takes_its_parameters_along(trained: Trained):
    result = MMRecUnPaper(MMRecUnPaperConfig(epochs=1)).run(task_of(trained, "all audio"))
    assert not [name for name in result.model.state_dict() if "audio" in name]
    assert [name for name in result.model.state_dict() if "image" in name]
