"""`mmrecun data`: what its commands print, write and refuse."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from mmrecun.cli import data
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions
from mmrecun.data.modality import Modality, Provenance
from mmrecun.errors import ArtifactError, ConfigError, DataError, MMRecUnError

KEYS = {"dataset", "users", "items", "interactions", "modalities", "warnings"}


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(data.app, [str(argument) for argument in arguments])
    if isinstance(result.exception, MMRecUnError):
        raise result.exception
    return result


def answer(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Gaps in both kinds of ids, a cold user, half-precision features."""
    source = tmp_path / "tiny"
    source.mkdir()
    (source / "tiny.inter").write_text("userID\titemID\tx_label\n0\t0\t0\n0\t4\t1\n0\t2\t2\n2\t2\t0\n3\t4\t1\n")
    np.save(source / "audio_feat.npy", np.ones((6, 3), dtype=np.float16))
    return source


def test_import_reports_and_writes(folder: Path, tmp_path: Path):
    found = answer("import", folder, "--out", tmp_path / "out")
    assert set(found) == KEYS | {"rows", "left_out"}
    assert (found["rows"], found["left_out"]) == (5, {})
    assert (found["dataset"], found["users"], found["items"], found["interactions"]) == ("tiny", 4, 6, 5)
    assert found["modalities"] == {"audio": {"width": 3, "coverage": 1.0}}
    assert "1 user is only in valid or test: cold" in found["warnings"]
    assert files.load(tmp_path / "out").modalities["audio"].features.dtype == np.float16


def test_a_dry_run_tells_the_same_and_writes_nothing(folder: Path, tmp_path: Path):
    dry = answer("import", folder, "--dry-run", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert dry == answer("import", folder, "--out", tmp_path / "out")


def test_a_table_with_features_and_a_core(tmp_path: Path):
    rows = "".join(f"u{n // 5}\ti{n % 5}\t{n}\n" for n in range(20))
    (tmp_path / "e.tsv").write_text("who\twhat\tat\n" + rows + "u9\ti1\t3\n")
    (tmp_path / "items.csv").write_text("id,title\n" + "".join(f'i{n},"a, {n}"\n' for n in range(5)))
    np.save(tmp_path / "v.npy", np.eye(5))
    columns = ("--user", "who", "--item", "what", "--timestamp", "at", "--split", "temporal")
    beside = ("--items", tmp_path / "items.csv", "--features", f"v={tmp_path / 'v.npy'}")
    found = answer("import", tmp_path / "e.tsv", *columns, *beside, "--k-core", "2", "--dry-run")
    assert (found["users"], found["interactions"], found["modalities"]["v"]["width"]) == (4, 20, 5)


def test_warnings_and_counts_are_shown_to_people(folder: Path):
    result = run("import", folder, "--dry-run")
    assert "cold" in result.stderr
    assert "2 train (40%), 2 valid (40%), 1 test (20%)" in result.stdout


def test_describe_tells_and_draws(folder: Path, tmp_path: Path):
    run("import", folder, "--out", tmp_path / "out")
    found = answer("describe", tmp_path / "out", "--plot", tmp_path / "new" / "facts.svg")
    assert set(found) >= KEYS
    assert found["splits"] == {"train": 2, "valid": 2, "test": 1}
    assert found["sparsity"] == pytest.approx(1 - 2 / 24)
    assert found["degrees"]["users"]["max"] == 1
    assert (tmp_path / "new" / "facts.svg").read_text().startswith("<?xml")
    shown = run("describe", tmp_path / "out", "--plot", tmp_path / "plots")
    assert "items by training pairs" in shown.stdout
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {"dataset.png", "dataset.svg"}


def test_make_is_decided_by_its_seed(tmp_path: Path):
    small = ("--set", "users=30", "--set", "items=20", "--set", "interactions=200")
    found = answer("make", "--out", tmp_path / "a", *small, "--seed", "4")
    assert set(found) == KEYS
    assert (found["users"], found["items"]) == (30, 20)
    run("make", "--out", tmp_path / "b", *small, "--seed", "4")
    run("make", "--out", tmp_path / "c", *small, "--seed", "5")
    a, b, c = (files.load(tmp_path / name).digest for name in "abc")
    assert a == b != c


REFUSED: dict[str, tuple[tuple[str, ...], type[MMRecUnError], str]] = {
    "no out": (("import", "{source}"), ConfigError, "name the dataset folder with --out"),
    "format": (("import", "{source}", "--dry-run", "--format", "mmrek"), ConfigError, "did you mean 'mmrec'"),
    "split": (("import", "{source}", "--dry-run", "--split", "odd"), ConfigError, "split = 'odd'"),
    "features": (("import", "{source}", "--dry-run", "--features", "x"), DataError, "write it as name=file"),
    "nowhere": (("import", "{source}/no", "--dry-run"), DataError, "no such file or folder"),
    "stands already": (("import", "{source}", "--out", "{source}"), ArtifactError, "already exists"),
    "not a dataset": (("describe", "{source}"), DataError, "is not a dataset folder"),
    "setting": (("make", "--out", "{source}/new", "--set", "user=3"), ConfigError, "did you mean 'users'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case: str, folder: Path):
    arguments, kind, message = REFUSED[case]
    with pytest.raises(kind, match=message) as caught:
        run(*(argument.format(source=folder) for argument in arguments))
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in folder.iterdir()) == ["audio_feat.npy", "tiny.inter"]


def test_plots_of_unknown_kinds_are_refused(folder: Path, tmp_path: Path):
    run("import", folder, "--out", tmp_path / "out")
    with pytest.raises(ConfigError, match=r"name a \.png, \.svg or \.pdf file, or a folder"):
        run("describe", tmp_path / "out", "--plot", tmp_path / "facts.bmp")


DAMAGED = {
    "numbers for splits": ("interactions", pl.lit(0).alias("split"), "split must be train, valid or test, not Int32"),
    "lists for ids": ("users", pl.concat_list("id").alias("id"), r"column 'id' holds List\(String\), not ids"),
    "lists in pairs": ("interactions", pl.concat_list("item").alias("item"), "column 'item' holds List"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_folders_are_refused(case: str, folder: Path, tmp_path: Path):
    name, column, message = DAMAGED[case]
    run("import", folder, "--out", tmp_path / "out")
    path = tmp_path / "out" / f"{name}.parquet"
    pl.read_parquet(path).with_columns(column).write_parquet(path)
    with pytest.raises(DataError, match=rf"{name}\.parquet: {message}"):
        run("describe", tmp_path / "out")


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\x01"), min_size=1, max_size=4)
    users, items = (draw(st.lists(text, min_size=1, max_size=6, unique=True)) for _ in range(2))
    cells = st.integers(0, len(users) * len(items) - 1)
    keys = np.array(draw(st.lists(cells, min_size=1, max_size=20, unique=True)))
    labels = np.array([0, *draw(st.lists(st.integers(0, 2), min_size=len(keys) - 1, max_size=len(keys) - 1))])
    times = draw(st.lists(st.integers(0, 2**40), min_size=len(keys), max_size=len(keys)))
    pairs = Interactions(keys // len(items), keys % len(items), labels, pl.DataFrame({"timestamp": times}))
    dtype = draw(st.sampled_from([np.float16, np.float32, np.float64]))
    features = np.arange(2 * len(items), dtype=dtype).reshape(-1, 2)
    present = np.array(draw(st.lists(st.booleans(), min_size=len(items), max_size=len(items))))
    modality = Modality("text", features, present, Provenance(encoder=draw(text)))
    years = pl.DataFrame(
        {"year": draw(st.lists(st.none() | st.integers(0, 9), min_size=len(items), max_size=len(items)))}
    )
    years = years.cast(pl.Int64)
    modalities = {"text": modality}
    return Dataset("x", IdMap.of("user", users), IdMap.of("item", items), pairs, modalities, item_attributes=years)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(datasets())
def test_a_dataset_comes_back_as_it_was_written(data: Dataset):
    with tempfile.TemporaryDirectory() as folder:
        files.save(data, Path(folder) / "data")
        back = files.load(Path(folder) / "data")
        assert back.digest == data.digest
        assert back.modalities["text"].provenance == data.modalities["text"].provenance
        assert back.modalities["text"].features.dtype == data.modalities["text"].features.dtype
