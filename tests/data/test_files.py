"""The dataset folder: there and back, and what is noticed when it was changed."""

import datetime
import decimal
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.errors import DataError


@pytest.fixture
def folder(data_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(data_folder, tmp_path / "data"))


def test_the_digest_is_written_and_checked(folder: Path, dataset: Dataset):
    header = folder / "dataset.toml"
    assert dataset.digest in header.read_text()
    assert files.load(folder).digest == dataset.digest
    header.write_text(header.read_text().replace(dataset.digest, "0" * 64))
    with pytest.raises(DataError, match="its content has changed since it was written") as caught:
        files.load(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def change_features(folder: Path) -> None:
    features = np.load(folder / "features" / "image.npy")
    features[0, 0] += 1
    np.save(folder / "features" / "image.npy", features)


def change_presence(folder: Path) -> None:
    present = np.load(folder / "features" / "image.present.npy")
    np.save(folder / "features" / "image.present.npy", present & (np.arange(len(present)) > 3))


def change_pairs(folder: Path) -> None:
    path = folder / "interactions.parquet"
    pl.read_parquet(path).head(-1).write_parquet(path)


def change_titles(folder: Path) -> None:
    path = folder / "items.parquet"
    pl.read_parquet(path).with_columns(title=pl.lit("other")).write_parquet(path)


@pytest.mark.parametrize("change", [change_features, change_presence, change_pairs, change_titles])
def test_any_change_is_noticed_and_may_be_meant(change, folder: Path, dataset: Dataset):
    change(folder)
    with pytest.raises(DataError, match="remove the line 'digest'"):
        files.load(folder)
    header = folder / "dataset.toml"
    header.write_text("\n".join(line for line in header.read_text().splitlines() if not line.startswith("digest")))
    assert files.load(folder).digest != dataset.digest


def test_notes_on_provenance_are_no_change(folder: Path, dataset: Dataset):
    header = folder / "dataset.toml"
    header.write_text(header.read_text().replace('owner = "synthetic"', 'owner = "somebody"'))
    loaded = files.load(folder)
    assert loaded.modalities["image"].provenance.owner == "somebody"
    assert loaded.digest == dataset.digest


@pytest.mark.parametrize("name", ["../image", "../../data/features/image", "/tmp/image", "a/b", "", "image\n"])
def test_a_modality_cannot_name_a_file_elsewhere(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch):
    header = folder / "dataset.toml"
    text = header.read_text().replace("[modalities.image]", f'[modalities."{name}"]'.replace("\n", "\\n"))
    header.write_text(text)
    opened: list[Path] = []
    monkeypatch.setattr(files, "read_npy", opened.append)
    with pytest.raises(DataError, match=r"dataset\.toml: '.*' cannot name a modality") as caught:
        files.load(folder)
    assert not opened
    assert "\n" not in str(caught.value)


ATTRIBUTES = {
    "decimal": pl.Series([decimal.Decimal("1.50"), None], dtype=pl.Decimal(10, 2)),
    "int128": pl.Series([2**100, None], dtype=pl.Int128),
    "uint64": pl.Series([2**64 - 1, None], dtype=pl.UInt64),
    "float": pl.Series([float("nan"), -0.0]),
    "category": pl.Series(["a", None], dtype=pl.Categorical),
    "enum": pl.Series(["b", "a"], dtype=pl.Enum(["a", "b"])),
    "date": pl.Series([datetime.date(2020, 2, 29), None]),
    "moment": pl.Series([datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), None]),
    "span": pl.Series([datetime.timedelta(seconds=1), None]),
    "list": pl.Series([["x", None], None]),
    "struct": pl.Series([{"a": 1, "b": "x"}, {"a": None, "b": "y"}]),
    "bool": pl.Series([True, None]),
    "nothing": pl.Series([None, None]),
    "text": pl.Series(['a\n"b"', ""]),
}


@pytest.mark.parametrize("kind", ATTRIBUTES)
def test_attributes_of_every_kind_keep_the_digest(kind: str, dataset: Dataset, tmp_path: Path):
    values = ATTRIBUTES[kind]
    column = pl.concat([values] * (len(dataset.items) // 2))
    data = replace(dataset, item_attributes=pl.DataFrame({"a": column}))
    again = replace(dataset, item_attributes=pl.DataFrame({"a": pl.Series(column.to_list(), dtype=column.dtype)}))
    assert data.digest == again.digest
    files.save(data, tmp_path / "data")
    assert files.load(tmp_path / "data").item_attributes["a"].dtype == column.dtype
    other = pl.concat([values.reverse(), column[2:]])
    if kind != "nothing":
        assert replace(dataset, item_attributes=pl.DataFrame({"a": other})).digest != data.digest


def test_bytes_are_no_attributes(dataset: Dataset):
    thumbnails = pl.DataFrame({"thumbnail": [b"\xff"] * len(dataset.items)})
    with pytest.raises(DataError, match="item attribute 'thumbnail' holds Binary"):
        replace(dataset, item_attributes=thumbnails)


@pytest.mark.parametrize("value", [[b"\xff"], {"bytes": b"\xff", "path": "a.png"}])
def test_bytes_within_attributes_are_refused_too(value: object, dataset: Dataset):
    """Pictures come so in Parquet files of Hugging Face; polars would panic."""
    with pytest.raises(DataError, match=r"'image' holds Binary within (List|Struct), which is not"):
        replace(dataset, item_attributes=pl.DataFrame({"image": [value] * len(dataset.items)}))


def test_attributes_are_not_called_like_the_columns_of_a_dataset(dataset: Dataset):
    for side in ("users", "items"):
        attributes = pl.DataFrame({"id": range(len(getattr(dataset, side)))})
        with pytest.raises(DataError, match="attribute 'id' is called like a column of its own; rename it"):
            replace(dataset, **{f"{side[:-1]}_attributes": attributes})
    pairs = replace(dataset.interactions, attributes=pl.DataFrame({"split": range(len(dataset.interactions))}))
    with pytest.raises(DataError, match="interaction attribute 'split'"):
        dataset.with_interactions(pairs)


def test_what_does_not_fit_together_is_named_by_its_file(folder: Path):
    path = folder / "interactions.parquet"
    table = pl.read_parquet(path)
    pl.concat([table, table.head(1)]).write_parquet(path)
    with pytest.raises(DataError, match=r"interactions\.parquet: the pair of user row .* occurs more than once"):
        files.load(folder)
    table.with_columns(split=pl.lit("test")).write_parquet(path)
    with pytest.raises(DataError, match=r"data: dataset '.*' has no training interactions"):
        files.load(folder)
    table.write_parquet(path)
    np.save(folder / "features" / "image.present.npy", np.ones(3, dtype=bool))
    with pytest.raises(DataError, match=r"image\.npy: presence mask of 'image' has shape \[3\]"):
        files.load(folder)
