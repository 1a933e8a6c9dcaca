"""The triples of each unlearning step: forgotten pairs, pairs of lost features, retained pairs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import cycle, islice

import numpy as np
import torch

from mmrecun.data.bpr_sampling import NegativeSampler, Triples, bpr_batches
from mmrecun.data.interactions import Interactions, Split
from mmrecun.forget.partition import Partition
from mmrecun.unlearning.base import Task, retained_negatives


def no_triples() -> Triples:
    """Return no triple at all."""
    return Triples(*(torch.empty(0, dtype=torch.int64) for _ in range(3)))


@dataclass(frozen=True)
class Step:
    """The triples of one optimiser step; each part may be empty, and is then put on the device of the others.

    Attributes:
        forget: forgotten pairs.
        branches: modality -> retained pairs of the items that lost it, to be scored by that branch alone.
        retain: retained pairs.
    """

    forget: Triples = field(default_factory=no_triples)
    branches: Mapping[str, Triples] = field(default_factory=dict)
    retain: Triples = field(default_factory=no_triples)

    def __post_init__(self) -> None:
        filled = next((part for part in (self.retain, self.forget, *self.branches.values()) if len(part)), self.retain)
        for name in ("forget", "retain"):
            object.__setattr__(self, name, getattr(self, name).to(filled.users.device))


def branch_pairs(partition: Partition, modality: str) -> Interactions:
    """Return the retained training pairs of the items that lost `modality`, in original rows."""
    pairs = partition.retained_pairs.split(Split.TRAIN)
    return pairs.select(partition.removed_features[modality][pairs.items])


def lost_branches(task: Task) -> dict[str, Interactions]:
    """Return modality -> retained training pairs of the items that lost it; only those that the model reads."""
    partition, known = task.partition, task.model.modalities()
    pairs = {name: branch_pairs(partition, name) for name in partition.removed_features if name in known}
    return {name: listed for name, listed in pairs.items() if len(listed)}


def anything_to_push(task: Task) -> bool:
    """Say whether the model was trained on anything that is forgotten."""
    return bool(len(task.partition.forgotten) or lost_branches(task))


class ForgetSampler:
    """Draws the steps of a pass; negatives are retained items outside the user's whole history.

    Args:
        task: what is forgotten and what is retained.
        batch_size: retained triples in a step, and forgotten triples at most.
        steps: steps in a pass over the forget set at least; a small forget set is cut into smaller batches.

    Attributes:
        forget, retain: training pairs in original rows.
        branches: modality -> retained pairs of the items that lost it, of those that the model reads.
        negatives: sampler of the negatives.
    """

    def __init__(self, task: Task, batch_size: int, steps: int = 1) -> None:
        partition, original = task.partition, task.partition.original
        self.batch_size, self.minimum, self.seed, self.device = batch_size, steps, task.seed, task.device
        self.forget = partition.forgotten
        self.branches = lost_branches(task)
        self.retain = partition.retained_pairs.split(Split.TRAIN)
        users, items = len(original.users), len(original.items)
        self.negatives = retained_negatives(partition)
        self._unaware = NegativeSampler(self.retain, users, items, partition.item_rows)
        self._original = original.train

    def forget_pass(self, number: int) -> Iterator[Step]:
        """Yield pass `number` over the forget set, every step with as many retained triples as fit a batch."""
        rng = self._rng("pass", number)
        forgotten = self._forgotten(rng)
        retained = cycle(self._batches(self.retain, self.batch_size, rng))
        for step in forgotten:
            yield replace(step, retain=next(retained))

    def retain_pass(self, number: int) -> Iterator[Step]:
        """Yield pass `number` over the retain set; forgotten triples are repeated, so that every step has some."""
        rng = self._rng("paired pass", number)
        forgotten = cycle(self._forgotten(rng))
        for retained in self._batches(self.retain, self.batch_size, rng):
            yield replace(next(forgotten), retain=retained)

    def forget_only(self, number: int) -> Iterator[Step]:
        """Yield pass `number` over the forget set alone."""
        yield from self._forgotten(self._rng("forget pass", number))

    def retain_only(self, number: int) -> Iterator[Step]:
        """Yield pass `number` over the retain set alone."""
        for triples in self._batches(self.retain, self.batch_size, self._rng("retain pass", number)):
            yield Step(retain=triples)

    def retain_only_new_negatives(self, number: int) -> Iterator[Step]:
        """Yield pass `number` over the retain set, as if the forgotten pairs had never been: they may be negatives."""
        rng = self._rng("unaware pass", number)
        for triples in bpr_batches(self.retain, self._unaware, self.batch_size, rng, self.device):
            yield Step(retain=triples)

    def full_pass(self, number: int) -> Iterator[Triples]:
        """Yield pass `number` over all original training pairs."""
        return self._batches(self._original, self.batch_size, self._rng("whole pass", number))

    def _rng(self, name: str, number: int) -> np.random.Generator:
        return self.seed.child(f"{name} {number}").numpy()

    def _forgotten(self, rng: np.random.Generator) -> list[Step]:
        largest = max([len(self.forget), *(len(pairs) for pairs in self.branches.values())])
        size = max(1, min(self.batch_size, -(-largest // self.minimum)))
        forget = list(self._batches(self.forget, size, rng)) or [no_triples()]
        endless = {name: cycle(list(self._batches(pairs, size, rng))) for name, pairs in self.branches.items()}
        return [
            Step(triples, {name: next(drawn) for name, drawn in endless.items()})
            for triples in islice(cycle(forget), -(-largest // size))
        ]

    def _batches(self, pairs: Interactions, size: int, rng: np.random.Generator) -> Iterator[Triples]:
        return bpr_batches(pairs, self.negatives, size, rng, self.device)
