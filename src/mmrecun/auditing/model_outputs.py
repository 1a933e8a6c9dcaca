"""The vectors of one run under audit, in original and in retained rows."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import torch

from mmrecun.auditing.figures import RunKind
from mmrecun.auditing.setup import AuditSetup
from mmrecun.forget.partition import Partition
from mmrecun.models.base import Recommender, UserItemVectors, Vectors
from mmrecun.runs import Run


@dataclass(frozen=True)
class AuditedRun:
    """One run under audit; it need not be a run folder of ours.

    Attributes:
        kind: what it is in this audit.
        folder: folder of the run.
        model: its recommender.
        seed, seconds: from its manifest.
    """

    kind: RunKind
    folder: Path
    model: Recommender
    seed: int
    seconds: float

    @classmethod
    def of(cls, kind: RunKind, run: Run) -> Self:
        """Return a run folder as it takes part in an audit."""
        return cls(kind, run.folder, run.model, run.manifest.seed, run.manifest.seconds)


class ModelOutputs(NamedTuple):
    """The vectors of one state.

    Attributes:
        padded: in original rows; with newcomers for what was removed, except those of the original.
        retained: vectors [U', D] and [I', D] of the retained users and items, by which they are recommended.
    """

    padded: Vectors
    retained: UserItemVectors


def model_outputs(audited: AuditedRun, partition: Partition, setup: AuditSetup) -> ModelOutputs:
    """Return the vectors of a state: of the original as it is, of every other state on the retained data alone."""
    cache = setup.cache
    if audited.kind is RunKind.ORIGINAL:
        whole = cache.original(audited.model)
        return ModelOutputs(whole, _retained_rows(whole, partition))
    return ModelOutputs(cache.padded(audited.model), cache.retained(audited.model).sides)


def _retained_rows(vectors: Vectors, partition: Partition) -> UserItemVectors:
    return vectors.users[torch.from_numpy(partition.user_rows)], vectors.items[torch.from_numpy(partition.item_rows)]


def scored_vectors(vectors: Vectors, setup: AuditSetup) -> UserItemVectors | None:
    """Return the vectors whose product is scored: those of the audited branch, or the whole.

    None if the model lacks that branch.
    """
    return vectors.branches.get(setup.branch) if setup.branch else vectors.sides
