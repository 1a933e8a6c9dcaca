"""How well forgotten pairs are told from held-out pairs by the retained pairs alone.

A model that never saw the forgotten pairs has an AUC of 0.5 if only a random split separates the two. After a split by
time it may have another, since held-out pairs come later: items that a user chose in one sitting tell of each other
more than of those of a year later. Vectors computed from the retained pairs alone (see `evaluation.spectral`) never saw
the forgotten ones, so what they find is no memory. A model at 0.5 there may have been pushed below what one without
the pairs shows.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Ints
from mmrecun.auditing.checks import differs_from_chance, recognition_check
from mmrecun.auditing.figures import Recognition
from mmrecun.auditing.keys import Kind
from mmrecun.auditing.membership import matched_auc
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.recognition_tests import RecognitionTests
from mmrecun.evaluation.row_traits import RowTraits
from mmrecun.evaluation.spectral import normalised_pairs, spectral_vectors
from mmrecun.forget.request import Target
from mmrecun.models.base import Vectors
from mmrecun.rng import Seed

_SEED = Seed(20).child("reference")


@dataclass
class ReferenceLevels:
    """The AUCs of one request by the retained pairs alone, computed when one is first asked for."""

    tests: RecognitionTests
    _found: dict[Kind, float] = field(default_factory=dict)

    def beside(self, kind: Kind, found: Recognition, device: torch.device) -> Recognition:
        """Add the AUC by the retained pairs alone, where that of a model differs from chance or would else pass."""
        asked = differs_from_chance(found) or recognition_check(kind, found).state is Outcome.PASSED
        if kind.target is Target.MODALITIES or not asked:
            return found
        self._found = self._found or self._measured(device)
        return found.model_copy(update={"reference_auc": self._found.get(kind)})

    def _measured(self, device: torch.device) -> dict[Kind, float]:
        partition = self.tests.partition
        users, items = spectral_vectors(normalised_pairs(partition.retained, device), _SEED.numpy())
        vectors = Vectors(
            _in_original_rows(users, partition.user_rows, len(partition.original.users)),
            _in_original_rows(items, partition.item_rows, len(partition.original.items)),
        )
        none = RowTraits(np.empty((len(users), 0)), np.empty((len(items), 0)))
        comparisons = self.tests.of_pairs(vectors, none, none)
        aucs = {kind: matched_auc(each.forgotten, each.held_out) for kind, each in comparisons.items()}
        return {kind: estimate.value for kind, estimate in aucs.items() if estimate is not None}


def _in_original_rows(vectors: Tensor, rows: Ints, size: int) -> Tensor:
    """Put vectors [R, D] into the original `rows` of `size`; those that left are zero."""
    whole = vectors.new_zeros(size, vectors.shape[1])
    whole[torch.from_numpy(rows).to(vectors.device)] = vectors
    return whole
