"""The subject of an audit: the forgotten pairs, their controls, and every input a model needs to score them.

Removed users and items are replaced by newcomers (see `cold_start`). The original model has its own rows for them, and
every other model (Gold included) the same newcomers, so that the figures can be compared. Lost features of retained
items are attached again in the same way, and scored by their branch alone.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from mmrecun.arrays import Bools, Ints
from mmrecun.auditing.bystanders import ListChanges, least_affected
from mmrecun.auditing.cold_start import with_newcomers
from mmrecun.auditing.marks import AffectedRows
from mmrecun.auditing.membership import PairGroup, random_controls
from mmrecun.auditing.recognition_tests import RecognitionTests
from mmrecun.auditing.reference import ReferenceLevels
from mmrecun.auditing.sampling import MeasuredUsers, measured_users
from mmrecun.data.graph import GraphInputs, RequiredInputs, user_item_graph
from mmrecun.data.interactions import Interactions, Split
from mmrecun.evaluation.ranking import percentiles
from mmrecun.evaluation.row_traits import RowTraits, row_traits, structure
from mmrecun.evaluation.stratified import By, degrees, strata
from mmrecun.forget import views
from mmrecun.forget.partition import Partition, targets_of
from mmrecun.forget.request import Target
from mmrecun.forget.views import View
from mmrecun.models.base import Recommender, Sizes, UserItemVectors, Vectors
from mmrecun.rng import Seed

_SEED = Seed(20).child("audit")
_UNTRAINED = Seed(20).child("examine").child("untrained")
_CONTROLS = 1000


def _answers(model: Recommender, inputs: GraphInputs) -> Vectors:
    """Detach vectors, which may be a model's own parameters."""
    vectors = model.vectors(inputs)
    branches = {name: (users.detach(), items.detach()) for name, (users, items) in vectors.branches.items()}
    return Vectors(vectors.users.detach(), vectors.items.detach(), branches=branches)


class InputCache:
    """The inputs of each view of the data, built once for all models that read the same."""

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self._built: dict[tuple[str, RequiredInputs, torch.device], GraphInputs] = {}
        self._neighbours: dict[bytes, sp.csr_array] = {}
        self._untrained: dict[str, Vectors] = {}
        self._retained_graph: Tensor | None = None
        self._structure: RowTraits | None = None

    def retained_graph(self, device: torch.device) -> Tensor:
        """Build the normalised graph of the retained training pairs, CSR [U' + I', U' + I'], for any model."""
        if self._retained_graph is None:
            data = self.partition.retained
            self._retained_graph = user_item_graph(data.train, len(data.users), len(data.items), device).forward
        return self._retained_graph

    def structure(self, device: torch.device) -> RowTraits:
        """Compute the traits that the retained pairs alone give."""
        if self._structure is None:
            self._structure = structure(self.retained_graph(device), len(self.partition.user_rows))
        return self._structure

    def traits(self, model: Recommender, retained: UserItemVectors) -> RowTraits:
        """Compute the traits of the retained rows on the retained graph; for the original, as if it were served.

        Args:
            model: model of the retained data, or the original.
            retained: vectors [U', D] and [I', D] of the retained users and items.
        """
        tables = [table.weight.detach() for table in model.id_tables().values()]
        kept = (self.partition.user_rows, self.partition.item_rows)
        users, items = (
            table if len(table) == len(rows) else table[torch.from_numpy(rows).to(table.device)]
            for table, rows in zip(tables, kept, strict=True)
        )
        return row_traits((users, items), retained, self.retained_graph(users.device))

    @torch.no_grad()
    def original(self, model: Recommender) -> Vectors:
        """Return the vectors of the original model, on what it was trained on."""
        return _answers(model, self.inputs(views.original(self.partition), model))

    @torch.no_grad()
    def retained(self, model: Recommender) -> Vectors:
        """Return the vectors of a model of the retained data, as it is served, in rows of the retained data."""
        return _answers(model, self.inputs(views.retained(self.partition), model))

    @torch.no_grad()
    def padded(self, model: Recommender) -> Vectors:
        """Return the vectors of a model of the retained data, in original rows, with newcomers for what was removed."""
        return self.padded_of(self.padded_model(model))

    def padded_model(self, model: Recommender) -> Recommender:
        """Return a copy of a model of the retained data, in original rows, with newcomers for what was removed."""
        return with_newcomers(model, self.partition, _SEED.child("newcomers"))

    @torch.no_grad()
    def padded_of(self, model: Recommender) -> Vectors:
        """Return the vectors of a model with a row for everybody, on the retained data, in original rows."""
        return _answers(model, self.padded_inputs(model))

    def untrained(self, model: Recommender) -> Vectors:
        """Return the same as `padded` for an untrained model of this kind."""
        original = self.partition.original
        sizes = Sizes(users=len(original.users), items=len(original.items), widths=model.sizes.widths)
        kind = f"{type(model).__name__} {model.config.model_dump_json()} {sizes.model_dump_json()}"
        if kind not in self._untrained:
            fresh = type(model)(model.config, sizes, _UNTRAINED.torch()).to(next(model.parameters()).device)
            self._untrained[kind] = self.padded_of(fresh)
        return self._untrained[kind]

    def padded_inputs(self, model: Recommender) -> GraphInputs:
        """Return what a model reads of the retained data in original rows, with newcomers for what was removed."""
        return self.inputs(views.padded(self.partition), model)

    def inputs(self, view: View, model: Recommender) -> GraphInputs:
        """Return what a model reads of `view`, built once for each name of a view and kind of model."""
        required, device = model.required_inputs(), next(model.parameters()).device
        key = (view.name, required, device)
        if key not in self._built:
            self._built[key] = view.inputs(required, device, self._neighbours)
        return self._built[key]


@dataclass(frozen=True)
class AuditSetup:
    """The forgotten pairs and their controls, in original rows; the same for every state of one audit.

    Attributes:
        branch: the modality whose own scores are audited, or "" for the whole score.
        forgotten: pairs under test.
        seen: retained positives, masked in rankings.
        controls: held-out positives, or a sample of them.
        random: unseen pairs of the same users.
        by: what controls are matched on: the popularity of users, of items, or of both.
        affected: bool [U], retained users with a forgotten pair; if there are none, users who share an item with
            removed ones.
        measured: the users whose lists are made.
        recognition_tests: the comparisons of each kind of thing that was forgotten.
        references: what the retained pairs alone give in these.
        affected_user_rows, affected_item_rows: retained rows that the request touched more than others.
        list_changes: the users whose lists are compared with those before.
        cache: the inputs of every view of the data.
    """

    branch: str
    forgotten: Interactions
    seen: Interactions
    controls: Interactions
    random: Interactions
    by: By
    affected: Bools
    measured: MeasuredUsers
    recognition_tests: RecognitionTests
    references: ReferenceLevels
    affected_user_rows: AffectedRows
    affected_item_rows: AffectedRows
    list_changes: ListChanges
    cache: InputCache

    def strata(self, pairs: Interactions, seen: Interactions) -> Ints:
        """Stratify `pairs` by popularity in `seen`."""
        original = self.cache.partition.original
        return strata(pairs, *degrees(seen, len(original.users), len(original.items)), by=self.by)

    def placed(self, pair: UserItemVectors, pairs: Interactions) -> PairGroup:
        """Rank `pairs` by the vectors [U, D] and [I, D] among what their users have not seen."""
        return PairGroup(percentiles(*pair, self.seen, pairs), self.strata(pairs, self.seen), self.owners(pairs))

    def owners(self, pairs: Interactions) -> Ints:
        """Return the owners of pairs: removed items, or else the users."""
        return pairs.items if self.by == "users" else pairs.users


def audit_setup(partition: Partition, sample: int | None = None, measured: MeasuredUsers | None = None) -> AuditSetup:
    """Choose the pairs under audit, their controls and the measured users.

    The pairs are the forgotten ones or, for a request of modalities alone, those of items that lost features.

    Args:
        partition: original and retained data.
        sample: number of users in the retained figures; see `sampling.sample_size`.
        measured: the users whose lists are made, if they are already drawn.
    """
    train = partition.retained_pairs.split(Split.TRAIN)
    branch, forgotten, seen, controls = "", partition.forgotten, train, partition.retained_pairs.held_out
    if not len(forgotten) and partition.removed_features:
        branch, lost = max(partition.removed_features.items(), key=lambda entry: int(entry[1].sum()))
        inside = lost[train.items]
        forgotten, seen = train.select(inside), train.select(~inside)
        controls = controls.select(lost[controls.items])
    users, items = len(partition.original.users), len(partition.original.items)
    rng = _SEED.numpy()
    random = random_controls(forgotten, partition.original.train, users, items, rng) if len(forgotten) else forgotten
    affected = _affected(partition, forgotten, train)
    measured = measured or measured_users(partition, affected, sample)
    tests = RecognitionTests.of(partition)
    return AuditSetup(
        branch=branch,
        forgotten=forgotten,
        seen=seen,
        controls=controls.sample(max(_CONTROLS, 2 * len(forgotten)), rng),
        random=random,
        by=_matched_on(partition),
        affected=affected,
        measured=measured,
        recognition_tests=tests,
        references=ReferenceLevels(tests),
        affected_user_rows=AffectedRows.of(partition, users=True),
        affected_item_rows=AffectedRows.of(partition, users=False),
        list_changes=ListChanges(
            measured.rows,
            least_affected(partition, measured.rows),
            AffectedRows.of(partition, users=False, features=True),
        ),
        cache=InputCache(partition),
    )


def _matched_on(partition: Partition) -> By:
    users, items = bool(partition.removed_users.any()), bool(partition.removed_items.any())
    if users == items:
        return "both"
    return "items" if users else "users"  # a removed side has no retained degree to match on


def _affected(partition: Partition, forgotten: Interactions, train: Interactions) -> Bools:
    touched = np.zeros(len(partition.original.users), dtype=bool)
    touched[forgotten.users] = True
    touched &= ~partition.removed_users
    if not touched.any():
        touched[train.users[np.isin(train.items, forgotten.items)]] = True
    return touched


def removed_row_count(partition: Partition) -> int:
    """Count the users and items that have no row any more."""
    return int(np.sum(partition.removed_users) + np.sum(partition.removed_items))


def newcomers_alone(partition: Partition) -> bool:
    """Say whether every forgotten pair is one of a removed user or item, which an untrained newcomer stands for."""
    return len(partition.forgotten) > 0 and Target.INTERACTIONS not in targets_of(partition)
