"""Unlink: the trained weights on the retained graph, and nothing else. Every method should do better."""

from mmrecun.unlearning.base import Task, Unlearner, UnlearnResult, retained_model


class Unlink(Unlearner):
    """Removes rows, branches, edges and features. What the other weights learned from them stays."""

    summary = "keeps the trained weights on the retained graph, without training"
    source = "known as UtU, Tan et al., WWW 2024"

    def run(self, task: Task) -> UnlearnResult:
        """Copy the retained rows and branches."""
        return UnlearnResult(
            retained_model(task, task.model), "nothing was trained; the graph and the rows that left are gone", []
        )
