"""Options of an import, and its result."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import Field, PositiveInt

from mmrecun.data.dataset import Dataset
from mmrecun.data.importers.report import Report
from mmrecun.settings import Settings


class Format(StrEnum):
    """Layout of a source."""

    AUTO = "auto"
    MMREC = "mmrec"
    TABLE = "table"
    LISTS = "lists"
    AMAZON = "amazon"
    MICROLENS = "microlens"
    DATASETS = "datasets"
    UI = "ui"
    UIR = "uir"
    UIRT = "uirt"
    UITUP = "uitup"


class SplitKind(StrEnum):
    """Rule by which pairs without a label are split."""

    RANDOM = "random"
    TEMPORAL = "temporal"
    LEAVE_K_OUT = "leave-k-out"
    NONE = "none"


class Duplicates(StrEnum):
    """Treatment of a pair that occurs again."""

    ERROR = "error"
    FIRST = "first"


class ImportOptions(Settings):
    """Settings of an import.

    Attributes:
        name: name of the dataset; that of the file or folder by default.
        user, item, timestamp, weight, split_column: names of columns.
        separator: separator of text files, such as "comma"; that of the suffix by default.
        columns: names of the columns of a table without a header.
        min_weight: leave out events of a smaller weight; every event that is kept counts as a positive.
        features: modality -> npy, Parquet or Arrow file, or a folder with an npy file an item.
        feature_ids: modality -> file with the item ids of its npy rows, in their order.
        items, users: tables of ids and attributes; they also fix the row order of npy features.
        split: how to split when there is no label; random, with a warning, when not given. With none, all pairs are
            training pairs, as for a model that was trained on all of them.
        k: held out per user and part, for leave-k-out.
        k_core: smallest number of pairs of every user and item; 0 keeps everything.
        duplicates: refuse a repeated pair, or keep the first.
        seed: seed of a random split.
        train, valid, test: files of published splits, in place of a source; validation is cut from train where absent.
        sql, query: URL of a database and a SELECT, in place of a source.
    """

    name: str | None = None
    user: str = "user"
    item: str = "item"
    timestamp: str | None = None
    weight: str | None = None
    split_column: str | None = None
    separator: str | None = None
    columns: tuple[str, ...] = ()
    min_weight: float | None = None
    features: dict[str, Path] = {}
    feature_ids: dict[str, Path] = {}
    items: Path | None = None
    users: Path | None = None
    split: SplitKind | None = None
    k: PositiveInt = 1
    k_core: int = Field(default=0, ge=0)
    duplicates: Duplicates = Duplicates.ERROR
    seed: int = 0
    train: Path | None = None
    valid: Path | None = None
    test: Path | None = None
    sql: str | None = None
    query: str | None = None


@dataclass(frozen=True)
class Imported:
    """A dataset as read, with the report of its import."""

    dataset: Dataset
    report: Report

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of the import, a line each."""
        return tuple(self.report.warnings)
