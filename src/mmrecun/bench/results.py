"""The rows of a bench: one for each run, with its figures, gaps to Gold and cost. Each is one file."""

import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Literal

import polars as pl
from pydantic import ConfigDict, Field, ValidationError

from mmrecun.atomic import replace_file
from mmrecun.auditing.figures import Measurements
from mmrecun.auditing.keys import LikenessKey, Probe, ProbeKey, Similarity
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.result import AuditReport
from mmrecun.errors import ArtifactError
from mmrecun.keys import NDCG, RECALL
from mmrecun.settings import Settings, first_fault
from mmrecun.text import reason_of

RowFigure = Literal[
    "retain_recall",
    "affected_recall",
    "forget_recall",
    "membership_auc",
    "matched_auc",
    "fold_in",
    "overlap",
    "seconds",
    "speedup_over_gold",
    "peak_memory",
]


class Status(StrEnum):
    """Outcome of a row."""

    DONE = "done"
    NOT_APPLICABLE = "not applicable"
    FAILED = "failed"


class Key(Settings):
    """The key of a row.

    Attributes:
        dataset, model, request, method: labels of the spec; `method` may also be "original" or "gold".
        target, strategy, ratio: fields of the request.
        requests: number of requests made one after another.
        seed: random seed of the Original and the method, or of the Gold.
    """

    dataset: str
    model: str
    request: str
    target: str
    strategy: str
    ratio: float
    requests: int = 1
    method: str = ""
    seed: int = 0


class Row(Key):
    """A finished row; None where a figure does not exist.

    Attributes:
        status, reason: why there are no figures, in one line.
        retain_recall..retain_ndcg: on the retained test pairs; affected and unaffected users apart.
        forget_recall: with the forgotten pairs as ground truth, retained positives masked.
        membership_auc, matched_auc: forgotten pairs against held-out positives; among pairs of equal popularity.
        fold_in: how well the second half of a removed user's or item's pairs is predicted from the first.
        overlap: mean overlap of the lists of 20 with Gold's.
        gap_...: figure minus the mean of Gold; z_...: the same in standard deviations of Gold.
        seconds: from the request to a run that can be served; mean per request in a sequence; training of an Original.
        gold_seconds: mean time of the Golds.
        speedup_over_gold: their ratio, if this bench made both on this host, one at a time.
        peak_memory: peak of resident bytes while the method ran, everything loaded included.
        verdict_...: verdicts of the audit; `failed_checks` names the failed ones.
        stop: why the method ended.
        host: name of the machine that made the row.
        shared: whether other pieces ran at the same time, so that its times cannot be compared.
    """

    model_config = ConfigDict(populate_by_name=True)

    status: Status
    reason: str = ""
    retain_recall: float | None = Field(default=None, alias="retain_recall@20")
    retain_ndcg: float | None = Field(default=None, alias="retain_ndcg@20")
    affected_recall: float | None = Field(default=None, alias="affected_recall@20")
    unaffected_recall: float | None = Field(default=None, alias="unaffected_recall@20")
    forget_recall: float | None = Field(default=None, alias="forget_recall@20")
    membership_auc: float | None = None
    matched_auc: float | None = None
    fold_in: float | None = None
    overlap: float | None = Field(default=None, alias="gold_overlap@20")
    gap_retain_recall: float | None = Field(default=None, alias="gap_retain_recall@20")
    gap_forget_recall: float | None = Field(default=None, alias="gap_forget_recall@20")
    gap_membership_auc: float | None = None
    gap_matched_auc: float | None = None
    gap_fold_in: float | None = None
    z_retain_recall: float | None = Field(default=None, alias="z_retain_recall@20")
    z_forget_recall: float | None = Field(default=None, alias="z_forget_recall@20")
    z_membership_auc: float | None = None
    z_matched_auc: float | None = None
    z_fold_in: float | None = None
    seconds: float | None = None
    gold_seconds: float | None = None
    speedup_over_gold: float | None = None
    peak_memory: int | None = None
    verdict_without_gold: Outcome | None = None
    verdict_against_gold: Outcome | None = None
    failed_checks: str = ""
    stop: str = ""
    host: str = ""
    shared: bool = False

    def figure(self, name: RowFigure) -> float | None:
        """Return the figure in a column; None where the row has none."""
        value: float | None = getattr(self, name)
        return value

    def public(self) -> dict[str, Any]:
        """Return the row with the names that the command line and the files use."""
        return self.model_dump(mode="json", by_alias=True)


HEADLINES = ("retain_recall", "forget_recall", "membership_auc", "matched_auc", "fold_in")
_TEXTS = (
    *("dataset", "model", "request", "target", "strategy", "method", "status", "reason", "failed_checks", "stop"),
    "host",
    *("verdict_without_gold", "verdict_against_gold"),
)


def of_figures(figures: Measurements) -> dict[str, float | None]:
    """Return the columns that depend on one state alone."""
    return {
        "retain_recall": figures.retain.get(RECALL),
        "retain_ndcg": figures.retain.get(NDCG),
        "affected_recall": figures.affected.get(RECALL),
        "unaffected_recall": figures.unaffected.get(RECALL),
        "forget_recall": figures.forget.get(RECALL),
        "membership_auc": figures.auc,
        "matched_auc": figures.auc_matched,
        "fold_in": figures.probes.get(ProbeKey.named(Probe.FOLD_IN)),
    }


def gaps(values: dict[str, float | None], golds: Sequence[dict[str, float | None]]) -> dict[str, float | None]:
    """Compute `gap_...` and `z_...` of the headline figures against `golds`; None without a figure or spread."""
    found: dict[str, float | None] = {}
    for name in HEADLINES:
        known = [figure for gold in golds if (figure := gold.get(name)) is not None]
        value = values.get(name)
        gap = value - mean(known) if value is not None and known else None
        spread = stdev(known) if len(known) > 1 else 0.0
        found[f"gap_{name}"] = gap
        found[f"z_{name}"] = gap / spread if gap is not None and spread else None
    return found


def of_report(report: AuditReport) -> dict[str, Any]:
    """Return the columns that an audit gives beyond its figures."""
    likeness = report.likeness.get(LikenessKey.named(Similarity.OVERLAP))
    failed = [check.name for check in report.checks if check.state is Outcome.FAILED]
    return {
        "overlap": likeness.unlearned if likeness else None,
        "verdict_without_gold": report.verdict_without_gold,
        "verdict_against_gold": report.verdict_against_gold,
        "failed_checks": "; ".join(failed),
    }


class Store:
    """Rows on disk, one JSON file each, named by the digest of everything that affects it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, digest: str, key: Key) -> Row | None:
        """Return the row, under the labels of `key`; None when it is not there.

        Raises:
            ArtifactError: when its file is damaged.
        """
        path = self.folder / f"{digest}.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return Row.model_validate({**values, **key.model_dump()})
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise ArtifactError(f"{path}: damaged or from another version; remove it: {first_fault(error)}") from None
        except ValueError as error:
            raise ArtifactError(f"{path}: damaged or from another version; remove it: {reason_of(error)}") from None

    def put(self, digest: str, row: Row) -> None:
        """Write a finished row in one step."""
        self.folder.mkdir(parents=True, exist_ok=True)
        replace_file(self.folder / f"{digest}.json", (json.dumps(row.public(), indent=2) + "\n").encode())


def frame(rows: Iterable[Row]) -> pl.DataFrame:
    """Return rows as a table with the public column names and stable types."""
    types: dict[str, type[pl.DataType]] = {
        "ratio": pl.Float64,
        "requests": pl.Int64,
        "seed": pl.Int64,
        "peak_memory": pl.Int64,
        "shared": pl.Boolean,
    }
    listed = [row.public() for row in rows]
    names = list(listed[0]) if listed else []
    texts = {name for name in names if name in _TEXTS}
    schema = {name: types.get(name, pl.String if name in texts else pl.Float64) for name in names}
    return pl.DataFrame(listed, schema=schema)
