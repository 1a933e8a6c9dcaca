"""What leaves as frames or files and comes back is the same dataset, to the bit."""

import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.importers.options import ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.data.interactions import Interactions
from mmrecun.data.modality import Modality

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=6).filter(
    lambda name: name == pl.Series([name]).str.strip_chars()[0]
)
FINITE = st.floats(-1e6, 1e6, width=32)


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    users = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    items = draw(st.lists(NAMES, min_size=3, max_size=6, unique=True))
    keys = draw(st.lists(st.integers(0, len(users) * len(items) - 1), min_size=3, unique=True))
    rows = np.array(keys, dtype=np.int64)
    splits = np.array([0, 1, 2, *draw(st.lists(st.integers(0, 2), min_size=len(keys) - 3, max_size=len(keys) - 3))])
    pairs = rows // len(items), rows % len(items), splits.astype(np.int8)
    columns: dict[str, pl.Series] = {}
    if draw(st.booleans()):
        times = st.lists(st.integers(0, 2**62), min_size=len(keys), max_size=len(keys))
        columns["timestamp"] = pl.Series(draw(times), dtype=pl.Int64)
    if draw(st.booleans()):
        weights = st.lists(FINITE, min_size=len(keys), max_size=len(keys))
        columns["weight"] = pl.Series(draw(weights), dtype=pl.Float32)
    present = np.array(draw(st.lists(st.booleans(), min_size=len(items), max_size=len(items)).filter(any)))
    values = draw(st.lists(st.lists(FINITE, min_size=2, max_size=2), min_size=len(items), max_size=len(items)))
    features = np.where(present[:, None], np.array(values, dtype=np.float32), np.float32(0))
    about = pl.DataFrame({"title": [f'a {name}, "b"' for name in items], "year": range(1990, 1990 + len(items))})
    return Dataset(
        "made",
        IdMap.of("user", users),
        IdMap.of("item", items),
        Interactions(*pairs, pl.DataFrame(columns)),
        {"text": Modality("text", features, present)},
        item_attributes=about if draw(st.booleans()) else pl.DataFrame(),
    )


@settings(max_examples=60)
@given(data=datasets())
def test_frames_give_the_same_dataset_again(data: Dataset):
    assert Dataset.from_frames(**data.to_frames()).digest == data.digest


def options(data: Dataset, folder: Path, suffix: str, features: Path) -> ImportOptions:
    held = data.interactions.attributes.columns
    return ImportOptions.of(
        {
            "users": folder / f"users.{suffix}",
            "items": folder / f"items.{suffix}",
            "features": {"text": features},
            "timestamp": "timestamp" if "timestamp" in held else None,
            "weight": "weight" if "weight" in held else None,
        }
    )


@settings(max_examples=40)
@given(data=datasets())
def test_the_files_of_a_dataset_folder_are_imported_as_the_same_dataset(data: Dataset):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "made"
        files.save(data, folder)
        array = np.load(folder / "features" / "text.npy")
        array[~np.load(folder / "features" / "text.present.npy")] = np.nan
        np.save(Path(name) / "text.npy", array)
        found = read(folder / "interactions.parquet", options(data, folder, "parquet", Path(name) / "text.npy"))
    assert found.dataset.digest == files_digest(data, found.dataset)
    assert not found.report.left_out


def files_digest(data: Dataset, found: Dataset) -> str:
    """Absent rows hold NaN in the array that was read; the dataset they are from holds zeros there."""
    text = found.modalities["text"]
    np.testing.assert_array_equal(text.present, data.modalities["text"].present)
    np.testing.assert_array_equal(text.values(), data.modalities["text"].values())
    return Dataset(
        data.name,
        data.users,
        data.items,
        data.interactions,
        {"text": text},
        data.user_attributes,
        data.item_attributes,
    ).digest


@settings(max_examples=40)
@given(data=datasets(), suffix=st.sampled_from(["csv", "jsonl", "parquet"]))
def test_frames_written_by_others_are_imported_as_the_same_dataset(data: Dataset, suffix: str):
    frames = data.to_frames()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in ("interactions", "users", "items"):
            table = frames[kind]
            path = folder / f"{kind}.{suffix}"
            write = {"csv": table.write_csv, "jsonl": table.write_ndjson, "parquet": table.write_parquet}[suffix]
            write(path)
        ids, array = frames["features"]["text"]
        pl.DataFrame({"id": ids, "v": array}).write_parquet(folder / "v.parquet")
        found = read(folder / f"interactions.{suffix}", options(data, folder, suffix, folder / "v.parquet"))
    assert found.dataset.digest == data.digest
