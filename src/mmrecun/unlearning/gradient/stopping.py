"""Stop when forgotten pairs score like held-out pairs, which were never trained on, did at the start."""

import torch
from torch import Tensor

from mmrecun.data.bpr_sampling import Triples, bpr_batches
from mmrecun.data.interactions import Interactions, Split
from mmrecun.forget.partition import Partition
from mmrecun.models.base import Vectors
from mmrecun.unlearning.gradient.base import GradientRun


class StoppingCriterion:
    """Mean margins of what is forgotten against the level that retained validation pairs had at the start.

    The negatives are drawn once, so that two readings differ by the parameters alone. Pairs are compared with held-out
    pairs, and lost features with the same branch of held-out pairs. Without validation pairs the level is zero, the
    margin of chance. Test pairs are never read.
    """

    def __init__(self, run: GradientRun) -> None:
        self._run = run
        sampler, rng = run.sampler, run.task.seed.child("gauge").numpy()

        def once(pairs: Interactions) -> Triples:
            return next(bpr_batches(pairs, sampler.negatives, len(pairs), rng, run.task.device))

        kinds = ({"": sampler.forget} if len(sampler.forget) else {}) | sampler.branches
        self._forgotten = {name: once(pairs) for name, pairs in kinds.items()}
        held_out = validation_pairs(run.task.partition)
        level = self._read({name: once(held_out) for name in kinds}) if len(held_out) else {}
        self._level = {name: level.get(name, 0.0) for name in kinds}

    def excess(self) -> float:
        """By how much the mean margin of what is forgotten still exceeds the level, where it does so most."""
        found = self._read(self._forgotten)
        return max(found[name] - self._level[name] for name in found)

    @torch.no_grad()
    def _read(self, triples: dict[str, Triples]) -> dict[str, float]:
        vectors = self._run.model.vectors(self._run.padded_inputs)
        return {name: _margins(vectors, name, listed).mean().item() for name, listed in triples.items()}


def _margins(vectors: Vectors, branch: str, triples: Triples) -> Tensor:
    return (vectors.branch_of_triples(branch, triples) if branch else vectors.of_triples(triples)).margins()


def validation_pairs(partition: Partition) -> Interactions:
    """Retained validation pairs, in original rows."""
    return partition.retained_pairs.split(Split.VALID)
