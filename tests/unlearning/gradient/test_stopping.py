import numpy as np
import pytest
import torch

from mmrecun.data.bpr_sampling import bpr_batches
from mmrecun.data.interactions import Split
from mmrecun.unlearning.gradient.base import GradientRun, PassConfig
from mmrecun.unlearning.gradient.stopping import StoppingCriterion
from tests.contracts.unlearning import Trained, task_of


def criterion(run: GradientRun) -> StoppingCriterion:
    return StoppingCriterion(run.task, run.model, run.padded_inputs, run.sampler)


@pytest.mark.parametrize(("target", "branch"), [("pairs", ""), ("some audio", "audio")])
def test_the_excess_is_the_mean_margin_above_that_of_validation_pairs_at_the_start(
    trained: Trained, target: str, branch: str
):
    run = GradientRun(task_of(trained, target), PassConfig())
    stopping = criterion(run)
    rng = run.task.seed.child("gauge").numpy()
    forgotten = run.sampler.branches[branch] if branch else run.sampler.forget
    valid = run.task.partition.retained_pairs.split(Split.VALID)
    triples = [next(bpr_batches(pairs, run.sampler.negatives, len(pairs), rng)) for pairs in (forgotten, valid)]

    def mean(triples) -> float:
        with torch.no_grad():
            vectors = run.model.vectors(run.padded_inputs)
        users, items = vectors.branches[branch] if branch else (vectors.users, vectors.items)
        scores = (users @ items.T).double().numpy()
        rows, positives, negatives = (
            column.numpy() for column in (triples.users, triples.positives, triples.negatives)
        )
        return float(np.mean([scores[u, p] - scores[u, n] for u, p, n in zip(rows, positives, negatives, strict=True)]))

    level = mean(triples[1])
    assert stopping.excess() == pytest.approx(mean(triples[0]) - level, abs=1e-5)
    with torch.no_grad():
        run.model.users.weight.mul_(0.5)
        run.model.items.weight.mul_(0.5)
    assert stopping.excess() == pytest.approx(mean(triples[0]) - level, abs=1e-5)


def test_without_validation_pairs_the_level_is_chance(trained: Trained):
    data = trained.dataset
    bare = data.with_interactions(data.interactions.select(data.interactions.splits != Split.VALID))
    run = GradientRun(task_of(Trained(trained.model, bare), "pairs"), PassConfig())
    with torch.no_grad():
        for parameter in run.model.parameters():
            parameter.zero_()
    assert criterion(run).excess() == 0
