"""Runs that claim to have forgotten and have not, or have done harm: what a verdict must refuse."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Bools, Ints
from mmrecun.auditing.measure import Subject, ask
from mmrecun.auditing.membership import matched_auc
from mmrecun.auditing.setup import Probe
from mmrecun.data.dataset import Dataset, positions
from mmrecun.data.graph import graph_of
from mmrecun.data.sparse import product, square_diagonal
from mmrecun.forget.partition import Partition, partition, take_out
from mmrecun.forget.request import ForgetRequest
from mmrecun.jobs._unlearn import task_of
from mmrecun.models.base import ID_TABLES, Recommender, Sizes, carry_over
from mmrecun.models.inference import vectors_of
from mmrecun.rng import Seed
from mmrecun.runs import Run
from mmrecun.unlearning.base import presence
from mmrecun.unlearning.registry import method_class
from mmrecun.unlearning.vector_model import retained_table

SEED = Seed(5).child("fakes")
Fake = Callable[["Case"], Recommender | None]


@dataclass(frozen=True)
class Case:
    """One request to one trained model.

    Attributes:
        original: the run before.
        parts, probe: original and retained data, and what an audit asks.
        older: another training on all of the data.
        gold: a model of the retained data.
        half: the model trained without half of the request, and what it knows; None where it was not made.
        other: another request of the same kind.
    """

    original: Run
    parts: Partition
    probe: Probe
    older: Run
    gold: Recommender
    half: tuple[Recommender, Dataset] | None
    other: ForgetRequest

    def by(self, method: str, model: Recommender | None = None, parts: Partition | None = None) -> Recommender:
        """What an unlearning method of the package makes of the original, or of another model and its data."""
        kind = method_class(method)
        task = task_of(model or self.original.model, parts or self.parts, self.original.training, SEED)
        return kind(kind.Config()).run(task).model

    def auc(self, model: Recommender) -> float:
        """How well the forgotten pairs are still recognised, where one kind of thing was forgotten."""
        subject = Subject("unlearned", self.original.folder, model, 0, 0.0)
        whole, served = ask(subject, self.parts, self.probe)
        traits = self.probe.stage.traits(model, served)
        structure = self.probe.stage.structure(served[0].device)
        found = self.probe.questions.comparisons(model, whole, traits, structure, self.probe.stage.inputs)
        asked = next(iter(found.values()))
        estimate = matched_auc(asked.forgotten, asked.held_out)
        return estimate.value if estimate else 0.5

    def touched(self) -> dict[str, Bools]:
        """Table -> its rows that the request touched more than others."""
        return {
            name: touched.above
            for name, touched in zip(ID_TABLES, (self.probe.touched_users, self.probe.moved.touched), strict=True)
        }


def filter_only(case: Case) -> Recommender:
    """Nothing is changed but the lists: the vectors of the original, on its own graph."""
    vectors = vectors_of(case.original.model, case.original.dataset)
    return retained_table(case.parts, vectors.users, vectors.items)


def graph_swap(case: Case) -> Recommender:
    """The trained rows on the retained graph."""
    return case.by("unlink")


def older_run(case: Case) -> Recommender:
    """An older training on everything, restored, and its rows and edges taken out."""
    return case.by("unlink", case.older.model)


def half_done(case: Case) -> Recommender | None:
    """Half of the request forgotten as Gold would, the other half only taken out."""
    if case.half is None:
        return None
    model, data = case.half
    return case.by("unlink", model, partition(data, case.parts.retained))


def another_request(case: Case) -> Recommender:
    """A run fine-tuned without other people, items or pairs, under this request's manifest."""
    parts = take_out(case.original.dataset, case.other)
    model, original = case.by("finetune", parts=parts), case.original.dataset
    users, items = (
        positions(rows, size)[kept]
        for rows, size, kept in (
            (parts.user_rows, len(original.users), case.parts.user_rows),
            (parts.item_rows, len(original.items), case.parts.item_rows),
        )
    )
    sizes = Sizes.of_dataset(case.parts.retained)
    fake = carry_over(model, sizes, users, items, presence(case.parts.retained), SEED)
    for name, table in fake.tables().items():
        rows, kept = (users, case.parts.user_rows) if table.of == "users" else (items, case.parts.item_rows)
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
    if case.parts.lost_features:
        return None
    return _turned(case, _copy(case.gold), 0.5)


def bystanders_harmed(case: Case) -> Recommender | None:
    """Forgotten as by Gold, and then touched items are made longer, so that they enter everybody's lists."""
    model = _copy(case.gold)
    at = torch.from_numpy(case.touched()[ID_TABLES[1]])
    if not at.any():
        return None
    with torch.no_grad():
        for table in model.tables().values():
            if table.of == "items" and table.modality is None:
                table.weight[at] *= 1.7
    return model


def noise_until_chance(case: Case) -> Recommender | None:
    """Noise on touched rows, doubled until the forgotten pairs are no longer recognised."""
    return _until(case, lambda size: _noisy(case, size, everywhere=False), lambda auc: auc < 0.52)


def noise_everywhere(case: Case) -> Recommender | None:
    """The same on all rows."""
    return _until(case, lambda size: _noisy(case, size, everywhere=True), lambda auc: auc < 0.52)


def over_forgotten(case: Case) -> Recommender | None:
    """Rows of what was forgotten together are pushed apart, further and further, until that marks them."""
    if case.parts.lost_features:
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
    """The first of ever stronger fakes whose AUC is where it should be; None if none is."""
    for power in range(10):
        model = make(0.1 * 1.6**power)
        if enough(case.auc(model)):
            return model
    return None


def _copy(model: Recommender) -> Recommender:
    users, items = np.arange(model.sizes.users), np.arange(model.sizes.items)
    present = {name: np.ones(model.sizes.items, dtype=bool) for name in model.sizes.widths}
    return carry_over(model, model.sizes, users, items, present, SEED)


@torch.no_grad()
def _edited(case: Case, model: Recommender, edit: Callable[[Tensor, torch.Generator], Tensor]) -> Recommender:
    """The touched rows of every trained table replaced by what `edit` makes of them."""
    rng, touched = SEED.child("rows").torch(), case.touched()
    for table in model.tables().values():
        at = torch.from_numpy(touched[ID_TABLES[table.of == "items"]])
        if table.modality is None and at.any() and not table.zeros:
            table.weight[at] = edit(table.weight[at], rng)
    return model


@torch.no_grad()
def _turned(case: Case, model: Recommender, share: float) -> Recommender:
    data, touched = case.parts.retained, case.touched()
    graph = graph_of(data.train, len(data.users), len(data.items), torch.device("cpu"))
    tables = [model.get_parameter(name).detach() for name in ID_TABLES]
    own, adjacency = torch.cat(tables), graph.forward
    # two hops lead to those with the same partners; the way back to oneself does not count
    far = product(adjacency, product(adjacency, own)) - square_diagonal(adjacency)[:, None] * own
    for name, rows in zip(ID_TABLES, far.split([len(table) for table in tables]), strict=True):
        weight, at = model.get_parameter(name), torch.from_numpy(touched[name])
        length = weight[at].norm(dim=1, keepdim=True)
        aim = rows[at] / rows[at].norm(dim=1, keepdim=True).clamp(min=1e-12) * length
        mixed = torch.lerp(weight[at], aim, share)
        weight[at] = mixed / mixed.norm(dim=1, keepdim=True).clamp(min=1e-12) * length
    return model


@torch.no_grad()
def _noisy(case: Case, size: float, everywhere: bool) -> Recommender:
    model, rng, touched = case.by("unlink"), SEED.child("noise").torch(), case.touched()
    for table in model.tables().values():
        at = torch.from_numpy(touched[ID_TABLES[table.of == "items"]])
        at = torch.ones_like(at) if everywhere else at
        noise = torch.randn(int(at.sum()), table.weight.shape[1], generator=rng)
        table.weight[at] += size * table.weight.square().mean().sqrt() * noise
    return model


@torch.no_grad()
def _apart(case: Case, size: float) -> Recommender:
    """Move each row away from the mean of the rows it was forgotten with."""
    model, parts = case.by("unlink"), case.parts
    users, items = (model.get_parameter(name) for name in ID_TABLES)
    if parts.lost_users.any() or parts.lost_items.any():
        sides = (parts.forgotten.users, parts.forgotten.items, parts.item_rows, items)
        if parts.lost_items.any():
            sides = (parts.forgotten.items, parts.forgotten.users, parts.user_rows, users)
        _repel(*sides, size)
        return model
    rows = [torch.from_numpy(side.copy()) for side in (parts.forgotten.users, parts.forgotten.items)]
    mine, theirs = users.detach().clone(), items.detach().clone()
    users.index_add_(0, rows[0], -size * theirs[rows[1]] * mine.norm() / theirs.norm())
    items.index_add_(0, rows[1], -size * mine[rows[0]] * theirs.norm() / mine.norm())
    return model


def _repel(owners: Ints, partners: Ints, kept: Ints, table: Tensor, size: float) -> None:
    place = positions(kept, int(max(partners.max(), kept.max())) + 1)[partners]
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
