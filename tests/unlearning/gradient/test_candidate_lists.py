import numpy as np
import pytest
import torch

from mmrecun.rng import Seed
from mmrecun.unlearning.gradient.candidate_lists import CandidateSampler, divergence, list_scores, share_above


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_list_scores_are_entries_of_the_score_matrix():
    users, items = normal(5, 3), normal(7, 3, seed=1)
    rows, own, others = torch.tensor([4, 0]), torch.tensor([6, 2]), torch.tensor([1, 1, 5])
    found = list_scores((users, items), rows, own, others).numpy()
    full = (users @ items.T).numpy()
    expected = [[full[u, i], *full[u, [1, 1, 5]]] for u, i in ((4, 6), (0, 2))]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_divergence_is_that_of_torch():
    teacher, student = normal(6, 9).double(), normal(6, 9, seed=1).double()
    target = (teacher / 3).softmax(dim=1)
    expected = 9 * torch.nn.functional.kl_div((student / 3).log_softmax(dim=1), target, reduction="batchmean")
    assert divergence(teacher, student, 3.0).item() == pytest.approx(expected.item(), rel=1e-10)
    assert divergence(teacher, student, 3.0) > 0


def test_a_student_that_agrees_has_neither_divergence_nor_gradient():
    scores = normal(4, 5).requires_grad_()
    loss = divergence(scores.detach(), scores, 2.0)
    loss.backward()
    assert loss.item() == 0
    torch.testing.assert_close(scores.grad, torch.zeros(4, 5), rtol=0, atol=1e-7)


def test_share_above_counts_strictly_higher_items():
    scores = torch.tensor([[2.0, 3.0, 2.0, 1.0, 5.0], [9.0, 1.0, 1.0, 1.0, 1.0]])
    assert share_above(scores).tolist() == [0.5, 0.0]


def test_draws_are_distinct_candidates_and_repeat_with_the_seed():
    candidates = np.array([3, 5, 8, 13, 21])
    draws = [CandidateSampler(candidates, 3, Seed(1).torch(), torch.device("cpu")) for _ in range(2)]
    first, second = ([candidates().tolist() for _ in range(4)] for candidates in draws)
    assert first == second
    assert any(drawn != first[0] for drawn in first)
    assert all(len(set(drawn)) == 3 and set(drawn) <= set(candidates.tolist()) for drawn in first)
    assert len(CandidateSampler(candidates, 99, Seed(1).torch(), torch.device("cpu"))()) == 5
