"""Runs that claim to have forgotten and have not, or have done harm: what a verdict must refuse."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Bools, Ints
from mmrecun.auditing.figures import RunKind
from mmrecun.auditing.membership import matched_auc
from mmrecun.auditing.model_outputs import AuditedRun, model_outputs
from mmrecun.auditing.setup import AuditSetup
from mmrecun.data.dataset import Dataset, inverse_index
from mmrecun.data.graph import user_item_graph
from mmrecun.data.sparse import product, square_diagonal
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.base import Recommender, Sizes, transfer_rows
from mmrecun.models.inference import vectors_of
from mmrecun.rng import Seed
from mmrecun.runs import Run
from mmrecun.unlearning.base import Task, presence
from mmrecun.unlearning.registry import method_class
from mmrecun.unlearning.vector_model import retained_vector_model

SEED = Seed(5).child("fakes")
Fake = Callable[["Case"], Recommender | None]


@dataclass(frozen=True)
class Case:
    """One request to one trained model.

    Attributes:
        original: the run before.
        partition, setup: original and retained data, and what an audit asks.
        older: another training on all of the data.
        gold: a model of the retained data.
        half: the model trained without half of the request, and what it knows; None where it was not made.
        other: another request of the same kind.
    """

    original: Run
    partition: Partition
    setup: AuditSetup
    older: Run
    gold: Recommender
    half: tuple[Recommender, Dataset] | None
    other: ForgetRequest

    def by(self, method: str, model: Recommender | None = None, partition: Partition | None = None) -> Recommender:
        """Return what an unlearning method of the package makes of the original, or of another model and its data."""
        kind = method_class(method)
        task = Task.of(model or self.original.model, partition or self.partition, self.original.training, SEED)
        return kind(kind.Config()).run(task).model

    def auc(self, model: Recommender) -> float:
        """How well the forgotten pairs are still recognised, where one kind of thing was forgotten."""
        audited = AuditedRun(RunKind.UNLEARNED, self.original.folder, model, 0, 0.0)
        padded, retained = model_outputs(audited, self.partition, self.setup)
        traits = self.setup.cache.traits(model, retained)
        structure = self.setup.cache.structure(retained[0].device)
        found = self.setup.recognition_tests.comparisons(model, padded, traits, structure, self.setup.cache.inputs)
        asked = next(iter(found.values()))
        estimate = matched_auc(asked.forgotten, asked.held_out)
        return estimate.value if estimate else 0.5

    def touched(self) -> dict[str, Bools]:
        """Return `users` and `items` -> the rows that the request touched more than others."""
        users, items = self.setup.affected_user_rows, self.setup.list_changes.affected
        return {"users": users.all_affected, "items": items.all_affected}


def filter_only(case: Case) -> Recommender:
    """Nothing is changed but the lists: the vectors of the original, on its own graph."""
    vectors = vectors_of(case.original.model, case.original.dataset)
    return retained_vector_model(case.partition, vectors.users, vectors.items)


def graph_swap(case: Case) -> Recommender:
    """Return the trained rows on the retained graph."""
    return case.by("unlink")


def older_run(case: Case) -> Recommender:
    """Return an older training on everything, restored, and its rows and edges taken out."""
    return case.by("unlink", case.older.model)


def half_done(case: Case) -> Recommender | None:
    """Half of the request forgotten as Gold would, the other half only taken out."""
    if case.half is None:
        return None
    model, data = case.half
    return case.by("unlink", model, Partition.between(data, case.partition.retained))


def another_request(case: Case) -> Recommender:
    """Return a run fine-tuned without other people, items or pairs, under this request's manifest."""
    partition = Partition.from_request(case.original.dataset, case.other)
    model, original = case.by("finetune", partition=partition), case.original.dataset
    users, items = (
        inverse_index(rows, size)[kept]
        for rows, size, kept in (
            (partition.user_rows, len(original.users), case.partition.user_rows),
            (partition.item_rows, len(original.items), case.partition.item_rows),
        )
    )
    sizes = Sizes.of_dataset(case.partition.retained)
    fake = transfer_rows(model, sizes, users, items, presence(case.partition.retained), SEED)
    for name, table in fake.tables().items():
        rows, kept = (users, case.partition.user_rows) if table.side == "users" else (items, case.partition.item_rows)
        _put(table.weight, np.flatnonzero(rows < 0), case.original.model.get_parameter(name), kept[rows < 0])
    return fake


def rows_zeroed(case: Case) -> Recommender:
    """Touched rows are zero."""
    return _edited(case, case.by("unlink"), lambda rows, _: torch.zeros_like(rows))


def rows_random(case: Case) -> Recommender:
    """Touched rows are random, as long as before."""

    def drawn(rows: Tensor, rng: torch.Generator) -> Tensor:
        fresh = torch.randn(rows.shape, generator=rng)
        return fresh / fresh.norm(dim=1, keepdim=True) * rows.norm(dim=1, keepdim=True)

    return _edited(case, case.by("unlink"), drawn)


def two_hop_rows(case: Case) -> Recommender:
    """Touched rows are what two hops over the retained graph say of them, as long as before."""
    return _turned(case, case.by("unlink"), 1.0)


def listed_by_cosine(case: Case) -> Recommender | None:
    """Forgotten as by Gold, and then touched rows are turned half way to what two hops say of them.

    Which items lost a modality the data themselves list, so such requests have no fake of this kind.
    """
    if case.partition.removed_features:
        return None
    return _turned(case, _copy(case.gold), 0.5)


def bystanders_harmed(case: Case) -> Recommender | None:
    """Forgotten as by Gold, and then touched items are made longer, so that they enter everybody's lists."""
    model = _copy(case.gold)
    at = torch.from_numpy(case.touched()["items"])
    if not at.any():
        return None
    with torch.no_grad():
        for table in model.tables().values():
            if table.side == "items" and table.modality is None:
                table.weight[at] *= 1.7
    return model


def noise_until_chance(case: Case) -> Recommender | None:
    """Noise on touched rows, doubled until the forgotten pairs are no longer recognised."""
    return _until(case, lambda size: _noisy(case, size, everywhere=False), lambda auc: auc < 0.52)


def noise_everywhere(case: Case) -> Recommender | None:
    """Return the same on all rows."""
    return _until(case, lambda size: _noisy(case, size, everywhere=True), lambda auc: auc < 0.52)


def over_forgotten(case: Case) -> Recommender | None:
    """Rows of what was forgotten together are pushed apart, further and further, until that marks them."""
    if case.partition.removed_features:
        return None
    return _until(case, lambda size: _apart(case, size), lambda auc: auc < 0.42)


FAKES: tuple[Fake, ...] = (
    filter_only,
    graph_swap,
    older_run,
    half_done,
    another_request,
    rows_zeroed,
    rows_random,
    two_hop_rows,
    over_forgotten,
    noise_until_chance,
    noise_everywhere,
    bystanders_harmed,
    listed_by_cosine,
)


def _until(case: Case, make: Callable[[float], Recommender], enough: Callable[[float], bool]) -> Recommender | None:
    """Return the first of ever stronger fakes whose AUC is where it should be; None if none is."""
    for power in range(10):
        model = make(0.1 * 1.6**power)
        if enough(case.auc(model)):
            return model
    return None


def _copy(model: Recommender) -> Recommender:
    users, items = np.arange(model.sizes.users), np.arange(model.sizes.items)
    present = {name: np.ones(model.sizes.items, dtype=bool) for name in model.sizes.widths}
    return transfer_rows(model, model.sizes, users, items, present, SEED)


@torch.no_grad()
def _edited(case: Case, model: Recommender, edit: Callable[[Tensor, torch.Generator], Tensor]) -> Recommender:
    """Return the touched rows of every trained table replaced by what `edit` makes of them."""
    rng, touched = SEED.child("rows").torch(), case.touched()
    for table in model.tables().values():
        at = torch.from_numpy(touched[table.side])
        if table.modality is None and at.any() and not table.zeros:
            table.weight[at] = edit(table.weight[at], rng)
    return model


@torch.no_grad()
def _turned(case: Case, model: Recommender, share: float) -> Recommender:
    data, touched = case.partition.retained, case.touched()
    graph = user_item_graph(data.train, len(data.users), len(data.items), torch.device("cpu"))
    tables = [table.weight.detach() for table in model.id_tables().values()]
    own, adjacency = torch.cat(tables), graph.forward
    # two hops lead to those with the same partners; the way back to oneself does not count
    far = product(adjacency, product(adjacency, own)) - square_diagonal(adjacency)[:, None] * own
    sides = zip(touched.values(), tables, far.split([len(table) for table in tables]), strict=True)
    for mask, weight, rows in sides:
        at = torch.from_numpy(mask)
        length = weight[at].norm(dim=1, keepdim=True)
        aim = rows[at] / rows[at].norm(dim=1, keepdim=True).clamp(min=1e-12) * length
        mixed = torch.lerp(weight[at], aim, share)
        weight[at] = mixed / mixed.norm(dim=1, keepdim=True).clamp(min=1e-12) * length
    return model


@torch.no_grad()
def _noisy(case: Case, size: float, everywhere: bool) -> Recommender:
    model, rng, touched = case.by("unlink"), SEED.child("noise").torch(), case.touched()
    for table in model.tables().values():
        at = torch.from_numpy(touched[table.side])
        at = torch.ones_like(at) if everywhere else at
        noise = torch.randn(int(at.sum()), table.weight.shape[1], generator=rng)
        table.weight[at] += size * table.weight.square().mean().sqrt() * noise
    return model


@torch.no_grad()
def _apart(case: Case, size: float) -> Recommender:
    """Move each row away from the mean of the rows it was forgotten with."""
    model, partition = case.by("unlink"), case.partition
    users, items = (table.weight for table in model.id_tables().values())
    if partition.removed_users.any() or partition.removed_items.any():
        sides = (partition.forgotten.users, partition.forgotten.items, partition.item_rows, items)
        if partition.removed_items.any():
            sides = (partition.forgotten.items, partition.forgotten.users, partition.user_rows, users)
        _repel(*sides, size)
        return model
    rows = [torch.from_numpy(side.copy()) for side in (partition.forgotten.users, partition.forgotten.items)]
    mine, theirs = users.detach().clone(), items.detach().clone()
    users.index_add_(0, rows[0], -size * theirs[rows[1]] * mine.norm() / theirs.norm())
    items.index_add_(0, rows[1], -size * mine[rows[0]] * theirs.norm() / mine.norm())
    return model


def _repel(owners: Ints, partners: Ints, kept: Ints, table: Tensor, size: float) -> None:
    place = inverse_index(kept, int(max(partners.max(), kept.max())) + 1)[partners]
    _, whose = np.unique(owners, return_inverse=True)
    group, at = torch.from_numpy(whose), torch.from_numpy(place)
    rows = table[at]
    counts = torch.bincount(group).clamp(min=2)[:, None]
    sums = torch.zeros(len(counts), table.shape[1]).index_add_(0, group, rows)
    others = (sums[group] - rows) / (counts[group] - 1)
    table.index_add_(0, at, -size * others)


@torch.no_grad()
def _put(weight: Tensor, at: Ints, source: Tensor, rows: Ints) -> None:
    weight[torch.from_numpy(at)] = source[torch.from_numpy(rows)]
