"""What an audit looks at: the forgotten pairs, their controls, and every input a model needs to answer for them.

Users and items that were removed are stood in for by newcomers (see `newcomers`). The original model answers with its
own rows, every other model (Gold included) with the same newcomers, so that the figures can be compared. Lost features
of retained items are attached again likewise, and judged by their branch alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from mmrecun.arrays import Bools, Ints
from mmrecun.auditing.bystanders import Moved, least_touched
from mmrecun.auditing.cold_start import with_newcomers
from mmrecun.auditing.marks import Touched
from mmrecun.auditing.membership import random_controls
from mmrecun.auditing.questions import Questions
from mmrecun.auditing.row_traits import RowTraits, row_traits, structure
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import GraphInputs, InputSpec, build_inputs, graph_of
from mmrecun.data.interactions import Interactions, Split
from mmrecun.evaluation.stratified import By, degrees, strata
from mmrecun.forget.partition import Partition, held_out
from mmrecun.models.base import ID_TABLES, Pair, Recommender, Sizes, Vectors
from mmrecun.rng import Seed

_SEED = Seed(20).child("audit")
_UNTRAINED = Seed(20).child("examine").child("untrained")
_CONTROLS = 1000


def _answers(model: Recommender, inputs: GraphInputs) -> Vectors:
    """Vectors without their history: a model may answer with its own parameters."""
    vectors = model.vectors(inputs)
    branches = {name: (users.detach(), items.detach()) for name, (users, items) in vectors.branches.items()}
    return Vectors(vectors.users.detach(), vectors.items.detach(), branches=branches)


class Stage:
    """The datasets an audit shows to models; the inputs of each are built once for all models that read the same."""

    def __init__(self, parts: Partition) -> None:
        self.parts = parts
        self._built: dict[tuple[str, InputSpec, torch.device], GraphInputs] = {}
        self._neighbours: dict[bytes, sp.csr_array] = {}
        self._untrained: dict[str, Vectors] = {}
        self._retained_graph: Tensor | None = None
        self._structure: RowTraits | None = None

    def retained_graph(self, device: torch.device) -> Tensor:
        """CSR [U' + I', U' + I'], the normalised graph of the retained training pairs, also for models without one."""
        if self._retained_graph is None:
            data = self.parts.retained
            self._retained_graph = graph_of(data.train, len(data.users), len(data.items), device).forward
        return self._retained_graph

    def structure(self, device: torch.device) -> RowTraits:
        """Traits that the retained pairs alone give."""
        if self._structure is None:
            self._structure = structure(self.retained_graph(device), len(self.parts.user_rows))
        return self._structure

    def traits(self, model: Recommender, served: Pair) -> RowTraits:
        """Traits of the retained rows on the retained graph; the original is seen as if it were served as it is.

        Args:
            model: of the retained data, or the original.
            served: vectors [U', D] and [I', D] of the retained users and items.
        """
        tables = [model.get_parameter(name).detach() for name in ID_TABLES]
        kept = (self.parts.user_rows, self.parts.item_rows)
        users, items = (
            table if len(table) == len(rows) else table[torch.from_numpy(rows).to(table.device)]
            for table, rows in zip(tables, kept, strict=True)
        )
        return row_traits((users, items), served, self.retained_graph(users.device))

    @torch.no_grad()
    def original(self, model: Recommender) -> Vectors:
        """Of the original model, on what it was trained on."""
        return _answers(model, self.inputs("original", model, self.parts.original))

    @torch.no_grad()
    def retained(self, model: Recommender) -> Vectors:
        """Of a model of the retained data, as it is served; rows of the retained data."""
        return _answers(model, self.inputs("retained", model, self.parts.retained))

    @torch.no_grad()
    def stand_in(self, model: Recommender) -> Vectors:
        """Of a model of the retained data, in original rows, with newcomers for what was removed."""
        return self.shown(self.with_rows(model))

    def with_rows(self, model: Recommender) -> Recommender:
        """A copy of a model of the retained data, in original rows, with newcomers for what was removed."""
        return with_newcomers(model, self.parts, _SEED.child("newcomers"))

    @torch.no_grad()
    def shown(self, model: Recommender) -> Vectors:
        """Of a model that has a row for everybody, on the retained data in original rows."""
        return _answers(model, self.shown_inputs(model))

    def untrained(self, model: Recommender) -> Vectors:
        """As `shown`, of a model like this one that has learned nothing."""
        original = self.parts.original
        sizes = Sizes(users=len(original.users), items=len(original.items), widths=model.sizes.widths)
        kind = f"{type(model).__name__} {model.settings.model_dump_json()} {sizes.model_dump_json()}"
        if kind not in self._untrained:
            fresh = type(model)(model.settings, sizes, _UNTRAINED.torch()).to(next(model.parameters()).device)
            self._untrained[kind] = self.shown(fresh)
        return self._untrained[kind]

    def shown_inputs(self, model: Recommender) -> GraphInputs:
        """The retained data in original rows, with newcomers for what was removed."""
        return self.inputs("stand-in", model, self.parts.stand_in(), self.parts.newcomers())

    def inputs(
        self, name: str, model: Recommender, dataset: Dataset, newcomers: Mapping[str, Bools] | None = None
    ) -> GraphInputs:
        """What a model reads of `dataset`, built once for each `name` and kind of model."""
        key = (name, model.spec(), next(model.parameters()).device)
        if key not in self._built:
            self._built[key] = build_inputs(dataset, key[1], key[2], newcomers, self._neighbours)
        return self._built[key]


@dataclass(frozen=True)
class Probe:
    """The forgotten pairs and their controls, in original rows; the same for every state of one audit.

    Attributes:
        branch: the modality whose own scores are judged, or "" for the whole score.
        forgotten: pairs under test.
        seen: retained positives, masked in rankings.
        controls: held-out positives, or a sample of them.
        random: unseen pairs of the same users.
        by: what controls are matched on: the popularity of users, items or both, whichever is left.
        affected: bool [U], users that had a forgotten pair, or, where all of those are gone, that share an item with
            them.
        questions: the comparisons of each kind of thing that was forgotten.
        touched_users, touched_items: retained rows that the request touched more than others.
        moved: whose lists are compared with those before.
        stage: the inputs of every dataset that models are shown.
    """

    branch: str
    forgotten: Interactions
    seen: Interactions
    controls: Interactions
    random: Interactions
    by: By
    affected: Bools
    questions: Questions
    touched_users: Touched
    touched_items: Touched
    moved: Moved
    stage: Stage

    def strata(self, pairs: Interactions, seen: Interactions) -> Ints:
        """Strata of `pairs` by popularity in `seen`."""
        original = self.stage.parts.original
        return strata(pairs, *degrees(seen, len(original.users), len(original.items)), by=self.by)

    def owners(self, pairs: Interactions) -> Ints:
        """Whose pairs stand or fall together: the removed items', else the users'."""
        return pairs.items if self.by == "users" else pairs.users


def probe_of(parts: Partition) -> Probe:
    """What to look at: the forgotten pairs, or for a pure modality request the pairs of items that lost features."""
    train = parts.held.part(Split.TRAIN)
    branch, forgotten, seen = "", parts.forgotten, train
    controls = held_out(parts.original.with_interactions(parts.held)) if len(train) else train
    if not len(forgotten) and parts.lost_features:
        branch, lost = max(parts.lost_features.items(), key=lambda entry: int(entry[1].sum()))
        inside = lost[train.items]
        forgotten, seen = train.select(inside), train.select(~inside)
        controls = controls.select(lost[controls.items])
    users, items = len(parts.original.users), len(parts.original.items)
    rng = _SEED.numpy()
    random = random_controls(forgotten, parts.original.train, users, items, rng) if len(forgotten) else forgotten
    rows = np.unique(parts.retained.train.users)
    return Probe(
        branch=branch,
        forgotten=forgotten,
        seen=seen,
        controls=controls.sample(max(_CONTROLS, 2 * len(forgotten)), rng),
        random=random,
        by=_matched_on(parts),
        affected=_affected(parts, forgotten, train),
        questions=Questions.of(parts),
        touched_users=Touched.of(parts, users=True),
        touched_items=Touched.of(parts, users=False),
        moved=Moved(rows, least_touched(parts, rows), Touched.of(parts, users=False, features=True)),
        stage=Stage(parts),
    )


def _matched_on(parts: Partition) -> By:
    gone = (bool(parts.lost_users.any()), bool(parts.lost_items.any()))
    return {(True, False): "items", (False, True): "users"}.get(gone, "both")  # type: ignore[return-value]


def _affected(parts: Partition, forgotten: Interactions, train: Interactions) -> Bools:
    touched = np.zeros(len(parts.original.users), dtype=bool)
    touched[forgotten.users] = True
    touched &= ~parts.lost_users
    if not touched.any():
        touched[train.users[np.isin(train.items, forgotten.items)]] = True
    return touched


def lost_rows(parts: Partition) -> int:
    """How many users and items have no row any more."""
    return int(np.sum(parts.lost_users) + np.sum(parts.lost_items))
