"""Where commands write: never into the run that they read, and `.` is a folder like any other where it can be."""

import shutil
from pathlib import Path
from shlex import split

import numpy as np
import pytest
from scipy.io import wavfile

from mmrecun import Dataset, jobs
from mmrecun.data import files
from mmrecun.errors import ArtifactError
from tests.cli.calling import keys


@pytest.fixture(scope="module")
def chunks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data`, the run in chunks `run`, and the same in parts, `parts`."""
    place = tmp_path_factory.mktemp("chunks")
    files.save(Dataset.synthetic(users=60, items=30, interactions=900), place / "data")
    jobs.train_mapped(place / "data", "bprmf", place / "run", {"dim": 4, "epochs": 1, "batch_size": 128})
    jobs.split_mapped(place / "run", place / "parts", 2)
    return place


def contents(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize(
    "words",
    [
        "unlearn {run} --user u00003 --method retrain --seeds 1,2 --out {run}",
        "unlearn {run} --user u00003 --method unlink --out {run}/inner",
        "unlearn {run} --user u00003 --method unlink --seeds 1,2 --out {other}",
        "export {run} --to npy --out {run}/exports/mine",
        "export {chunks}/run --to vectors --out {chunks}/run/exports/mine",
        "unlearn {chunks}/parts --user u00003 --out {chunks}/parts/inner",
        "unlearn {chunks}/parts --user u00003 --out {chunks}/run",
        "fold {chunks}/run --out {chunks}/run/folded",
        "fold {chunks}/parts --out {chunks}/parts/folded",
    ],
)
def test_nothing_is_written_into_a_run(cli, run_folder: Path, chunks: Path, tmp_path: Path, words: str):
    run, other = tmp_path / "run", tmp_path / "other"
    for copy in (run, other):
        shutil.copytree(run_folder, copy)
    there = contents(tmp_path), contents(chunks)
    code, out, err = cli(*split(words.format(run=run, other=other, chunks=chunks)))
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert any(text in err for text in ("lies within", "is the run itself", "is a run, in which")), err
    assert (contents(tmp_path), contents(chunks)) == there


def test_parts_and_replicas_are_not_written_into_a_run(chunks: Path, tmp_path: Path):
    there = contents(chunks)
    jobs.unlearn_mapped(chunks / "run", {"users": ["u00003"]}, tmp_path / "less", delta=tmp_path / "delta")
    with pytest.raises(ArtifactError, match="lies within"):
        jobs.split_mapped(chunks / "run", chunks / "run" / "parts", 2)
    with pytest.raises(ArtifactError, match="lies within"):
        jobs.apply_delta(chunks / "run", tmp_path / "delta", chunks / "run" / "less")
    assert contents(chunks) == there


@pytest.mark.parametrize("delta", ["nowhere/x.delta", "taken"])
def test_no_run_is_made_without_its_delta(chunks: Path, tmp_path: Path, delta: str):
    (tmp_path / "taken").mkdir()
    with pytest.raises(ArtifactError, match=rf"{delta}: cannot be written"):
        jobs.unlearn_mapped(chunks / "run", {"users": ["u00003"]}, tmp_path / "less", delta=tmp_path / delta)
    assert contents(tmp_path) == [tmp_path / "taken"]


@pytest.mark.parametrize(
    "words",
    [
        "train {data} --model bprmf --set epochs=1 --out .",
        "train {data} --model bprmf --on-disk --set epochs=1 --out .",
        "unlearn {run} --user u00003 --method unlink --out .",
        "unlearn {chunks}/run --user u00003 --out .",
        "export {run} --to npy --out .",
        "data make --out .",
        "data import {data}/interactions.parquet --out .",
        "fold {chunks}/run --out .",
    ],
)
def test_the_current_folder_is_not_replaced(
    cli, run_folder: Path, data_folder: Path, chunks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    code, out, err = cli(*split(words.format(run=run_folder, data=data_folder, chunks=chunks)))
    assert (code, out, err) == (
        *(2, ""),
        "error: . is the folder that this command runs in; choose an --out in it or beside it\n",
    )
    assert contents(tmp_path) == [tmp_path / "here"]


def test_runs_of_several_seeds_come_into_the_current_folder(
    cli, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    keys(cli("unlearn", run_folder, *split("--user u00003 --method unlink --seeds 1,2 --out . --json")))
    assert sorted(path.name for path in Path().iterdir()) == ["seed-1", "seed-2"]
    assert contents(tmp_path)[0] == tmp_path / "here"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_dataset_and_a_run_may_be_the_current_folder(
    cli, data_folder: Path, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(data_folder, tmp_path / "data")
    monkeypatch.chdir(tmp_path / "data")
    (tmp_path / "sounds").mkdir()
    wavfile.write(tmp_path / "sounds" / "i00001.wav", 8000, np.arange(4000, dtype=np.int16))
    keys(cli(*split("data encode . --modality clip --encoder log-mel --from ../sounds --json")))
    assert "clip" in files.load(tmp_path / "data").modalities
    jobs.unlearn(run_folder, {"users": ["u00003"]}, tmp_path / "less", "unlink")
    monkeypatch.chdir(tmp_path / "less")
    keys(cli(*split("audit . --shadows 4 --json")))
    keys(cli(*split("unlearn . --user u00004 --method unlink --out ../lesser --json")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "less", "lesser", "sounds"]
