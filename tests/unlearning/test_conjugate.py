import numpy as np
import pytest
import torch

from mmrecun.unlearning.conjugate import ConjugateSteps, inner, solve


def test_the_system_is_solved_whatever_it_is_scaled_by():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(12, 12))
    matrix, target = root @ root.T + 0.1 * np.eye(12), rng.normal(size=12)
    dense = torch.from_numpy(matrix)

    def product(parts):
        whole = dense @ torch.cat([parts[0].flatten(), parts[1]])
        return [whole[:8].reshape(2, 4), whole[8:]]

    wanted = [torch.from_numpy(target[:8]).reshape(2, 4), torch.from_numpy(target[8:])]
    for diagonal in ([torch.ones(1), torch.ones(1)], [dense.diagonal()[:8].reshape(2, 4), dense.diagonal()[8:]]):
        found, taken = solve(product, wanted, diagonal, 60, 1e-10)
        whole = np.concatenate([part.numpy().ravel() for part in found])
        np.testing.assert_allclose(whole, np.linalg.solve(matrix, target), rtol=1e-6)
        assert taken < 60


def test_a_negative_curvature_ends_the_search():
    diagonal, target = torch.tensor([2.0, -1.0]), torch.tensor([1.0, 0.1])
    (found,), taken = solve(lambda v: [diagonal * v[0]], [target], [torch.ones(2)], 10, 1e-6)
    assert found.isfinite().all()
    assert taken <= 2
    assert (found * target).sum() > 0


def test_the_inner_product_is_over_all_parts():
    parts = [torch.tensor([1.0, 2.0]), torch.tensor([[3.0]])]
    assert inner(parts, parts) == 14


@pytest.mark.parametrize("last", [3.0, -1.0])
def test_steps_that_are_not_wanted_change_nothing(last: float):
    """So that a card, which takes a fixed number of steps, finds what the host would have stopped at."""
    matrix, target = torch.tensor([2.0, 1.0, last]), [torch.tensor([1.0, 2.0, 0.5])]
    product, diagonal = lambda parts: [matrix * parts[0]], [torch.ones(3)]
    (wanted,), taken = solve(product, target, diagonal, 50, 1e-3)
    steps = ConjugateSteps(product, target, diagonal, 1e-3)
    for _ in range(20):
        steps.take()
    assert torch.equal(steps.found[0], wanted)
    assert steps.found[0].isfinite().all()
    assert (int(steps.taken), bool(steps.going)) == (taken, False)


def test_a_solution_that_is_no_number_is_not_hidden():
    (found,), _ = solve(lambda parts: [parts[0] * torch.nan], [torch.ones(2)], [torch.ones(2)], 3, 1e-3)
    assert found.isnan().all()
