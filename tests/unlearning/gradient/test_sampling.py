import pytest
import torch

from mmrecun.data.bpr_sampling import Triples
from mmrecun.unlearning.gradient.sampling import ForgetSampler
from tests.contracts.unlearning import Trained, pairs_of, task_of


def sampler_of(trained: Trained, target: str, batch_size: int = 64, steps: int = 4) -> ForgetSampler:
    return ForgetSampler(task_of(trained, target), batch_size, steps)


def rows(triples: Triples) -> list[tuple[int, int, int]]:
    columns = (triples.users.tolist(), triples.positives.tolist(), triples.negatives.tolist())
    return list(zip(*columns, strict=True))


def all_rows(parts: list[Triples]) -> list[tuple[int, int, int]]:
    return [row for triples in parts for row in rows(triples)]


@pytest.mark.parametrize("target", ["users", "items", "pairs", "mixed"])
def test_a_pass_shows_every_forgotten_pair_beside_retained_ones(trained: Trained, target: str):
    sampler = sampler_of(trained, target)
    steps = list(sampler.forget_pass(0))
    assert len(steps) >= 4
    forget = all_rows([step.forget for step in steps])
    shown = [(u, p) for u, p, _ in forget]
    assert set(shown) == set(pairs_of(sampler.forget))
    assert len(shown) == len(set(shown)) or target == "mixed"
    retain = {(u, p) for u, p, _ in all_rows([step.retain for step in steps])}
    assert retain <= set(pairs_of(sampler.retain))
    assert max(len(step.retain) for step in steps) == 64


@pytest.mark.parametrize("target", ["users", "items", "pairs", "some audio"])
def test_negatives_are_retained_items_outside_the_whole_history(trained: Trained, target: str):
    sampler = sampler_of(trained, target)
    known, lost = set(pairs_of(trained.dataset.train)), task_of(trained, target).partition.removed_items
    for step in [*sampler.forget_pass(0), *sampler.retain_pass(1), *sampler.retain_only(2)]:
        for triples in (step.forget, step.retain, *step.branches.values()):
            for user, _, negative in rows(triples):
                assert (user, negative) not in known
                assert not lost[negative]


def test_a_paired_pass_shows_every_retained_pair_once_and_forgotten_ones_throughout(trained: Trained):
    sampler = sampler_of(trained, "pairs", batch_size=100, steps=1)
    steps = list(sampler.retain_pass(0))
    retain = all_rows([step.retain for step in steps])
    assert sorted((u, p) for u, p, _ in retain) == sorted(pairs_of(sampler.retain))
    assert all(len(step.forget) == len(sampler.forget) for step in steps)


def test_unaware_negatives_may_be_forgotten_pairs_but_never_retained_ones(trained: Trained):
    sampler = sampler_of(trained, "pairs")
    drawn = {
        (u, n)
        for number in range(20)
        for step in sampler.retain_only_new_negatives(number)
        for u, _, n in rows(step.retain)
    }
    assert not drawn & set(pairs_of(sampler.retain))
    assert drawn & set(pairs_of(sampler.forget))


def test_lost_features_come_as_pairs_of_their_items(trained: Trained):
    sampler = sampler_of(trained, "some audio")
    lost = task_of(trained, "some audio").partition.removed_features["audio"]
    shown = all_rows([step.branches["audio"] for step in sampler.forget_pass(0)])
    assert sorted((u, p) for u, p, _ in shown) == sorted(pair for pair in pairs_of(sampler.retain) if lost[pair[1]])
    assert not len(sampler.forget)


def test_passes_differ_and_repeat_with_the_seed(trained: Trained):
    one, two = sampler_of(trained, "pairs"), sampler_of(trained, "pairs")
    first, again, other = (
        all_rows([s.forget for s in steps]) for steps in (one.forget_pass(0), two.forget_pass(0), one.forget_pass(1))
    )
    assert first == again != other
    assert not torch.equal(next(one.forget_pass(0)).retain.users, next(one.forget_pass(1)).retain.users)
