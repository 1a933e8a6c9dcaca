import numpy as np
import pytest
import torch

from mmrecun.auditing.checks import mark_checks
from mmrecun.auditing.keys import MarkKind
from mmrecun.auditing.marks import AffectedRows
from mmrecun.auditing.membership import auc_standard_error
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.setup import InputCache
from mmrecun.data.dataset import Dataset
from mmrecun.data.synthetic import SyntheticConfig, make
from mmrecun.evaluation.row_traits import degree_strata, row_traits, structure
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.rng import Seed


@pytest.fixture(scope="module")
def partition() -> Partition:
    dataset: Dataset = make(SyntheticConfig(users=400, items=300, interactions=6000, groups=6, width=4), Seed(1))[0]
    return Partition.from_request(dataset, ForgetRequest(users=tuple(dataset.users.names[:12])))


def tables(partition: Partition, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(len(partition.user_rows), 8, generator=rng), torch.randn(
        len(partition.item_rows), 8, generator=rng
    )


def test_traits_equal_dense_matrices(partition: Partition):
    users, items = tables(partition)
    graph = InputCache(partition).retained_graph(torch.device("cpu"))
    found = row_traits((users, items), (users, items), graph)
    dense, own = graph.to_dense().double().numpy(), torch.cat([users, items]).double().numpy()
    square = dense @ dense
    near, far = dense @ own, (square - np.diag(square.diagonal())) @ own
    lengths = [np.linalg.norm(rows, axis=1) for rows in (own, near, far)]
    cosines = [
        (own * rows).sum(axis=1) / (lengths[0] * length) for rows, length in zip((near, far), lengths[1:], strict=True)
    ]
    middle = np.concatenate([users @ items.mean(dim=0), items @ users.mean(dim=0)])
    expected = np.stack(
        [np.log(lengths[0]), *cosines, *np.log(lengths[1:]), np.log(lengths[0]), middle / lengths[0]], axis=1
    )
    assert np.concatenate(found) == pytest.approx(expected, abs=1e-4)


def test_a_row_is_touched_where_it_lost_more_than_others_of_its_degree(partition: Partition):
    touched = AffectedRows.of(partition, users=False)
    before = partition.original.degrees[1][partition.item_rows]
    lost = np.bincount(partition.forgotten.items, minlength=len(partition.original.items))[partition.item_rows]
    assert touched.shares == pytest.approx(lost / np.maximum(before, 1))
    assert (touched.all_strata == degree_strata(before - lost)).all()
    for stratum in np.unique(touched.strata):
        inside = touched.all_strata == stratum
        median = np.median(touched.shares[inside])
        assert (touched.all_affected[inside] == (touched.shares[inside] > median)).all()
    assert (touched.all_strata[touched.rows] == touched.strata).all()
    assert not np.isin(np.flatnonzero(before - lost == 0), touched.rows).any()


def test_rows_that_were_drawn_anew_or_shrunk_stand_out_and_others_do_not(partition: Partition):
    touched = AffectedRows.of(partition, users=False)
    graph, (users, items) = InputCache(partition).retained_graph(torch.device("cpu")), tables(partition)
    alone = structure(graph, len(users)).items
    clean = touched.mark(row_traits((users, items), (users, items), graph).items, alone)
    assert clean.rows == touched.affected.sum()
    assert clean.auc - clean.level < max(0.03, 3 * clean.auc_error)
    items[torch.from_numpy(touched.all_affected)] *= 0.5
    marked = touched.mark(row_traits((users, items), (users, items), graph).items, alone)
    assert marked.auc - marked.level > 5 * marked.auc_error
    assert marked.level == clean.level


@pytest.mark.parametrize(("touched", "others"), [(10, 300), (300, 12)])
def test_few_rows_that_nothing_tells_apart_are_not_said_to_stand_out(touched: int, others: int):
    """A classifier fitted to a handful of rows finds something by chance, more than one draw of them shows."""
    failed, rows = 0, np.arange(touched + others)
    for seed in range(150):
        rng = np.random.default_rng(seed)
        strata = rng.integers(1, 5, len(rows))
        compared = AffectedRows(rows, rows < touched, strata, np.zeros(len(rows)), strata, rows < touched)
        mark = compared.mark(*rng.normal(size=(2, len(rows), 7)))
        failed += mark_checks({MarkKind.ITEMS: mark})[0].state is Outcome.FAILED
        assert mark.auc_error >= auc_standard_error(touched, others)
    assert failed <= 2


def test_nobody_touched_is_no_question(partition: Partition):
    touched = AffectedRows.of(partition, users=True)
    assert not touched.affected.any()
    assert touched.mark(np.zeros((len(partition.user_rows), 7)), np.zeros((len(partition.user_rows), 7))) is None


def test_items_that_lost_a_modality_are_touched():
    dataset = make(SyntheticConfig(users=60, items=80, interactions=900, groups=4, width=4), Seed(2))[0]
    name = next(iter(dataset.modalities))
    asked = ForgetRequest(modalities={name: tuple(dataset.items.names[:20])})
    partition = Partition.from_request(dataset, asked)
    assert not AffectedRows.of(partition, users=False).affected.any()
    touched = AffectedRows.of(partition, users=False, features=True)
    present = dataset.modalities[name].present[:20]
    assert (touched.shares[:20] > 0).tolist() == present.tolist()
    assert not touched.shares[20:].any()


def test_structure_equals_loops_over_partners(partition: Partition):
    graph = InputCache(partition).retained_graph(torch.device("cpu"))
    found = np.concatenate(structure(graph, len(partition.user_rows)))
    dense = graph.to_dense().double().numpy()
    degree = (dense > 0).sum(axis=1)
    near = np.array([degree[row > 0].mean() if (row > 0).any() else 0 for row in dense])
    logs = [np.log1p(degree[row > 0]) for row in dense]
    expected = [
        np.log1p(degree),
        [values.mean() if len(values) else 0 for values in logs],
        [values.var() if len(values) else 0 for values in logs],
        near,
        [near[row > 0].mean() if (row > 0).any() else 0 for row in dense],
        dense.sum(axis=1),
        np.linalg.matrix_power(dense, 3).sum(axis=1),
    ]
    assert found == pytest.approx(np.array(expected).T, rel=1e-3, abs=1e-3)


def test_who_left_shows_in_the_data_where_it_was_no_random_draw():
    """The most active users leave: items that they had can be told without a model, which then adds nothing."""
    dataset = make(SyntheticConfig(users=400, items=300, interactions=9000, groups=6, width=4), Seed(1))[0]
    most = np.argsort(-dataset.degrees[0], kind="stable")[:20]
    partition = Partition.from_request(dataset, ForgetRequest(users=tuple(dataset.users.names.gather(most))))
    graph, (users, items) = InputCache(partition).retained_graph(torch.device("cpu")), tables(partition)
    alone = structure(graph, len(users)).items
    mark = AffectedRows.of(partition, users=False).mark(row_traits((users, items), (users, items), graph).items, alone)
    assert mark.auc - mark.level < max(0.03, 3 * mark.auc_error)
