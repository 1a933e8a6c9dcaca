"""Unlink: the trained weights on the retained graph, and nothing else; the floor that every method must beat."""

from mmrecun.unlearning.base import Task, Unlearner, UnlearnResult, retained_model


class Unlink(Unlearner):
    """Rows, branches, edges and features that left are gone; what the remaining weights learned from them is not."""

    summary = "keeps the trained weights on the retained graph, without training"
    source = "known as UtU, Tan et al., WWW 2024"

    def run(self, task: Task) -> UnlearnResult:
        """Leave behind what has no place in the retained data."""
        return UnlearnResult(
            retained_model(task, task.model), "nothing was trained; the graph and the rows that left are gone", []
        )
