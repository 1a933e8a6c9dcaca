"""Compare the validation recall of a solved model with that of the trained one."""

import math

import numpy as np

from mmrecun.data.graph import GraphInputs
from mmrecun.data.interactions import Split
from mmrecun.models.base import Recommender
from mmrecun.training.validation import can_validate, validation_score
from mmrecun.unlearning.base import Task, retained_model

_MOST_ASKED = 2048  # users whose recall is computed
_LEAST_KEPT = 0.85  # of the trained model's validation recall; Golds keep 0.95 or more of it
_NEARLY_ALL = 0.95  # of it; Golds differ by about as much
_SHARED = 0.5  # the error of a difference, in that of one recall: two models serve most users alike


class ValidationGuard:
    """Compares models of the retained data with the trained one, by validation recall of the same users.

    Args:
        task: the input of the method.
        inputs: graphs and features of the retained data.

    Attributes:
        trained: recall of the trained model; None where no validation pair is left.
    """

    def __init__(self, task: Task, inputs: GraphInputs) -> None:
        self._inputs, self._retained = inputs, task.partition.retained
        self._asked = np.unique(self._retained.interactions.split(Split.VALID).users)
        if len(self._asked) > _MOST_ASKED:
            rng = task.seed.child("validation").numpy()
            self._asked = np.sort(rng.choice(self._asked, _MOST_ASKED, replace=False))
        self.trained = self.score(retained_model(task, task.model)) if can_validate(self._retained) else None

    def score(self, model: Recommender) -> float:
        """Compute the validation recall of a model."""
        return validation_score(model, self._inputs, self._retained, self._asked)

    def keeps_recall(self, model: Recommender) -> bool:
        """Say whether a model keeps nearly all of the trained model's recall, or misses it by chance."""
        return self.trained is not None and (
            self.score(model) >= _NEARLY_ALL * self.trained - _SHARED * self._error(self.trained)
        )

    def worse(self, model: Recommender) -> str:
        """Return how much worse than the trained model a model validates, in words; "" if within chance."""
        if self.trained is None:
            return ""
        after, before = self.score(model), self.trained
        if after >= _LEAST_KEPT * before - 2 * self._error(before):
            return ""
        return f"the solved model validates at {after:.4f}, where the trained one does at {before:.4f}"

    def _error(self, recall: float) -> float:
        """Return the standard error of a recall of the users asked, each of whom has it or has not."""
        return math.sqrt(max(recall * (1 - recall), 0) / len(self._asked))
