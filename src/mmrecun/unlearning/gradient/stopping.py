"""Stop when forgotten pairs score like held-out pairs, which were never trained on, did at the start."""

import torch
from torch import Tensor

from mmrecun.data.bpr_sampling import Triples, bpr_batches
from mmrecun.data.graph import GraphInputs
from mmrecun.data.interactions import Interactions, Split
from mmrecun.models.base import Recommender, Vectors
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.gradient.sampling import ForgetSampler


class StoppingCriterion:
    """Mean margins of what is forgotten against the level that retained validation pairs had at the start.

    The negatives are drawn once, so that two readings differ by the parameters alone. Pairs are compared with held-out
    pairs, and lost features with the same branch of held-out pairs. Without validation pairs the level is zero, the
    margin of chance. Test pairs are never read.

    Args:
        task: what is forgotten.
        model: the model that is read anew each time.
        inputs: its inputs, of the padded view, which has whatever was removed.
        sampler: sampler of the pairs and their negatives.
    """

    def __init__(self, task: Task, model: Recommender, inputs: GraphInputs, sampler: ForgetSampler) -> None:
        self._model, self._inputs = model, inputs
        rng = task.seed.child("gauge").numpy()

        def once(pairs: Interactions) -> Triples:
            return next(bpr_batches(pairs, sampler.negatives, len(pairs), rng, task.device))

        kinds = ({"": sampler.forget} if len(sampler.forget) else {}) | sampler.branches
        self._forgotten = {name: once(pairs) for name, pairs in kinds.items()}
        held_out = task.partition.retained_pairs.split(Split.VALID)
        level = self._read({name: once(held_out) for name in kinds}) if len(held_out) else {}
        self._level = {name: level.get(name, 0.0) for name in kinds}

    def excess(self) -> float:
        """Compute by how much the mean margin of what is forgotten exceeds the level, where it does so most."""
        found = self._read(self._forgotten)
        return max(found[name] - self._level[name] for name in found)

    @torch.no_grad()
    def _read(self, triples: dict[str, Triples]) -> dict[str, float]:
        vectors = self._model.vectors(self._inputs)
        return {name: _margins(vectors, name, listed).mean().item() for name, listed in triples.items()}


def _margins(vectors: Vectors, branch: str, triples: Triples) -> Tensor:
    return (vectors.branch_of_triples(branch, triples) if branch else vectors.of_triples(triples)).margins()
