import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity

from mmrecun.auditing.marks import AffectedRows
from mmrecun.data.graph import user_item_graph
from mmrecun.data.synthetic import SyntheticConfig, make
from mmrecun.evaluation.row_traits import row_traits, structure
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.rng import Seed
from mmrecun.unlearning.mmrecun.row_matching import match_rows, with_traits, without_effect


@pytest.fixture(scope="module")
def partition() -> Partition:
    dataset = make(SyntheticConfig(users=600, items=400, interactions=9000, groups=6, width=4), Seed(1))[0]
    return Partition.from_request(dataset, ForgetRequest(users=tuple(dataset.users.names[:40])))


def test_rows_have_the_traits_they_are_given():
    rng = Seed(2).torch()
    own, near, far = (torch.randn(50, 8, generator=rng, dtype=torch.float64) for _ in range(3))
    asked = torch.stack(
        [torch.randn(50, generator=rng), *(torch.rand(50, generator=rng) - 0.5 for _ in range(2))], dim=1
    )
    found = with_traits(own, near, far, asked.double())
    torch.testing.assert_close(found.norm(dim=1).log(), asked[:, 0].double())
    torch.testing.assert_close(cosine_similarity(found, near), asked[:, 1].double(), atol=2e-3, rtol=0)
    torch.testing.assert_close(cosine_similarity(found, far), asked[:, 2].double(), atol=2e-3, rtol=0)


def test_traits_as_they_are_leave_a_row_as_it_is():
    rng = Seed(3).torch()
    own, near, far = (torch.randn(20, 8, generator=rng, dtype=torch.float64) for _ in range(3))
    traits = torch.stack([own.norm(dim=1).log(), cosine_similarity(own, near), cosine_similarity(own, far)], dim=1)
    torch.testing.assert_close(with_traits(own, near, far, traits), own, atol=1e-5, rtol=1e-5)


def test_parallel_neighbourhoods_stay_finite():
    own, near = torch.randn(4, 6, generator=Seed(4).torch()), torch.ones(4, 6)
    assert with_traits(own, near, 2 * near, torch.tensor([[0.0, 0.9, 0.1]]).expand(4, 3)).isfinite().all()
    assert with_traits(own, 0 * near, 0 * near, torch.zeros(4, 3)).isfinite().all()


def test_a_planted_effect_of_the_share_is_taken_out():
    rng = np.random.default_rng(5)
    context, shares = rng.normal(size=(20_000, 2)), np.where(rng.random(20_000) < 0.5, rng.random(20_000), 0)
    clean = context @ np.array([[0.5, -0.2], [0.1, 0.4]]) + rng.normal(size=(20_000, 2))
    effect = shares[:, None] * (np.array([0.8, -0.5]) + 0.3 * context[:, :1])
    found = without_effect(clean + effect, shares, context)
    np.testing.assert_array_equal(found[shares == 0], clean[shares == 0])
    assert np.abs(found - clean)[shares > 0].mean() < 0.05
    assert np.abs(effect)[shares > 0].mean() > 0.3


def test_a_spread_that_grows_with_the_share_is_taken_out():
    rng = np.random.default_rng(6)
    shares = np.where(rng.random(40_000) < 0.5, rng.random(40_000), 0)
    scores = rng.normal(size=(40_000, 2)) * np.sqrt(1 + 3 * shares)[:, None]
    found = without_effect(scores, shares, np.empty((40_000, 0)))
    assert scores[shares > 0.5].std() > 1.6
    assert found[shares > 0.5].std() == pytest.approx(1, abs=0.05)


def test_rows_that_lost_pairs_no_longer_stand_out(partition: Partition):
    """Their rows are made longer and turned away; the classifier of the audit finds them before, and not after."""
    rng = Seed(7).torch()
    tables = [torch.randn(len(rows), 8, generator=rng) for rows in (partition.user_rows, partition.item_rows)]
    lost = np.bincount(partition.forgotten.items, minlength=len(partition.original.items))[partition.item_rows]
    share = torch.from_numpy(lost / np.maximum(partition.original.degrees[1][partition.item_rows], 1)).float()
    tables[1] *= 1 + 4 * share[:, None]
    graph = user_item_graph(partition.retained.train, len(tables[0]), len(tables[1]), torch.device("cpu")).forward
    shown, touched = structure(graph, len(tables[0])).items, AffectedRows.of(partition, users=False)

    def mark() -> float:
        found = touched.mark(row_traits((tables[0], tables[1]), (tables[0], tables[1]), graph).items, shown)
        assert found is not None
        return found.auc - found.level

    before, users = mark(), tables[0].clone()
    match_rows(tables[0], tables[1], partition)
    assert before > 0.2
    assert mark() < before / 3
    torch.testing.assert_close(tables[0], users)  # no retained user lost a pair


def test_few_rows_are_left_alone():
    dataset = make(SyntheticConfig(users=60, items=40, interactions=600, groups=3, width=4), Seed(1))[0]
    pair = dataset.users.names[int(dataset.train.users[0])], dataset.items.names[int(dataset.train.items[0])]
    partition = Partition.from_request(dataset, ForgetRequest(pairs=(pair,)))
    tables = [
        torch.randn(len(rows), 4, generator=Seed(8).torch()) for rows in (partition.user_rows, partition.item_rows)
    ]
    before = [table.clone() for table in tables]
    match_rows(tables[0], tables[1], partition)
    assert all(torch.equal(*both) for both in zip(tables, before, strict=True))


def test_a_few_rows_whose_spread_cannot_be_fitted_stay_finite():
    rng = np.random.default_rng(9)
    shares = np.array([0.0, 0.0, 0.0, 0.9, 0.8, 0.7])
    scores = rng.normal(size=(6, 3)) * np.where(shares > 0, 0.01, 3)[:, None]
    assert np.isfinite(without_effect(scores, shares, rng.normal(size=(6, 2)))).all()
    assert np.isfinite(without_effect(np.zeros((6, 3)), shares, np.zeros((6, 2)))).all()
