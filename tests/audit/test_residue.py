"""Every kind of survivor is planted once; the scan must find it, and only it."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mmrecun import jobs
from mmrecun.audit import residue
from mmrecun.audit.verdict import State
from mmrecun.data.forget import ForgetRequest, Partition, partition
from mmrecun.lineage import Run


@pytest.fixture(scope="module")
def runs(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run, Partition]:
    original = jobs.load(run_folder)
    items, users = original.dataset.items.names, original.dataset.users.names
    out = tmp_path_factory.mktemp("residue") / "after"
    jobs.unlearn(original, ForgetRequest(items=(items[1], items[2]), users=(users[3],)), out)
    after = jobs.load(out)
    return original, after, partition(original.dataset, after.dataset)


def failed(runs: tuple[Run, Run, Partition], parts: Partition | None = None, folder: Path | None = None) -> set[str]:
    original, after, found = runs
    checks = residue.scan(original.model, after.model, parts or found, folder or after.folder)
    return {check.name for check in checks if check.state is State.FAILED}


def test_a_clean_run_passes(runs: tuple[Run, Run, Partition]):
    assert failed(runs) == set()


def test_an_id_in_a_file(runs: tuple[Run, Run, Partition], tmp_path: Path):
    folder = tmp_path / "copy"
    shutil.copytree(runs[1].folder, folder)
    (folder / "notes.json").write_text('{"removed": ["i00001"]}')
    assert failed(runs, folder=folder) == {"residue: files"}


def test_an_id_in_a_table(runs: tuple[Run, Run, Partition], tmp_path: Path):
    folder = tmp_path / "copy"
    shutil.copytree(runs[1].folder, folder)
    shutil.copy(runs[0].folder / runs[0].manifest.dataset.path / "users.parquet", folder / "dataset" / "users.parquet")
    assert failed(runs, folder=folder) == {"residue: files"}


def test_a_row_that_survived(runs: tuple[Run, Run, Partition]):
    original, after, _ = runs
    row = after.model.users.weight.data[0].clone()
    after.model.users.weight.data[0] = original.model.users.weight.data[3]
    try:
        assert failed(runs) == {"residue: rows"}
    finally:
        after.model.users.weight.data[0] = row


def test_a_table_of_the_old_size(runs: tuple[Run, Run, Partition]):
    table = runs[1].model.users
    rows = table.weight.data
    table.weight.data = torch.cat([rows, torch.ones(1, rows.shape[1])])
    try:
        assert failed(runs) == {"residue: tables"}
    finally:
        table.weight.data = rows


def test_features_that_were_kept(runs: tuple[Run, Run, Partition]):
    parts = runs[2]
    before, after = parts.original.modalities["image"], parts.retained.modalities["image"]
    lost = int(np.flatnonzero(parts.lost_items & before.present)[0])
    features = np.array(after.features)
    features[0] = before.features[lost]
    kept = replace(parts.retained, modalities={**parts.retained.modalities, "image": replace(after, features=features)})
    assert failed(runs, replace(parts, retained=kept)) == {"residue: features"}


def test_ids_in_the_map_and_pairs_in_the_graph(runs: tuple[Run, Run, Partition]):
    parts = runs[2]
    everything = replace(
        parts,
        retained=parts.original,
        user_rows=np.arange(len(parts.original.users)),
        item_rows=np.arange(len(parts.original.items)),
    )
    claimed = replace(everything)
    claimed.__dict__["lost_users"] = parts.lost_users
    claimed.__dict__["lost_items"] = parts.lost_items
    claimed.__dict__["forgotten"] = parts.forgotten
    assert {"residue: ids", "residue: graphs"} <= failed(runs, claimed)
