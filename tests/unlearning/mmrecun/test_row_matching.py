import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity

from mmrecun.auditing.marks import AffectedRows
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import GraphInputs, build_inputs, user_item_graph
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions
from mmrecun.data.synthetic import SyntheticConfig, make
from mmrecun.evaluation.row_traits import row_traits, structure
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.base import Sizes
from mmrecun.models.bprmf import BPRMF
from mmrecun.rng import Seed
from mmrecun.unlearning.mmrecun.row_matching import match_rows, with_traits


@pytest.fixture(scope="module")
def partition() -> Partition:
    dataset = make(SyntheticConfig(users=600, items=400, interactions=9000, groups=6, width=4), Seed(1))[0]
    return Partition.from_request(dataset, ForgetRequest(users=tuple(dataset.users.names[:40])))


def factorisation(partition: Partition, dim: int) -> tuple[BPRMF, GraphInputs]:
    data = partition.retained
    sizes = Sizes(users=len(data.users), items=len(data.items), widths={})
    model = BPRMF(BPRMF.Config(dim=dim), sizes, Seed(7).torch())
    with torch.no_grad():
        for table in (model.users.weight, model.items.weight):
            table.copy_(torch.randn(table.shape, generator=Seed(table.shape[0]).torch()))
    return model, build_inputs(data, model.required_inputs(), torch.device("cpu"))


def test_rows_have_the_traits_they_are_given():
    rng = Seed(2).torch()
    own, near, far = (torch.randn(50, 8, generator=rng, dtype=torch.float64) for _ in range(3))
    asked = torch.stack(
        [torch.randn(50, generator=rng), *(torch.rand(50, generator=rng) - 0.5 for _ in range(2))], dim=1
    )
    found = with_traits(own, (near, far), asked.double())
    torch.testing.assert_close(found.norm(dim=1).log(), asked[:, 0].double())
    torch.testing.assert_close(cosine_similarity(found, near), asked[:, 1].double(), atol=2e-3, rtol=0)
    torch.testing.assert_close(cosine_similarity(found, far), asked[:, 2].double(), atol=2e-3, rtol=0)


def test_traits_as_they_are_leave_a_row_as_it_is():
    rng = Seed(3).torch()
    own, near, far = (torch.randn(20, 8, generator=rng, dtype=torch.float64) for _ in range(3))
    traits = torch.stack([own.norm(dim=1).log(), cosine_similarity(own, near), cosine_similarity(own, far)], dim=1)
    torch.testing.assert_close(with_traits(own, (near, far), traits), own, atol=1e-5, rtol=1e-5)


def test_nothing_is_matched_where_few_of_the_rows_that_lost_pairs_have_any_left():
    """One user leaves with twelve pairs: eight items lose their only one, and four keep others."""
    users = np.repeat(np.arange(9), [12, *[2] * 8])
    items = np.concatenate([np.arange(12), np.array([8, 9, 10, 11] * 4)])
    order = np.lexsort((items, users))
    pairs = Interactions(users[order], items[order], np.zeros(len(users), dtype=np.int8))
    names = IdMap.of("user", [f"u{n}" for n in range(9)]), IdMap.of("item", [f"i{n:02}" for n in range(12)])
    partition = Partition.from_request(Dataset("few", *names, pairs), ForgetRequest(users=("u0",)))
    model, inputs = factorisation(partition, dim=4)
    before = [table.weight.detach().clone() for table in model.id_tables().values()]
    match_rows(model, inputs, partition)
    for table, was in zip(model.id_tables().values(), before, strict=True):
        assert torch.equal(table.weight, was)


def test_cosines_that_no_row_has_are_approached_from_those_of_the_row():
    """Two directions that nearly agree, of which one is to come nearer and the other to go away."""
    own, near, noise = torch.randn(3, 50, 8, generator=Seed(5).torch(), dtype=torch.float64)
    far = near + 0.1 * noise
    before = torch.stack([cosine_similarity(own, way) for way in (near, far)], dim=1)
    wanted = before + torch.tensor([0.2, -0.2])
    found = with_traits(own, (near, far), torch.cat([torch.zeros(50, 1), wanted], dim=1))
    after = torch.stack([cosine_similarity(found, way) for way in (near, far)], dim=1)
    away = (after - before) / (wanted - before)  # 0 for as before, 1 for as wanted
    assert away.min() > -0.1
    assert away.max() < 1.1
    assert (away[:, 0] - away[:, 1]).abs().max() < 0.1
    assert away.max() > 0.2


def test_parallel_neighbourhoods_stay_finite():
    own, near = torch.randn(4, 6, generator=Seed(4).torch()), torch.ones(4, 6)
    assert with_traits(own, (near, 2 * near), torch.tensor([[0.0, 0.9, 0.1]]).expand(4, 3)).isfinite().all()
    assert with_traits(own, (0 * near, 0 * near), torch.zeros(4, 3)).isfinite().all()


@pytest.mark.parametrize("how", ["longer", "towards the other side"])
def test_rows_that_lost_pairs_no_longer_stand_out(partition: Partition, how: str):
    """Their rows are made longer or turned; the classifier of the audit finds them before, and not after."""
    model, inputs = factorisation(partition, 8)
    tables = [table.detach() for table in (model.users.weight, model.items.weight)]
    lost = np.bincount(partition.forgotten.items, minlength=len(partition.original.items))[partition.item_rows]
    share = torch.from_numpy(lost / np.maximum(partition.original.degrees[1][partition.item_rows], 1)).float()
    tables[0] += 0.5  # so that they have a middle
    if how == "longer":
        tables[1] *= 1 + 4 * share[:, None]
    else:
        tables[1] += 6 * share[:, None] * tables[0].mean(dim=0)
    graph = user_item_graph(partition.retained.train, len(tables[0]), len(tables[1]), torch.device("cpu")).forward
    shown, touched = structure(graph, len(tables[0])).items, AffectedRows.of(partition, users=False)

    def mark() -> float:
        found = touched.mark(row_traits((tables[0], tables[1]), (tables[0], tables[1]), graph).items, shown)
        assert found is not None
        return found.auc - found.level

    before, users = mark(), tables[0].clone()
    match_rows(model, inputs, partition)
    assert before > 0.2
    assert mark() < before / 3
    torch.testing.assert_close(tables[0], users)  # no retained user lost a pair


def test_few_rows_are_left_alone():
    dataset = make(SyntheticConfig(users=60, items=40, interactions=600, groups=3, width=4), Seed(1))[0]
    pair = dataset.users.names[int(dataset.train.users[0])], dataset.items.names[int(dataset.train.items[0])]
    partition = Partition.from_request(dataset, ForgetRequest(pairs=(pair,)))
    model, inputs = factorisation(partition, 4)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    match_rows(model, inputs, partition)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_rounding_errors_stay_small(partition: Partition):
    """Rows that are given the same trait, that of the last row of their stratum, are not ranked by rounding errors."""
    found = []
    for scale in (1, 1 + 1e-6):
        model, inputs = factorisation(partition, 8)
        rows = model.items.weight.detach()
        lost = np.bincount(partition.forgotten.items, minlength=len(partition.original.items))[partition.item_rows]
        rows *= 1 + torch.from_numpy(lost).float()[:, None]
        rows *= scale ** torch.randn(len(rows), 1, generator=Seed(6).torch())
        match_rows(model, inputs, partition)
        found.append(rows.clone())
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-3)
