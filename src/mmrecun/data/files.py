"""The dataset folder: `dataset.toml`, `interactions.parquet`, `users.parquet`, `items.parquet`, `features/*.npy`."""

import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import tomli_w

from mmrecun.arrays import check_shape
from mmrecun.atomic import replace_file, replacing, staged_folder
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.interaction_rows import interaction_rows
from mmrecun.data.interactions import Interactions, Split
from mmrecun.data.modality import Modality, Provenance, check_name
from mmrecun.data.npy import read_npy, write_npy
from mmrecun.data.parquet import read_parquet, readable_parquet, write_parquet
from mmrecun.errors import DataError, MMRecUnError
from mmrecun.settings import Settings
from mmrecun.text import preview

FORMAT = 1


class Header(Settings):
    """Content of `dataset.toml`."""

    format: int
    name: str
    digest: str = ""
    modalities: dict[str, Provenance] = {}
    columns: dict[str, str] = {}


def save(dataset: Dataset, folder: Path) -> None:
    """Write `dataset` to `folder`, atomically.

    Raises:
        ArtifactError: when `folder` exists already.
    """
    with staged_folder(folder) as staging:
        write_into(dataset, staging)


def write_into(dataset: Dataset, folder: Path) -> None:
    """Write the files of `dataset` into an existing folder; its digest is taken meanwhile."""
    with ThreadPoolExecutor(max_workers=1) as beside:
        digest = beside.submit(lambda: dataset.digest)
        _write_content(dataset, folder)
        digest.result()
    (folder / "dataset.toml").write_text(_header_of(dataset), encoding="utf-8")


def _write_content(dataset: Dataset, folder: Path) -> None:
    rows = interaction_rows(dataset.users, dataset.items, dataset.interactions)
    write_parquet(rows, folder / "interactions.parquet")
    for table, ids, attributes in (
        ("users", dataset.users, dataset.user_attributes),
        ("items", dataset.items, dataset.item_attributes),
    ):
        write_parquet(_with_attributes(pl.DataFrame({"id": ids.names}), attributes), folder / f"{table}.parquet")
    (folder / "features").mkdir()
    for modality in dataset.modalities.values():
        for name, values in _feature_files(modality):
            write_npy(folder / "features" / name, values)


def add_modality(dataset: Dataset, modality: Modality, folder: Path) -> Dataset:
    """Add a modality to the dataset folder that `dataset` was read from, and return the new dataset.

    Each file is written in one step, and `dataset.toml` last, so an interruption leaves the dataset unchanged. Runs
    that were trained on the dataset refuse it afterwards, since its digest differs.

    Raises:
        DataError: when the dataset has a modality of that name.
        ArtifactError: when the folder cannot be written.
    """
    if modality.name in dataset.modalities:
        raise DataError(f"{folder} already has a modality '{modality.name}'; choose another name")
    whole = replace(dataset, modalities={**dataset.modalities, modality.name: modality})
    (folder / "features").mkdir(exist_ok=True)
    for name, values in _feature_files(modality):
        with replacing(folder / "features" / name) as staging:
            write_npy(staging, values)
    replace_file(folder / "dataset.toml", _header_of(whole).encode())
    return whole


def _feature_files(modality: Modality) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name and the content of each file of a modality."""
    yield f"{modality.name}.npy", modality.features
    yield f"{modality.name}.present.npy", modality.present


def _header_of(dataset: Dataset) -> str:
    header = Header(
        format=FORMAT,
        name=dataset.name,
        digest=dataset.digest,
        modalities={name: modality.provenance for name, modality in dataset.modalities.items()},
        columns=dict(dataset.columns),
    )
    return tomli_w.dumps(header.model_dump())


def load(folder: Path) -> Dataset:
    """Read a dataset folder; features stay memory-mapped.

    Raises:
        DataError: when a file is missing or unreadable, the parts do not fit together, or the content is not what
            the digest in `dataset.toml` names.
    """
    header = read_header(folder)
    users, user_attributes = _ids(folder / "users.parquet", "user")
    items, item_attributes = _ids(folder / "items.parquet", "item")
    table = read_parquet(folder / "interactions.parquet", ("user", "item", "split"))
    path = folder / "interactions.parquet"
    with _about(path):
        interactions = Interactions(
            users.rows(_text(table["user"])),
            items.rows(_text(table["item"])),
            _split_labels(table["split"]),
            table.drop("user", "item", "split"),
        )
    modalities = {
        name: _modality(folder / "features", name, provenance) for name, provenance in header.modalities.items()
    }
    with _about(folder):
        tables = user_attributes, item_attributes
        dataset = Dataset(header.name, users, items, interactions, modalities, *tables, header.columns)
    refuse_changed(folder, header, dataset.digest)
    return dataset


def refuse_changed(folder: Path, header: Header, digest: str) -> None:
    """Refuse a dataset folder whose content has another digest than its header names.

    Raises:
        DataError: with what to do.
    """
    if header.digest and digest != header.digest:
        raise DataError(
            f"{folder}: its content has changed since it was written; restore its files, "
            "or, if the change was meant, remove the line 'digest' from dataset.toml"
        )


@dataclass(frozen=True)
class FolderSizes:
    """Sizes of a dataset folder.

    Attributes:
        users, items: U and I.
        pairs, train: number of interactions in all splits, and in the training split.
        widths: modality -> F.
        feature_bytes: bytes of all features as stored.
    """

    users: int
    items: int
    pairs: int
    train: int
    widths: dict[str, int]
    feature_bytes: int


def sizes(folder: Path) -> FolderSizes:
    """Count what a dataset folder holds, without reading ids or features.

    Raises:
        DataError: when a file is missing or unreadable.
    """
    names = list(read_header(folder).modalities)
    features = {name: read_npy(folder / "features" / f"{name}.npy") for name in names}
    for name, values in features.items():
        with _about(folder / "features" / f"{name}.npy"):
            check_shape("features", values, (None, None))
    pairs, train = _count(folder / "interactions.parquet", pl.col("split").eq("train").sum())
    return FolderSizes(
        _count(folder / "users.parquet")[0],
        _count(folder / "items.parquet")[0],
        pairs,
        train,
        {name: int(values.shape[1]) for name, values in features.items()},
        sum(int(values.nbytes) for values in features.values()),
    )


def _count(path: Path, *further: pl.Expr) -> list[int]:
    with readable_parquet(path):
        counts = pl.scan_parquet(path, glob=False).select(pl.len(), *further).collect(engine="streaming")
        return [int(count) for count in counts.row(0)]


def read_header(folder: Path) -> Header:
    """Read and check `dataset.toml`.

    Raises:
        DataError: when it is missing, damaged or of an unknown format.
    """
    path = folder / "dataset.toml"
    try:
        header = Header.of(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
    except (FileNotFoundError, NotADirectoryError):
        wrong = " is not a dataset folder: it has no dataset.toml" if folder.is_dir() else ": no such folder"
        wrong = ": a file, not a dataset folder" if folder.is_file() else wrong
        raise DataError(
            f"{folder}{wrong}; make a dataset folder with 'mmrecun data import' or 'mmrecun data make'"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not valid TOML: {error}") from None
    if header.format != FORMAT:
        raise DataError(f"{path}: format {header.format} is not known to this version, which reads format {FORMAT}")
    for name in header.modalities:
        with _about(path):
            check_name(name)
    return header


@contextmanager
def _about(path: Path) -> Iterator[None]:
    """Add the name of the file to errors about its content."""
    try:
        yield
    except MMRecUnError as error:
        raise DataError(f"{path}: {error}") from None


def _with_attributes(table: pl.DataFrame, attributes: pl.DataFrame) -> pl.DataFrame:
    return table.hstack(attributes) if attributes.width else table


def _ids(path: Path, kind: str) -> tuple[IdMap, pl.DataFrame]:
    table = read_parquet(path, ("id",))
    with _about(path):
        return IdMap(kind, _text(table["id"])), table.drop("id")


def _text(values: pl.Series) -> pl.Series:
    try:
        return values.cast(pl.String)
    except pl.exceptions.PolarsError:
        raise DataError(f"column '{values.name}' holds {values.dtype}, not ids") from None


def _split_labels(labels: pl.Series) -> np.ndarray:
    numbers = {split.label: int(split) for split in Split}
    if labels.dtype != pl.String:
        raise DataError(f"split must be train, valid or test, not {labels.dtype}")
    unknown = labels.filter(~labels.is_in(list(numbers))).unique(maintain_order=True)
    if len(unknown) or labels.null_count():
        raise DataError(f"split must be train, valid or test, not {preview(unknown) or 'missing'}")
    return labels.replace_strict(numbers, return_dtype=pl.Int8).to_numpy()


def _modality(folder: Path, name: str, provenance: Provenance) -> Modality:
    features, present = read_npy(folder / f"{name}.npy"), read_npy(folder / f"{name}.present.npy")
    with _about(folder / f"{name}.npy"):
        return Modality(name, features, np.array(present, dtype=bool), provenance)
