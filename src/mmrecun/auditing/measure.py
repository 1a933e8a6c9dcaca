"""Measure one model state: what it still recommends, and how it ranks what was forgotten.

A state is measured once and can then be compared with any number of others: `MeasuredRun` keeps, beside the figures,
the few arrays that a comparison needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Bools, Doubles, Ints
from mmrecun.auditing import fold_in, persons, similarity
from mmrecun.auditing.bands import Band, sum_band
from mmrecun.auditing.exposure import exposure
from mmrecun.auditing.fairness import group_gaps
from mmrecun.auditing.figures import Mark, Measurements, Recognition, RunKind
from mmrecun.auditing.keys import Kind, MarkKind, Probe, ProbeKey
from mmrecun.auditing.membership import PairGroup, auc, contributions, histogram, matched_auc
from mmrecun.auditing.model_outputs import AuditedRun, ModelOutputs, model_outputs, scored_vectors
from mmrecun.auditing.ranked_lists import K, RankedLists, lists_of_measured, ranked_lists
from mmrecun.auditing.recognition import Comparison
from mmrecun.auditing.reference import ReferenceLevels
from mmrecun.auditing.setup import AuditSetup
from mmrecun.data.interactions import Interactions, Split
from mmrecun.evaluation import metrics
from mmrecun.evaluation.evaluate import hits_of
from mmrecun.evaluation.ranking import percentiles
from mmrecun.evaluation.row_traits import RowTraits
from mmrecun.forget.partition import Partition
from mmrecun.models.base import UserItemVectors, Vectors
from mmrecun.progress import Progress
from mmrecun.rng import Seed

_SAMPLE, _ASKED = 64, 1000
_SEED = Seed(20).child("measure")


@dataclass(frozen=True)
class MeasuredRun:
    """One state's figures, and the arrays by which it is compared with another state of the same audit.

    Attributes:
        figures: figures of this state.
        affected: bool [M], users with a forgotten pair.
        lists: int64 [M, 50], items recommended to each measured user; rows of the retained data.
        recall: float64 [T], retained recall@20 of each sampled test user.
        forget_recall: float64 [F], forget recall@20 of each user with a forgotten pair.
        forgotten: percentiles of the forgotten pairs; None where nothing can be ranked.
        users_recall: float64 [M], as `recall`, NaN for users without a test pair; in the order of `lists`.
        valid_recall: float64 [V], recall@20 of each sampled user with a validation pair.
        bystanders: bool [M], users least affected by the request.
        neighbours: bool [M], users nearest to what was forgotten, by this state's vectors; those of the original are
            used.
        comparisons: one for each kind of forgotten data; see `recognition_tests`.
        sampled: vectors [S, D] and [I', D] of a sample of users and of the retained items.
    """

    figures: Measurements
    affected: Bools
    lists: Ints
    recall: Doubles
    forget_recall: Doubles
    forgotten: PairGroup | None
    users_recall: Doubles
    valid_recall: Doubles
    bystanders: Bools
    neighbours: Bools
    comparisons: Mapping[Kind, Comparison]
    sampled: UserItemVectors

    @cached_property
    def shares(self) -> Tensor:
        """The distribution of the sample of users over the retained items, float64 [S, I']; Golds alone need it."""
        return similarity.shares(*self.sampled).cpu()


def measure_state(
    audited: AuditedRun,
    partition: Partition,
    setup: AuditSetup,
    outputs: ModelOutputs | None = None,
    progress: Progress | None = None,
) -> MeasuredRun:
    """Measure everything of one state, at the cost of about two evaluations.

    Args:
        audited: the run.
        partition: original and retained data.
        setup: result of `audit_setup(partition)`.
        outputs: result of `model_outputs`, if already computed.
        progress: called with the number of ranked users.
    """
    padded, (users, items) = outputs or model_outputs(audited, partition, setup)
    retained = _Retained.of(users, items, partition, setup, progress)
    forgotten = _forgotten(scored_vectors(padded, setup), setup)
    traits, structure = setup.cache.traits(audited.model, (users, items)), setup.cache.structure(users.device)
    model = None if audited.kind is RunKind.ORIGINAL else audited.model
    comparisons = setup.recognition_tests.comparisons(model, padded, traits, structure, setup.cache.inputs)
    rows = retained.lists.rows
    return MeasuredRun(
        figures=Measurements(
            name=audited.kind,
            run=audited.folder.name,
            seed=audited.seed,
            seconds=audited.seconds,
            **retained.figures(),
            **forgotten.figures,
            exposure=_exposure(padded, partition, setup),
            groups=_groups(retained.tested, partition),
            probes=_folded_in(padded, partition, setup),
            recognition=_recognition(comparisons, None if model is None else setup.references, users.device),
            marks=_marks(setup, traits, structure),
            bands=retained.tested.bands("retain") | forgotten.bands,
        ),
        affected=retained.affected[rows],
        lists=retained.lists.lists,
        recall=retained.tested.recall(),
        forget_recall=forgotten.recall,
        forgotten=forgotten.pairs,
        users_recall=retained.users_recall(),
        valid_recall=retained.valid,
        bystanders=setup.list_changes.bystanders,
        neighbours=persons.neighbours(padded.users, partition, setup.affected, rows),
        comparisons=comparisons,
        sampled=_sampled(users, items, rows),
    )


class _Retained(NamedTuple):
    """The lists of one state, and what they find of the retained held-out pairs.

    Attributes:
        lists: lists of every measured user.
        found: lists of the users with a test pair.
        tested: lists of those of them drawn for the retained figures.
        affected: bool [U'], users with a forgotten pair.
        valid: float64 [V], recall@20 on the validation pairs, of each user drawn that has some.
    """

    lists: RankedLists
    found: RankedLists
    tested: RankedLists
    affected: Bools
    valid: Doubles

    @classmethod
    def of(
        cls, users: Tensor, items: Tensor, partition: Partition, setup: AuditSetup, progress: Progress | None
    ) -> Self:
        """Rank for every measured user; arguments as for `measure_state`."""
        kept, drawn = partition.retained.interactions, setup.measured.drawn
        test = kept.split(Split.TEST)
        lists, found = lists_of_measured(users, items, partition.retained.train, test, setup.measured, progress)
        tested = found.some(drawn[lists.relevant > 0])
        valid = _valid(lists.some(drawn), kept.split(Split.VALID))
        return cls(lists, found, tested, setup.affected[partition.user_rows], valid)

    def figures(self) -> dict[str, Any]:
        """Return the fields of `Measurements` that are about them."""
        return {
            "retain": self.tested.metrics(),
            "affected": self.found.metrics(self.affected[self.found.rows]),
            "unaffected": self.tested.metrics(~self.affected[self.tested.rows]),
            "valid": float(self.valid.mean()) if len(self.valid) else None,
        }

    def users_recall(self) -> Doubles:
        """Return recall@20 of every measured user, float64 [M]; NaN without a test pair."""
        recall = np.full(len(self.lists.rows), np.nan)
        recall[self.lists.relevant > 0] = self.found.recall()
        return recall


def _folded_in(padded: Vectors, partition: Partition, setup: AuditSetup) -> dict[ProbeKey, float]:
    folded_in = fold_in.of_removed(padded, partition, setup)
    return {} if folded_in is None else {ProbeKey.named(Probe.FOLD_IN): folded_in}


def _recognition(
    comparisons: Mapping[Kind, Comparison], references: ReferenceLevels | None, device: torch.device
) -> dict[Kind, Recognition]:
    """Return how well the pairs of each comparison are recognised, beside `references`; the original has none."""
    found = {kind: comparison.figures() for kind, comparison in comparisons.items()}
    if references is None:
        return found
    return {kind: references.beside(kind, each, device) for kind, each in found.items()}


def _marks(setup: AuditSetup, traits: RowTraits, structure: RowTraits) -> dict[MarkKind, Mark]:
    """Return how well affected users and items are distinguished from others, where there are any."""
    marks = {
        MarkKind.USERS: setup.affected_user_rows.mark(traits.users, structure.users),
        MarkKind.ITEMS: setup.affected_item_rows.mark(traits.items, structure.items),
    }
    return {kind: mark for kind, mark in marks.items() if mark is not None}


def _valid(lists: RankedLists, valid: Interactions) -> Doubles:
    """Compute recall@20 on the retained validation pairs, which stop trainings, of each user that has some."""
    relevant = np.bincount(valid.users, minlength=int(lists.rows.max(initial=0)) + 1)[lists.rows]
    asked = relevant > 0
    hits = hits_of(valid, lists.rows[asked], lists.lists[asked, :K], lists.items)
    return metrics.recall(hits, relevant[asked])


def _groups(tested: RankedLists, partition: Partition) -> dict[str, float]:
    test = partition.retained.interactions.split(Split.TEST)
    truth = test.select(np.isin(test.users, tested.rows))
    listed = (tested.rows[:, None] * tested.items + tested.lists[:, :K])[tested.lists[:, :K] >= 0]
    found = np.isin(truth.keys(tested.items), listed)
    sizes = len(partition.retained.users), tested.items
    return group_gaps(tested.recall(), tested.rows, found, truth, partition.retained.train, *sizes)


def _exposure(whole: Vectors, partition: Partition, setup: AuditSetup) -> dict[str, float]:
    """Measure how visible removed items are to at most 1000 users, before any filter."""
    rows = np.unique(setup.seen.users)
    rows = rows[np.linspace(0, len(rows) - 1, min(_ASKED, len(rows))).astype(np.int64)]
    return exposure(whole.users, whole.items, setup.seen, rows, partition.removed_items)


class _Forgotten(NamedTuple):
    """The forgotten pairs of one state.

    Attributes:
        figures: the fields of `Measurements` about them; empty where nothing can be ranked.
        bands: the bands of these figures.
        recall: float64 [F], forget recall@20 of each user with a forgotten pair.
        pairs: their rank percentiles and strata; None where nothing can be ranked.
    """

    figures: dict[str, Any]
    bands: dict[str, Band]
    recall: Doubles
    pairs: PairGroup | None


def _forgotten(pair: UserItemVectors | None, setup: AuditSetup) -> _Forgotten:
    """Rank the forgotten pairs and their controls; empty where there are none, or the branch is missing."""
    if pair is None or not len(setup.forgotten):
        return _Forgotten({}, {}, np.empty(0), None)
    asked = ranked_lists(*pair, setup.seen, setup.forgotten, setup.measured.unlisted)
    forgotten, controls = (setup.placed(pair, pairs) for pairs in (setup.forgotten, setup.controls))
    matched = matched_auc(forgotten, controls)
    figures = {
        "forget": asked.metrics(),
        "auc": auc(forgotten.percentiles, controls.percentiles),
        "auc_random": auc(forgotten.percentiles, percentiles(*pair, setup.seen, setup.random)),
        "percentiles": histogram(forgotten.percentiles),
        "percentiles_held_out": histogram(controls.percentiles),
    }
    bands = asked.bands("forget")
    if matched is not None:
        figures |= {"auc_matched": matched.value, "auc_matched_error": matched.error}
        bands["auc_matched"] = _auc_band(matched.value, forgotten, controls)
    return _Forgotten(figures, bands, asked.recall(), forgotten)


def _auc_band(value: float, forgotten: PairGroup, controls: PairGroup) -> Band:
    """Return the 95 % band of the matched AUC over the owners of the pairs."""
    own, theirs = contributions(forgotten, controls)
    owners = np.concatenate([forgotten.owners, controls.owners])
    return sum_band(value, np.concatenate([own - own.mean(), theirs]), owners, _SEED.child("auc").numpy())


def _sampled(users: Tensor, items: Tensor, rows: Ints) -> UserItemVectors:
    chosen = rows[np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows))).astype(np.int64)]
    return users[torch.from_numpy(chosen)], items
