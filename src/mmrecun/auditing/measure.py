"""Measure one model state: what it still recommends, and how it ranks what was forgotten.

A state is measured once and can then be compared with any number of others: `MeasuredRun` keeps, beside the figures,
the few arrays that a comparison needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Bools, Doubles, Ints
from mmrecun.auditing import fold_in, persons, similarity
from mmrecun.auditing.bands import Band, mean_bands, sum_band
from mmrecun.auditing.exposure import exposure
from mmrecun.auditing.fairness import group_gaps
from mmrecun.auditing.figures import Measurements
from mmrecun.auditing.membership import Estimate, PairGroup, auc, contributions, histogram, matched_auc
from mmrecun.auditing.recognition import Comparison
from mmrecun.auditing.sampling import MeasuredUsers
from mmrecun.auditing.setup import AuditSetup
from mmrecun.data.interactions import Interactions, Split
from mmrecun.evaluation import metrics
from mmrecun.evaluation.evaluate import CUTOFFS, hits_of, measure_lists, per_user
from mmrecun.evaluation.ranking import Progress, percentiles, top_k
from mmrecun.forget.partition import Partition
from mmrecun.models.base import Recommender, UserItemVectors, Vectors
from mmrecun.rng import Seed

K = 20
_SAMPLE, _ASKED = 64, 1000
_SEED = Seed(20).child("measure")


@dataclass(frozen=True)
class AuditedRun:
    """One run under audit.

    Attributes:
        name: "original", "unlearned" or "gold".
        folder: of the run.
        model: its recommender.
        seed, seconds: from its manifest.
    """

    name: str
    folder: Path
    model: Recommender
    seed: int
    seconds: float


@dataclass(frozen=True)
class RankedLists:
    """Recommendation lists and what they found.

    Attributes:
        rows: int64 [M] users.
        lists: int64 [M, K] item rows.
        hits: bool [M, K].
        relevant: int64 [M], how many items each user should find.
        items: I.
    """

    rows: Ints
    lists: Ints
    hits: Bools
    relevant: Ints
    items: int

    def metrics(self, users: Bools | None = None) -> dict[str, float]:
        """Every metric, over all users or those where `users` (bool [M]) holds; empty when there is none."""
        chosen = np.ones(len(self.rows), dtype=bool) if users is None else users
        if not chosen.any():
            return {}
        return measure_lists(self.lists[chosen], self.hits[chosen], self.relevant[chosen], self.items)

    def some(self, chosen: Bools) -> "RankedLists":
        """Return those of the users where `chosen`, bool [M], holds."""
        if chosen.all():
            return self
        return RankedLists(self.rows[chosen], self.lists[chosen], self.hits[chosen], self.relevant[chosen], self.items)

    def recall(self) -> Doubles:
        """float64 [M], recall@20 of each user."""
        return metrics.recall(self.hits[:, :K], self.relevant)

    def bands(self, prefix: str) -> dict[str, Band]:
        """`prefix metric@k` -> band of every metric's mean over the users; coverage is no mean and has none."""
        each = per_user(self.hits, self.relevant)
        bands = mean_bands(np.column_stack(list(each.values())), _SEED.child(prefix).numpy())
        return {f"{prefix} {name}": band for name, band in zip(each, bands, strict=False)}


@dataclass(frozen=True)
class MeasuredRun:
    """One state's figures, and the arrays by which it is compared with another state of the same audit.

    Attributes:
        figures: of this state.
        affected: bool [M], users that the request touched.
        lists: int64 [M, 50], what each measured user is recommended; rows of the retained data.
        recall: float64 [T], retained recall@20 of each test user that was drawn.
        forget_recall: float64 [F], forget recall@20 of each user with a forgotten pair.
        forgotten: places of the forgotten pairs; None where nothing can be ranked.
        users_recall: float64 [M], as `recall`, NaN for users without a test pair; in the order of `lists`.
        valid_recall: float64 [V], recall@20 of each user drawn that has a validation pair.
        bystanders: bool [M], users who have least to do with the request.
        neighbours: bool [M], users nearest to what was forgotten, by this state's vectors; asked of the original.
        comparisons: of each kind of thing that was forgotten; see `questions`.
        shares: float64 [S, I], distribution of a sample of users over the retained items.
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
    comparisons: Mapping[str, Comparison]
    shares: Tensor


class ModelOutputs(NamedTuple):
    """What a state says of everybody.

    Attributes:
        padded: in original rows; with newcomers for what was removed, unless it is the original that answers.
        retained: vectors [U', D] and [I', D] of the retained users and items, as they are recommended by.
    """

    padded: Vectors
    retained: UserItemVectors


def model_outputs(audited: AuditedRun, partition: Partition, setup: AuditSetup) -> ModelOutputs:
    """Return what a state answers; the original as it is, every other state on the retained data only."""
    cache = setup.cache
    if audited.name == "original":
        whole = cache.original(audited.model)
        return ModelOutputs(whole, _retained_rows(whole, partition))
    return ModelOutputs(cache.padded(audited.model), _user_item_vectors(cache.retained(audited.model)))


def measure_state(
    audited: AuditedRun,
    partition: Partition,
    setup: AuditSetup,
    outputs: ModelOutputs | None = None,
    progress: Progress | None = None,
) -> MeasuredRun:
    """Everything that is measured of one state; the cost of about two evaluations.

    Args:
        audited: who is measured.
        partition: original and retained data.
        setup: of `audit_setup(partition)`.
        outputs: of `model_outputs`, where they are there already.
        progress: told how many users are ranked.
    """
    first = audited.name == "original"
    whole, (users, items) = outputs or model_outputs(audited, partition, setup)
    train, kept = partition.retained.train, partition.retained.interactions
    lists, asked = _lists(users, items, train, kept.split(Split.TEST), setup.measured, progress)
    drawn = setup.measured.drawn
    tested = asked.some(drawn[lists.relevant > 0])
    touched = setup.affected[partition.user_rows]
    values: dict[str, Any] = {"name": audited.name, "run": audited.folder.name, "seed": audited.seed}
    valid = _valid(lists.some(drawn), kept.split(Split.VALID))
    values |= {"seconds": audited.seconds, "retain": tested.metrics()}
    values["valid"] = float(valid.mean()) if len(valid) else None
    values |= {"affected": asked.metrics(touched[asked.rows]), "unaffected": tested.metrics(~touched[tested.rows])}
    values["groups"] = _groups(tested, partition)
    values["exposure"] = _exposure(whole, partition, setup, None if first else lists.lists)
    if (found := fold_in.of_removed(whole, partition, setup)) is not None:
        values["probes"] = {"fold_in": found}
    forget, forgotten, bands = _forgotten(scored_vectors(whole, setup), setup, values)
    traits = setup.cache.traits(audited.model, (users, items))
    structure = setup.cache.structure(users.device)
    judged = None if first else audited.model
    comparisons = setup.recognition_tests.comparisons(judged, whole, traits, structure, setup.cache.inputs)
    values["recognition"] = {name: comparison.figures() for name, comparison in comparisons.items()}
    sides = {"users": (setup.affected_user_rows, traits.users), "items": (setup.affected_item_rows, traits.items)}
    marks = {
        name: touched_rows.mark(rows, shown)
        for (name, (touched_rows, rows)), shown in zip(sides.items(), structure, strict=True)
    }
    values["marks"] = {name: mark for name, mark in marks.items() if mark is not None}
    values["bands"] = tested.bands("retain") | bands
    recall = np.full(len(lists.rows), np.nan)
    recall[lists.relevant > 0] = asked.recall()
    return MeasuredRun(
        figures=Measurements.of(values),
        affected=touched[lists.rows],
        lists=lists.lists,
        recall=tested.recall(),
        forget_recall=forget,
        forgotten=forgotten,
        users_recall=recall,
        valid_recall=valid,
        bystanders=setup.list_changes.bystanders,
        neighbours=persons.neighbours(whole.users, partition, setup.affected, lists.rows),
        comparisons=comparisons,
        shares=_shares(users, items, lists.rows),
    )


def _valid(lists: RankedLists, valid: Interactions) -> Doubles:
    """Recall@20 on the retained validation pairs, by which trainings are stopped, of each user that has some."""
    relevant = np.bincount(valid.users, minlength=int(lists.rows.max(initial=0)) + 1)[lists.rows]
    asked = relevant > 0
    hits = hits_of(valid, lists.rows[asked], lists.lists[asked, :K], lists.items)
    return metrics.recall(hits, relevant[asked])


def _user_item_vectors(vectors: Vectors) -> UserItemVectors:
    return vectors.users, vectors.items


def _retained_rows(vectors: Vectors, partition: Partition) -> UserItemVectors:
    return vectors.users[torch.from_numpy(partition.user_rows)], vectors.items[torch.from_numpy(partition.item_rows)]


def scored_vectors(vectors: Vectors, setup: AuditSetup) -> UserItemVectors | None:
    """Return the vectors whose product is judged: those of the probe's branch, or the whole.

    None without that branch.
    """
    return vectors.branches.get(setup.branch) if setup.branch else _user_item_vectors(vectors)


def _lists(
    users: Tensor,
    items: Tensor,
    train: Interactions,
    test: Interactions,
    measured: MeasuredUsers,
    progress: Progress | None,
) -> tuple[RankedLists, RankedLists]:
    """Return lists of all that are measured, and those of the users that also have something to be found."""
    rows = measured.rows
    lists = top_k(users, items, train, rows, max(CUTOFFS), progress)
    relevant = np.bincount(test.users, minlength=len(users))[rows]
    every = RankedLists(rows, lists, hits_of(test, rows, lists, len(items)), relevant, len(items))
    asked = relevant > 0
    return every, RankedLists(rows[asked], lists[asked], every.hits[asked], relevant[asked], len(items))


def _groups(tested: RankedLists, partition: Partition) -> dict[str, float]:
    test = partition.retained.interactions.split(Split.TEST)
    truth = test.select(np.isin(test.users, tested.rows))
    listed = (tested.rows[:, None] * tested.items + tested.lists[:, :K])[tested.lists[:, :K] >= 0]
    found = np.isin(truth.keys(tested.items), listed)
    sizes = len(partition.retained.users), tested.items
    return group_gaps(tested.recall(), tested.rows, found, truth, partition.retained.train, *sizes)


def _exposure(whole: Vectors, partition: Partition, setup: AuditSetup, recommended: Ints | None) -> dict[str, float]:
    rows = np.unique(setup.seen.users)
    rows = rows[np.linspace(0, len(rows) - 1, min(_ASKED, len(rows))).astype(np.int64)]
    found = exposure(whole.users, whole.items, setup.seen, rows, partition.removed_items)
    if found:
        shown = partition.removed_items[partition.item_rows[recommended[:, :K]]] if recommended is not None else None
        found["served"] = found["top20"] if shown is None else float(shown.any(axis=1).mean())
    return found


def _forgotten(
    pair: UserItemVectors | None, setup: AuditSetup, values: dict[str, Any]
) -> tuple[Doubles, PairGroup | None, dict[str, Band]]:
    """Rank the forgotten pairs and their controls, and write the figures into `values`; also their bands."""
    if pair is None or not len(setup.forgotten):
        return np.empty(0), None, {}
    asked = ranked_lists(*pair, setup.seen, setup.forgotten)
    forgotten, controls = (_group(pair, setup, pairs) for pairs in (setup.forgotten, setup.controls))
    random = percentiles(*pair, setup.seen, setup.random)
    values |= {
        "forget": asked.metrics(),
        "auc": auc(forgotten.percentiles, controls.percentiles),
        "auc_random": auc(forgotten.percentiles, random),
        "percentiles": histogram(forgotten.percentiles),
        "percentiles_held_out": histogram(controls.percentiles),
        **_named("auc_matched", matched_auc(forgotten, controls)),
    }
    bands = asked.bands("forget")
    if len(controls.percentiles):
        own, theirs = contributions(forgotten, controls)
        owners = np.concatenate([forgotten.owners, controls.owners])
        deviations, rng = np.concatenate([own - own.mean(), theirs]), _SEED.child("auc").numpy()
        bands["auc_matched"] = sum_band(values["auc_matched"], deviations, owners, rng)
    return asked.recall(), forgotten, bands


def ranked_lists(users: Tensor, items: Tensor, seen: Interactions, truth: Interactions) -> RankedLists:
    """Return the lists of everybody with a `truth`, also of users without a seen pair."""
    rows, relevant = np.unique(truth.users, return_counts=True)
    lists = top_k(users, items, seen, rows, max(CUTOFFS))
    return RankedLists(rows, lists, hits_of(truth, rows, lists, len(items)), relevant.astype(np.int64), len(items))


def _group(pair: UserItemVectors, setup: AuditSetup, pairs: Interactions) -> PairGroup:
    return PairGroup(percentiles(*pair, setup.seen, pairs), setup.strata(pairs, setup.seen), setup.owners(pairs))


def _named(name: str, estimate: Estimate | None) -> dict[str, float]:
    return {} if estimate is None else {name: estimate.value, f"{name}_error": estimate.error}


def _shares(users: Tensor, items: Tensor, rows: Ints) -> Tensor:
    chosen = rows[np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows))).astype(np.int64)]
    return similarity.shares(users[torch.from_numpy(chosen)], items).cpu()
