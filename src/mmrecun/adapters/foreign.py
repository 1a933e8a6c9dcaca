"""A model of another library: what every adapter returns, and how it is unlearned, audited and saved."""

import contextlib
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, Self

import torch

from mmrecun.adapters.ranking_rows import RankingRows
from mmrecun.adapters.row_map import RowMap
from mmrecun.auditing.assess import AuditedRun, AuditSubject, assess
from mmrecun.auditing.figures import RunKind
from mmrecun.auditing.result import AuditReport
from mmrecun.data.dataset import Dataset
from mmrecun.data.describe import overview
from mmrecun.data.graph import GraphInputs, build_inputs
from mmrecun.data.interactions import Split
from mmrecun.errors import ArtifactError, DataError, ForgetError
from mmrecun.evaluation.evaluate import evaluate_split
from mmrecun.forget.partition import Partition, targets_of
from mmrecun.forget.record import ForgetRecord
from mmrecun.forget.request import ForgetRequest, Target
from mmrecun.models.base import Recommender
from mmrecun.progress import Progress, no_progress
from mmrecun.rng import Seed
from mmrecun.text import duration, facts_html, facts_text
from mmrecun.training.fit import TrainConfig
from mmrecun.training.validation import can_validate, validation_score
from mmrecun.unlearning.base import Task, Unlearner
from mmrecun.unlearning.registry import method_class


class Artifact(Protocol):
    """The file or object that a model came from, with everything in it besides the rows."""

    @property
    def name(self) -> str:
        """Name of the format, such as "implicit"."""
        ...

    @property
    def suffix(self) -> str:
        """Suffix of its files, "" for folders."""
        ...

    @property
    def limits(self) -> tuple[str, ...]:
        """What cannot be forgotten in this format, one sentence each."""
        ...

    def with_parameters_of(self, model: Recommender, row_map: RowMap) -> Self:
        """Return a copy with the parameters of `model` in their rows; this one is not changed."""
        ...

    def write(self, path: Path) -> None:
        """Write `path` in the original format.

        Raises:
            ArtifactError: when there is no safe file format.
        """
        ...


@dataclass(frozen=True, repr=False)
class ForeignModel:
    """A model of another library with the data it was trained on.

    Attributes:
        dataset: the data of the model.
        model: the same rows as one of our recommenders, in the order of `dataset`.
        artifact: the file or object that it came from.
        row_map: the rows of users and items in there.
        exact: the unlearner that solves the model's own objective; None for `mmrecun`.
        suited: settings of `mmrecun` that suit how the model was trained, where they are not the usual ones.
        method, settings, stop, seconds: facts of the unlearning that made it; empty for a model as it was read.
        carried: facts that the method reads when the model is unlearned again (see `UnlearnResult`).
        record: record of the request, kept in memory only.
        original: the model that it was unlearned from.
        forgets: targets that a model of this kind can forget and its format can express.
    """

    dataset: Dataset
    model: Recommender
    artifact: Artifact
    row_map: RowMap
    exact: Unlearner | None = None
    method: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    stop: str = ""
    seconds: float = 0.0
    record: ForgetRecord | None = field(default=None, repr=False)
    original: "ForeignModel | None" = field(default=None, repr=False)
    forgets: frozenset[Target] = frozenset(Target)
    suited: Mapping[str, Any] = field(default_factory=dict)
    carried: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Return the most important facts in a few lines."""
        return facts_text(*self._overview)

    def _repr_html_(self) -> str:
        """Return the same as a small table, for notebooks."""
        return facts_html(*self._overview)

    @property
    def _overview(self) -> tuple[str, dict[str, str]]:
        facts = overview(self.dataset)
        facts["forgotten with"] = f"{self.method}, {duration(self.seconds)}" if self.method else ""
        return f"Model of {self.artifact.name}", facts | {"ended": self.stop}

    @property
    def limits(self) -> tuple[str, ...]:
        """Limits of forgetting in this way, one sentence each."""
        return self.artifact.limits

    def unlearn(
        self,
        request: ForgetRequest | Mapping[str, Any],
        method: str | None = None,
        settings: Mapping[str, Any] | None = None,
        seed: int = 0,
        learning_rate: float = TrainConfig().learning_rate,
        progress: Progress = no_progress,
    ) -> "ForeignModel":
        """Unlearn what `request` names; this model is not changed.

        Args:
            request: by the ids of the dataset.
            method: a registered method; by default the exact one if there is one, else `mmrecun`.
            settings: settings of the method.
            seed: random seed.
            learning_rate: learning rate of the short training at the end of most methods.
            progress: called with the progress.

        Raises:
            ForgetError: when an id is unknown, nothing would be left, or the method trains a model of ours anew.
        """
        started = time.perf_counter()
        asked = ForgetRequest.coerce(request)
        partition = Partition.from_request(self.dataset, asked)
        name, unlearner = self.unlearner(partition, method, settings or {})
        training = TrainConfig(learning_rate=learning_rate)

        def validate(model: Recommender, inputs: GraphInputs) -> float:
            return validation_score(model, inputs, partition.retained) if can_validate(partition.retained) else 0.0

        carried = self.carried if name == self.method else {}
        result = unlearner.run(Task(self.model, partition, training, Seed(seed), validate, progress, carried))
        row_map = self.row_map.after(partition.user_rows, partition.item_rows)
        return ForeignModel(
            partition.retained,
            result.model,
            self.artifact.with_parameters_of(result.model, row_map),
            row_map,
            exact=unlearner if self.exact else None,
            method=name,
            settings=unlearner.config.model_dump(mode="json"),
            stop=result.stop_reason,
            seconds=time.perf_counter() - started,
            record=ForgetRecord.extended(asked, self.record),
            original=self,
            forgets=self.forgets,
            suited=self.suited,
            carried=dict(result.carried),
        )

    def unlearner(self, partition: Partition, method: str | None, settings: Mapping[str, Any]) -> tuple[str, Unlearner]:
        """Return the name and the method for a request; arguments and errors are those of `unlearn`."""
        beyond = targets_of(partition) - self.forgets
        if beyond:
            raise ForgetError(
                f"a model of {self.artifact.name} cannot be without {', '.join(sorted(beyond))}: train it again"
            )
        if method is None and self.exact is not None:
            own = self.exact.config.model_dump() | dict(settings)
            return "exact", type(self.exact)(type(self.exact).Config.of(own, "the exact method"))
        cls = RankingRows if method in (None, "mmrecun") else method_class(method)
        if cls.validates:
            raise ForgetError(
                f"'{method}' trains anew by rules of ours, which would give another model: train it again with "
                f"{self.artifact.name} on the retained data"
            )
        own = {**(self.suited if cls is RankingRows else {}), **settings}
        return method or "mmrecun", cls(cls.Config.of(own, f"method '{method or 'mmrecun'}'"))

    def evaluate(self) -> dict[str, float]:
        """Return Recall, NDCG and the other metrics on the test pairs of the dataset."""
        with torch.no_grad():
            vectors = self.model.vectors(build_inputs(self.dataset, self.model.required_inputs(), torch.device("cpu")))
        return evaluate_split(vectors.users, vectors.items, self.dataset, Split.TEST).metrics

    def audit(self, golds: Sequence["ForeignModel"] = (), original: "ForeignModel | None" = None) -> AuditReport:
        """Audit the model as a run; the scan for residue reads its file in the foreign format.

        Args:
            golds: models that their own library retrained on the retained data.
            original: the model that this was unlearned from; known for a model that `unlearn` returned.

        Raises:
            ArtifactError: without an original.
            DataError: when the data of the states do not belong together.
        """
        before = original or self.original
        if before is None:
            raise ArtifactError("say what this model was unlearned from: audit(original=...)")
        for gold in golds:
            if gold.dataset.digest != self.dataset.digest:
                raise DataError("a Gold was trained on other data than is retained here; load it with `.dataset`")
        names = (self.artifact.name, self.method or "given", self.dataset.name)
        partition = Partition.between(before.dataset, self.dataset)
        with tempfile.TemporaryDirectory() as folder:
            subject = AuditSubject(
                names,
                partition,
                original=before._audited(RunKind.ORIGINAL),
                unlearned=self._audited(RunKind.UNLEARNED, Path(folder)),
                golds=[gold._audited(RunKind.GOLD) for gold in golds],
                record=self.record,
            )
            return assess(subject)

    def _audited(self, kind: RunKind, folder: Path | None = None) -> AuditedRun:
        if folder is not None:
            with contextlib.suppress(ArtifactError):  # an object in memory has no file to search
                self.artifact.write(folder / f"model{self.artifact.suffix}")
        return AuditedRun(kind, folder or Path(kind), self.model, 0, self.seconds)

    def save(self, path: str | Path) -> None:
        """Write a file of the format that the model came from, with the same ids in the same rows.

        Rows of forgotten users and items are emptied, not removed, since the row numbers of all others depend on them.

        Raises:
            ArtifactError: when there is a file already, or the model has none of its own.
        """
        path = Path(path)
        if path.exists():
            raise ArtifactError(f"{path} already exists; choose another path or remove it first")
        self.artifact.write(path)


def seconds_of(model: ForeignModel, seconds: float) -> ForeignModel:
    """Return the model with the time that its own library took, for tables and reports."""
    return replace(model, seconds=seconds)
