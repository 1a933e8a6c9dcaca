"""Measure one model state: what it still recommends, and how it ranks what was forgotten.

Users and items that were removed have no row any more. The audit lets a newcomer stand in for each: a fresh row from
one fixed seed, the item's own features attached, no interaction. The original model answers with its own rows, every
other model (Gold included) with the same newcomers, so that the figures can be compared. Lost features of retained
items are attached again likewise, and judged by their branch alone.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmrecun.audit.membership import auc, histogram, random_controls
from mmrecun.audit.verdict import Figures
from mmrecun.data.dataset import Dataset, positions
from mmrecun.data.forget import Partition, held_out
from mmrecun.data.graph import build_inputs
from mmrecun.data.interactions import Interactions, Split
from mmrecun.evaluation.evaluate import evaluate, evaluate_split
from mmrecun.evaluation.ranking import percentiles
from mmrecun.models.base import Recommender, Sizes, Vectors, carry_over
from mmrecun.rng import Seed

_SEED = Seed(20).child("audit")


@dataclass(frozen=True)
class Probe:
    """The forgotten pairs and their controls, in original rows; the same for every state of one audit.

    Attributes:
        branch: the modality whose own scores are judged, or "" for the whole score.
        forgotten: pairs under test.
        seen: retained positives, masked in rankings.
        controls: held-out positives.
        random: unseen pairs of the same users.
    """

    branch: str
    forgotten: Interactions
    seen: Interactions
    controls: Interactions
    random: Interactions


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
    return Probe(branch, forgotten, seen, controls, random)


@torch.no_grad()
def vectors_of(model: Recommender, dataset: Dataset) -> Vectors:
    """All vectors of `model` on the training graph and features of `dataset`."""
    return model.vectors(build_inputs(dataset, model.spec(), next(model.parameters()).device))


@torch.no_grad()
def with_newcomers(model: Recommender, parts: Partition) -> Vectors:
    """Vectors in original rows of a model of the retained data, with newcomers standing in for what was removed."""
    original = parts.original
    stand_in = parts.stand_in()
    known = {name: modality for name, modality in original.modalities.items() if name in model.sizes.widths}
    sizes = Sizes(users=len(original.users), items=len(original.items), widths=model.sizes.widths)
    present = {name: modality.present for name, modality in known.items()}
    extended = carry_over(
        model,
        sizes,
        positions(parts.user_rows, len(original.users)),
        positions(parts.item_rows, len(original.items)),
        present,
        _SEED.child("newcomers"),
    )
    inputs = build_inputs(stand_in, model.spec(), next(model.parameters()).device, parts.newcomers())
    return extended.vectors(inputs)


def measure(
    name: str, run: str, seed: int, seconds: float, retain: dict[str, float], vectors: Vectors, probe: Probe
) -> Figures:
    """Figures of one state from its `vectors` in original rows; without the branch they stay empty."""
    pair = vectors.branches.get(probe.branch) if probe.branch else (vectors.users, vectors.items)
    empty = Figures(name=name, run=run, seed=seed, seconds=seconds, retain=retain)
    if pair is None or not len(probe.forgotten):
        return empty
    users, items = pair
    forgotten = percentiles(users, items, probe.seen, probe.forgotten)
    controls = percentiles(users, items, probe.seen, probe.controls)
    random = percentiles(users, items, probe.seen, probe.random)
    return Figures(
        name=name,
        run=run,
        seed=seed,
        seconds=seconds,
        retain=retain,
        forget=_forget_metrics(users, items, probe),
        auc=auc(forgotten, controls),
        auc_random=auc(forgotten, random),
        percentiles=histogram(forgotten),
        percentiles_held_out=histogram(controls),
    )


def _forget_metrics(users: Tensor, items: Tensor, probe: Probe) -> dict[str, float]:
    return evaluate(users, items, probe.seen, probe.forgotten, include_cold=True).metrics


def retained_utility(vectors: Vectors, parts: Partition, original_rows: bool) -> dict[str, float]:
    """Test metrics on the retained data; `original_rows` says that `vectors` still has every old row."""
    users, items = vectors.users, vectors.items
    if original_rows:
        users, items = users[torch.from_numpy(parts.user_rows)], items[torch.from_numpy(parts.item_rows)]
    return evaluate_split(users, items, parts.retained, Split.TEST).metrics


def lost_rows(parts: Partition) -> int:
    """How many users and items have no row any more."""
    return int(np.sum(parts.lost_users) + np.sum(parts.lost_items))
