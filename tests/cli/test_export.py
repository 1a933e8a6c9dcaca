"""The contract of `export`, `exports`, `diff` and `data encode`: keys, exit codes, one line for a mistake."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from mmrecun import jobs, load
from tests.cli.calling import keys
from tests.conftest import TRAINING


@pytest.fixture(scope="module")
def two(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("two")
    jobs.train(data_folder, "bprmf", folder / "one", {**TRAINING, "epochs": 2})
    jobs.unlearn(folder / "one", {"users": ["u00003"]}, folder / "two", "unlink")
    return folder / "one", folder / "two"


def test_export_exports_and_diff_by_command(cli, two, tmp_path: Path):
    made = keys(cli("export", two[0], "--to", "lists", "-k", 5, "--out", tmp_path / "lists", "--json"))
    assert made.keys() == {"export", "files", "record"}
    assert made["files"] == ["export.json", "lists.parquet"]
    listed = keys(cli("exports", two[0], "--json"))
    assert listed.keys() == {"run", "exports", "stale"}
    assert listed["stale"] == 1
    assert listed["exports"][0].keys() == {"kind", "made", "path", "run", "state", "because"}
    found = keys(cli("diff", *two, "--json"))
    assert found.keys() == {"run", "other", "rows", "modalities", "vectors", "lists", "movers"}
    code, told, err = cli("diff", *two)
    assert code == 0, err
    assert all(f"{mover['item']}  " in told for mover in found["movers"])
    assert not [name for name in load(two[0]).dataset.users.names if name in told]
    _, told, _ = cli("export", two[0], "--to", "npy", "--out", tmp_path / "trained")
    assert "nothing: a trained run" in told
    _, told, _ = cli("export", two[1], "--to", "npy", "--out", tmp_path / "npy")
    assert "forgotten" in told
    assert "1 user, " in told
    code, told, _ = cli("exports", two[1])
    assert code == 0
    assert "2 of 3 exports are stale" in told


def test_encode_by_command(cli, data_folder: Path, tmp_path: Path):
    data, sounds = tmp_path / "data", tmp_path / "sounds"
    shutil.copytree(data_folder, data)
    sounds.mkdir()
    wavfile.write(sounds / "i00001.wav", 8000, np.arange(4000, dtype=np.int16))
    answer = keys(cli("data", "encode", data, "--modality", "clip", "--encoder", "log-mel", "--from", sounds, "--json"))
    assert answer["modalities"]["clip"] == {"width": 192, "coverage": pytest.approx(1 / 50)}
    assert "49 items without content" in answer["warnings"][0]


MISTAKES = {
    "format": (("export", "RUN", "--to", "list", "--out", "x"), "did you mean 'lists'"),
    "length": (("export", "RUN", "--to", "npy", "-k", "5", "--out", "x"), "a length goes with --to lists"),
    "run": (("export", "nowhere", "--to", "npy", "--out", "x"), "nowhere is not a run folder"),
    "list of none": (("exports", "nowhere"), "nowhere is not a run folder"),
    "other": (("diff", "RUN", "nowhere"), "nowhere is not a run folder"),
    "data": (
        ("data", "encode", "nowhere", "--modality", "text", "--from", "x"),
        "nowhere: no such folder; make a dataset folder",
    ),
    "name": (("data", "encode", "nowhere", "--modality", "a b", "--from", "x"), "cannot name a modality"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(cli, two, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    arguments, message = MISTAKES[case]
    code, _, err = cli(*(str(two[0]) if word == "RUN" else word for word in arguments))
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
