"""MMRecUn: reverse BPR pushes forgotten preferences down while BPR holds the rest (Sinha et al., AAAI 2025).

The published text gives no loss equation; the weighting, both readings of "reverse" and the branch form for
modality requests are this implementation's reading of it.
"""

from collections.abc import Iterator
from itertools import cycle

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from mmrecun.data.forget import Partition
from mmrecun.data.graph import GraphInputs
from mmrecun.data.interactions import Interactions
from mmrecun.data.triples import NegativeSampler, Triples, epoch
from mmrecun.models.base import Recommender
from mmrecun.training.loop import adam, one_pass
from mmrecun.training.losses import Reverse, bpr, reverse_bpr
from mmrecun.unlearning.base import (
    Task,
    UnlearnConfig,
    Unlearned,
    Unlearner,
    export,
    served_inputs,
    stand_in_inputs,
    working_copy,
)

Step = tuple[Triples, dict[str, Triples], Triples]


class MMRecUnConfig(UnlearnConfig):
    """Settings of MMRecUn.

    Attributes:
        epochs: passes over the forget set.
        batch_size: retained triples a step, and forgotten ones at most.
        steps: at least so many a pass; a small forget set is cut into smaller batches.
        learning_rate: of Adam.
        forget_weight: share of the forget term; the retain term has the rest.
        form: reading of "reverse".
    """

    epochs: PositiveInt = 3
    batch_size: PositiveInt = 2048
    steps: PositiveInt = 15
    learning_rate: PositiveFloat = 1e-3
    forget_weight: float = Field(default=0.5, gt=0, lt=1)
    form: Reverse = Reverse.SWAPPED


class MMRecUn(Unlearner):
    """Works on the retained graph with every old row still in place; what left loses its row at the end."""

    Config = MMRecUnConfig

    def __init__(self, config: MMRecUnConfig) -> None:
        super().__init__(config)
        self.config = config

    def run(self, task: Task) -> Unlearned:
        """A few passes of the joint objective over the forget set."""
        working = working_copy(task)
        attached = stand_in_inputs(task)
        served = served_inputs(task) if task.parts.lost_features else attached
        optimizer = adam(working, self.config.learning_rate)
        history: list[dict[str, float]] = []
        sampled = _Sampled(task, working, self.config)

        def loss_of(step: Step) -> Tensor:
            return self.objective(working, attached, served, step)

        for number in range(self.config.epochs if sampled.any() else 0):
            loss = one_pass(sampled.steps(number), loss_of, optimizer)
            history.append({"epoch": number + 1, "loss": loss})
            task.report(number + 1, self.config.epochs, f"loss {loss:.4f}")
        stop = f"{self.config.epochs} passes" if history else "nothing to train: no forgotten pair, no lost branch"
        return Unlearned(export(task, working), stop, history)

    def objective(self, model: Recommender, attached: GraphInputs, served: GraphInputs, step: Step) -> Tensor:
        """(1 - w) * (BPR + the model's own losses) on retained triples + w * reverse BPR on forgotten ones; a scalar.

        A forgotten pair is scored whole; a lost feature is scored by its own branch.
        """
        forget, branches, retain = step
        vectors = model.vectors(served)
        with_lost = vectors if attached is served else model.vectors(attached)
        kept = vectors.at(retain)
        reverse = torch.zeros((), device=kept.users.device)
        if len(forget):
            reverse = reverse + reverse_bpr(vectors.at(forget).margins(), self.config.form)
        for name, triples in branches.items():
            reverse = reverse + reverse_bpr(with_lost.branch_at(name, triples).margins(), self.config.form)
        weight = self.config.forget_weight
        return (1 - weight) * (bpr(kept.margins()) + model.extra_loss(kept)) + weight * reverse


def branch_pairs(parts: Partition, modality: str) -> Interactions:
    """Retained training pairs of the items that lost `modality`, in original rows."""
    held = parts.held
    return held.select((held.splits == 0) & parts.lost_features[modality][held.items])


class _Sampled:
    """Draws the triples of each step; negatives are retained items outside the user's whole history."""

    def __init__(self, task: Task, model: Recommender, config: MMRecUnConfig) -> None:
        parts, original = task.parts, task.parts.original
        self.config, self.seed, self.device = config, task.seed, task.device
        self.forget = parts.forgotten
        known = set(model.modalities())
        pairs = {name: branch_pairs(parts, name) for name in parts.lost_features if name in known}
        self.branches = {name: listed for name, listed in pairs.items() if len(listed)}
        self.retain = parts.held.select(parts.held.splits == 0)
        self.sampler = NegativeSampler(original.train, len(original.users), len(original.items), parts.item_rows)

    def any(self) -> bool:
        return bool(len(self.forget) or self.branches)

    def steps(self, number: int) -> Iterator[Step]:
        rng = self.seed.child(f"pass {number}").numpy()
        largest = max([len(self.forget), *(len(pairs) for pairs in self.branches.values())])
        size = max(1, min(self.config.batch_size, -(-largest // self.config.steps)))
        nothing = Triples(*(torch.empty(0, dtype=torch.int64) for _ in range(3)))
        forget = list(epoch(self.forget, self.sampler, size, rng)) or [nothing]
        branches = {name: cycle(list(epoch(pairs, self.sampler, size, rng))) for name, pairs in self.branches.items()}
        retain = cycle(epoch(self.retain, self.sampler, self.config.batch_size, rng))
        endless = cycle(forget)
        for _ in range(-(-largest // size)):
            drawn = {name: next(triples).to(self.device) for name, triples in branches.items()}
            yield next(endless).to(self.device), drawn, next(retain).to(self.device)
