"""Unlink: the trained weights on the retained graph, and nothing else; the floor that every method must beat."""

from mmrecun.unlearning.base import Task, Unlearned, Unlearner, export


class Unlink(Unlearner):
    """Rows, branches, edges and features that left are gone; what the remaining weights learned from them is not."""

    def run(self, task: Task) -> Unlearned:
        """Leave behind what has no place in the retained data."""
        return Unlearned(export(task, task.model), "nothing was trained; the graph and the rows that left are gone", [])
