"""The triples of each unlearning step: forgotten pairs, pairs of lost features, retained pairs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle

import torch

from mmrecun.data.forget import Partition
from mmrecun.data.interactions import Interactions, Split
from mmrecun.data.triples import NegativeSampler, Triples, epoch
from mmrecun.models.base import Recommender
from mmrecun.unlearning.base import Task


def nothing() -> Triples:
    """No triple at all."""
    return Triples(*(torch.empty(0, dtype=torch.int64) for _ in range(3)))


@dataclass(frozen=True)
class Step:
    """What one optimiser step is given; each part may be empty.

    Attributes:
        forget: forgotten pairs.
        branches: modality -> retained pairs of the items that lost it, to be scored by that branch alone.
        retain: retained pairs.
    """

    forget: Triples = field(default_factory=nothing)
    branches: Mapping[str, Triples] = field(default_factory=dict)
    retain: Triples = field(default_factory=nothing)


def branch_pairs(parts: Partition, modality: str) -> Interactions:
    """Retained training pairs of the items that lost `modality`, in original rows."""
    held = parts.held
    return held.select((held.splits == Split.TRAIN) & parts.lost_features[modality][held.items])


class ForgetSampler:
    """Draws the steps of a pass; negatives are retained items outside the user's whole history.

    Args:
        task: what is forgotten and what is retained.
        model: lost features of modalities it does not read are left alone.
        batch_size: retained triples a step, and forgotten ones at most.
        steps: at least so many a pass over the forget set; a small one is cut into smaller batches.
    """

    def __init__(self, task: Task, model: Recommender, batch_size: int, steps: int) -> None:
        parts, original = task.parts, task.parts.original
        self.batch_size, self.minimum, self.seed, self.device = batch_size, steps, task.seed, task.device
        self.forget = parts.forgotten
        known = set(model.modalities())
        pairs = {name: branch_pairs(parts, name) for name in parts.lost_features if name in known}
        self.branches = {name: listed for name, listed in pairs.items() if len(listed)}
        self.retain = parts.held.select(parts.held.splits == Split.TRAIN)
        self.negatives = NegativeSampler(original.train, len(original.users), len(original.items), parts.item_rows)

    def any(self) -> bool:
        """Whether there is anything to push down."""
        return bool(len(self.forget) or self.branches)

    def steps(self, number: int) -> Iterator[Step]:
        """Pass `number` over the forget set, every step with as many retained triples as fit a batch."""
        rng = self.seed.child(f"pass {number}").numpy()
        largest = max([len(self.forget), *(len(pairs) for pairs in self.branches.values())])
        size = max(1, min(self.batch_size, -(-largest // self.minimum)))
        forget = list(epoch(self.forget, self.negatives, size, rng)) or [nothing()]
        branches = {name: cycle(list(epoch(pairs, self.negatives, size, rng))) for name, pairs in self.branches.items()}
        retain = cycle(epoch(self.retain, self.negatives, self.batch_size, rng))
        endless = cycle(forget)
        for _ in range(-(-largest // size)):
            drawn = {name: next(triples).to(self.device) for name, triples in branches.items()}
            yield Step(next(endless).to(self.device), drawn, next(retain).to(self.device))
